"""How long an experiment will take, from what a few batches took. Imports without torch."""

from collections.abc import Mapping

from snnlab.core.recipe import Recipe, TrainingChoice
from snnlab.sweeps.places import ADAPTED, CONTROLS, experiment_of, seeds_of
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
    seconds = pace["read"]  # the untouched checkpoint
    for arm in experiment_of(recipe).arms:
        noisy = 0.0 if arm in (*CONTROLS, *ADAPTED) else pace["noise"]
        for seed in seeds_of(recipe):
            if (arm, seed) not in kept.finished:
                left = each - len(kept.of(arm, seed))
                seconds += left * (pace["batch"] * pace["batches"] + pace["watch"] + noisy) + pace["read"]
    return seconds
