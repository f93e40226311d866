"""The installed product is the same product: build the wheel, install it elsewhere, start its app, open a page."""

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHROME = os.environ.get("SNNLAB_CHROME") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("snnlab_workbench-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A new environment with our wheel, which sees the packages of this one but not its editable snnlab."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, with_pip=False, symlinks=os.name == "posix")
    paths = sysconfig.get_paths("venv", vars={"base": str(home), "platbase": str(home)})
    python = Path(paths["scripts"], Path(sys.executable).name)
    # A path added by a .pth line is not searched for .pth files, so the editable install stays out of sight.
    Path(paths["purelib"], "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return Path(paths["scripts"])


@pytest.fixture
def elsewhere(tmp_path):
    """A working directory that is no checkout, and an environment that leads back to none."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["SNNLAB_STORE"] = str(tmp_path / "runs.sqlite")
    return {"cwd": tmp_path, "env": environment}


def test_the_wheel_carries_the_whole_app(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    carried = {name.removeprefix("snnlab/_app/") for name in names if name.startswith("snnlab/_app/")}
    checkout = {
        path.relative_to(ROOT).as_posix()
        for folder in ("pages", "assets")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert checkout | {"app.py", ".streamlit/config.toml", "static/plotly.min.js"} <= carried
    assert not [name for name in names if name.startswith(("tests/", "scripts/")) or name.endswith(".pyc")]


def test_an_editable_install_has_no_copy_of_the_app():
    assert not (ROOT / "snnlab" / "_app").exists()


def test_the_installed_library_finds_its_own_files(installed, elsewhere):
    code = (
        "import json, snnlab as sl; from snnlab.core.assets import app_folder;"
        "print(json.dumps([sl.__file__, str(app_folder()), sl.example('digits-vgg-qcfs-L8').card.num_classes]))"
    )
    done = subprocess.run(
        [installed / "python", "-c", code], **elsewhere, capture_output=True, text=True, timeout=120, check=True
    )
    package, app, classes = json.loads(done.stdout)

    assert Path(package).is_relative_to(installed.parent)
    assert Path(app) == Path(package).parent / "_app"
    assert classes == 10


def test_the_installed_app_opens_from_another_directory(installed, elsewhere):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = elsewhere["cwd"] / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [installed / "snnlab", "app", "--port", str(port)], **elsewhere, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_healthy(url, server, log)
        assert b"<title>" in _get(url + "/")
        # Only the configuration beside the installed app.py turns static files on.
        assert len(_get(url + "/app/static/plotly.min.js")) > 1_000_000
        if CHROME:
            _open_in_a_browser(url)
    finally:
        server.terminate()
        server.wait(20)
    said = log.read_text()
    assert "Traceback" not in said
    assert said.count("http://") == 1, f"one address is printed, not: {said}"
    with pytest.raises(urllib.error.URLError):
        _get(url + "/_stcore/health")


def _get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200
        return answer.read()


def _wait_until_healthy(url, server, log, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, f"the server ended: {log.read_text()}"
        try:
            return _get(url + "/_stcore/health")
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"the server did not answer within {seconds} s: {log.read_text()}")


def _open_in_a_browser(url):
    sync_api = pytest.importorskip("playwright.sync_api")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROME, args=quiet)
        page = browser.new_page()
        page.goto(url)
        app = page.locator("[data-testid=stApp]")
        sync_api.expect(app).to_contain_text("digits-vgg-qcfs-L8", timeout=40_000)
        sync_api.expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=40_000)
        assert page.locator("[data-testid=stException]").count() == 0
        browser.close()
