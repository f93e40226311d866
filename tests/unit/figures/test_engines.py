import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from snnlab.core.errors import SnnlabError
from snnlab.figures import paper, style
from snnlab.figures.scene import Areas, Points, nice_ticks, outlines

KINDS = (
    *("accuracy", "accuracies_log", "accuracy_T1", "accuracy_hostile"),
    *("overview", "overview_1", "overview_110", "overview_stages", "overview_hostile"),
    *("site", "site_hostile", "spike_errors", "profile", "profile_110", "trace", "trace_T1", "trace_hostile"),
    *("changes", "changes_110", "comparison", "comparison_110", "comparison_hostile"),
    *("flips", "flips_T1", "flip_sites", "flip_sites_110", "flip_sites_hostile", "flip_classes", "flip_classes_100"),
    *("exit", "exit_T1"),
    *("seeds", "seeds_1", "seeds_T1"),
    *("explained", "explained_one", "explained_hostile", "explained_curves", "explained_over_T", "explained_sites"),
    *("restored_one_by_one", "restored_110"),
    *("sensitivity", "sensitivity_110", "inside", "errors", "tuning", "tuning_110"),
    *("pareto", "pareto_hostile", "methods", "methods_hostile"),
)
WIDE = (
    "accuracy_hostile",
    "changes",
    "comparison",
    "comparison_110",
    "explained",
    "overview",
    "overview_1",
    "overview_110",
    "site",
    "trace",
)
pytestmark = pytest.mark.filterwarnings("error")


def test_kinds_are_complete(all_figures):
    assert set(KINDS) == set(all_figures)


@pytest.mark.parametrize(
    ("kind", "preset"), [*((kind, "single") for kind in KINDS), *((kind, "double") for kind in WIDE)]
)
def test_no_text_leaves_the_page_or_covers_another(all_figures, kind, preset):
    with paper.RENDER_LOCK, mpl.rc_context(paper._settings()):
        canvas = paper.compose(all_figures[kind], preset, heading=True)
        canvas.draw_without_rendering()
        renderer = canvas.canvas.get_renderer()
        drawn = [text for text in canvas.findobj(Text) if text.get_text() and text.get_visible()]
        boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in drawn]
        page = canvas.bbox
    slack = 0.6 * canvas.dpi / 72
    for text, box in boxes:
        inside = (
            box.x0 >= page.x0 - slack
            and box.x1 <= page.x1 + slack
            and box.y0 >= page.y0 - slack
            and box.y1 <= page.y1 + slack
        )
        assert inside, f"{text!r} is clipped"
    for i, (text, box) in enumerate(boxes):
        for other, second in boxes[i + 1 :]:
            wide = min(box.x1, second.x1) - max(box.x0, second.x0)
            high = min(box.y1, second.y1) - max(box.y0, second.y0)
            # Boxes hold ascenders and descenders; a fifth of a line apart the glyphs do not touch.
            assert wide < slack or high < 0.25 * min(box.height, second.height), f"{text!r} covers {other!r}"


