import socket

import pytest

from snnlab.cli import launcher
from snnlab.core.errors import SnnlabError


class Replaced(Exception):
    """Stands for the moment this process becomes the server."""


@pytest.fixture
def app(tmp_path, monkeypatch):
    (tmp_path / "app.py").write_text("")
    monkeypatch.setattr(launcher, "app_folder", lambda: tmp_path)
    return tmp_path / "app.py"


@pytest.fixture
def listener():
    with socket.socket() as listening:
        listening.bind((launcher.LOOPBACK, 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind((launcher.LOOPBACK, 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
def test_serves_the_apps_script_on_loopback(app, free_port, address, monkeypatch):
    def become(program, arguments):
        raise Replaced(arguments)

    monkeypatch.setattr(launcher.os, "execv", become)
    with pytest.raises(Replaced) as started:
        launcher.start_app(free_port, address)
    (arguments,) = started.value.args

    options = dict(zip(arguments[5::2], arguments[6::2], strict=True))
    assert arguments[1:5] == ["-m", "streamlit", "run", str(app)]
    assert options["--server.address"] == address
    assert options["--server.port"] == str(free_port)
    assert options["--browser.gatherUsageStats"] == "false"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "example.org", ""])
def test_refuses_an_address_that_others_can_reach(app, free_port, address):
    with pytest.raises(SnnlabError, match="--trusted-network"):
        launcher.start_app(free_port, address)


def test_a_trusted_network_is_said_and_served(app, free_port, monkeypatch, capfd):
    def become(program, arguments):
        raise Replaced(arguments)

    monkeypatch.setattr(launcher.os, "execv", become)
    monkeypatch.delenv("SNNLAB_WORKERS", raising=False)
    monkeypatch.setenv("SNNLAB_WORKERS", "7")
    with pytest.raises(Replaced) as started:
        launcher.start_app(free_port, "0.0.0.0", trusted_network=True, workers=3)
    (arguments,) = started.value.args

    assert arguments[arguments.index("--server.address") + 1] == "0.0.0.0"
    assert launcher.os.environ["SNNLAB_WORKERS"] == "3"
    assert f"whoever reaches 0.0.0.0:{free_port} can use this app without a password" in capfd.readouterr().err


@pytest.mark.parametrize("address", ["192.0.2.7", "no-such-host.invalid", "x" * 300])
def test_an_address_of_another_machine_is_one_sentence(app, free_port, address):
    with pytest.raises(SnnlabError, match="is no address of this machine"):
        launcher.start_app(free_port, address, trusted_network=True)


def test_no_workers_is_one_sentence(app, free_port):
    with pytest.raises(SnnlabError, match="--workers 0: give 1 or more"):
        launcher.start_app(free_port, workers=0)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_refuses_a_port_that_does_not_exist(app, port):
    with pytest.raises(SnnlabError, match=f"Port {port} does not exist"):
        launcher.start_app(port)


def test_a_taken_port_is_one_sentence(app, listener):
    with pytest.raises(SnnlabError, match=f"Port {listener} is in use"):
        launcher.start_app(listener)


def test_a_broken_installation_is_one_sentence(tmp_path, free_port, monkeypatch):
    monkeypatch.setattr(launcher, "app_folder", lambda: tmp_path)
    with pytest.raises(SnnlabError, match="install snnlab-workbench again"):
        launcher.start_app(free_port)
