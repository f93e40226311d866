"""The offline report in a browser without a network: the slider moves the histograms, in both themes and on paper."""

import pytest

from tests.browser.conftest import violations
from tests.stored_runs import shipped

pytestmark = pytest.mark.browser
EXCESS = "#view .row path.excess"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from snnlab.runs import offline_report

    path = tmp_path_factory.mktemp("report") / "run.html"
    path.write_text(offline_report(shipped(), tags=["paper"], note="a note"), encoding="utf-8")
    return path


@pytest.fixture
def page(chromium, report):
    context = chromium.new_context(viewport={"width": 1000, "height": 900}, offline=True)
    page, problems = context.new_page(), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda asked: asked.url == report.as_uri() or problems.append(asked.url))
    page.goto(report.as_uri())
    page.locator("#view .row").nth(1).wait_for()
    yield page
    context.close()
    assert problems == []


def test_the_slider_moves_the_histograms(page):
    run = shipped()
    told, slider = page.locator("#view output"), page.locator("#t")
    assert "t = 2 \u00b7 SNN 82.22 %" in told.inner_text()
    before = page.locator(EXCESS).nth(4).get_attribute("d")
    slider.focus()
    page.keyboard.press("End")

    assert "t = 32 \u00b7 SNN 97.78 %" in told.inner_text()
    assert page.locator(EXCESS).nth(4).get_attribute("d") != before
    frame = run.residuals.to_frame()
    row = frame[(frame["step"] == 32) & (frame["site"] == "classifier.act1")].iloc[0]
    share = 100 * row["excess"] / (1 - row["silent"])
    assert page.locator("#view .row").last.locator(".numbers span").first.inner_text() == f"{share:.1f}"
    page.get_by_label("silent neurons too").check()
    assert page.locator("#view .row").last.locator(".numbers span").first.inner_text() == f"{100 * row['excess']:.1f}"


def test_it_fits_follows_the_theme_and_can_be_read_by_all(page):
    background = "getComputedStyle(document.documentElement).backgroundColor"
    for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 27)")):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(background) == colour
        assert not (told := violations(page)), told
    for width in (1000, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(media="print")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
