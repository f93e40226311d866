"""The Conversion page in a browser: edit a cell, see numbers move, undo, run the full curve; width and access."""

import pytest

from tests.browser.conftest import PATIENCE, THEMES, check_layout, quiet

playwright = pytest.importorskip("playwright.sync_api")

ANSWER = 90_000  # ms: the first question starts a worker


def site_table(page):
    table = page.get_by_test_id("stDataFrame")
    table.locator("canvas").first.wait_for()
    page.wait_for_timeout(500)
    return table


def type_threshold(page, row, text, *, seen):
    """Edit the threshold of a row with the keyboard: the site is the first column, the threshold the third.

    A table that is drawn anew under the keys, as when the page has just opened, loses them: they are typed again until
    ``seen`` can be seen.
    """
    for _ in range(4):
        box = site_table(page).bounding_box()
        page.mouse.click(box["x"] + 30, box["y"] + 35 * (row + 1) + 17)
        for key in ("ArrowRight", "ArrowRight", "Enter"):
            page.keyboard.press(key)
            page.wait_for_timeout(100)
        page.keyboard.press("Control+A")
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        try:
            seen.first.wait_for(timeout=8000)
            return
        except playwright.TimeoutError:
            page.keyboard.press("Escape")
            quiet(page)
    raise AssertionError(f"{text} was typed four times and not taken over")


def enabled(page, name):
    """That button, once it can be pressed."""
    return page.locator("button:not([disabled])", has_text=name)


def difference(page):
    found = page.get_by_text("B − A")
    found.first.wait_for(timeout=ANSWER)
    return found.first.inner_text()


@pytest.mark.full  # long; AppTest walks the same way
def test_edit_undo_and_the_full_curve(open_page):
    page = open_page("conversion?T=2")
    run = page.get_by_role("button", name="Run the full curve")
    assert run.is_disabled()
    type_threshold(page, 0, "1.5", seen=enabled(page, "Undo"))
    first = difference(page)
    assert "+4.69 points" in first
    quiet(page)
    assert "run=" not in page.url
    changed = page.locator("p", has_text="B − A").filter(has_not_text=first)
    type_threshold(page, 1, "0.5", seen=changed)
    page.wait_for_function(
        "before => ![...document.querySelectorAll('p')].some(p => p.innerText === before)", arg=first
    )
    second = difference(page)
    assert second != first
    page.get_by_role("button", name="Undo").click()
    page.get_by_text(first).wait_for(timeout=ANSWER)
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("B − A").wait_for(state="detached")
    assert run.is_disabled()
    page.get_by_role("button", name="Redo").click()
    page.get_by_text(first).wait_for(timeout=ANSWER)
    quiet(page)
    run.click()
    page.get_by_role("heading", name="Two conversions side by side").wait_for(timeout=2 * ANSWER)
    quiet(page)
    assert "compare=" in page.url
    assert "run=" in page.url
    page.get_by_role("link", name="Accuracy").first.click()
    page.get_by_role("heading", name="How many time-steps does the SNN need?").wait_for(timeout=PATIENCE)
    quiet(page)
    assert "compare=" in page.url


def test_a_bad_threshold_is_answered_at_the_table(open_page):
    page = open_page("conversion")
    refused = page.get_by_text("stage1.act1: the threshold must be above 0, not 0; it stays as it was.")
    type_threshold(page, 0, "0", seen=refused)
    assert page.get_by_role("button", name="Undo").is_disabled()


@THEMES
def test_nothing_is_cut_off_and_axe_finds_nothing(open_page, scheme):
    page = open_page("conversion", scheme=scheme)
    site_table(page)
    check_layout(page)
