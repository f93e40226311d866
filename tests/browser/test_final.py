"""Final evaluation in a browser: sealed, confirmed, counted, exported, and shown again by its link."""

import re

import pytest

from tests.browser.conftest import PATIENCE, check_layout, quiet

pytestmark = pytest.mark.browser
LOOK = re.compile(r"\d(st|nd|rd|th) look")


def said(page):
    return page.locator("[data-testid=stMain]").inner_text()


def saved(page, name, nth=0):
    with page.expect_download() as asked:
        page.get_by_role("button", name=name, exact=True).nth(nth).click()
    return open(asked.value.path(), encoding="utf-8").read()


@pytest.mark.full  # the journey looks at the light ones
def test_the_sealed_page_fits_and_is_accessible_in_a_dark_theme(open_page):
    page = open_page("final", scheme="dark")
    page.get_by_role("button", name="Open the test set").wait_for()
    check_layout(page)


def test_from_the_sealed_page_to_a_table_in_a_paper(open_page):
    page = open_page("final?T=2", height=1300)
    opening = page.get_by_role("button", name="Open the test set")
    opening.wait_for()
    assert opening.is_disabled()
    for size in ("942", "270", "450"):
        assert size in said(page)
    check_layout(page)
    page.get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    page.wait_for_function(
        "[...document.querySelectorAll('button')].some(b => b.innerText.includes('Open the test set') && !b.disabled)"
    )
    quiet(page)
    opening.click()
    page.get_by_text(LOOK).first.wait_for(timeout=3 * PATIENCE)
    page.get_by_text("declared before the test set was opened").first.wait_for(timeout=3 * PATIENCE)
    quiet(page)
    assert re.search(r"final=[0-9a-f]{12}", page.url)
    assert "run=" not in page.url
    page.locator(".snnlab-figure .main-svg").first.wait_for()
    shown = said(page)
    assert "Other T, exploratory" in shown
    percent = re.search(r"(\d\d\.\d\d)\s\[\d\d\.\d\d–\d\d\.\d\d\]\s+(\d\d\.\d\d)\s\[", shown)
    assert percent, shown
    check_layout(page)

    page.get_by_role("button", name="Export").click()
    table = saved(page, "LaTeX")
    assert "1st look" in table
    assert r"\bottomrule" in table
    assert percent[2] in table
    numbers = saved(page, "CSV", 1)
    assert percent[2] in numbers
    page.keyboard.press("Escape")

    link = page.url.split("/", 3)[3]
    again = open_page(link)
    again.get_by_text("declared before the test set was opened").first.wait_for()
    assert "1st look" in said(again)
    again.get_by_role("button", name="Back to the protocol").click()
    again.get_by_role("button", name="Show the stored result").wait_for()
    quiet(again)
    assert "opened once" in said(again)
    assert percent[2] not in said(again).split("What every image")[1]


@pytest.mark.full
def test_the_result_fits_and_is_accessible_in_a_dark_theme(open_page):
    page = open_page("final", scheme="dark")  # the journey before has stored an evaluation
    page.get_by_role("button", name="Show the stored result").click()
    page.get_by_text("declared before the test set was opened").first.wait_for()
    page.locator(".snnlab-figure .main-svg").first.wait_for()
    quiet(page)
    check_layout(page)


def test_changing_t_leaves_the_accuracy_chart_alone(open_page):
    page = open_page("accuracy?T=2")
    chart = page.locator(".snnlab-figure")
    chart.locator(".main-svg").first.wait_for()
    quiet(page)
    page.wait_for_timeout(800)
    page.evaluate(
        "window.changes = 0; new MutationObserver(all => { window.changes += all.length; })"
        ".observe(document.querySelector('.snnlab-figure'), {childList: true, subtree: true, attributes: true});"
    )
    page.get_by_role("combobox", name="Target T").click()
    page.get_by_role("option", name="8", exact=True).click()
    page.wait_for_url("**T=8**")
    quiet(page)
    assert "T\n8" in page.locator(".st-key-strip").inner_text()
    page.wait_for_timeout(500)
    redrawn = page.evaluate("window.changes")
    assert redrawn == 0, f"{redrawn} changes in a chart that does not depend on T"
