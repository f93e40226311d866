"""A server with a store of its own, and a headless Chromium that reports every error and every request off the host."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROME = os.environ.get("SNNLAB_CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
QUIET += ("--disable-background-networking", "--disable-component-update")
PATIENCE = 30_000  # ms: two cores may be busy with other tests


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Address of the app on a fresh store; its log must stay free of tracebacks."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("server")
    environment = {**os.environ, "SNNLAB_STORE": str(home / "runs.sqlite"), "XDG_CACHE_HOME": str(home / "cache")}
    environment |= {"SNNLAB_DATA_ROOTS": str(home), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    log = home / "log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=out, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def chromium():
    """The browser, one a file, as Playwright runs once at a time; without one the tests are skipped."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROME:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROME, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, server):
    """``open_page("accuracy?T=4", width=800, scheme="dark")``: a page in a new session, drawn."""
    contexts, problems = [], []

    def report(message):
        # Streamlit asks below the page's own path first, and finds its health endpoint at the root.
        if message.type == "error" and "/_stcore/" not in (message.location or {}).get("url", ""):
            problems.append(message.text)

    def opened(path="", *, width=1400, height=900, scheme="light"):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", report)
        page.on(
            "request",
            lambda request: request.url.startswith((server, "data:", "blob:")) or problems.append(request.url),
        )
        page.goto(f"{server}/{path}")
        return quiet(page)

    yield opened
    for context in contexts:
        context.close()
    assert not problems, problems


def quiet(page):
    """Wait until the strip stands and no script runs."""
    page.locator(".st-key-strip a").first.wait_for()
    page.wait_for_timeout(150)
    page.wait_for_function(
        "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", timeout=PATIENCE
    )
    assert page.locator("[data-testid=stException]").count() == 0
    return page
