"""What two conversions differ in, drawn from their reports."""

import dataclasses

import numpy as np
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.figures import conversion_change
from snnlab.figures.scene import Bars, Points
from tests.unit.figures.synthetic import conversion


def changed(report, site, **values):
    rows = tuple({**row, **values} if i == site else row for i, row in enumerate(report.sites))
    return dataclasses.replace(report, sites=rows)


def test_ratio_potential_and_rate_are_those_of_the_reports():
    before = conversion(5)
    low, high = before.sites[2]["threshold_low"], before.sites[2]["threshold_high"]
    after = changed(before, 2, threshold_low=2 * low, threshold_high=2 * high, v0=0.25, firing_rate=0.125)
    figure = conversion_change(after, before)
    ratio, v0, rate = (panel.marks for panel in figure.panels)
    assert [mark.x.tolist() for mark in ratio if isinstance(mark, Points)] == [[1, 1, 2, 1, 1]]
    was, now = (mark.x for mark in v0 if isinstance(mark, Points))
    assert np.flatnonzero(was != now).tolist() == [2]
    assert now[2] == 0.25
    (bars,) = (mark for mark in rate if isinstance(mark, Bars))
    assert bars.end[2] == 0.125
    assert figure.data["threshold_ratio"].tolist() == [1, 1, 2, 1, 1]
    assert "1 have another threshold or v(0)" in figure.alt


def test_ratios_far_apart_stand_on_a_logarithmic_axis():
    before = conversion(3)
    small = changed(before, 1, threshold_low=before.sites[1]["threshold_low"] / 100, threshold_high=0.01)
    axis = conversion_change(small, before).panels[0].x
    assert axis.log
    assert axis.low <= 0.01 < 1 < axis.high
    assert not conversion_change(before, before).panels[0].x.log


def test_other_sites_are_refused():
    with pytest.raises(SnnlabError, match=r"different sites \(3 and 4\)"):
        conversion_change(conversion(3), conversion(4))
