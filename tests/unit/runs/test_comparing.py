"""Runs side by side: every number is one that can be had from the runs alone."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from snnlab.analysis.reports import Report, paired_difference
from snnlab.core.errors import RecipeError, SnnlabError
from snnlab.core.histogram import CLASSES, CORE, CORE_BINS, EDGES, NUM_BINS
from snnlab.runs import compare
from snnlab.runs.comparing import mean_magnitude
from tests.stored_runs import reseeded, shipped, with_report


@pytest.fixture(scope="module")
def qcfs():
    return shipped()


@pytest.fixture(scope="module")
def relu():
    return shipped("digits-vgg-relu")


@pytest.fixture(scope="module")
def both(qcfs, relu):
    return compare([qcfs, relu])


def test_accuracy_and_paired_differences(both, qcfs, relu):
    frame = both.to_frame()
    assert list(frame["name"].unique()) == [qcfs.title, relu.title]
    assert len(frame) == 2 * 33
    for t in (1, 4, 32):
        row = frame[(frame["run"] == relu.id) & (frame["step"] == t)].iloc[0]
        mine, theirs = (run.accuracy.snn_predictions[t - 1] == run.accuracy.labels for run in (relu, qcfs))
        expected = paired_difference(theirs, mine)
        assert row["accuracy"] == mine.mean()
        assert (row["difference"], row["difference_low"]) == (expected.value, expected.low)
        assert (row["gained"], row["lost"]) == (np.sum(mine & ~theirs), np.sum(theirs & ~mine))
        assert row["low"] < row["accuracy"] < row["high"]
    ann = frame[(frame["run"] == relu.id) & (frame["role"] == "ann")].iloc[0]
    assert ann["accuracy"] == relu.accuracy.ann_accuracy
    assert frame[frame["run"] == qcfs.id]["difference"].isna().all(), "the first run is compared with nothing"


def test_sites_at_every_common_snapshot(both, qcfs, relu):
    assert both.steps == qcfs.residuals.steps
    for step in both.steps:
        frame = both.site_frame(step)
        for run in (qcfs, relu):
            own = frame[frame["run"] == run.id].set_index("site")
            told = run.residuals.to_frame()
            told = told[told["step"] == step].set_index("site")
            for column in ("threshold", "firing_rate", "mean", "right", "excess", "missing", "exact", "silent"):
                np.testing.assert_allclose(own[column], told[column], rtol=1e-12, atol=1e-12, err_msg=column)
            assert (own["mean_abs"] >= own["mean"].abs() - 1e-12).all()
    assert list(dict.fromkeys(frame["site"])) == list(qcfs.residuals.names), "input first"


def test_only_common_snapshots_are_compared(qcfs, relu):
    last = relu.residuals
    less = dataclasses.replace(
        last,
        steps=last.steps[-1:],
        **{
            name: getattr(last, name)[:, -1:]
            for name in ("histogram", "spike_errors", "moments", "fired_moments", "spikes", "nan")
        },
    )
    found = compare([qcfs, dataclasses.replace(relu, reports={**relu.reports, "residuals": less})])

    assert found.steps == (32,)
    with pytest.raises(SnnlabError, match="no common snapshot at t = 2; they have them at t = 32"):
        found.site_frame(2)


def test_networks_without_a_common_site(qcfs):
    found = compare([qcfs, shipped("digits-resnet-qcfs-L4")])

    assert "no site of the same name" in found.why_no_sites
    assert found.unshared[qcfs.id] == list(qcfs.residuals.names)
    assert found.runs[1]["why"] == "", "their accuracies are paired all the same"
    with pytest.raises(SnnlabError, match="no site of the same name"):
        found.site_frame(2)


def test_a_site_of_another_shape_is_named(qcfs, relu):
    rows = [dict(row) for row in relu.conversion.sites]
    rows[2]["shape"] = [1, 4, 4]
    found = compare([qcfs, with_report(relu, "conversion", sites=tuple(rows))])

    assert found.unshared == {qcfs.id: ["stage2.act1"], relu.id: ["stage2.act1"]}
    assert "stage2.act1" not in set(found.site_frame(2)["site"])
    assert len(set(found.site_frame(2)["site"])) == 8


def test_a_run_without_residuals_says_so(qcfs, relu):
    noise = shipped("digits-vgg-relu", "noise")
    found = compare([qcfs, relu, noise])

    assert found.why_no_sites == (
        "digits-vgg-relu · percentile_norm · noise kept no residuals; run it with snapshots to compare its sites."
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dataset": "mnist"}, "other images: mnist against digits"),
        ({"dataset": "npz", "sha256": "0" * 64}, "other images: npz against digits"),
    ],
)
def test_other_images_have_no_difference(qcfs, relu, change, why):
    other = dataclasses.replace(relu, recipe=relu.recipe.changed(data=change))
    found = compare([qcfs, other])

    assert found.runs[1]["why"] == why
    assert found.to_frame()["difference"].isna().all()
    assert found.to_frame()["low"].notna().all(), "each accuracy keeps its own interval"


def test_fewer_images_or_another_split_have_no_difference(qcfs, relu):
    curve = relu.accuracy
    half = with_report(
        relu,
        "accuracy",
        labels=curve.labels[:100],
        ann_predictions=curve.ann_predictions[:100],
        snn_predictions=curve.snn_predictions[:, :100],
    )
    assert compare([qcfs, half]).runs[1]["why"] == "other images: 100 against 270"
    test = with_report(relu, "accuracy", split="dev_from_test")
    assert compare([qcfs, test]).runs[1]["why"] == "other images: dev_from_test against dev"
    shuffled = with_report(relu, "accuracy", labels=np.roll(curve.labels, 1))
    assert compare([qcfs, shuffled]).runs[1]["why"] == "other images: their labels differ"


def test_runs_of_one_title_are_told_apart(qcfs, relu):
    noise = shipped(verb="noise")
    again = dataclasses.replace(qcfs, id="c" * 32)
    names = compare([qcfs, noise, again, relu]).names

    assert names[1:] == ("digits-vgg-qcfs-L8 · qcfs · noise", "digits-vgg-qcfs-L8 · qcfs · cccccccc", relu.title)
    assert len(set(names)) == 4


def test_plain_values_are_json_and_the_report_travels(both, qcfs):
    plain = json.loads(json.dumps(both.plain(), allow_nan=False))
    assert plain["accuracy"][0]["difference"] is None
    assert plain["runs"][0]["run"] == qcfs.id
    values, arrays = both.payload()
    assert Report.from_payload(json.loads(json.dumps(values)), arrays) == both


def test_a_comparison_needs_two_runs(qcfs):
    with pytest.raises(RecipeError, match="two runs or more; 1 given"):
        compare([qcfs])
    with pytest.raises(RecipeError, match="named twice"):
        compare([qcfs, qcfs])


def _counted(potentials):
    """A residual report of one site whose neurons have these potentials / threshold at one snapshot."""
    report = shipped().residuals
    histogram = np.zeros((1, 1, len(CLASSES), NUM_BINS), np.int64)
    np.add.at(histogram[0, 0, 1], np.searchsorted(EDGES, potentials, side="right"), 1)
    moments = np.zeros((1, 1, len(CLASSES), 4))
    moments[..., 2], moments[..., 3] = np.inf, -np.inf
    moments[0, 0, 1] = potentials.sum(), (potentials**2).sum(), potentials.min(), potentials.max()
    return dataclasses.replace(
        report, names=("a",), shapes=((len(potentials),),), steps=(1,), histogram=histogram, moments=moments, images=1
    )


@pytest.mark.parametrize(
    ("name", "tolerance"), [("core", 2e-3), ("heavy tail below", 5e-3), ("beyond all bins", 5e-3), ("positive", 1e-12)]
)
def test_mean_magnitude_is_that_of_the_potentials(name, tolerance):
    generator = np.random.default_rng(0)
    potentials = generator.normal(0.3, 0.4, 20_000).clip(-2, 1.99)
    if name == "heavy tail below":
        potentials[:2000] = -generator.pareto(1.5, 2000) - 2
    if name == "beyond all bins":
        potentials[:3] = -1e6
    if name == "positive":
        potentials = np.abs(potentials)
    found = mean_magnitude(_counted(potentials), 0)

    assert found[0] == pytest.approx(np.abs(potentials).mean(), rel=tolerance)


def test_share_at_zero_counts_two_bins(qcfs):
    report = qcfs.residuals
    zero = CORE.start + CORE_BINS // 2
    bins = report.histogram[0, 1].sum(axis=0)
    row = compare([qcfs, reseeded(qcfs, 1)]).site_frame(2).iloc[0]

    assert row["at_zero"] == bins[zero - 1 : zero + 1].sum() / report.elements[0]


def test_torch_is_not_needed():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import snnlab as sl\n"
        "shipped = [run for run in sl.runs.Store('sqlite://').shipped() if run.verb == 'analyse']\n"
        "runs = [run for run in shipped if run.recipe.data.dataset == 'digits']\n"
        "assert sl.runs.compare(runs[1:]).steps and sl.runs.SeedGroup.of(runs[:1]).seeds == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
