"""The figure of searched thresholds: what is drawn is what the method found."""

import pytest

from snnlab.core.errors import SnnlabError
from snnlab.figures import threshold_tuning
from snnlab.figures.scene import Bars, Points, Segments
from tests.unit.figures.synthetic import conversion, tuned


def test_errors_over_the_threshold_and_the_chosen_among_those_tried():
    told = tuned(5)
    drawn, rows = threshold_tuning(told), told.findings["thresholds"]["sites"]
    (bars,) = (mark for mark in drawn.panels[0].marks if isinstance(mark, Bars))
    assert bars.end == pytest.approx([row["deviation"]["mean_abs"] / row["chosen"] for row in rows])
    for mark in drawn.panels[0].marks:
        if isinstance(mark, Points):
            assert mark.x == pytest.approx([row[mark.label]["mean_abs"] / row["chosen"] for row in rows])
            assert mark.role == f"error_{mark.label}", "a term has one colour, here and in the error budget"
    tried, chosen = drawn.panels[1].marks
    assert isinstance(tried, Segments)
    assert chosen.x == pytest.approx([row["chosen"] for row in rows])
    assert tried.x0 == pytest.approx(0.5 * chosen.x)
    assert tried.x1 == pytest.approx(1.5 * chosen.x)
    assert [name for _, name in drawn.panels[0].y.ticks] == [row["site"] for row in rows]
    assert drawn.data["error"].tolist() == pytest.approx([0.2] * 5)
    assert drawn.data["input_std"].tolist() == pytest.approx([0.3] * 5)
    assert drawn.title == "Where does TTRBR's deviation error sit?"
    assert "T = 8" in drawn.subtitle
    assert "128 images" in drawn.subtitle


def test_a_conversion_that_searched_nothing_is_refused_in_a_sentence():
    assert conversion().tuning() is None
    assert conversion().told == ()
    assert tuned().told == ("It was searched.",)
    assert tuned().chosen_on("dev") == conversion().chosen_on("calibration") == ()
    with pytest.raises(SnnlabError, match="percentile_norm does not search thresholds"):
        threshold_tuning(conversion())
