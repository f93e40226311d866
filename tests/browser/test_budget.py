"""The Error budget page in a browser: it fits, is accessible, answers clicks, and its jobs give what they promise."""

import dataclasses

import pytest

from tests.browser.conftest import PATIENCE, THEMES, check_layout, quiet
from tests.stored_runs import shipped

pytestmark = pytest.mark.browser


@THEMES
def test_the_page_fits_and_is_accessible(open_page, scheme):
    page = open_page("budget?T=2", scheme=scheme, height=1200)
    page.locator(".snnlab-figure .main-svg").first.wait_for()
    page.get_by_text("Checks", exact=True).click()
    page.get_by_text("The terms add up to the error counted from spikes").wait_for()
    check_layout(page)


def test_terms_are_chosen_and_a_second_conversion_is_measured_in_place(open_page, store):
    run = shipped()
    recipe = run.recipe.changed(converter={"parameters": {"initial_fraction": 0.75}}, data={"limit": 24})
    store.save(dataclasses.replace(run, id="5" * 32, recipe=recipe))
    page = open_page(f"budget?run={'5' * 12}&T=2", height=1200)
    page.get_by_text("Made with another conversion").wait_for()
    page.get_by_text("all five terms", exact=True).click()
    page.locator(".snnlab-figure").first.get_by_text("clipping").first.wait_for()
    quiet(page)
    page.get_by_role("button", name="Make the error budget again").click()
    page.get_by_text("Made with another conversion").wait_for(state="detached", timeout=3 * PATIENCE)
    page.get_by_text("t = 2 · dev, 24 images").first.wait_for()
    quiet(page)
