"""What a checkpoint is: recognised, its normalisation and architecture found, its published accuracy checked."""

from typing import Any

import numpy as np

from snnlab.analysis.accuracy import predict
from snnlab.analysis.reports import wilson_interval
from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import Recipe
from snnlab.data import load_dataset
from snnlab.io import load_checkpoint
from snnlab.runs.execute import find_normalization, rank_architectures, resolve
from snnlab.runs.kinds import context
from snnlab.runs.kinds.plain import plain


def open_checkpoint(
    *,
    progress: ProgressCallback,
    path: str,
    architecture: Any = None,
    levels: int | None = None,
) -> dict[str, Any]:
    """Recognise a checkpoint: ``{"card", "path"}``, the path of what was kept of it."""
    progress(0, 1, "opening the checkpoint")
    card = load_checkpoint(path, architecture=architecture, levels=levels).card
    progress(1, 1, "checkpoint opened")
    return {"card": card.to_dict(), "path": path}


def rank_normalization(*, progress: ProgressCallback, recipe: dict[str, Any]) -> dict[str, Any]:
    """Which normalisation the network expects: payload of a ``NormalizationReport``, arrays as lists."""
    parsed = Recipe.parse(recipe)
    choice = parsed.checkpoint
    checkpoint = load_checkpoint(choice.source, architecture=choice.architecture, levels=choice.levels)
    dataset = load_dataset(parsed.data.dataset, parsed.data.folder)
    return plain(find_normalization(checkpoint, dataset, chosen=parsed.data.normalize or "", progress=progress))


def rank_candidates(
    *, progress: ProgressCallback, path: str, dataset: str, folder: str | None = None
) -> dict[str, Any]:
    """The networks that a file may hold, best first: ``{"candidates": [...]}`` as ``rank_architectures`` gives them."""
    return {"candidates": rank_architectures(path, load_dataset(dataset, folder), progress=progress)}


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
        looks = context.look(dataset=choice.dataset, lineage=lineage, recipe_sha=prepared.recipe.sha)
    return {
        "accuracy": correct / len(images),
        "low": float(low),
        "high": float(high),
        "images": len(images),
        "split": images.name,
        "looks": looks,
    }
