"""Figures of a noise experiment: what is plotted is what the report says, with few seeds, few T and many sites."""

import numpy as np
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.figures import (
    arm_name,
    errors_over_depth,
    gain_table,
    gap_over_depth,
    inside_change,
    noise_by_epoch,
    noise_gain,
    tables,
    training_curves,
)
from snnlab.figures.scene import Line, Note, Points, Segments
from tests.unit.figures.synthetic_gain import noise_gain_report


def marks(figure, kind, panel=0):
    return [mark for mark in figure.panels[panel].marks if isinstance(mark, kind)]


def test_the_forest_plot_has_a_row_for_the_base_and_every_arm_but_the_control():
    report = noise_gain_report()
    drawn = noise_gain(report)
    names = [name for _, name in drawn.panels[0].y.ticks]
    assert names == ["untouched base", "control at L = T", "NQ", "half NQ", "uniform", "yours"]
    large = [mark for mark in marks(drawn, Points) if mark.size > 1]
    assert [mark.outlined for mark in large] == [True] + [False] * 5
    gain = report.gain("nq", 2)
    assert large[2].x[0] == pytest.approx(100 * gain.value)
    thin = [mark for mark in marks(drawn, Segments) if mark.width < 1][2]
    assert (thin.x0[0], thin.x1[0]) == pytest.approx((100 * gain.low, 100 * gain.high))
    thick = [mark for mark in marks(drawn, Segments) if mark.width > 1][2]
    assert (thick.x0[0], thick.x1[0]) == pytest.approx((100 * gain.images_low, 100 * gain.images_high))
    dots = [mark for mark in marks(drawn, Points) if mark.size < 1][2]
    np.testing.assert_allclose(dots.x, 100 * np.array(gain.seeds))


def test_other_steps_are_numbers_that_narrow_figures_leave_out():
    report = noise_gain_report()
    drawn = noise_gain(report)
    assert [panel.wide_only for panel in drawn.panels] == [False, False, True, True, True]
    texts = [mark.text for mark in marks(drawn, Note, 2)]
    assert texts[0] == "T = 1"
    assert texts[3] == tables.number(100 * report.gain("nq", 1).value, 1, sign=True)
    assert "exploratory" in drawn.foot
    assert "control 7" in marks(drawn, Note)[-1].text


def test_every_value_lies_within_the_axis():
    drawn = noise_gain(noise_gain_report(seeds=2))
    axis = drawn.panels[0].x
    for mark in marks(drawn, Segments):
        assert axis.low <= mark.x0[0] <= mark.x1[0] <= axis.high


def test_one_seed_draws_no_interval_and_says_why():
    drawn = noise_gain(noise_gain_report(seeds=1))
    assert all(mark.width > 1 for mark in marks(drawn, Segments))
    assert "train at least three" in drawn.foot


def test_another_step_is_drawn_as_not_asked_for():
    drawn = noise_gain(noise_gain_report(), 8)
    assert "asked at T = 2" in drawn.foot
    with pytest.raises(SnnlabError, match="not read at T = 3"):
        noise_gain(noise_gain_report(), 3)


def test_gap_and_noise_over_depth_are_means_over_seeds():
    report = noise_gain_report()
    lines = marks(gap_over_depth(report), Line)
    assert [line.label for line in lines] == ["untouched base", "after control", "after NQ", "after yours"]
    np.testing.assert_allclose(lines[2].y, report.gap_after[2].mean(axis=0))
    lines = marks(noise_by_epoch(report, "nq"), Line)
    assert [line.label for line in lines] == ["epoch 1", "epoch 5", "epoch 8", "epoch 12"]
    np.testing.assert_allclose(lines[-1].y, report.std[2, :, -1].mean(axis=0))
    with pytest.raises(SnnlabError, match="no arm 'reversed'"):
        noise_by_epoch(report, "reversed")


def test_the_profile_of_one_s_own_is_among_the_few_arms_over_depth():
    report = noise_gain_report(arms=("control", "half_nq", "nq", "profile"))
    wanted = ["untouched base", "after control", "after NQ", "after yours"]
    for drawn in (gap_over_depth(report), errors_over_depth(report)):
        assert [line.label for line in marks(drawn, Line)] == wanted


def test_training_curves_are_means_over_the_seeds_that_got_so_far():
    curves = np.full((2, 3, 4), np.nan)
    curves[0, :2, 0], curves[1, :1, 0] = [0.4, 0.2], [0.6]
    drawn = training_curves({"control": curves}, target=2, epochs=3)
    (loss,) = marks(drawn, Line)
    np.testing.assert_allclose(loss.y, [0.5, 0.2])
    assert not marks(drawn, Line, 2), "nobody watched the noisy ANN"
    assert len(training_curves(noise_gain_report()).panels) == 4


@pytest.mark.parametrize("sites", [1, 19, 110])
def test_all_of_them_are_drawn_by_both_engines(sites):
    report = noise_gain_report(arms=("control", "nq"), seeds=3, images=40, steps=(2,), epochs=2, sites=sites)
    for drawn in (noise_gain(report), gap_over_depth(report), noise_by_epoch(report), training_curves(report)):
        assert drawn.plotly(dark=True).data
        assert drawn.render("svg").startswith(b"<?xml")
        assert drawn.alt
        assert len(drawn.data)


def test_the_table_is_escaped_for_latex():
    text = tables.to_latex(gain_table(noise_gain_report()), "Gain", "tab:gain")
    assert "untouched base" in text
    assert "exploratory" in text
    assert "$-$" in text
    assert arm_name("someone_else") == "someone_else"


def test_what_changed_inside_has_a_row_an_arm_and_a_column_a_question():
    report = noise_gain_report()
    drawn = inside_change(report)
    assert [name for _, name in drawn.panels[0].y.ticks][:3] == ["untouched base", "control", "control at L = T"]
    for panel, kind in enumerate(("excess", "missing")):
        dots = marks(drawn, Points, panel)
        assert [mark.x[0] for mark in dots] == pytest.approx(
            [100 * report.share(arm, kind).value for arm in ("base", *report.arms)]
        )
        ends = marks(drawn, Segments, panel)
        assert len(ends) == len(report.arms), "the base has no seeds"
        assert ends[2].x0[0] == pytest.approx(100 * report.share("nq", kind).low)
    assert marks(drawn, Points, 2)[3].x[0] == pytest.approx(report.gap("nq").value)
    assert len(drawn.data) == (1 + len(report.arms)) * (1 + len(report.names))
    assert tables.to_latex(drawn.data, "Inside", "tab:inside").count("whole network") == 1 + len(report.arms)
    assert not any(marks(inside_change(noise_gain_report(seeds=1)), Segments, panel) for panel in range(3))


def test_errors_over_depth_are_those_of_the_sites():
    report = noise_gain_report(sites=40)
    drawn = errors_over_depth(report, ["nq", "best"])
    for panel, kind in enumerate(("excess", "missing")):
        base, after = marks(drawn, Line, panel)
        assert (base.label, after.label) == ("untouched base", "after NQ")
        assert after.y[7] == pytest.approx(100 * report.share("nq", kind, report.names[7]).value)
