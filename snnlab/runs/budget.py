"""Where the error comes from: the error budget of a conversion, and what restoring its sites regains."""

import time

import torch

from snnlab.analysis.budget import budget_of
from snnlab.analysis.restored import restoration_of
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import accuracy_and_conversion, convert_prepared, finished, resolve
from snnlab.runs.run import Run
from snnlab.simulation import simulate


def budget_run(recipe: Recipe, *, progress: ProgressCallback = silent) -> Run:
    """Split the error of every site at every snapshot and at T into its terms. Stores nothing.

    Args:
        recipe: What to run; its ``data`` are the images of the budget.
        progress: Called with images done and in all of every stage.

    Returns:
        A run with verb ``budget`` and reports ``budget``, ``accuracy`` and ``conversion``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, or a check that fails, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    prepared = resolve(recipe, progress=progress)
    recipe, images, snn = prepared.recipe, prepared.images(), convert_prepared(prepared, progress=progress)
    report, recording, ann_predictions = budget_of(
        snn,
        prepared.checkpoint.build(),
        images,
        num_steps=recipe.num_steps,
        snapshots=recipe.snapshots,
        dtype=getattr(torch, recipe.dtype),
        progress=progress,
    )
    reports = {"budget": report, **accuracy_and_conversion(prepared, snn, recording, ann_predictions)}
    return finished(prepared, reports, recording, started, verb="budget")


def restore_run(recipe: Recipe, *, progress: ProgressCallback = silent) -> Run:
    """Let each site, and each stage, emit the ANN's activation in turn; arguments and errors as ``budget_run``.

    Returns:
        A run with verb ``restore`` and reports ``restoration``, ``accuracy`` and ``conversion``.
    """
    started = time.perf_counter()
    prepared = resolve(recipe, progress=progress)
    recipe, images, snn = prepared.recipe, prepared.images(), convert_prepared(prepared, progress=progress)
    ann, dtype = prepared.checkpoint.build(), getattr(torch, recipe.dtype)
    report, ann_predictions = restoration_of(
        snn, ann, images, num_steps=recipe.num_steps, snapshots=recipe.snapshots, dtype=dtype, progress=progress
    )
    recording = simulate(
        snn, images, num_steps=recipe.num_steps, dtype=dtype, membrane_dtype=torch.float64, progress=progress
    )
    reports = {"restoration": report, **accuracy_and_conversion(prepared, snn, recording, ann_predictions)}
    return finished(prepared, reports, recording, started, verb="restore")
