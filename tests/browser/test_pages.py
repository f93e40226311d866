"""Every page in a browser: themes, widths, accessibility, cold links, and nothing that leaves the machine."""

import zipfile

import pytest

from tests.browser.conftest import THEMES, Server, check_layout, quiet, sideways, violations

pytestmark = pytest.mark.browser
CHART = ".snnlab-figure .main-svg"
PAGES = {
    "Checkpoint": "h1:has-text('What was recognised')",
    "Residuals": ".residuals[data-drawn]",
    "Noise": ".noise[data-drawn]",
    "Accuracy": CHART,
    "Flips": ".sl-flip img",
    "Attribution": CHART,
    "Energy": CHART,
    "Runs": "[data-testid=stDataFrame] canvas",
    "Help": ".st-key-help",
}
"""Title of a page -> what stands there once it is drawn; pages with a journey of their own are looked at there."""
XRANGE = "document.querySelector('.snnlab-figure').layout.xaxis.range"


def strip(page):
    return page.locator(".st-key-strip").inner_text()


@pytest.fixture
def fresh(tmp_path):
    """A server that nobody has visited yet: Streamlit runs the file alone that the first deep link names."""
    running = Server(tmp_path).start()
    yield running.address
    running.stop()


def test_a_cold_deep_link_shows_the_frame_and_keeps_its_address(fresh, open_page):
    page = open_page("accuracy?T=4", at=fresh)
    assert "T\n4" in strip(page)
    assert page.get_by_role("link", name="Residuals").is_visible()
    assert "T=4" in page.url
    page.get_by_role("link", name="Help", exact=True).click()
    page.get_by_role("heading", name="What do the words").wait_for()
    quiet(page)
    assert "/help" in page.url
    assert "T=4" in page.url


@THEMES
def test_pages_fit_and_are_accessible_one_after_the_other(open_page, scheme):
    page = open_page("help", scheme=scheme)
    for name, drawn in PAGES.items():
        page.set_viewport_size({"width": 1400, "height": 900})
        page.locator(".st-key-navigation").get_by_role("link", name=name, exact=True).click()
        page.locator(drawn).first.wait_for()
        quiet(page)
        try:
            check_layout(page)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error


def test_the_form_is_accessible_in_both_themes(open_page):
    page = open_page()
    page.get_by_role("tab", name="Open or convert").click()
    page.get_by_role("button", name="Convert and analyse").wait_for()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(400)
        page.set_viewport_size({"width": 800, "height": 900})
        assert sideways(page) <= 0
        assert not (told := violations(page)), told


def test_text_and_charts_follow_a_dark_theme(open_page):
    page = open_page("accuracy", scheme="dark")
    page.locator(".snnlab-figure .main-svg").first.wait_for()
    colours = page.evaluate(
        "[['[data-testid=stApp]', 'backgroundColor'], ['.snnlab-figure .xtick text', 'fill']]"
        ".map(([s, property]) => getComputedStyle(document.querySelector(s))[property])"
    )
    background, ticks = (sum(int(part) for part in colour[4:-1].split(",")[:3]) for colour in colours)
    assert background < 120
    assert ticks > 380
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "getComputedStyle(document.querySelector('.snnlab-figure .xtick text')).fill === 'rgb(92, 99, 107)'"
    )


def test_a_figure_downloads_as_vector_pdf_and_the_zip_holds_everything(open_page, tmp_path):
    page = open_page("accuracy")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as asked:
        page.get_by_role("button", name="PDF").click()
    asked.value.save_as(tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    with page.expect_download() as asked:
        page.get_by_role("button", name="All (zip)").click()
    asked.value.save_as(tmp_path / "all.zip")
    names = zipfile.ZipFile(tmp_path / "all.zip").namelist()
    assert {name.rsplit(".", 1)[-1] for name in names} >= {"pdf", "svg", "png", "csv", "yaml"}


def test_zoom_and_hidden_curves_survive_new_data(open_page):
    page = open_page("accuracy")
    chart = page.locator(".snnlab-figure")
    chart.locator(".main-svg").first.wait_for()
    plot = chart.locator(".nsewdrag").first.bounding_box()
    page.mouse.move(plot["x"] + 0.2 * plot["width"], plot["y"] + 0.5 * plot["height"])
    page.mouse.down()
    page.mouse.move(plot["x"] + 0.6 * plot["width"], plot["y"] + 0.5 * plot["height"], steps=4)
    page.mouse.up()
    zoomed = page.evaluate(XRANGE)
    assert zoomed[1] - zoomed[0] < 20
    page.evaluate("document.querySelector('.snnlab-figure').mark = 1")
    page.get_by_role("spinbutton", name="Close enough").fill("5")
    page.keyboard.press("Enter")
    page.get_by_text("within 5 points of its ANN").wait_for()
    quiet(page)
    assert page.evaluate("document.querySelector('.snnlab-figure').mark") == 1
    assert page.evaluate(XRANGE) == pytest.approx(zoomed)


def test_the_strip_leads_to_the_page_that_sets_its_part_without_a_reload(open_page):
    page = open_page("help")
    page.evaluate("window.mark = 1")
    page.locator(".st-key-strip a", has_text="gap").click()
    page.get_by_role("heading", name="How many time-steps").wait_for()
    quiet(page)
    assert page.evaluate("window.mark") == 1


def test_the_keyboard_reaches_a_choice_and_changes_it(open_page):
    page = open_page("help")
    page.get_by_role("combobox", name="Target T").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("option", name="4", exact=True).wait_for()
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    page.wait_for_url("**T=4**")
    assert "T\n4" in strip(quiet(page))
