import numpy as np
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.figures import accuracy_vs_steps
from snnlab.figures.scene import Band, Line, Note, Points
from snnlab.figures.style import LIGHT
from tests.unit.figures.synthetic import curve


def marks(figure, kind):
    return [mark for mark in figure.panels[0].marks if isinstance(mark, kind)]


def test_plotted_numbers_are_the_reports():
    report = curve(num_steps=16)
    figure = accuracy_vs_steps(report)
    ann, snn = marks(figure, Line)
    assert (ann.role, snn.role) == ("ann", "snn")
    np.testing.assert_allclose(ann.y, 100 * report.ann_accuracy)
    np.testing.assert_allclose(snn.y, 100 * report.snn_accuracy)
    np.testing.assert_array_equal(snn.x, np.arange(1, 17))
    band = marks(figure, Band)[1]
    np.testing.assert_allclose([band.low, band.high], 100 * np.stack(report.snn_interval))
    shown = figure.data[figure.data["role"] == "snn"]
    np.testing.assert_allclose(shown["accuracy"], report.snn_accuracy)
    chart = figure.plotly()
    line = next(trace for trace in chart.data if trace.name == "QCFS, L = 8")
    np.testing.assert_allclose(line.y, snn.y)
    assert line.line.color == LIGHT["snn"]
    assert "95" in figure.foot


def test_first_step_within_a_point_is_marked():
    report = curve(num_steps=16, half=1)
    first = report.first_step_within(1.0)
    figure = accuracy_vs_steps(report)
    assert marks(figure, Points)[0].x.tolist() == [first]
    assert marks(figure, Note)[0].text == f"T = {first}"
    never = accuracy_vs_steps(curve(num_steps=2))
    assert not marks(never, Points)
    assert "Not within 1 point" in never.foot


def test_second_curve_is_green_and_one_ann_is_drawn_once():
    figure = accuracy_vs_steps([curve("a"), curve("a", half=3)])
    lines = marks(figure, Line)
    assert [line.role for line in lines] == ["ann", "snn", "compared"]
    assert [line.label for line in lines[1:]] == ["a (1)", "a (2)"]
    other = accuracy_vs_steps([curve("a"), curve("b", ann=0.9)])
    assert [line.label.split(",")[0] for line in marks(other, Line)[:2]] == ["ANN of a", "ANN of b"]


def test_logarithmic_steps():
    figure = accuracy_vs_steps(curve(num_steps=20), log_steps=True)
    assert [text for _, text in figure.panels[0].x.ticks] == ["1", "2", "4", "8", "16"]
    assert figure.plotly().layout.xaxis.type == "log"


@pytest.mark.parametrize("num_steps", [1, 2, 11, 100, 4096])
def test_any_number_of_steps_has_few_ticks_within_the_axis(num_steps):
    for log in (False, True):
        axis = accuracy_vs_steps(curve(num_steps=num_steps, images=3), log_steps=log).panels[0].x
        assert 1 <= len(axis.ticks) <= 12
        assert all(axis.low <= at <= axis.high for at, _ in axis.ticks)


def test_number_of_curves_is_bounded():
    for count in (0, 29):
        with pytest.raises(SnnlabError, match="1 to 28"):
            accuracy_vs_steps([curve()] * count)
