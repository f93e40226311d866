"""The flips in a browser: from a card to the residuals of its image, and back to none."""

import pytest

from tests.browser.conftest import quiet, sideways

pytestmark = pytest.mark.browser


def test_a_flip_is_chosen_and_residuals_follow(open_page):
    page = open_page("flips?T=2")
    page.get_by_text("46 of 270 images").wait_for()
    quiet(page)
    pictures = page.locator(".sl-flip img")
    assert pictures.count() == 12
    assert pictures.first.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [8, 8]

    page.get_by_role("button", name="Image 39", exact=True).click()
    page.get_by_text("Image 39 parts at stage3.act3").wait_for()
    assert "chosen=digits-dev-image-39" in page.url
    assert sideways(page) <= 0

    page.get_by_role("link", name="Residuals", exact=True).click()
    page.get_by_text("What is left over for image 39 of dev alone?").wait_for()
    page.get_by_text("1 image, simulated alone").wait_for(timeout=60_000)
    page.get_by_role("button", name="Clear selection").click()
    page.get_by_text("What is left over for image 39 of dev alone?").wait_for(state="detached")
    assert "chosen" not in page.url
