"""Residuals of a few images of a run: simulated anew, by themselves."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from snnlab.analysis.residual_membrane import residuals
from snnlab.core.errors import DataError, RecipeError
from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import Recipe
from snnlab.data import ImageSplit
from snnlab.runs.kinds import warm
from snnlab.runs.kinds.plain import packed
from snnlab.simulation import simulate


def residuals_of(*, progress: ProgressCallback, recipe: dict[str, Any], images: list[int], step: int) -> dict[str, Any]:
    """Residuals v(t) of some images of a recipe's data.

    Args:
        progress: Called after every micro-batch.
        recipe: Of the run whose images they are.
        images: Positions among those of the run, at least one.
        step: t, in 1..T of the recipe.

    Returns:
        ``{"report": a ResidualReport, packed, "seconds"}``.
    """
    started = time.perf_counter()
    parsed = Recipe.parse(recipe)
    if not 1 <= step <= parsed.num_steps:
        raise RecipeError(f"t = {step} lies outside 1..{parsed.num_steps}, the simulated time-steps.")
    chosen = _picked(warm.images(parsed, parsed.data.split, parsed.data.limit), images)
    snn = warm.network(parsed)
    recording = simulate(
        snn,
        chosen,
        num_steps=max(step, snn.least_steps),
        snapshots=[step],
        dtype=getattr(torch, parsed.dtype),
        progress=progress,
    )
    return {"report": packed(residuals(recording)), "seconds": round(time.perf_counter() - started, 4)}


def _picked(split: ImageSplit, images: Sequence[int]) -> ImageSplit:
    if not images or not all(0 <= place < len(split) for place in images):
        raise DataError(f"The run has images 0 to {len(split) - 1}; choose some of them.")
    places = np.array(images)
    return replace(split, pixels=split.pixels[places], labels=split.labels[places], indices=split.indices[places])
