"""Count what a conversion costs: spikes, operations, energy."""

import time

import torch

from snnlab.analysis.accuracy import predict
from snnlab.analysis.activity import ActivityCounter
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import accuracy_and_conversion, convert_prepared, finished, resolve
from snnlab.runs.run import Run
from snnlab.simulation import simulate


def energy_run(recipe: Recipe, *, progress: ProgressCallback = silent) -> Run:
    """Simulate a conversion and count the operations of every layer and step. Stores nothing.

    Conventions and costs are no part of it: the counts serve all of them.

    Args:
        recipe: What to run.
        progress: Called with images done and in all of every stage.

    Returns:
        A run with verb ``energy`` and reports ``activity``, ``accuracy`` and ``conversion``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    prepared = resolve(recipe, progress=progress)
    recipe, images, snn = prepared.recipe, prepared.images(), convert_prepared(prepared, progress=progress)
    counter = ActivityCounter(snn, images.batch(0, 1), num_steps=recipe.num_steps)
    ann_predictions = predict(prepared.checkpoint.build(), images, progress=progress)
    recording = simulate(
        snn,
        images,
        num_steps=recipe.num_steps,
        seed=recipe.seed,
        dtype=getattr(torch, recipe.dtype),
        observe=counter,
        observe_warm_up=counter.warm_up,
        progress=progress,
    )
    reports = {
        "activity": counter.report(split=recording.split),
        **accuracy_and_conversion(prepared, snn, recording, ann_predictions),
    }
    return finished(prepared, reports, recording, started, verb="energy")
