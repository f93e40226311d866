"""The app from a notebook: really started, really stopped."""

import socket
import urllib.request

import pytest

import snnlab as sl
from snnlab.cli import opened
from snnlab.core.errors import DataError, SnnlabError

VGG = "digits-vgg-qcfs-L8"


def shipped(name):
    return next(run.id for run in sl.runs.Store().shipped() if run.verb == "analyse" and run.card["name"] == name)


def test_started_seen_and_stopped():
    with sl.open_app(VGG) as app:
        assert app.url.startswith("http://127.0.0.1:")
        assert app.url.endswith(f"?run={shipped(VGG)[:12]}")
        with urllib.request.urlopen(app.url, timeout=20) as page:
            assert page.status == 200
        assert VGG in app._repr_html_()
        assert f'href="{app.url}"' in app._repr_html_()
        port = int(app.url.split(":")[2].split("/")[0])
        # A second one on the same port is refused with the launcher's own sentence.
        with pytest.raises(SnnlabError, match=f"Port {port} is in use"):
            sl.open_app(VGG, port=port)
        assert app.running

    assert not app.running
    app.stop()
    with socket.socket() as probe, pytest.raises(OSError, match="refused"):
        probe.connect(("127.0.0.1", port))
    assert "stopped" in app._repr_html_()
    assert "stopped" in repr(app)


def other():
    """A network that is not the bundled one, under its card."""
    made = sl.example(VGG)
    state = {key: 1.01 * value if key.endswith("bias") else value for key, value in made.state_dict.items()}
    return type(made)(made.card, state)


@pytest.fixture
def started(monkeypatch):
    """What would be started: port, run, name, folders."""
    calls = []
    monkeypatch.setattr(opened, "_start", lambda *values: calls.append(values))
    return calls


def test_a_file_is_analysed_once_and_its_folder_may_be_read(started, tmp_path):
    path = tmp_path / "mine.safetensors"
    other().save(path)
    sl.open_app(path, "digits", port=8601)
    sl.open_app(str(path), port=8601)

    (port, run_id, name, folders), again = started
    assert (port, name) == (8601, VGG)
    assert folders == (str(tmp_path),)
    assert again[1] == run_id
    run = sl.runs.Store().get(run_id)
    assert run.recipe.checkpoint.source == str(path)
    assert run.recipe.data.dataset == "digits"


def test_the_shipped_run_stands_for_no_other_dataset():
    source, opened_checkpoint = opened._source(VGG)
    assert opened._run_in_view(source, opened_checkpoint, "digits", None) == shipped(VGG)
    with pytest.raises(SnnlabError):  # not there, or of another shape: said, and digits are not shown instead
        opened._run_in_view(source, opened_checkpoint, "mnist", None)


def test_weights_that_are_in_no_file_get_one(started):
    made = other()
    sl.open_app(made)

    run = sl.runs.Store().get(started[0][1])
    again = sl.load_checkpoint(run.recipe.checkpoint.source)
    assert again.card.sha256 == run.recipe.checkpoint.sha256
    assert all(bool((again.state_dict[key] == value).all()) for key, value in made.state_dict.items())


def test_a_server_that_does_not_start_is_one_sentence():
    port = opened._free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(SnnlabError, match=f"did not start on port {port}: Port {port} is in use"):
            opened._start(port, "0" * 32, "x", ())


@pytest.mark.parametrize(
    ("data", "own", "told"),
    [
        (None, None, "does not tell its dataset; give data="),
        ("no-such-thing", "digits", "neither one of .* nor a path"),
        (".", None, "which dataset lies in"),
    ],
)
def test_data_that_nobody_tells_is_one_sentence(data, own, told):
    with pytest.raises(DataError, match=told):
        opened._dataset(data, own)


def test_data_as_name_folder_or_file(tmp_path):
    images = tmp_path / "images.npz"
    images.write_bytes(b"")
    assert opened._dataset(None, "cifar10") == ("cifar10", None)
    assert opened._dataset("mnist", "cifar10") == ("mnist", None)
    assert opened._dataset(tmp_path, "cifar10") == ("cifar10", str(tmp_path))
    assert opened._dataset(images, None) == ("npz", str(images))
