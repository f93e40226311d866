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
PATIENCE = 60_000  # ms: two cores may be busy with other tests
WIDTHS = (1400, 1024, 800)  # px: a desk, a laptop, half a screen


class Server:
    """The app on one port and one folder, on a fresh run store or a given one; it can be killed and started again."""

    def __init__(self, home, store=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home, self.log = home, home / "log"
        self.store = store or home / "runs.sqlite"
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        environment = {**os.environ, "SNNLAB_STORE": str(self.store), "XDG_CACHE_HOME": str(self.home / "cache")}
        environment |= {"SNNLAB_DATA_ROOTS": str(self.home), "OMP_NUM_THREADS": "1"}
        environment["XDG_DATA_HOME"] = str(self.home / "data")  # where trainings are kept: none of an earlier test
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.port", str(self.port)]
        with self.log.open("a") as out:
            self.process = subprocess.Popen(
                command, cwd=self.home, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=1)
                return self
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"the server does not answer: {self.log.read_text()}")

    def kill(self):
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(20)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        assert "Traceback" not in self.log.read_text()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Address of the app on a fresh store; its log must stay free of tracebacks."""
    running = Server(tmp_path_factory.mktemp("server")).start()
    yield running.address
    running.stop()


@pytest.fixture(scope="module")
def stored(store, tmp_path_factory):
    """Address of the app on the ``store`` that a file of tests has filled."""
    running = Server(tmp_path_factory.mktemp("server"), store.path).start()
    yield running.address
    running.stop()


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
    """``open_page("accuracy?T=4", width=800, scheme="dark")``: a page in a browser of its own, drawn.

    ``beside=page`` opens it in another tab of that page's browser, ``script`` runs before the page's own,
    ``at`` is another server's address.
    """
    contexts, problems = [], []

    def report(message):
        # Streamlit asks below the page's own path first, and finds its health endpoint at the root.
        if message.type == "error" and "/_stcore/" not in (message.location or {}).get("url", ""):
            problems.append(message.text)

    def opened(path="", *, width=1400, height=900, scheme="light", beside=None, script="", at=server):
        if beside is None:
            context = chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
            )
            context.set_default_timeout(PATIENCE)
            if script:
                context.add_init_script(script)
            contexts.append(context)
        else:
            context = beside.context
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", report)
        page.on(
            "request",
            lambda request: request.url.startswith((at, "data:", "blob:")) or problems.append(request.url),
        )
        page.goto(f"{at}/{path}")
        return quiet(page)

    opened.problems = problems
    yield opened
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture
def page(chromium):
    """A bare page: for what is drawn in it, and for whatever it throws."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE)
    opened, problems = context.new_page(), []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    yield opened
    context.close()
    assert not problems


def quiet(page):
    """Wait until the strip stands, the browser's token has arrived, and no script runs."""
    page.locator(".st-key-strip a").first.wait_for()
    page.locator(".st-key-tray").get_by_text("connecting").wait_for(state="detached")
    page.wait_for_timeout(150)
    page.wait_for_function(
        "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", timeout=PATIENCE
    )
    assert page.locator("[data-testid=stException]").count() == 0
    return page


def sideways(page):
    """Pixels by which a page of the app could be scrolled to the right."""
    return page.evaluate(
        "Math.max(...['html', '[data-testid=stMain]'].map(s => {"
        "const e = document.querySelector(s); return e.scrollWidth - e.clientWidth; }))"
    )


def violations(page, within=""):
    """What axe-core objects to, as text, one block a rule; empty if nothing. Skips the test without axe.

    Args:
        page: Drawn and quiet.
        within: CSS selector of the part to look at; "" for all of it.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, context={"include": [[within]]} if within else None).response["violations"]
    return "\n".join(
        "\n  ".join([f"{each['id']} ({each['impact']})", *(node["html"][:200] for node in each["nodes"][:3])])
        for each in found
    )
