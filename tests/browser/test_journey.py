"""A new user's way: the example, another page, another T, a conversion of one's own, a reload in the middle of it."""

import re

import pytest

import snnlab as sl
from tests.browser.conftest import PATIENCE, ROOT, quiet

pytestmark = pytest.mark.browser
CHECKPOINT = ROOT / "assets" / "checkpoints" / "digits-vgg-relu.safetensors"


def choose(page, label, option):
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()
    page.wait_for_timeout(300)
    quiet(page)


def test_the_first_page_shows_the_example_at_once(open_page):
    page = open_page()
    text = page.locator("[data-testid=stMain]").inner_text()
    for word in ("digits-vgg-qcfs-L8", "62,499", "1b7b664f1be0", "SNN, T = 2", "82.22"):
        assert word in text
    assert "run=" not in page.url


def test_pages_share_checkpoint_and_t_by_the_address(open_page):
    page = open_page()
    choose(page, "Checkpoint", "digits-resnet-qcfs-L4")
    choose(page, "Target T", "8")
    assert re.search(r"run=[0-9a-f]{12}", page.url)
    page.get_by_role("link", name="Accuracy").click()
    page.get_by_role("heading", name="How many time-steps").wait_for()
    quiet(page)
    strip = page.locator(".st-key-strip").inner_text()
    assert "digits-resnet-qcfs-L4" in strip
    assert "T\n8" in strip
    again = open_page(page.url.split("/", 3)[3])
    assert again.locator(".st-key-strip").inner_text() == strip


def test_a_file_of_one_s_own_becomes_a_run_even_through_a_reload(open_page):
    page = open_page(height=1300)
    page.get_by_role("tab", name="Open or convert").click()
    page.get_by_text("Upload a file").click()
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(CHECKPOINT)
    page.get_by_role("button", name="Convert and analyse").wait_for()
    quiet(page)
    choose(page, "Method", "Max norm")
    images = page.get_by_role("spinbutton", name="Images")
    images.fill("40")
    images.press("Enter")
    quiet(page)
    choose(page, "Simulate to T", "8")
    page.get_by_role("button", name="Convert and analyse").click()
    tray = page.locator(".st-key-tray")
    tray.get_by_role("button", name="Cancel").or_(tray.get_by_text("in view")).first.wait_for()
    page.reload()
    quiet(page)
    strip = page.locator(".st-key-strip")
    tray.get_by_role("button", name="Show").click(timeout=2 * PATIENCE)  # another session: offered, not forced
    strip.get_by_text("Max norm").wait_for()
    quiet(page)
    assert "dev, 40 images" in strip.inner_text()
    assert re.search(r"run=[0-9a-f]{12}", page.url)
    page.reload()
    quiet(page)
    assert "Max norm" in strip.inner_text()


def test_a_file_that_is_no_checkpoint_is_refused_in_one_sentence_and_nothing_is_lost(open_page, tmp_path):
    wrong = tmp_path / "letter.pt"
    wrong.write_text("Dear reviewer, this is no checkpoint.")
    page = open_page()
    page.get_by_role("tab", name="Open or convert").click()
    page.get_by_text("Upload a file").click()
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(wrong)
    alert = page.locator("[data-testid=stMain] [data-testid=stAlert]")
    alert.wait_for()
    assert "letter.pt" in alert.inner_text()
    assert "digits-vgg-qcfs-L8" in page.locator(".st-key-strip").inner_text()
    page.get_by_text("The one in view").click()
    page.get_by_role("button", name="Convert and analyse").wait_for()


def test_the_example_on_the_page_is_the_bundled_one():
    assert "digits-vgg-qcfs-L8" in {run.card["name"] for run in sl.runs.Store().shipped()}
