"""Charts of several runs draw the numbers of their reports."""

import numpy as np
import pytest

from snnlab import figures
from snnlab.core.errors import SnnlabError
from snnlab.figures.scene import Band, Line, Points, Segments
from snnlab.figures.style import SERIES
from tests.unit.figures.synthetic_runs import comparison, seed_group


def test_a_dot_a_run_and_site_in_the_runs_colours():
    report = comparison(7)
    figure = figures.comparison(report, 4)
    frame = report.site_frame(4)

    for panel, (name, factor) in zip(
        figure.panels, (("threshold", 1), ("firing_rate", 1), ("mean_abs", 1), ("excess", 100), ("missing", 100))
    , strict=True):  # fmt: skip
        dots = [mark for mark in panel.marks if isinstance(mark, Points)]
        (bar,) = [mark for mark in panel.marks if isinstance(mark, Segments)]
        assert [mark.role for mark in dots] == list(SERIES[:2])
        assert dots[0].symbol != dots[1].symbol, "never colour alone"
        for place, mark in enumerate(dots):
            own = frame[frame["run"] == report.runs[place]["run"]]
            np.testing.assert_allclose(mark.x, factor * own[name])
        np.testing.assert_allclose(np.abs(bar.x1 - bar.x0), np.abs(dots[1].x - dots[0].x))
    assert [mark.label for mark in figure.panels[0].marks if isinstance(mark, Points)] == [
        "A: net · qcfs",
        "B: net · max_norm",
    ]
    assert [panel.wide_only for panel in figure.panels] == [False, False, False, True, True]
    assert "No intervals" in figure.foot


def test_three_runs_and_what_is_left_out():
    report = comparison(3, names=("a", "b", "c"), unshared=2)
    figure = figures.comparison(report, 2)

    assert figure.title == "What differs between the runs, and where?"
    assert "b has 2 more, c has 4 more" in figure.foot
    assert [mark.role for mark in figure.panels[0].marks if isinstance(mark, Points)] == list(SERIES[:3])


def test_steps_and_numbers_of_runs_are_checked():
    with pytest.raises(SnnlabError, match="no common snapshot at t = 3"):
        figures.comparison(comparison(), 3)
    with pytest.raises(SnnlabError, match="7 runs at most, not 8"):
        figures.comparison(comparison(names=tuple("abcdefgh")), 2)


def test_a_seed_group_shows_both_intervals():
    group = seed_group()
    (panel,) = figures.seed_group(group).panels
    bands = [mark for mark in panel.marks if isinstance(mark, Band)]
    lines = {mark.label: mark for mark in panel.marks if isinstance(mark, Line)}

    np.testing.assert_allclose(bands[1].low, np.clip(100 * group.seed_interval[0][1:], 0, 100))
    np.testing.assert_allclose(bands[1].high, np.clip(100 * group.seed_interval[1][1:], 0, 100))
    np.testing.assert_allclose(lines["net · qcfs, mean"].y, 100 * group.mean[1:])
    np.testing.assert_allclose(lines["95 % bootstrap interval over images"].y, 100 * group.image_interval[1][1:])
    thin = [mark.y for mark in panel.marks if isinstance(mark, Line) and mark.width == 0.5]
    np.testing.assert_allclose(thin, 100 * group.by_seed[:, 1:])
    assert panel.y.low <= 100 * np.nanmin(group.by_seed)


def test_one_checkpoint_draws_no_interval_over_seeds_and_says_why():
    figure = figures.seed_group(seed_group(1))

    assert not [mark for mark in figure.panels[0].marks if isinstance(mark, Band)]
    assert figure.foot == seed_group(1).why_no_seed_interval
