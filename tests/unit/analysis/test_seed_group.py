"""Several checkpoints of one recipe as one curve: two spreads, and refusals that name the field."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.stats

from snnlab.analysis import SeedGroup
from snnlab.analysis.reports import Report
from snnlab.core.errors import RecipeError
from tests.stored_runs import reseeded, shipped, with_report


@pytest.fixture(scope="module")
def runs():
    return [reseeded(shipped(), seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def group(runs):
    return SeedGroup.of(runs)


def test_mean_std_and_t_interval_over_seeds(runs, group):
    accuracy = np.array([[run.accuracy.ann_accuracy, *run.accuracy.snn_accuracy] for run in runs])
    spread = accuracy.std(axis=0) > 1e-12
    seen = accuracy[:, spread]
    expected = scipy.stats.t.interval(0.95, 2, seen.mean(axis=0), scipy.stats.sem(seen, axis=0))

    np.testing.assert_allclose(group.by_seed, accuracy)
    np.testing.assert_allclose(group.mean, accuracy.mean(axis=0))
    np.testing.assert_allclose(group.std, accuracy.std(axis=0, ddof=1))
    for mine, theirs in zip(group.seed_interval, expected, strict=True):
        np.testing.assert_allclose(mine[spread], theirs, rtol=1e-6)
    assert group.why_no_seed_interval == ""


def test_interval_over_images_is_the_literal_bootstrap(group):
    answers = np.concatenate([group.ann_correct[:, None], group.snn_correct], axis=1)  # (seeds, 1 + T, images)
    generator = np.random.default_rng(5)
    means = []
    for _ in range(1000):
        drawn = generator.integers(0, group.images, group.images)
        means.append(answers[:, :, drawn].mean(axis=(0, 2)))  # an image comes with all its seeds
    expected = np.quantile(means, [0.025, 0.975], axis=0)

    for mine, theirs in zip(group.image_interval, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=0.008)


def test_one_checkpoint_has_no_interval_over_seeds(runs):
    alone = SeedGroup.of(runs[:1])

    assert "two or more" in alone.why_no_seed_interval
    assert np.isnan(alone.std).all()
    assert all(np.isnan(bound).all() for bound in alone.seed_interval)
    assert (alone.image_interval[0] < alone.mean)[1:].all()
    assert alone.to_frame()["low"].isna().all()


def test_the_table_and_transport(group):
    frame = group.to_frame()
    assert list(frame["step"]) == list(range(33))
    np.testing.assert_allclose(frame[["seed_1", "seed_2", "seed_3"]].mean(axis=1), frame["accuracy"])
    assert group.name == "net-seed · qcfs"
    values, arrays = group.payload()
    again = Report.from_payload(json.loads(json.dumps(values)), arrays)
    assert again.members == group.members
    np.testing.assert_array_equal(again.snn_correct, group.snn_correct)


def _card(run, **values):
    return dataclasses.replace(run, card={**run.card, **values})


def _recipe(run, **values):
    return dataclasses.replace(run, recipe=run.recipe.changed(**values))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda run: _recipe(run, data={"split": "validation"}), r"differ in data\.split \(dev and validation\)"),
        (lambda run: _recipe(run, data={"limit": 7}), r"differ in data\.limit \(1000 and 7\)"),
        (lambda run: _recipe(run, converter={"method": "max_norm", "parameters": {}}), r"converter\.method \(qcfs and"),
        (
            lambda run: _recipe(run, converter={"parameters": {"initial_fraction": 0.25}}),
            r"converter\.parameters\.initial_fraction \(0\.5 and 0\.25\)",
        ),
        (lambda run: _recipe(run, dtype="float64"), "differ in dtype"),
        (lambda run: _card(run, levels=4), r"checkpoints differ in levels \(8 and 4\)"),
        (lambda run: _card(run, architecture={"family": "resnet"}), r"checkpoints differ in architecture\."),
        (lambda run: with_report(run, "accuracy", labels=run.accuracy.labels[::-1].copy()), "other images"),
        (lambda run: _card(run, sha256=f"{1:064x}"), "in this group twice"),
    ],
)
def test_other_runs_are_refused_by_the_field_that_differs(runs, change, sentence):
    with pytest.raises(RecipeError, match=sentence):
        SeedGroup.of([runs[0], change(runs[1])])


def test_what_changes_no_accuracy_may_differ(runs):
    assert SeedGroup.of([runs[0], _recipe(runs[1], snapshots=[2], traces=1)]).seeds == 2


def test_a_group_needs_runs():
    with pytest.raises(RecipeError, match="none was given"):
        SeedGroup.of([])
