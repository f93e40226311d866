"""Early exit against its literal definition; the limit never sees the images it is shown on."""

import dataclasses

import numpy as np
import pytest

from snnlab.analysis.reports import EarlyExit, Report
from snnlab.core.errors import RecipeError, SnnlabError
from snnlab.runs import default_recipe, early_exit_recipe, early_exit_run
from tests.reference import early_exit as literal

VGG = "digits-vgg-qcfs-L8"


def report(seed=0, *, num_steps=6, images=40, choosing=50, within=0.0):
    """Margins grow with t, and images with larger margins are right more often."""
    rng = np.random.default_rng(seed)
    margins = [np.cumsum(rng.random((num_steps, n)), axis=0).astype(np.float32) for n in (images, choosing)]
    correct = [m + rng.normal(0, 0.8, m.shape) > 0.9 for m in margins]
    return EarlyExit(
        "x", margins[0], correct[0], rng.random(images) < 0.9, "dev", margins[1], correct[1], "validation", within
    )


@pytest.mark.parametrize("limit", [0.0, 0.7, 1.9, np.inf])
def test_stops_and_answers_are_the_definition(limit):
    found = report()
    expected = [literal.stop(found.margins[:, i], found.correct[:, i], limit) for i in range(40)]
    at = found.at(limit)
    assert at.steps == pytest.approx(np.mean([step for step, _ in expected]))
    assert at.accuracy == pytest.approx(np.mean([right for _, right in expected]))
    assert at.difference == pytest.approx(at.accuracy - found.correct[-1].mean())
    assert at.low <= at.accuracy <= at.high
    assert at.steps_low <= at.steps <= at.steps_high
    assert at.difference_low <= at.difference <= at.difference_high


@pytest.mark.parametrize("within", [0.0, 4.0, 100.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_limit_is_the_definition_on_the_choosing_images(seed, within):
    found = report(seed, within=within)
    expected = literal.chosen(found.choosing_margins.T, found.choosing_correct.T, found.limits.tolist(), within)
    assert found.chosen == expected
    other = report(seed + 50)
    moved = dataclasses.replace(found, margins=other.margins, correct=other.correct)
    assert moved.chosen == found.chosen, "the images that are shown choose nothing"


def test_the_ends_of_the_curve_are_one_step_and_all():
    found = report()
    first, last = found.curve[0], found.curve[-1]
    assert (first.limit, first.steps, first.accuracy) == (0.0, 1.0, found.correct[0].mean())
    assert (last.limit, last.steps, last.difference) == (np.inf, 6.0, 0.0)
    assert [each.steps for each in found.curve] == sorted(each.steps for each in found.curve)
    assert found.fixed_steps(found.correct[2].mean()) <= 3
    assert found.fixed_steps(1.01) is None
    assert found.to_frame()["chosen"].sum() == 1


def test_an_earlier_last_step_is_that_simulation():
    found = report()
    short = found.up_to(3)
    assert short.num_steps == 3
    assert short.chosen == literal.chosen(
        found.choosing_margins[:3].T, found.choosing_correct[:3].T, short.limits.tolist(), 0.0
    )
    with pytest.raises(SnnlabError, match=r"outside 1\.\.6"):
        found.up_to(7)


def test_one_image_one_step_and_the_store():
    found = report(images=1, num_steps=1)
    assert found.found.steps == 1.0
    assert Report.from_payload(*found.payload()).found == found.found
    with pytest.raises(SnnlabError, match="must be 0 or more"):
        found.at(-1.0)
    with pytest.raises(SnnlabError, match="must be 0 or more"):
        found.at(float("nan"))


def test_a_run_chooses_on_validation_and_shows_dev():
    recipe = early_exit_recipe(default_recipe(VGG, num_steps=8, limit=60))
    run = early_exit_run(recipe)
    found = run.reports["early_exit"]
    assert (found.split, found.choosing_split, found.images, found.choosing_images) == ("dev", "validation", 60, 60)
    assert (found.correct.mean(axis=1) == run.accuracy.snn_accuracy).all()
    assert found.found.steps < 8
    with pytest.raises(RecipeError, match="other images: dev or test"):
        early_exit_run(recipe.changed(data={"split": "validation"}))
    with pytest.raises(RecipeError, match="0 to 100 points"):
        early_exit_run(recipe, within=-1.0)
