"""The kinds of work a worker does for the app: each takes plain values and returns plain values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from snnlab.analysis.accuracy import predict
from snnlab.analysis.neuron_traces import trace_neuron
from snnlab.analysis.reports import Report, wilson_interval
from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import Recipe
from snnlab.data import load_dataset
from snnlab.io import load_checkpoint
from snnlab.runs.execute import analyse, convert_prepared, find_normalization, rank_architectures, resolve
from snnlab.runs.intake import open_limited
from snnlab.runs.store import Store


def open_checkpoint(
    *,
    progress: ProgressCallback,
    path: str,
    architecture: Any = None,
    levels: int | None = None,
) -> dict[str, Any]:
    """Recognise a checkpoint: ``{"card"}``. A foreign file is first opened in a process of limited memory."""
    progress(0, 1, "opening the checkpoint")
    safe = open_limited(Path(path)) if Path(path).exists() else path
    card = load_checkpoint(safe, architecture=architecture, levels=levels).card
    progress(1, 1, "checkpoint opened")
    return {"card": card.to_dict(), "path": str(safe)}


def run_analysis(*, progress: ProgressCallback, recipe: dict[str, Any]) -> dict[str, Any]:
    """Execute a recipe and store the run: ``{"run": id, "notes", "looks"}``."""
    run = analyse(Recipe.parse(recipe), progress=progress)
    looks = Store().record(run)
    return {"run": run.id, "notes": list(run.notes), "looks": looks}


def rank_normalization(*, progress: ProgressCallback, recipe: dict[str, Any]) -> dict[str, Any]:
    """Which normalisation the network expects: payload of a ``NormalizationReport``, arrays as lists."""
    parsed = Recipe.parse(recipe)
    choice = parsed.checkpoint
    checkpoint = load_checkpoint(choice.source, architecture=choice.architecture, levels=choice.levels)
    dataset = load_dataset(parsed.data.dataset, parsed.data.folder)
    return _plain(find_normalization(checkpoint, dataset, chosen=parsed.data.normalize or "", progress=progress))


def rank_candidates(
    *, progress: ProgressCallback, path: str, dataset: str, folder: str | None = None
) -> dict[str, Any]:
    """The networks that a file may hold, best first: ``{"candidates": [...]}`` as ``rank_architectures`` gives them."""
    safe = open_limited(Path(path))
    return {"candidates": rank_architectures(safe, load_dataset(dataset, folder), progress=progress)}


def evaluate_ann(*, progress: ProgressCallback, recipe: dict[str, Any]) -> dict[str, Any]:
    """Accuracy of the ANN alone on the recipe's split: ``{"accuracy", "low", "high", "images", "split", "looks"}``."""
    prepared = resolve(Recipe.parse(recipe), check_normalization=False, progress=progress)
    choice = prepared.recipe.data
    images = prepared.split(choice.split, choice.limit)
    predicted = predict(prepared.checkpoint.build(), images, progress=progress)
    correct = int(np.sum(predicted == images.labels))
    low, high = wilson_interval(correct, len(images))
    looks = 0
    if choice.split == "test":
        card = prepared.checkpoint.card
        lineage = card.origin_sha256 or card.sha256
        looks = Store().look(dataset=choice.dataset, lineage=lineage, recipe_sha=prepared.recipe.sha)
    return {
        "accuracy": correct / len(images),
        "low": float(low),
        "high": float(high),
        "images": len(images),
        "split": images.name,
        "looks": looks,
    }


def trace(
    *, progress: ProgressCallback, recipe: dict[str, Any], site: str, image: int, position: int
) -> dict[str, Any]:
    """One neuron's input: payload of a ``NeuronTraces``, arrays as lists."""
    prepared = resolve(Recipe.parse(recipe), check_normalization=False)
    images = prepared.split(prepared.recipe.data.split, prepared.recipe.data.limit)
    snn = convert_prepared(prepared, progress=progress)
    steps = prepared.recipe.num_steps
    return _plain(trace_neuron(snn, images, site=site, image=image, position=position, num_steps=steps))


def _plain(report: Report) -> dict[str, Any]:
    values, arrays = report.payload()
    return {**values, **{name: array.tolist() for name, array in arrays.items()}}


KINDS: dict[str, Callable[..., dict[str, Any]]] = {
    "open": open_checkpoint,
    "analyse": run_analysis,
    "normalization": rank_normalization,
    "candidates": rank_candidates,
    "evaluate_ann": evaluate_ann,
    "trace": trace,
}
