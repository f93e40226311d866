"""The Energy page in a browser: a convention moves the answer, in place, and nothing is too wide."""

import re

import pytest

from tests.browser.conftest import PATIENCE, sideways

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


def test_a_convention_changes_the_answer_in_place(open_page):
    page = open_page("energy?T=8", width=800)
    answer = page.get_by_text(re.compile("times the ANN's energy"))
    expect(answer).to_be_visible(timeout=PATIENCE)
    page.wait_for_selector(".snnlab-figure .main-svg", timeout=PATIENCE)
    before = answer.inner_text()
    page.get_by_role("radio", name="once").click()
    expect(answer).not_to_have_text(before, timeout=PATIENCE)
    assert sideways(page) <= 0
    assert page.locator(".snnlab-figure").count() == 2
