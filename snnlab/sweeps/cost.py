"""How long an experiment or a tournament will take, from what a few batches took. Imports without torch."""

from collections.abc import Mapping

from snnlab.core.recipe import Recipe, TrainingChoice
from snnlab.sweeps.contest import LiveTournament, cell_recipe, contest_of
from snnlab.sweeps.places import ADAPTED, CONTROLS, experiment_of, trainings_of
from snnlab.sweeps.watched import live


def pace_recipe(recipe: Recipe) -> Recipe:
    """What has to be timed for an experiment: equal for all that cost the same a batch, so it is asked once."""
    choice = experiment_of(recipe)
    training = (recipe.training or TrainingChoice()).model_dump(
        mode="json", include={"batch_size", "images", "augment"}
    )
    values = {name: value for name, value in recipe.to_dict().items() if name not in ("noise", "training", "seed")}
    steps = list(dict.fromkeys((choice.steps[0], max(choice.steps))))
    experiment = {"arms": ["control"], "seeds": 1, "steps": steps}
    return Recipe.parse({**values, "training": training, "experiment": experiment})


def seconds_left(recipe: Recipe, pace: Mapping[str, float]) -> float:
    """Seconds until an experiment is done, without what is already kept.

    Args:
        recipe: Complete, with ``experiment``.
        pace: What the job ``pace`` gave for ``pace_recipe``.
    """
    kept = live(recipe)
    each = (recipe.training or TrainingChoice()).epochs
    seconds = pace["read"] * (1 + len(kept.unread))  # the untouched checkpoint, and the arms
    for arm, seed in trainings_of(recipe):
        if (arm, seed) not in kept.finished:
            noisy = 0.0 if arm in (*CONTROLS, *ADAPTED) else pace["noise"]
            left = each - len(kept.of(arm, seed))
            seconds += left * (pace["batch"] * pace["batches"] + pace["watch"] + noisy)
    return seconds


def tournament_pace_recipe(recipe: Recipe) -> Recipe:
    """What has to be timed for a tournament: equal for all of the same network and largest T, so it is asked once."""
    values = recipe.to_dict()
    values.pop("tournament", None)
    contest = contest_of(recipe)
    base = Recipe.parse({**values, "converter": {"method": "max_norm"}, "tournament": {"methods": ["max_norm"],
                         "steps": [contest.steps[-1]]}})  # fmt: skip
    return cell_recipe(base, base.converter, contest.steps[-1], 0, drawn=False)


def tournament_seconds(now: LiveTournament, images: int, pace: Mapping[str, float]) -> float:
    """Seconds that the simulations of the cells left take; calibrations come on top.

    Args:
        now: What is done of it.
        images: Images of every cell.
        pace: What the job ``tournament_pace`` gave.
    """
    left = [cell for cell, kept in zip(now.cells, now.kept, strict=True) if not kept]
    return sum(cell.recipe.num_steps for cell in left) * images * pace["step"]
