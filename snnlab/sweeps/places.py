"""Where the trainings of an experiment are kept, and what each was made with. Imports without torch.

A training (one arm on one seed) is kept under the hash of its own settings, so that experiments share what they have in
common: another arm added later does not train the control again, and arms that differ in their conversion alone are
one training.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from snnlab.core.recipe import (
    RESULTS_VERSION,
    AdaptorChoice,
    ClippingChoice,
    ExperimentChoice,
    NoiseChoice,
    Recipe,
    TrainingChoice,
)
from snnlab.runs.paths import training_folder
from snnlab.runs.store import Store

VERB = "train"
CLIPPED = ("clipped", "ecl", "ttrbr")
"""Arms with a learned clipping threshold: one training, read off with different conversions."""

CONVERTED = ("ecl", "ttrbr")
"""Arms that train nothing of their own: the network of ``clipped``, converted by the method of their name."""

CONTROLS = ("control", "control_L", "noise_adaptor_none", *CLIPPED)
"""Arms without noise."""

ADAPTED = ("noise_adaptor_none", "noise_adaptor")
"""Arms with the quantizer of Noise Adaptor."""

OWN = "profile"
"""The arm that trains with the user's own profile."""


def trained_arm(arm: str) -> str:
    """The arm whose training an arm is read off: itself, or the one it shares its weights with."""
    return "clipped" if arm in CONVERTED else arm


def trainings_of(recipe: Recipe) -> dict[tuple[str, int], tuple[str, ...]]:
    """The trainings of an experiment, (trained arm, seed) -> the arms that are read off it.

    All arms of a seed before the next seed: whoever stops early has whole comparisons.
    """
    arms = experiment_of(recipe).arms
    read = {trained: tuple(arm for arm in arms if trained_arm(arm) == trained) for trained in map(trained_arm, arms)}
    return {(trained, seed): readers for seed in seeds_of(recipe) for trained, readers in read.items()}


def cell_folder(recipe: Recipe, arm: str, seed: int, folder: Path | None = None) -> Path:
    """Where the training of an arm is kept.

    Args:
        recipe: Complete, with ``experiment``.
        arm: Arm.
        seed: Training seed.
        folder: The user's own folder; None for ``training_folder``.
    """
    if folder is not None:
        return folder / f"{trained_arm(arm)}-{seed}"
    digest = hashlib.sha256(json.dumps(training_settings(recipe, arm, seed), sort_keys=True).encode()).hexdigest()
    return training_folder() / digest[:32]


def training_settings(recipe: Recipe, arm: str, seed: int) -> dict[str, Any]:
    """What the weights of an arm depend on, plain values: neither the images of the result nor the conversion.

    Args:
        recipe: Complete, with ``experiment``.
        arm: Arm.
        seed: Training seed.
    """
    identity = recipe.identity()
    training = (recipe.training or TrainingChoice()).settings()
    mode = training.pop("noise")
    measured = recipe.noise or NoiseChoice()
    settings: dict[str, Any] = {
        "results_version": RESULTS_VERSION,
        "checkpoint": identity["checkpoint"],
        "data": {name: identity["data"].get(name) for name in ("dataset", "normalize", "sha256")},
        "training": training,
        "arm": trained_arm(arm),
        "seed": seed,
        # What the base has no thresholds or scales of starts from these images, in every arm.
        "start": {"split": measured.split, "limit": measured.limit},
    }
    if arm in ADAPTED:
        settings["adaptor"] = adaptor_of(recipe, arm).model_dump(mode="json")
        for name in ("activation", "code", "levels"):  # the quantizer tells
            training.pop(name, None)
    elif arm in CLIPPED:
        settings["clipping"] = clipping_of(recipe).model_dump(mode="json")
        for name in ("activation", "code", "levels"):  # the clipping tells
            training.pop(name, None)
    elif arm != "control":
        settings["target"] = experiment_of(recipe).steps[0]
    if arm not in (*CONTROLS, *ADAPTED):
        noise = (recipe.noise or NoiseChoice()).model_dump(mode="json")
        fields: tuple[str, ...] = ("split", "limit", "paper_compat")
        if arm == OWN:
            fields += ("scale", "multipliers", "std")
            training["noise"] = mode
        settings["noise"] = {name: noise[name] for name in fields}
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain


def reading_settings(recipe: Recipe) -> dict[str, Any]:
    """What the numbers read off a trained network depend on beside its weights, plain values."""
    experiment, noise = experiment_of(recipe), recipe.noise or NoiseChoice()
    data = recipe.identity()["data"]
    return {
        "data": {name: data.get(name) for name in ("split", "limit")},
        "steps": list(experiment.steps),
        "noise": {"split": noise.split, "limit": noise.limit, "paper_compat": noise.paper_compat},
    }


def adaptor_of(recipe: Recipe, arm: str) -> AdaptorChoice:
    """Quantizer and noise of an arm of ``ADAPTED``; without noise, its amplitude and probability do not matter."""
    choice = recipe.adaptor or AdaptorChoice()
    if arm == "noise_adaptor":
        return choice
    return AdaptorChoice(bits=choice.bits, gradient_scale=choice.gradient_scale, noise_mode="none")


def clipping_of(recipe: Recipe) -> ClippingChoice:
    """The activation of the arms of ``CLIPPED``."""
    return recipe.clipping or ClippingChoice()


def experiment_of(recipe: Recipe) -> ExperimentChoice:
    """The recipe's experiment; its defaults where it names none."""
    return recipe.experiment or ExperimentChoice()


def seeds_of(recipe: Recipe) -> tuple[int, ...]:
    """Training seeds of an experiment."""
    return tuple(range(recipe.seed, recipe.seed + experiment_of(recipe).seeds))


def tagged_trainings(store: Store) -> frozenset[str]:
    """Folder names of the trainings that experiments with a tag consist of; no quota takes them.

    Raises:
        StoreError: The store cannot be read.
    """
    recipes = [row.recipe for row in store.tagged() if row.verb == VERB]
    return frozenset(
        cell_folder(recipe, arm, seed).name
        for recipe in recipes
        if recipe.experiment is not None
        for arm, seed in trainings_of(recipe)
    )
