"""Links: the view that they name, in any browser, to be read; whatever is wrong with them is a sentence."""

import dataclasses
import re

import pytest

from tests.browser.conftest import quiet
from tests.browser.test_jobs import TOKEN, tray
from tests.stored_runs import shipped

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def shared(store):
    """Address of a run of somebody else's browser."""
    store.save(dataclasses.replace(shipped("digits-vgg-relu"), id="7" * 32), workspace="ef" * 16)
    return f"run={'7' * 12}"


def strip(page):
    return page.locator(".st-key-strip").inner_text()


def test_a_run_made_elsewhere_opens_by_its_link_and_only_to_be_read(open_page, shared):
    page = open_page(f"accuracy?{shared}&T=8")
    assert "digits-vgg-relu" in strip(page)
    assert "T\n8" in strip(page)
    page.get_by_text("it can be read here, not changed").wait_for()
    assert "Jobs: none running" in tray(page).inner_text()
    page.get_by_role("link", name="Help", exact=True).click()
    page.get_by_role("heading", name="What do the words").wait_for()
    quiet(page)
    assert shared in page.url
    assert page.evaluate(TOKEN) not in page.url
    page.reload()
    assert "digits-vgg-relu" in strip(quiet(page))


@pytest.mark.parametrize("query", ["run=000000000000", "run=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E&T=1e9&compare=.."])
def test_a_wrong_link_is_a_sentence_and_the_example(open_page, query):
    page = open_page(f"accuracy?{query}")
    page.get_by_text(re.compile("There is no run.*the first example is shown instead")).wait_for()
    assert "digits-vgg-qcfs-L8" in strip(page)
    assert page.locator("[data-testid=stMain] img[src=x]").count() == 0


def test_an_unknown_page_is_a_sentence_and_the_first_page(open_page):
    page = open_page("no-such-page?T=4")
    assert "T\n4" in strip(page)
    page.get_by_role("heading", name="What was recognised").wait_for()
    page.get_by_text(re.compile("not found|does not (seem to )?exist", re.IGNORECASE)).first.wait_for()
    open_page.problems.clear()  # the address of a page that is not there


def test_the_back_button_returns_to_the_run_before(open_page, shared):
    page = open_page(f"accuracy?{shared}")
    page.get_by_role("combobox", name="Checkpoint").click()
    page.get_by_role("option", name="digits-resnet-qcfs-L4", exact=True).click()
    page.wait_for_url(re.compile(r"run=(?!7777)"))
    assert "digits-resnet-qcfs-L4" in strip(quiet(page))
