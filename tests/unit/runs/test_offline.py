"""The offline report loads nothing, escapes everything, and its packed counts are the run's."""

import base64
import dataclasses
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from snnlab.core.errors import RecipeError
from snnlab.core.histogram import EDGES
from snnlab.runs import figures_of, offline_report, offline_reports
from snnlab.runs.offline.drawn import colours, inline_svg
from snnlab.runs.offline.packed import HIGH, LOW, packed
from tests.stored_runs import shipped, with_report

HOSTILE = "<script>alert(1)</script>\"'&</style><!--"


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def run():
    return shipped()


@pytest.fixture(scope="module")
def report(run):
    return offline_report(run, tags=["paper"], note="two\nlines")


def test_it_says_what_the_run_is(run, report):
    text = Page(report).text

    for part in (
        run.title,
        "82.22\u00a0% [77.22, 86.32]",
        "two\nlines",
        run.recipe.to_yaml().rstrip(),
        "snnlab residuals digits-vgg-qcfs-L8",
        "snn = sl.convert(ckpt.build(), 'qcfs')",
        run.environment["versions"]["torch"],
        run.card["sha256"],
        run.notes[0],
        "−14.44",
        "stage3.act2",
    ):
        assert part in text, part


def test_nothing_is_loaded_and_only_our_script_runs(report):
    page = Page(report)
    policies = [marks["content"] for tag, marks in page.elements if marks.get("http-equiv")]
    scripts = re.findall(r"<script>(.*?)</script>", report, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()

    assert len(scripts) == 1
    assert policies == [
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    ]
    for tag, marks in page.elements:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base", "form", "a"), tag
        for name, value in marks.items():
            assert name not in ("src", "action", "srcset", "onload", "onclick"), name
            if name.endswith("href"):
                assert value.startswith("#"), value
    assert not re.search(r"url\((?!#)", report)
    assert "@import" not in report


def test_ids_are_there_once(report):
    ids = [marks["id"] for _, marks in Page(report).elements if "id" in marks]

    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', report):
        assert (target[0] or target[1]) in ids


def test_hostile_names_are_text(run):
    rows = tuple({**row, "name": HOSTILE} for row in run.conversion.sites)
    hostile = with_report(run, "conversion", sites=rows)
    hostile = with_report(hostile, "residuals", names=(HOSTILE,) * len(rows))
    hostile = dataclasses.replace(
        hostile, card={**run.card, "name": HOSTILE, "licence": HOSTILE}, notes=(HOSTILE,), verb=HOSTILE
    )
    text = offline_report(hostile, tags=[HOSTILE], note=HOSTILE)

    assert len(re.findall("<script", text)) == 2, "the data and ours"
    assert "<!--" not in text
    assert text.count("</style>") == 1
    data = re.search(r'<script type="application/json" id="residuals">(.*?)</script>', text, flags=re.S).group(1)
    assert json.loads(data)["names"] == [HOSTILE] * len(rows)


def test_packed_counts_are_the_runs(run):
    report = run.residuals
    values = json.loads(packed(report, run.accuracy, 2))
    assert values["steps"][values["start"]] == 2

    def numbers(text, *shape):
        planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(4, -1).astype(np.int64)
        return (planes * (256 ** np.arange(4))[:, None]).sum(axis=0).reshape(*report.histogram.shape[:3], *shape)

    bins, outside = numbers(values["bins"], -1), numbers(values["outside"], 2)
    assert bins.shape[-1] == round((HIGH - LOW) / values["width"]) == 96
    np.testing.assert_array_equal(bins.sum(axis=-1) + outside.sum(axis=-1), report.histogram.sum(axis=-1))
    zero = np.searchsorted(EDGES, 0.0, side="right")
    below = report.histogram[..., :zero].sum(axis=-1)
    np.testing.assert_array_equal(bins[..., :32].sum(axis=-1) + outside[..., 0], below)
    accuracy = values["accuracy"][values["start"]]
    assert accuracy[0] == run.accuracy.snn_accuracy[1]


def test_charts_take_the_pages_colours(run):
    figure = figures_of(run, residuals=False)[0]
    drawn = inline_svg(figure, 3)

    assert set(re.findall(r"var\(--([a-z-]+)\)", drawn)) >= {"snn", "ann", "text", "background"}
    left = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]+)", drawn))
    assert left <= {"#1f77b4"}, "no colour that knows only light pages but that of legend lines without a length"
    assert all(f"--{role}:" in colours(dark=True) for role in ("snn", "noisy-ann", "background"))


def test_several_runs_of_any_kind_are_one_page(run):
    runs = [shipped(verb="tournament"), shipped(verb="energy"), run]
    text = offline_reports(runs, marks=[(("paper",), "first"), ((), ""), ((), HOSTILE)])
    page = Page(text)
    ids = [marks["id"] for _, marks in page.elements if "id" in marks]
    tags = [tag for tag, _ in page.elements]

    assert len(ids) == len(set(ids)), "no two drawings share an id"
    assert (tags.count("article"), tags.count("main")) == (3, 1)
    assert [text.count(each.id) for each in runs] == [1, 1, 1], "in the footer"
    assert tags.count("figure") == sum(len(figures_of(each)) for each in runs)
    assert 'id="view"' not in text, "residuals are drawn at few t instead of the slider"
    for part in ("paper", "first", figures_of(runs[0])[0].title, figures_of(runs[1])[0].title, "3 runs"):
        assert part in page.text, part
    assert len(re.findall("<script", text)) == 1
    with pytest.raises(RecipeError, match="none is given"):
        offline_reports([])


@pytest.mark.parametrize("name", ["digits-vgg-relu", "digits-resnet-qcfs-L4"])
def test_a_run_without_residuals_has_no_slider(name):
    text = offline_report(shipped(name, "noise"))

    assert 'id="view"' not in text
    assert 'id="residuals"' not in text
    assert "snnlab fit-noise" in text
