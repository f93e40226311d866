"""The run behind the flip explorer: ANN and SNN on the same images, compared at every step and every site."""

import time

import torch

from snnlab.analysis.flips import flips_and_recording
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import accuracy_and_conversion, convert_prepared, finished, resolve
from snnlab.runs.run import Run


def flips_run(recipe: Recipe, *, progress: ProgressCallback = silent) -> Run:
    """Find the images on which ANN and SNN disagree, and where their representations part. Stores nothing.

    Args:
        recipe: Its ``num_steps`` is the last step simulated, up to which agreement for good is judged; its
            ``snapshots`` are the steps at which representations are compared, without any the last one.
        progress: Called with images done and in all of every stage.

    Returns:
        A run with verb ``flips`` and reports ``flips``, ``accuracy`` and ``conversion``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    prepared = resolve(recipe, progress=progress)
    recipe, images, snn = prepared.recipe, prepared.images(), convert_prepared(prepared, progress=progress)
    report, recording = flips_and_recording(
        snn,
        prepared.checkpoint.build(),
        images,
        num_steps=recipe.num_steps,
        steps=recipe.snapshots or None,
        classes=images.classes,
        dtype=getattr(torch, recipe.dtype),
        progress=progress,
    )
    reports = {"flips": report, **accuracy_and_conversion(prepared, snn, recording, report.ann_predictions)}
    return finished(prepared, reports, recording, started, verb="flips")
