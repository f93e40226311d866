"""The gain of noise over the control: paired by seed, with an interval over seeds and one over images."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from snnlab.analysis.reports import Report
from snnlab.analysis.reports.gain import NoiseGain, t_interval
from snnlab.core.errors import SnnlabError
from tests.unit.figures.synthetic_gain import noise_gain_report


def report(seeds=4, images=200):
    rng = np.random.default_rng(0)
    arms, steps = ("control", "nq"), (2, 4)
    snn = rng.random((2, seeds, 2, images)) < 0.6
    snn[1] |= rng.random((seeds, 2, images)) < 0.3  # nq is right wherever a second draw says so
    return NoiseGain(
        arms=arms,
        seeds=tuple(range(seeds)),
        steps=steps,
        names=("a", "b"),
        labels=np.zeros(images, np.int16),
        ann_correct=rng.random((2, seeds, images)) < 0.9,
        snn_correct=snn,
        base_ann=rng.random(images) < 0.9,
        base_snn=rng.random((2, images)) < 0.5,
        std=np.zeros((2, seeds, 3, 2)),
        gap_before=np.array([0.0, 0.2]),
        gap_after=np.zeros((2, seeds, 2)),
        curves=np.full((2, seeds, 3, 4), np.nan),
        epochs=3,
        split="dev",
        num_classes=10,
    )


def test_the_gain_is_the_mean_of_paired_differences_with_student_s_interval():
    found = report()
    gain = found.gain("nq", 2)
    control, nq = found.snn_correct[0, :, 0].mean(axis=1), found.snn_correct[1, :, 0].mean(axis=1)
    reference = stats.ttest_rel(nq, control).confidence_interval(0.95)
    assert gain.value == pytest.approx(np.mean(nq - control))
    assert (gain.low, gain.high) == pytest.approx((reference.low, reference.high))
    assert gain.seeds == pytest.approx(tuple(nq - control))


def test_the_bootstrap_moves_images_with_all_their_seeds():
    found = report(images=400)
    gain = found.gain("nq", 2)
    by_image = (found.snn_correct[1, :, 0].astype(float) - found.snn_correct[0, :, 0]).mean(axis=0)
    normal = 1.96 * by_image.std() / np.sqrt(len(by_image))
    assert gain.images_high - gain.value == pytest.approx(normal, rel=0.15)
    assert gain.value - gain.images_low == pytest.approx(normal, rel=0.15)


def test_the_control_gains_nothing_over_itself():
    gain = report().gain("control", 4)
    assert (gain.value, gain.low, gain.high, gain.images_low, gain.images_high) == (0, 0, 0, 0, 0)


def test_one_seed_has_no_interval_over_seeds():
    gain = report(seeds=1).gain("nq", 2)
    assert np.isnan(gain.low)
    assert np.isnan(gain.high)
    assert gain.images_low < gain.value < gain.images_high
    assert all(np.isnan(t_interval(np.array([0.5]))))


def test_the_table_has_the_untouched_base_and_marks_what_is_exploratory():
    found = report()
    frame = found.to_frame().set_index(["arm", "step"])
    assert frame.loc[("base", 2), "gain"] == pytest.approx(found.base_snn[0].mean() - found.snn_correct[0, :, 0].mean())
    assert not frame.loc[("nq", 2), "exploratory"]
    assert frame.loc[("nq", 4), "exploratory"]
    assert frame.loc[("nq", 0), "role"] == "ann"


def test_unknown_arms_and_steps_are_named():
    with pytest.raises(SnnlabError, match=r"no arm 'yours'.*control, nq"):
        report().gain("yours", 2)
    with pytest.raises(SnnlabError, match="not read at T = 3; it was at T = 2, 4"):
        report().gain("nq", 3)


def test_it_survives_the_store():
    found = report()
    values, arrays = found.payload()
    again = NoiseGain.from_payload(values, arrays)
    for field in dataclasses.fields(found):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(again, field.name))


def test_what_changed_inside_is_told_by_arm_and_site():
    found = noise_gain_report(seeds=3)
    frame = found.inside_frame().set_index(["arm", "site"])
    assert len(frame) == 7 * 10
    row, counts = frame.loc["nq", "stage1.act1"], found.classes_after[2, :, 1]
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert row["excess"] == pytest.approx(shares[:, 2].mean())
    assert row["right"] == pytest.approx(shares[:, [0, 1, 4]].sum(axis=1).mean())
    assert row["k=+1"] + row["k>=+2"] == pytest.approx(row["excess"])
    assert row["k=-1"] + row["k<=-2"] == pytest.approx(row["missing"])
    assert row[["k>=+2", "k=-1"]].gt(0).all()
    assert row["relative_gap"] == pytest.approx(found.gap_after[2, :, 1].mean())
    whole = found.classes_after[2].sum(axis=1)
    assert frame.loc["nq", "whole network"]["excess"] == pytest.approx((whole[:, 2] / whole.sum(axis=1)).mean())
    rms = np.sqrt((found.gap_after[2] ** 2).mean(axis=1))
    assert frame.loc["nq", "whole network"]["relative_gap"] == pytest.approx(rms.mean())
    base = frame.loc["base", "whole network"]
    assert base["seeds"] == 1
    assert np.isnan(base["gap_low"])


def test_shares_are_of_neurons_that_are_not_silent_with_an_interval_over_seeds():
    found = noise_gain_report(seeds=4)
    share, counts = found.share("nq", "excess"), found.classes_after[2].sum(axis=1)
    by_seed = counts[:, 2] / counts[:, 1:].sum(axis=1)
    assert share.value == pytest.approx(by_seed.mean())
    half = stats.t.ppf(0.975, 3) * by_seed.std(ddof=1) / 2
    assert (share.low, share.high) == pytest.approx((share.value - half, share.value + half))
    one = found.classes_before[3]
    assert found.share("base", "missing", found.names[3]).value == pytest.approx(one[3] / one[1:].sum())
    with pytest.raises(SnnlabError, match="no site 'act99'"):
        found.share("nq", "excess", "act99")
    with pytest.raises(SnnlabError, match="no arm 'best'"):
        found.gap("best")


def test_an_experiment_stored_before_opens_and_says_what_it_has_not():
    values, arrays = noise_gain_report().payload()
    late = ("classes_before", "classes_after", "errors_before", "errors_after")
    old = Report.from_payload(values, {name: array for name, array in arrays.items() if name not in late})
    assert not old.looked_inside
    assert old.gain("nq", 2) == noise_gain_report().gain("nq", 2)
    with pytest.raises(SnnlabError, match="without its residual classes; run it again"):
        old.inside_frame()
    again = Report.from_payload(*old.payload())
    assert again.classes_after is None
