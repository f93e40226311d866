"""Attribution in a browser: the shipped image is drawn, another one is explained by a real job and takes its place."""

import pytest

from tests.browser.conftest import quiet, sideways

pytestmark = pytest.mark.browser


def test_another_image_is_explained(open_page):
    page = open_page("attribution")
    page.locator(".snnlab-figure .main-svg").first.wait_for()
    page.get_by_text("Dev image 0").first.wait_for()
    page.get_by_text("Explain another image").click()
    page.get_by_role("combobox", name="Method").click()
    page.get_by_role("option", name="Saliency").click()
    quiet(page)

    page.get_by_role("button", name="Explain this image").click()

    page.get_by_text("by Saliency.").first.wait_for()
    quiet(page)
    assert page.locator(".snnlab-figure .heatmaplayer image").count() >= 9  # maps, differences, bars
    assert sideways(page) <= 0
