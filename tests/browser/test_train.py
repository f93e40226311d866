"""Train as a user does: choose two arms, start, watch, cancel, go on, read the forest plot, reopen it by its link."""

import re

import pytest

from tests.browser.conftest import PATIENCE, THEMES, check_layout, quiet

pytestmark = pytest.mark.browser
SLOW = 4 * PATIENCE  # six trainings, on cores that others use too


def number(page, label, value):
    field = page.get_by_role("spinbutton", name=label)
    field.fill(str(value))
    field.press("Enter")
    page.wait_for_timeout(300)
    quiet(page)


@pytest.mark.full  # about a minute of training
def test_an_experiment_from_the_form_to_its_link(open_page):
    page = open_page("train?T=2", height=1400)
    page.get_by_role("heading", name="Does training with this noise make my SNN better at T?").wait_for()
    for arm in ("control at L = T", "uniform"):
        page.get_by_role("button", name=arm, exact=True).click()
        page.wait_for_timeout(300)
        quiet(page)
    number(page, "Seeds", 3)
    number(page, "Epochs", 2)
    number(page, "Images an epoch", 400)
    page.get_by_text("2.5 standard deviations").wait_for()
    page.get_by_role("button", name="Train", exact=True).click()
    # Nothing short-lived is waited for: on a quick machine a training lasts less than the time between two pictures.
    result = page.get_by_role("heading", name="Every arm, T = 2 first")
    cancel = page.locator(".st-key-train-job").get_by_role("button", name="Cancel")
    cancel.or_(result).first.wait_for(timeout=SLOW)
    page.wait_for_timeout(4000)
    if cancel.count():
        cancel.click()
    go_on = page.get_by_role("button", name="Go on with it")
    go_on.or_(result).first.wait_for(timeout=SLOW)
    if go_on.count():
        go_on.click()
    result.wait_for(timeout=SLOW)
    quiet(page)
    assert re.search(r"experiment=[0-9a-f]{12}", page.url)
    text = page.locator("[data-testid=stMain]").inner_text()
    for words in ("untouched base", "this is the 1st of 1 experiment", "thin: 95 % t interval over seeds"):
        assert words in text
    assert "control at L = T" not in text.split("Earlier")[0].replace("What am I seeing?", "")
    again = open_page(page.url.split("/", 3)[3])
    again.get_by_role("heading", name="Every arm, T = 2 first").wait_for()
    table = again.get_by_role("region", name="Every arm: accuracy and points over the control").inner_text()
    assert table == page.get_by_role("region", name="Every arm: accuracy and points over the control").inner_text()


@THEMES
def test_the_form_fits_and_is_accessible(open_page, scheme):
    page = open_page("train?T=2", scheme=scheme)
    page.get_by_role("button", name="Train", exact=True).wait_for()
    quiet(page)
    check_layout(page)
