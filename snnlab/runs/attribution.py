"""Explain one image of a recipe by its ANN and its SNN."""

import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from snnlab.analysis.attribution import attribute
from snnlab.core.errors import DataError, RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import AttributionChoice, Recipe
from snnlab.core.registry import card as method_card
from snnlab.data import parse_normalization, read_picture
from snnlab.runs.defaults import attribution_recipe
from snnlab.runs.execute import Prepared, convert_prepared, resolve
from snnlab.runs.run import Run, environment

VERB = "attribution"
_GREY = {"black": 0.0, "white": 1.0}


def attribution_run(recipe: Recipe, *, progress: ProgressCallback = silent) -> Run:
    """Explain the image that a recipe names by ANN and SNN. Stores nothing.

    Args:
        recipe: Its ``attribution`` says which image, class, method and T; None for the defaults.
        progress: Called with images × steps done.

    Returns:
        A run with verb ``attribution`` and the report ``attribution``.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data, picture or recipe, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    prepared = resolve(attribution_recipe(recipe, recipe.attribution), progress=progress)
    choice = prepared.recipe.attribution
    assert choice is not None, "attribution_recipe names it"
    pixels, label, name, notes, sha256 = _image(prepared, choice)
    if sha256 is not None:
        prepared = replace(prepared, recipe=prepared.recipe.changed(attribution={"sha256": sha256}))
    own = choice.picture is not None
    snn = convert_prepared(prepared, progress=progress)
    if method_card(snn.method).depends_on_num_steps and choice.steps != (prepared.recipe.num_steps,):
        notes.append(
            f"{snn.method} converted for T = {prepared.recipe.num_steps}; smaller T are read in the course of that run."
        )
    report = attribute(
        prepared.checkpoint.build(),
        snn,
        _normalized(pixels, prepared),
        method=choice.method,
        target=choice.target,
        steps=choice.steps,
        baseline=_baseline(choice.baseline, pixels.shape, prepared),
        integration_steps=choice.integration_steps,
        seed=prepared.recipe.seed,
        label=label,
        classes=prepared.dataset.classes,
        picture=pixels,
        baseline_name=choice.baseline,
        image_name=name,
        split="" if own else prepared.split(prepared.recipe.data.split, 1).name,
        index=None if own else choice.image,
        progress=progress,
    )
    return Run(
        recipe=prepared.recipe,
        reports={VERB: report},
        card=prepared.checkpoint.card.to_dict(),
        notes=(*prepared.notes, *notes),
        environment=environment(seconds=time.perf_counter() - started, threads=torch.get_num_threads()),
        verb=VERB,
    )


def _image(prepared: Prepared, choice: AttributionChoice) -> tuple[np.ndarray, int | None, str, list[str], str | None]:
    """Pixels 0 to 1 (C, H, W), label, name, what was done to them, and the hash of an own picture."""
    if choice.picture is not None:
        picture = read_picture(choice.picture, prepared.dataset.image_shape)
        if choice.sha256 is not None and choice.sha256 != picture.sha256:
            raise RecipeError(
                f"The picture has changed: its SHA-256 begins {picture.sha256[:12]}, the recipe was made with "
                f"{choice.sha256[:12]}; give the same file or make a new recipe."
            )
        return picture.pixels, None, "own picture", list(picture.notes), picture.sha256
    if choice.sha256 is not None:
        raise RecipeError("The recipe explains a picture of one's own and does not say where it lies; give --picture.")
    split = prepared.recipe.data.split
    images = prepared.split(split, choice.image + 1)
    if choice.image >= len(images):
        raise DataError(
            f"There is no image {choice.image} in {images.name}: it has {len(images):,}, 0 to {len(images) - 1}."
        )
    pixels = np.asarray(images.pixels[choice.image], np.float32) / images.scale
    return pixels, int(images.labels[choice.image]), f"{images.name} image {choice.image}", [], None


def _normalized(pixels: np.ndarray, prepared: Prepared) -> Tensor:
    chosen = parse_normalization(prepared.recipe.data.normalize or "unit")
    chosen.check(pixels.shape[0])
    mean, std = (torch.tensor(values, dtype=torch.float32).view(-1, 1, 1) for values in (chosen.mean, chosen.std))
    return (torch.from_numpy(np.array(pixels)) - mean) / std


def _baseline(name: str, shape: tuple[int, ...], prepared: Prepared) -> Tensor:
    if name == "mean":
        return torch.zeros(shape)
    return _normalized(np.full(shape, _GREY[name], np.float32), prepared)
