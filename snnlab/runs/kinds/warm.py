"""What an interactive worker keeps between two questions: opened checkpoints and datasets, converted networks."""

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch

from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.core.registry import card
from snnlab.data import ImageSplit
from snnlab.runs.execute import Prepared, convert_prepared, resolve
from snnlab.simulation import SpikingModel, simulate

KEPT = 6

T = TypeVar("T")


class Kept:
    """A few results by key, the least recently used one dropped first. One thread only, as a worker is."""

    def __init__(self, most: int = KEPT) -> None:
        self.most = most
        self._found: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The kept result, or a new one."""
        if key not in self._found:
            self._found[key] = make()
        self._found.move_to_end(key)
        while len(self._found) > self.most:
            self._found.popitem(last=False)
        found: T = self._found[key]
        return found


_prepared, _networks, _images, _noisy, _answers = Kept(), Kept(), Kept(), Kept(3), Kept()


def _key(*parts: Any) -> str:
    return json.dumps(parts, sort_keys=True, default=str)


def prepared(recipe: Recipe) -> Prepared:
    """A recipe with everything that it names opened; errors as ``resolve``."""
    return _prepared.get(
        _key(recipe.checkpoint.model_dump(), recipe.data.model_dump()),
        lambda: resolve(recipe, check_normalization=False),
    )


def network(recipe: Recipe) -> SpikingModel:
    """The spiking network of a recipe; read only."""

    def make() -> SpikingModel:
        opened = prepared(recipe)
        return convert_prepared(_with(opened, recipe))

    values = recipe.to_dict()
    steps = recipe.num_steps if card(recipe.converter.method).depends_on_num_steps else None
    parts = (values["checkpoint"], values["data"], values["converter"], values.get("calibration"), steps)
    return _networks.get(_key(*parts), make)


def noisy_network(recipe: Recipe) -> NoisyNetwork:
    """The ANN of a recipe, ready for noise; keeps the noise of its last questions."""
    opened = prepared(recipe)
    return _noisy.get(_key(recipe.checkpoint.model_dump()), lambda: NoisyNetwork(opened.checkpoint.build()))


def snn_correct(recipe: Recipe, *, progress: ProgressCallback = silent) -> np.ndarray:
    """Which images of a recipe's split its SNN gets right at t = 1..T, (num_steps, images), bool."""
    data = recipe.data

    def make() -> np.ndarray:
        chosen = images(recipe, data.split, data.limit)
        recording = simulate(
            network(recipe),
            chosen,
            num_steps=recipe.num_steps,
            dtype=getattr(torch, recipe.dtype),
            progress=progress,
        )
        return np.asarray(recording.predictions == chosen.labels)

    values = recipe.to_dict()
    parts = (
        values["checkpoint"],
        values["data"],
        values["converter"],
        values.get("calibration"),
        recipe.num_steps,
        recipe.dtype,
    )
    return _answers.get(_key(*parts), make)


def images(recipe: Recipe, split: str, limit: int | None) -> ImageSplit:
    """Normalised images of a split."""
    opened = prepared(recipe)
    return _images.get(
        _key(recipe.checkpoint.model_dump(), recipe.data.model_dump(), split, limit), lambda: opened.split(split, limit)
    )


def _with(opened: Prepared, recipe: Recipe) -> Prepared:
    """The opened files under this recipe."""
    filled = opened.recipe.to_dict()
    values = {**recipe.to_dict(), "checkpoint": filled["checkpoint"], "data": filled["data"]}
    return Prepared(Recipe.parse(values), opened.checkpoint, opened.dataset, opened.notes)
