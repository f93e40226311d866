"""Jobs and whose they are, in real browsers: tabs, reloads, a second browser, and a server that is killed."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import snnlab as sl
from tests.browser.conftest import PATIENCE, Server, quiet

pytestmark = pytest.mark.browser
TOKEN = "localStorage.getItem('snnlab-workspace')"
BLOCKED = (
    "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('refused', 'SecurityError') }})"
)


def tray(page):
    return page.locator(".st-key-tray")


def cancel(page):
    return tray(page).get_by_role("button", name="Cancel")


def start_long_job(page, steps="128"):
    """A conversion that takes seconds."""
    page.get_by_role("tab", name="Open or convert").click()
    page.get_by_role("combobox", name="Simulate to T").click()
    page.get_by_role("option", name=steps, exact=True).click()
    page.wait_for_timeout(300)
    quiet(page)
    page.get_by_role("button", name="Convert and analyse").click()
    cancel(page).wait_for()
    return page


def workers_of(server):
    """Worker processes that this server started."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    found = []
    for line in listed.splitlines():
        pid, _, command = line.strip().partition(" ")
        if "snnlab.runs.worker" in command:
            try:
                environment = Path(f"/proc/{pid}/environ").read_text()
            except OSError:
                continue
            if str(server.store) in environment:
                found.append(int(pid))
    return found


def test_the_token_outlives_reloads_and_tabs_and_stays_out_of_the_address(open_page):
    page = open_page()
    token = page.evaluate(TOKEN)
    assert re.fullmatch("[0-9a-f]{32}", token)
    page.reload()
    assert quiet(page).evaluate(TOKEN) == token
    tab = open_page("help", beside=page)
    assert tab.evaluate(TOKEN) == token
    assert open_page("help").evaluate(TOKEN) != token
    assert token not in page.url + tab.url


@pytest.mark.full  # four pages
@pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are told by /proc")
def test_a_job_is_found_after_a_reload_and_in_another_tab_only_and_is_cancelled_there(open_page, tmp_path):
    server = Server(tmp_path).start()
    page = open_page(height=1300, at=server.address)
    page.get_by_role("combobox", name="Checkpoint").click()
    page.get_by_role("option", name="digits-resnet-qcfs-L4", exact=True).click()
    page.locator(".st-key-strip").get_by_text("digits-resnet").wait_for()
    quiet(page)
    before = page.url
    tab, stranger = open_page("help", beside=page, at=server.address), open_page("help", at=server.address)
    start_long_job(page)
    for worker in workers_of(server):
        os.kill(worker, signal.SIGSTOP)  # four pages take their time: the job waits for them
    page.reload()
    cancel(page).wait_for()
    tab.reload()
    cancel(tab).wait_for()
    assert "Jobs: none running" in tray(stranger).inner_text()
    began = time.monotonic()
    cancel(page).click()
    cancel(page).wait_for(state="detached")
    took = time.monotonic() - began
    tray(tab).get_by_role("progressbar").wait_for(state="detached")
    assert page.url == before, "no other run has come into view"
    print(f"cancelled and off the list after {took:.2f} s")
    assert took < 15  # three pages share two cores here; that the job ends within a second is tested with the pool
    for opened in (page, tab, stranger):
        opened.goto("about:blank")
    server.stop()


def test_cancel_where_it_was_started_says_that_nothing_is_stored(open_page):
    page = start_long_job(open_page(height=1300))
    cancel(page).click()
    page.get_by_text("cancelled, nothing was stored").first.wait_for()
    quiet(page)
    assert "run=" not in page.url
    assert page.get_by_role("button", name="Convert and analyse").is_enabled()


def test_where_storage_is_blocked_pages_work_and_say_that_a_reload_forgets(open_page):
    page = open_page(script=BLOCKED)
    tray(page).get_by_text("a reload forgets its jobs").wait_for()
    page.get_by_role("tab", name="Open or convert").click()
    assert page.get_by_role("button", name="Convert and analyse").is_enabled()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are told by /proc")
def test_a_killed_server_leaves_no_worker_and_no_half_run_and_the_job_starts_again(open_page, tmp_path):
    server = Server(tmp_path).start()
    try:
        page = start_long_job(open_page(height=1300, at=server.address), "64")
        for _ in range(100):
            if workers_of(server):
                break
            time.sleep(0.1)
        assert workers_of(server)
        server.kill()
        for _ in range(50):
            if not workers_of(server):
                break
            time.sleep(0.1)
        assert not workers_of(server)
        server.start()
        page.goto(f"{server.address}/help")
        quiet(page)
        tray(page).get_by_text("the server was stopped while this ran").wait_for()
        assert all(row.shipped for row in sl.runs.Store(server.store).list())
        tray(page).get_by_role("button", name="Start again").click()
        cancel(page).wait_for()
        tray(page).get_by_text("in view").wait_for(timeout=3 * PATIENCE)
        assert page.locator(".st-key-tray").get_by_role("button", name="Start again").count() == 0
        (stored,) = [row for row in sl.runs.Store(server.store).list() if not row.shipped]
        assert stored.recipe.num_steps == 64
        assert stored.workspace == page.evaluate(TOKEN)
        page.goto("about:blank")
    finally:
        server.stop()
        open_page.problems.clear()  # a browser tells of the connection that it lost
