"""Count what a conversion costs: spikes, operations, energy."""

import time

import torch

from snnlab.analysis.accuracy import curve_of, predict
from snnlab.analysis.activity import ActivityCounter
from snnlab.analysis.conversion import conversion_report
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.core.registry import card as method_card
from snnlab.runs.execute import convert_prepared, finished, resolve
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
    recipe, card = prepared.recipe, prepared.checkpoint.card
    images = prepared.split(recipe.data.split, recipe.data.limit)
    snn = convert_prepared(prepared, progress=progress)
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
    name = method_card(snn.method).display_name
    reports = {
        "activity": counter.report(split=recording.split),
        "accuracy": curve_of(recording, ann_predictions, name=name, num_classes=card.num_classes),
        "conversion": conversion_report(snn, recording),
    }
    return finished(prepared, reports, recording, started, verb="energy")
