"""Evaluate one experiment on the sealed test set: all its arms in one go, on the official test images."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from snnlab.analysis.reports import AccuracyCurve, ConversionReport, FinalEvaluation
from snnlab.analysis.reports.final import NOT_SIMULATED
from snnlab.core.errors import RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.registry import card as method_card
from snnlab.data import Dataset
from snnlab.data.dataset import FROM_TEST
from snnlab.runs.execute import Prepared, analyse_prepared, resolve
from snnlab.runs.protocol import VERB, Arm, check_arms, lineage_of
from snnlab.runs.run import Run, environment


def evaluate_final(arms: Sequence[Arm], *, target: int, progress: ProgressCallback = silent) -> Run:
    """Run every arm on the whole official test split, in file order. Stores nothing and counts nothing.

    Args:
        arms: What to evaluate; the first is what the others are compared with.
        target: The primary T, 1..T of the shortest arm.
        progress: Called as by the simulation, with the arm's number in what a unit is.

    Returns:
        A run with the report ``final``, and ``accuracy`` and ``conversion`` of the first arm; its recipe is that of the
        first arm. ``looks`` of the report is 0 until the run is stored.

    Raises:
        RecipeError: The arms make no experiment, or an arm does not reach the primary T.
        SnnlabError: Whatever is wrong with a checkpoint or the data, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    check_arms(arms)
    short = next((arm for arm in arms if not 1 <= target <= arm.recipe.num_steps), None)
    if short is not None:
        raise RecipeError(
            f"{short.name} was simulated to T = {short.recipe.num_steps} and has nothing at the primary T = {target}; "
            "choose a smaller T or leave it out."
        )
    rows: list[dict[str, Any]] = []
    curves: list[AccuracyCurve] = []
    first: tuple[Prepared, ConversionReport] | None = None
    explored = np.zeros(0, dtype=bool)
    for number, arm in enumerate(arms, start=1):
        prepared = resolve(arm.final, check_normalization=False)
        run = analyse_prepared(prepared, started=started, progress=_of(progress, number, len(arms)))
        curve = run.accuracy
        mask = explored_images(prepared.dataset, foreign=prepared.checkpoint.card.foreign)
        if first is None:
            first, explored = (prepared, run.conversion), mask
        elif not np.array_equal(curve.labels, curves[0].labels):
            raise RecipeError(f"{arm.name} and {arms[0].name} lie on different test images; evaluate them apart.")
        curves.append(curve)
        explored = explored | mask
        rows.append(_row(arm, prepared))
    assert first is not None, "there is at least one arm"
    report = FinalEvaluation(
        dataset=arms[0].recipe.data.dataset,
        target=target,
        arms=tuple(rows),
        looks={row["lineage"]: 0 for row in rows},
        labels=curves[0].labels,
        explored=explored,
        ann_predictions=np.stack([curve.ann_predictions for curve in curves]),
        snn_predictions=_padded([curve.snn_predictions for curve in curves]),
        num_classes=curves[0].num_classes,
    )
    prepared, conversion = first
    return Run(
        recipe=prepared.recipe,
        reports={"accuracy": curves[0], "conversion": conversion, VERB: report},
        card=prepared.checkpoint.card.to_dict(),
        notes=prepared.notes,
        environment=environment(seconds=time.perf_counter() - started, threads=torch.get_num_threads()),
        verb=VERB,
    )


def explored_images(dataset: Dataset, *, foreign: bool) -> np.ndarray:
    """Which test images, in file order, ``dev`` is drawn from: none for networks of our own, (images,) bool.

    Raises:
        DataError: The images cannot be divided.
    """
    _, test = dataset.positions("test")
    if not foreign:
        return np.zeros(len(test), dtype=bool)
    return np.isin(test, dataset.positions(FROM_TEST)[1])


def _of(progress: ProgressCallback, number: int, count: int) -> ProgressCallback:
    if count == 1:
        return progress
    return lambda done, total, what: progress(done, total, f"arm {number} of {count}: {what}")


def _row(arm: Arm, prepared: Prepared) -> dict[str, Any]:
    card, method = prepared.checkpoint.card, method_card(prepared.recipe.converter.method)
    return {
        "name": arm.name,
        "title": method.display_name,
        "run": arm.run,
        "recipe": prepared.recipe.to_dict(),
        "recipe_sha": prepared.recipe.sha,
        "checkpoint": card.name,
        "sha256": card.sha256,
        "lineage": lineage_of(card.to_dict()),
        "foreign": card.foreign,
        "interpretation": method.evidence in ("related_code", "interpretation"),
    }


def _padded(predictions: list[np.ndarray]) -> np.ndarray:
    longest = max(len(one) for one in predictions)
    stacked = np.full((len(predictions), longest, predictions[0].shape[1]), NOT_SIMULATED, dtype=np.int16)
    for arm, one in enumerate(predictions):
        stacked[arm, : len(one)] = one
    return stacked
