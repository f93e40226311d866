"""Diagnose a recipe: run it at its T, look for the cause of its loss, and say what could be tried."""

import time

import torch

from snnlab.analysis.diagnosis import diagnosis_of
from snnlab.calibration.noise import measure_gaps
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.errors import RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import (
    Prepared,
    accuracy_and_conversion,
    convert_prepared,
    edited_profile,
    find_normalization,
    finished,
    resolve,
)
from snnlab.runs.run import Run
from snnlab.simulation import SpikingModel


def diagnosis_run(recipe: Recipe, *, progress: ProgressCallback = silent) -> Run:
    """Diagnose a recipe. Stores nothing.

    The normalisations are tried on training images, a drawn noise profile of the recipe is compared with the gap that
    is measured on the images it names, and everything else is measured on the images of ``data``.

    Args:
        recipe: What to run; T is its ``num_steps``.
        progress: Called with images done and in all of every stage.

    Returns:
        A run with verb ``diagnosis`` and reports ``diagnosis``, ``accuracy`` and ``conversion``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    if recipe.data.split == "test":
        raise RecipeError("Test images choose nothing: diagnose on dev, validation, train or calibration.")
    prepared = resolve(recipe, check_normalization=False, progress=progress)
    recipe, images = prepared.recipe, prepared.images()
    ann, snn = prepared.checkpoint.build(), convert_prepared(prepared, progress=progress)
    measured, drawn = _noise(prepared, snn, progress)

    report, recording, predicted = diagnosis_of(
        snn,
        ann,
        images,
        num_steps=recipe.num_steps,
        normalization=find_normalization(
            prepared.checkpoint, prepared.dataset, chosen=recipe.data.normalize or "", progress=progress
        ),
        drawn=drawn,
        measured=measured,
        dtype=getattr(torch, recipe.dtype),
        progress=progress,
    )
    reports = {"diagnosis": report, **accuracy_and_conversion(prepared, snn, recording, predicted)}
    return finished(prepared, reports, recording, started, verb="diagnosis")


def _noise(
    prepared: Prepared, snn: SpikingModel, progress: ProgressCallback
) -> tuple[NoiseProfile | None, NoiseProfile | None]:
    """The measured profile and the drawn one, where the recipe draws one."""
    choice = prepared.recipe.noise
    if choice is None or not (choice.multipliers or choice.std):
        return None, None
    images = prepared.split(choice.split, choice.limit)
    target = choice.targets[0] if choice.targets else prepared.recipe.num_steps
    gaps = measure_gaps(snn, prepared.checkpoint.build(), images, steps=(target,), progress=progress)
    measured = gaps.profile(target)
    return measured, edited_profile(measured, choice)
