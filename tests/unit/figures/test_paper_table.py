import csv
import io

import pytest

from snnlab.core.errors import SnnlabError
from snnlab.core.literature import literature
from snnlab.figures import paper_table
from tests.unit.figures.conftest import HOSTILE
from tests.unit.figures.synthetic import curve

FAST, SLOW = curve("fast", 8, half=1), curve("slow", 8, half=3)
NQ = literature(dataset="cifar10", architecture="resnet20", method="nq")


def best(table):
    frame = table.to_frame()
    return {tuple(row) for row in frame[frame["best"]][["method", "T"]].values.tolist()}


def test_the_best_is_marked_among_rows_on_the_same_images():
    table = paper_table([FAST, SLOW], [2, 4])
    assert best(table) == {("fast", 2), ("fast", 4)}
    # A better one on other images, and a published one that is better still, compete with nobody.
    other = curve("other", 8, half=0.2, images=100)
    wider = paper_table([FAST, SLOW, other], [2, 4], literature=NQ)
    assert best(wider) == {("fast", 2), ("fast", 4)}
    assert r"other & " in wider.to_latex()
    assert "dev, 100 images" in wider.to_latex()


def test_two_curves_of_one_name_say_what_each_was_measured_on():
    notes = paper_table([curve("same", 8), curve("same", 8, images=100)], [4]).to_latex()
    assert f"same: dev, {curve('same', 8).images} images." in notes
    assert "same: dev, 100 images." in notes
    assert "Measured on" not in notes


def test_equals_are_both_best_and_one_alone_is_none():
    twin = curve("twin", 8, half=1)
    assert best(paper_table([FAST, twin], [4])) == {("fast", 4), ("twin", 4)}
    alone = paper_table(FAST, [4])
    assert best(alone) == set()
    assert "Bold" not in alone.to_latex()


def test_same_labels_in_another_order_are_other_images():
    turned = curve("turned", 8, half=0.2)
    moved = type(turned)(**{**turned.__dict__, "labels": turned.labels[::-1].copy()})
    assert best(paper_table([FAST, moved], [4])) == set()


def test_numbers_are_the_curves():
    frame = paper_table({"a": FAST}, [1, 8]).to_frame()
    low, high = FAST.snn_interval
    for row in frame.to_dict("records"):
        t = row["T"] - 1
        assert (row["accuracy"], row["low"], row["high"]) == (FAST.snn_accuracy[t], low[t], high[t])
        assert row["ann"] == FAST.ann_accuracy
        assert row["measured_here"]


def test_a_shorter_curve_has_a_dash():
    table = paper_table([FAST, curve("short", 2)], [2, 8])
    line = next(line for line in table.to_latex().splitlines() if line.strip().startswith("short"))
    assert line.endswith(r"& – \\")


def test_published_rows_are_set_apart_and_explained():
    table = paper_table([FAST, SLOW], [2, 4], literature=NQ)
    text = table.to_latex()
    rules = [line.strip() for line in text.splitlines()]
    assert rules.count(r"\midrule") == 2
    (row,) = [line for line in rules if line.startswith("NQ (Huang") and line.endswith(r"\\")]
    assert r"\textsuperscript{\textdaggerdbl} & 85.18 & 77.30 & 84.54 \\" in row
    assert r"\textsuperscript{\textdaggerdbl} Published elsewhere, not measured here" in text
    assert "checkpoint selected on test images" in text
    frame = table.to_frame()
    assert not frame[~frame["measured_here"]]["best"].any()


def test_interpretations_carry_a_dagger_and_a_note():
    text = paper_table({"fast": FAST, "ecl": SLOW}, [4], interpretations=["ecl"]).to_latex()
    assert r"ecl\textsuperscript{\textdagger} &" in text
    assert text.count("Interpretation:") == 1
    # The title of a method card carries its own.
    assert r"ecl\textsuperscript{\textdagger} &" in paper_table({"ecl †": SLOW}, [4]).to_latex()
    assert "Interpretation:" not in paper_table([FAST], [4]).to_latex()


def test_hostile_names_are_inert():
    table = paper_table({HOSTILE: FAST}, [1])
    text = table.to_latex()
    assert r"\textless{}b\textgreater{}" in text
    assert len(text.splitlines()) == len(paper_table({"a": FAST}, [1]).to_latex().splitlines())
    rows = list(csv.reader(io.StringIO(paper_table({"=1+1": FAST}, [1]).to_csv())))
    assert rows[1][0] == "'=1+1"


@pytest.mark.parametrize(
    ("curves", "steps", "options", "told"),
    [
        ([], [1], {}, "at least one accuracy curve"),
        ([FAST], [], {}, "one T"),
        ([FAST], [9], {}, "ends at T = 8"),
        ([FAST], [0], {}, "T = 0"),
        ([FAST], [1], {"interpretations": ["slow"]}, "No curve is called 'slow'"),
    ],
)
def test_what_cannot_be_a_table_is_refused(curves, steps, options, told):
    with pytest.raises(SnnlabError, match=told):
        paper_table(curves, steps, **options)
