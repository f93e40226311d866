"""The Error budget page in a browser: it fits, is accessible, answers clicks, and its jobs give what they promise."""

import dataclasses

import pytest

import snnlab as sl
from tests.browser.conftest import WIDTHS, Server, quiet, sideways, violations

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_is_accessible(open_page, scheme):
    page = open_page("budget?T=2", scheme=scheme, height=1200)
    page.locator(".snnlab-figure .main-svg").first.wait_for()
    page.get_by_text("Checks", exact=True).click()
    page.get_by_text("The terms add up to the error counted from spikes").wait_for()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1200})
        page.wait_for_timeout(250)
        assert sideways(page) <= 0, width
    assert not (told := violations(page)), told


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """A server with a second conversion of the bundled VGG, whose error was not split yet."""
    server = Server(tmp_path_factory.mktemp("budget"))
    store = sl.runs.Store(server.store)
    run = next(run for run in store.shipped() if (run.verb, run.card["name"]) == ("analyse", "digits-vgg-qcfs-L8"))
    recipe = run.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}}, data={"limit": 24})
    store.save(dataclasses.replace(run, id="c" * 32, recipe=recipe))
    store.close()
    server.start()
    yield server.address
    server.stop()


def test_terms_are_chosen_and_a_second_conversion_is_measured_in_place(open_page, second):
    page = open_page(f"budget?run={'c' * 12}&T=2", at=second, height=1200)
    page.get_by_text("Made with another conversion").wait_for()
    page.get_by_text("all five terms", exact=True).click()
    page.locator(".snnlab-figure").first.get_by_text("clipping").first.wait_for()
    quiet(page)
    page.get_by_role("button", name="Make the error budget again").click()
    page.get_by_text("Made with another conversion").wait_for(state="detached")
    page.get_by_text("t = 2 · dev, 24 images").first.wait_for()
    quiet(page)
