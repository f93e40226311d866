"""Figures of one explained image: what is plotted is what the report says, on one scale."""

import dataclasses

import numpy as np
import pytest

from snnlab import figures
from snnlab.core.errors import SnnlabError
from snnlab.figures import style
from snnlab.figures.scene import Heat, Line, Note, Picture, Points
from tests.unit.figures.synthetic import attribution


def marks(drawn, kind):
    return [mark for panel in drawn.panels for mark in panel.marks if isinstance(mark, kind)]


def test_all_maps_share_one_scale():
    told = attribution()
    drawn = figures.attribution_maps(told)
    heats = [heat for heat in marks(drawn, Heat) if heat.told is not None]
    limit = max(np.abs(told.maps).max(), np.abs(told.maps[1:] - told.maps[0]).max())
    wanted = [told.maps[0], *(part for each in told.maps[1:] for part in (each, each - told.maps[0]))]
    for heat, values in zip(heats, wanted, strict=True):
        assert np.array_equal(heat.told, values)
        assert heat.values == pytest.approx(0.5 + values / limit / 2)
        assert heat.ramp == "diverging"
    (picture,) = marks(drawn, Picture)
    assert picture.values == pytest.approx(told.picture.transpose(1, 2, 0))
    bars = [panel for panel in drawn.panels if panel.y.ticks]
    assert [(bar.y.low, bar.y.high) for bar in bars] == [(pytest.approx(-limit), pytest.approx(limit))] * 2
    assert len(drawn.data) == told.maps.size


def test_maps_without_sign_have_a_ramp_from_zero():
    heats = marks(figures.attribution_maps(attribution(method="saliency")), Heat)
    assert [heat.ramp for heat in heats if heat.told is not None][:2] == ["density", "density"]
    assert "diverging" in {heat.ramp for heat in heats}  # the differences


def test_nothing_to_see_is_drawn():
    told = attribution()
    object.__setattr__(told, "maps", np.zeros_like(told.maps))
    drawn = figures.attribution_maps(told)
    assert drawn.render("svg").startswith(b"<?xml")


def test_convergence_and_sites_need_the_snn():
    alone = attribution(steps=(), method="deeplift")
    for draw in (figures.attribution_convergence, figures.attribution_sites):
        with pytest.raises(SnnlabError, match="DeepLift explained the ANN alone"):
            draw(alone)
    told = attribution()
    (line,) = marks(figures.attribution_convergence(told), Line)
    assert np.array_equal(line.y, told.rank_correlation[1:])
    shuffled = marks(figures.attribution_convergence(told), Points)
    assert [float(point.y[0]) for point in shuffled] == told.shuffled[:2].tolist()
    lines = marks(figures.attribution_sites(told), Line)
    assert np.array_equal([line.y for line in lines], told.site_correlation[1:], equal_nan=True)


def test_a_restored_site_is_drawn_by_what_it_makes_of_the_logit():
    told = attribution(steps=(1, 4))
    drawn = figures.attribution_restoration(told)
    lines = marks(drawn, Line)
    assert [line.label for line in lines] == ["T = 1", "T = 4"]
    assert np.allclose([line.y for line in lines], told.restored - told.outputs[0, 0])
    filled = [point for point in marks(drawn, Points) if not point.outlined]
    assert [len(point.x) for point in filled] == [7, 7]  # nothing, and the first two sites, leave the class wrong
    assert drawn.panels[0].x.ticks[0] == (lines[0].x[0], "none")
    assert "returns first by restoring stage1.act2" in drawn.foot
    assert "off by −4.00, halved first by restoring stage2.act1" in drawn.foot
    with pytest.raises(SnnlabError, match="No site was restored for dev image 3"):
        figures.attribution_restoration(dataclasses.replace(told, restored=None, restored_predicted=None))


@pytest.mark.parametrize(("steps", "columns", "rows"), [((2,), 3, 2), ((1, 2), 4, 2), ((1, 2, 4, 8), 3, 4)])
def test_many_maps_stand_in_two_rows(steps, columns, rows):
    drawn = figures.attribution_maps(attribution(steps))
    places = {
        (panel.row, panel.column) for panel in drawn.panels if any(m for m in panel.marks if not isinstance(m, Note))
    }
    assert len(places) == len([panel for panel in drawn.panels if panel.marks])  # none covers another
    assert len(drawn.layout.columns) == columns + 2
    assert len(drawn.layout.rows) == rows
    assert max(row for row, _ in places) == rows - 1


def test_curves_hold_every_network():
    told = attribution()
    lines = marks(figures.attribution_curves(told), Line)
    assert np.array_equal([line.y for line in lines], 100 * np.concatenate([told.deletion, told.insertion]))
    assert [line.label for line in lines[:4]] == ["ANN", "SNN, T = 1", "SNN, T = 2", "SNN, T = 4"]


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_a_shade_of_the_page(dark):
    colours = style.ramp_colours("diverging", dark)
    assert colours[len(colours) // 2] == style.palette(dark)["wash"]
    assert len(set(colours)) == len(colours)
