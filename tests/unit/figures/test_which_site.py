"""The figure of noise at one site at a time: what is plotted is what the report says."""

import pytest

from snnlab.figures import sensitivity
from snnlab.figures.scene import Points, Segments
from tests.unit.figures.synthetic_gain import site_losses


def test_a_dot_and_an_interval_a_site():
    told = site_losses()
    drawn = sensitivity(told)
    noisy, silent = (mark for mark in drawn.panels[0].marks if isinstance(mark, Points))
    assert noisy.x == pytest.approx([100 * loss.value for loss in told.losses[1:]])
    assert silent.x.tolist() == [0.0]
    assert silent.outlined
    ends = next(mark for mark in drawn.panels[0].marks if isinstance(mark, Segments))
    assert ends.x0 == pytest.approx([100 * loss.low for loss in told.losses])
    assert ends.x1 == pytest.approx([100 * loss.high for loss in told.losses])
    assert [name for _, name in drawn.panels[0].y.ticks] == list(told.names)
    assert "costs 100.00 points" in drawn.foot
    assert drawn.data["rank"].tolist() == [loss.rank for loss in told.losses]


@pytest.mark.parametrize("sites", [1, 110])
def test_any_number_of_sites_is_drawn_by_both_engines(sites):
    drawn = sensitivity(site_losses(sites))
    assert drawn.render("svg").startswith(b"<?xml")
    assert drawn.plotly().layout.height > 0
