"""Measure a conversion's noise and store the run; evaluate a noise profile that somebody has just drawn."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from snnlab.analysis.noise import SCALES, noisy_correct
from snnlab.analysis.noise import kappa as find_kappa
from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.analysis.reports import estimate
from snnlab.analysis.which_site import largest_scale, sensitivity
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.errors import RecipeError
from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import NoiseChoice, Recipe
from snnlab.data import ImageSplit
from snnlab.runs.execute import fit_noise_run
from snnlab.runs.kinds import context, warm
from snnlab.runs.kinds.plain import plain

run_noise = context.stored(fit_noise_run)
"""Execute a noise recipe and store the run."""


def evaluate_noisy(
    *,
    progress: ProgressCallback,
    recipe: dict[str, Any],
    target: int,
    std: dict[str, float],
    scales: list[float],
    kappa: bool = False,
) -> dict[str, Any]:
    """Accuracy of the ANN under a noise profile, on the images and noise seeds of a noise recipe.

    Args:
        progress: Called after every block of images.
        recipe: Noise recipe.
        target: T of the SNN that kappa compares with, in 1..T of the recipe.
        std: Site -> std in activation units; sites that are not named have none.
        scales: Factors on it.
        kappa: Look for kappa of this profile too.

    Returns:
        ``{"scales", "noisy": [{"value", "low", "high", "seeds"}], "kappa": {"value", "low", "high", "why"} | None,
        "images", "split", "seconds"}``; a kappa that is no number is None, and ``why`` says so.
    """
    started = time.perf_counter()
    parsed = Recipe.parse(recipe)
    choice = parsed.noise or NoiseChoice()
    if not 1 <= target <= parsed.num_steps:
        raise RecipeError(f"T = {target} lies outside 1..{parsed.num_steps}, the simulated time-steps.")
    network, images = warm.noisy_network(parsed), warm.images(parsed, parsed.data.split, parsed.data.limit)

    def evaluate(scales: Sequence[float]) -> np.ndarray:
        # With progress everywhere: a newer question stops this one there, and the worker stays warm.
        return noisy_correct(
            network, std, images, scales=scales, seeds=choice.seeds, seed=parsed.seed, progress=progress
        )

    answers, found = evaluate(scales), None
    if kappa:
        right = warm.snn_correct(parsed, progress=progress)[target - 1]
        known = answers if tuple(scales) == SCALES else None
        found = find_kappa(right, evaluate, scales=SCALES, known=known, seed=parsed.seed).plain()
    estimates = [estimate(correct) for correct in answers]
    return {
        "scales": list(scales),
        "noisy": [{**asdict(each), "seeds": list(each.seeds)} for each in estimates],
        "kappa": found,
        "images": len(images),
        "split": images.name,
        "seconds": round(time.perf_counter() - started, 4),
    }


def lose_by_site(*, progress: ProgressCallback, recipe: dict[str, Any], profile: dict[str, Any]) -> dict[str, Any]:
    """What noise at one site at a time costs the ANN, on the images and noise seeds of a noise recipe.

    Args:
        progress: Called after every block of images.
        recipe: Noise recipe.
        profile: Noise profile, as ``NoiseProfile.to_dict`` gives it.

    Returns:
        ``{"sensitivity": payload of SensitivityReport, "seconds"}``.
    """
    started = time.perf_counter()
    parsed = Recipe.parse(recipe)
    found = sensitivity(*_asked(parsed, profile), **_drawn(parsed), progress=progress)
    return {"sensitivity": plain(found), "seconds": round(time.perf_counter() - started, 4)}


def scale_that_costs(
    *, progress: ProgressCallback, recipe: dict[str, Any], profile: dict[str, Any], points: float
) -> dict[str, Any]:
    """The largest scale of a profile that costs the ANN at most so many points; arguments as ``lose_by_site``.

    Returns:
        ``{"points", "value", "low", "high", "why", "seconds"}``; a scale that is no number is None.
    """
    started = time.perf_counter()
    parsed = Recipe.parse(recipe)
    found = largest_scale(*_asked(parsed, profile), points=points, **_drawn(parsed), progress=progress)
    return {**found.told(), "seconds": round(time.perf_counter() - started, 4)}


def _asked(recipe: Recipe, profile: dict[str, Any]) -> tuple[NoisyNetwork, NoiseProfile, ImageSplit]:
    """The network, the noise and the images of a question about a profile."""
    images = warm.images(recipe, recipe.data.split, recipe.data.limit)
    return warm.noisy_network(recipe), NoiseProfile.from_dict(profile), images


def _drawn(recipe: Recipe) -> dict[str, Any]:
    """Which noise is drawn for it."""
    return {"noise_seeds": (recipe.noise or NoiseChoice()).seeds, "seed": recipe.seed}
