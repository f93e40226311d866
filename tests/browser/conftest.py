"""A server with a store of its own, and a headless Chromium that reports every error and every request off the host."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

import snnlab as sl

ROOT = Path(__file__).resolve().parents[2]
CHROME = os.environ.get("SNNLAB_CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
QUIET += ("--disable-background-networking", "--disable-component-update")
PATIENCE = 60_000  # ms: two cores may be busy with other tests
WIDTHS = (1400, 1024, 800)  # px: a desk, a laptop, half a screen
THEMES = pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.full)])


class Server:
    """The app on one port and one folder with a fresh run store; it can be killed and started again."""

    def __init__(self, home):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home, self.log = home, home / "log"
        self.store = home / "runs.sqlite"
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
    """The app on a store of its own, to which files of tests add runs; its log must stay free of tracebacks."""
    running = Server(tmp_path_factory.mktemp("server")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def store(server):
    """The run store of ``server``: what is saved there is seen at the next picture."""
    with contextlib.closing(sl.runs.Store(server.store)) as found:
        yield found


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


@pytest.fixture(scope="module")
def profile(chromium):
    """What a browser keeps, for the tests of a file: the app's scripts, which take most of the time to open a page."""
    context = chromium.new_context(accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


def forget(context, addresses):
    """Empty the local storage of a context, with the token that tells whose the jobs are."""
    blank = context.new_page()
    session = context.new_cdp_session(blank)
    for address in addresses:
        session.send("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "local_storage"})
    blank.close()


@pytest.fixture
def open_page(chromium, profile, server):
    """``open_page("accuracy?T=4", width=800, scheme="dark")``: a page in a browser of its own, drawn.

    ``beside=page`` opens it in another tab of that page's browser, ``script`` runs before the page's own,
    ``at`` is another server's address.
    """
    pages, contexts, addresses, problems = [], [], set(), []

    def report(message):
        # Streamlit asks below the page's own path first, and finds its health endpoint at the root.
        if message.type == "error" and "/_stcore/" not in (message.location or {}).get("url", ""):
            problems.append(message.text)

    def opened(path="", *, width=1400, height=900, scheme="light", beside=None, script="", at=server.address):
        if beside is not None:
            context = beside.context
        elif pages or script:  # a second browser, or one that is unlike others
            context = chromium.new_context(accept_downloads=True)
            context.set_default_timeout(PATIENCE)
            if script:
                context.add_init_script(script)
            contexts.append(context)
        else:
            context = profile
        page = context.new_page()
        pages.append(page)
        addresses.add(at)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
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
    for page in pages:
        page.close()
    for context in contexts:
        context.close()
    forget(profile, addresses)
    assert not problems, problems


@pytest.fixture
def page(profile, server):
    """A bare page: for what is drawn in it, and for whatever it throws."""
    opened, problems = profile.new_page(), []
    opened.set_viewport_size({"width": 1400, "height": 1000})
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(dialog.message))
    yield opened
    opened.close()
    forget(profile, [server.address])
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


def at_rest(page, sent):
    """Wait until the browser tells the server nothing by itself any more, and forget what it has told.

    Args:
        page: The page.
        sent: What it has sent, a growing list.
    """
    told = -1
    while told != len(sent):
        told = len(sent)
        page.wait_for_timeout(800)
    sent.clear()


def sideways(page):
    """Pixels by which a page of the app could be scrolled to the right."""
    return page.evaluate(
        "Math.max(...['html', '[data-testid=stMain]'].map(s => {"
        "const e = document.querySelector(s); return e.scrollWidth - e.clientWidth; }))"
    )


def check_layout(page, within=""):
    """Nothing is cut off at any of ``WIDTHS``, and axe-core objects to nothing.

    Args:
        page: Drawn and quiet.
        within: As for ``violations``.
    """
    height = page.viewport_size["height"]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(250)
        assert sideways(page) <= 0, width
    assert not (told := violations(page, within)), told


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
