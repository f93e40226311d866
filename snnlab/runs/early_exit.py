"""The run behind early exit: margins on validation, which chooses the limit, and on the images of the recipe."""

import time

import torch

from snnlab.analysis.accuracy import curve_of, predict
from snnlab.analysis.conversion import conversion_report
from snnlab.analysis.reports import EarlyExit
from snnlab.core.errors import RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.core.registry import card as method_card
from snnlab.runs.execute import convert_prepared, finished, resolve
from snnlab.runs.run import Run
from snnlab.simulation import simulate

CHOOSING = "validation"
"""What chooses the limit; never what it is shown on."""


def early_exit_run(recipe: Recipe, *, within: float = 0.0, progress: ProgressCallback = silent) -> Run:
    """Stop each image when its margin passes a limit that validation images chose. Stores nothing.

    Args:
        recipe: Its ``num_steps`` is the step at which every image stops; its data are what the result is shown on, the
            same number of validation images, or all, choose.
        within: Points of accuracy that the limit may cost on validation, 0 to 100.
        progress: Called with images done and in all of every stage.

    Returns:
        A run with verb ``early-exit`` and reports ``early_exit``, ``accuracy`` and ``conversion``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    if recipe.data.split == CHOOSING:
        raise RecipeError("The limit is chosen on validation; show what it is worth on other images: dev or test.")
    if not 0 <= within <= 100:
        raise RecipeError(f"The limit may cost 0 to 100 points of accuracy, not {within:g}.")
    prepared = resolve(recipe, progress=progress)
    recipe, card = prepared.recipe, prepared.checkpoint.card
    images, choosing = prepared.images(), prepared.split(CHOOSING, recipe.data.limit)
    snn, ann = convert_prepared(prepared, progress=progress), prepared.checkpoint.build()
    dtype = getattr(torch, recipe.dtype)
    chooser = simulate(snn, choosing, num_steps=recipe.num_steps, dtype=dtype, progress=progress)
    recording = simulate(snn, images, num_steps=recipe.num_steps, dtype=dtype, progress=progress)
    accuracy = curve_of(
        recording,
        predict(ann, images, progress=progress),
        name=method_card(snn.method).display_name,
        num_classes=card.num_classes,
    )
    report = EarlyExit(
        name=snn.method,
        margins=recording.margins,
        correct=accuracy.snn_predictions == accuracy.labels,
        ann_correct=accuracy.ann_predictions == accuracy.labels,
        split=images.name,
        choosing_margins=chooser.margins,
        choosing_correct=chooser.predictions == choosing.labels,
        choosing_split=choosing.name,
        within=float(within),
        warm_up_steps=snn.warm_up_steps,
    )
    reports = {"early_exit": report, "accuracy": accuracy, "conversion": conversion_report(snn, recording)}
    return finished(prepared, reports, recording, started, verb="early-exit")
