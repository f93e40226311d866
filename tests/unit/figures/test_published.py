import numpy as np
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.core.literature import literature
from snnlab.figures import accuracy_vs_steps
from snnlab.figures.scene import Points
from tests.unit.figures.synthetic import curve

ROWS = literature(dataset="cifar10", architecture="resnet20")


def markers(figure):
    return [mark for mark in figure.panels[0].marks if isinstance(mark, Points) and "elsewhere" in mark.label]


def test_published_numbers_are_open_markers_at_their_t():
    figure = accuracy_vs_steps(curve(num_steps=8), literature=ROWS)
    drawn = markers(figure)
    expected = {}
    for row in ROWS:
        if row.num_steps <= 8:
            expected.setdefault(row.series, []).append((row.num_steps, 100 * row.snn_accuracy))

    assert all(mark.outlined for mark in drawn)
    assert len({(mark.role, mark.symbol) for mark in drawn}) == len(drawn) == len(expected)
    for mark, points in zip(drawn, expected.values(), strict=True):
        np.testing.assert_allclose(np.column_stack([mark.x, mark.y]), points)
    axis = figure.panels[0].y
    assert all(axis.low <= y <= axis.high for mark in drawn for y in mark.y)


def test_legend_hover_words_foot_and_data_say_published_elsewhere():
    figure = accuracy_vs_steps(curve(num_steps=8), literature=ROWS)
    for mark in markers(figure):
        assert mark.label.endswith("published elsewhere")
        assert all("published elsewhere" in text for text in mark.hover)
        assert f"{mark.label}: " in figure.alt
    assert "published elsewhere" in figure.foot
    assert "beyond T = 8 are not drawn" in figure.foot
    data = figure.data[figure.data["role"] == "published"]
    assert len(data) == sum(row.num_steps <= 8 for row in ROWS)
    assert data["where"].str.contains("published elsewhere").all()
    assert data["low"].isna().all()
    assert figure.data["images"].dropna().unique().tolist() == [270]
    names = {trace.name for trace in figure.plotly().data}
    assert {mark.label for mark in markers(figure)} <= names
    assert len(figure.render("svg")) > len(accuracy_vs_steps(curve(num_steps=8)).render("svg"))


def test_without_literature_nothing_changes():
    assert "elsewhere" not in accuracy_vs_steps(curve()).foot
    assert accuracy_vs_steps(curve()).data.equals(accuracy_vs_steps(curve(), literature=()).data)


def test_networks_with_one_short_name_are_numbered():
    rows = [row for row in literature(method="qcfs", architecture="resnet18") if "re-trained" in row.variant]
    labels = [mark.label for mark in markers(accuracy_vs_steps(curve(num_steps=2), literature=rows))]
    assert len(set(labels)) == len(labels) == len({row.series for row in rows})


def test_more_networks_than_markers_are_refused():
    with pytest.raises(SnnlabError, match="9 or fewer"):
        accuracy_vs_steps(curve(num_steps=64), literature=literature())
