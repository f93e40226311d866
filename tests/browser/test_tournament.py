"""Tournament as a user does: read the bundled one, run two methods, find the result by its link."""

import re

import pytest

from tests.browser.conftest import PATIENCE, check_layout, quiet

pytestmark = pytest.mark.browser
SLOW = 8 * PATIENCE  # a worker that starts, and four small conversions


def test_from_the_bundled_one_over_the_form_to_a_link(open_page):
    page = open_page("tournament", height=1600)
    page.get_by_text("Most accurate at each T").wait_for()
    quiet(page)
    check_layout(page)
    page.get_by_role("button", name="New tournament").click()
    page.get_by_role("heading", name="1 Who takes part").wait_for()
    for name in ("Percentile norm", "SNN calibration, light", "Optimal shift", "OPI †", "SRP"):
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_timeout(300)
        quiet(page)
    seeds = page.get_by_role("spinbutton", name="Calibration seeds")
    seeds.fill("1")
    seeds.press("Enter")
    page.get_by_text("2 cells: method × T × draw").wait_for(timeout=SLOW)
    page.get_by_role("button", name="Run the tournament").click()
    page.get_by_text("Most accurate at each T").wait_for(timeout=SLOW)
    quiet(page)
    assert re.search(r"tournament=[0-9a-f]{12}", page.url)
    region = "Accuracy of every method at every T, in percent with 95 % intervals"
    table = page.get_by_role("region", name=region).inner_text()
    assert "Max norm" in table
    assert "SRP" not in table
    again = open_page(page.url.split("/", 3)[3], scheme="dark")
    again.get_by_text("Most accurate at each T").wait_for()
    quiet(again)
    check_layout(again)
    assert "Max norm" in again.get_by_role("region", name=region).inner_text()