@pytest.mark.parametrize("kind", ["restored_one_by_one", "sensitivity"])
def test_keys_of_the_paper_legend_are_filled_and_hollow_as_their_points(all_figures, kind):
    figure = all_figures[kind]
    points = {mark.label: mark for panel in figure.panels for mark in panel.marks if isinstance(mark, Points)}
    background = mpl.colors.to_rgba(style.palette(dark=False)["background"])
    with paper.RENDER_LOCK, mpl.rc_context(paper._settings()):
        canvas = paper.compose(figure, "single", heading=True)
        markers = [artist for artist in canvas.artists + canvas.lines if artist.get_marker() == "o"]
    hollow = [mpl.colors.to_rgba(marker.get_markerfacecolor()) == background for marker in markers]
    assert hollow == [mark.outlined for mark in points.values()] == [False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_plotly_is_escaped_and_serialisable(all_figures, kind):
    figure = all_figures[kind]
    for dark in (False, True):
        chart = figure.plotly(dark)
        text = chart.to_json()
        tags = set(re.findall(r"<[^>]*>", json.dumps(json.loads(text), ensure_ascii=False)))
        assert tags <= {"<b>", "</b>", "<br>", "<extra>", "</extra>"}
        assert "$" not in text
        assert chart.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert figure.plotly(heading=False).layout.title.text is None
    if "hostile" not in kind:
        assert len(figure.plotly(wide=False).data) <= len(chart.data)


def test_hostile_name_is_shown_as_it_is(all_figures):
    title = all_figures["site_hostile"].plotly().layout.title.text
    assert "&lt;b&gt;" in title or "…" in title
    names = all_figures["overview_hostile"].data["site"].unique()
    assert "$\\alpha_{1}$" in names[0]


@pytest.mark.parametrize("kind", ["accuracy_hostile", "overview_110"])
def test_pdf_is_deterministic_embedded_and_named(all_figures, kind):
    figure = all_figures[kind].stamped(recipe_sha="ab12", run_id="cd34")
    pdf = figure.render("pdf")
    assert pdf == figure.render("pdf")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"ab12" in pdf.replace(b"\x00", b"")
    assert b"cd34" in pdf.replace(b"\x00", b"")


def test_svg_and_png_are_deterministic_and_named(all_figures):
    figure = all_figures["accuracy_hostile"].stamped(recipe_sha="ab12", run_id="cd34")
    svg, png = figure.render("svg"), figure.render("png")
    assert svg == figure.render("svg")
    assert png == figure.render("png")
    root = ElementTree.fromstring(svg)
    assert abs(float(root.get("width")[:-2]) - 85 / 25.4 * 72) < 0.1
    assert b"ab12" in svg
    assert b"cd34" in svg
    image = Image.open(io.BytesIO(png))
    assert image.width == int(85 / 25.4 * paper.DPI)
    assert "run cd34" in image.text["Keywords"]


def test_threads_share_the_process_without_leaks(all_figures):
    before = dict(mpl.rcParams)
    wanted = [all_figures[kind] for kind in ("accuracy", "spike_errors", "accuracy", "spike_errors")]
    with ThreadPoolExecutor(4) as pool:
        data = list(pool.map(lambda figure: figure.render("svg", "icml"), wanted))
    assert data[0] == data[2]
    assert data[1] == data[3]
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", style.PRESETS)
def test_presets_have_their_width(all_figures, name):
    with paper.RENDER_LOCK, mpl.rc_context(paper._settings()):
        canvas = paper.compose(all_figures["accuracy"], name, heading=True)
    assert canvas.get_figwidth() == pytest.approx(style.PRESETS[name].width / 25.4)


def test_heading_can_be_left_to_the_caption(all_figures):
    figure = all_figures["accuracy"]
    heights = [float(ElementTree.fromstring(figure.render("svg", heading=h)).get("height")[:-2]) for h in (True, False)]
    assert heights[1] < heights[0] - 20
    assert figure.caption.startswith("How many time-steps does the SNN need? T = 1 to 32")


def test_wrong_requests_are_one_sentence(all_figures, tmp_path):
    figure = all_figures["accuracy"]
    with pytest.raises(SnnlabError, match="did you mean 'single'"):
        figure.render("pdf", "singel")
    with pytest.raises(SnnlabError, match="choose one of pdf, svg, png"):
        figure.save(tmp_path / "figure.jpg")
    with pytest.raises(SnnlabError, match="cannot be written"):
        figure.save(tmp_path / "none" / "figure.svg")


def test_save_replaces_at_once(all_figures, tmp_path):
    path = tmp_path / "figure.svg"
    path.write_text("old")
    all_figures["accuracy"].save(path)
    assert path.read_bytes() == all_figures["accuracy"].render("svg")
    assert list(tmp_path.iterdir()) == [path]


def test_broken_files_are_not_handed_out():
    for data, kind in ((b"%PDF-1.4 /Type3 /FontFile2 %%EOF", "pdf"), (b"<svg", "svg")):
        with pytest.raises(SnnlabError, match="not handed out"):
            paper._checked(data, kind, (1, 1))


def test_import_needs_neither_torch_nor_streamlit_nor_an_engine():
    code = (
        "import sys, snnlab.figures; print(sorted(set(sys.modules) & {'torch', 'streamlit', 'matplotlib', 'plotly'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_outlines_skip_what_has_no_height():
    edges, top = np.arange(6.0), np.array([1.0, 0, 0, 2, 3])
    polygons = list(outlines(Areas(((edges, np.zeros(5), top),), "excess")))
    assert [x.min() for x, _ in polygons] == [0, 3]
    assert polygons[1][1].max() == 3


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-2, 2), (20, 103), (0, 0.0004), (5, 5)])
def test_ticks_lie_inside(low, high):
    ticks = nice_ticks(low, high)
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    assert len(ticks) <= 7


def test_themes_name_the_same_roles():
    assert set(style.LIGHT) == set(style.DARK)
    assert style.LIGHT["snn"] == "#0072B2"
    assert style.density_colours()[0] == "#ffffff"
    assert style.density_colours(dark=True)[0] == style.DARK["background"]


def test_text_is_made_plain(hostile):
    text = style.plain(hostile)
    assert "\n" not in text
    assert "\x00" not in text
    assert "\u202e" not in text
    assert len(style.shorten("a" * 50 + "end", 12)) == 12
    assert style.shorten("a" * 50 + "end", 12).endswith("end")
