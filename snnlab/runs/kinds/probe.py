"""What an edit does: one recipe and its edited form on the same few images."""

import json
import time
from typing import Any

import torch

from snnlab.analysis.accuracy import predict
from snnlab.analysis.probe import probe_conversion
from snnlab.analysis.reports import Probe
from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import Recipe
from snnlab.runs.kinds import warm
from snnlab.runs.kinds.plain import plain
from snnlab.runs.kinds.warm import Kept
from snnlab.simulation import SpikingModel, with_edits

SPLIT = "dev"
"""What everything is explored on, whatever the recipe in view ran on."""

_probes, _methods, _anns = Kept(64), Kept(16), Kept(16)


def probe_edit(
    *, progress: ProgressCallback, recipe: dict[str, Any], converter: dict[str, Any], num_steps: int, images: int
) -> dict[str, Any]:
    """Simulate a recipe (A) and the same recipe under another converter choice (B) up to one T.

    Args:
        progress: Called with images done and in all.
        recipe: A.
        converter: Method, parameters and edited sites of B.
        num_steps: T.
        images: First images of dev; fewer where there are no more.

    Returns:
        ``{"before", "after": payloads of Probe, "method": thresholds and v(0) of B's method before any edit by hand
        (names -> lists over sites), "ann_correct": (images,), "seconds"}``.
    """
    started = time.perf_counter()
    given = Recipe.parse(recipe)
    edited = given.changed(converter=converter)
    before = _probed(given, num_steps, images, progress)
    after = _probed(edited, num_steps, images, progress)
    return {
        "before": plain(before),
        "after": plain(after),
        "method": _method_facts(edited),
        "ann_correct": _ann_correct(given, images, progress),
        "seconds": time.perf_counter() - started,
    }


def _probed(recipe: Recipe, num_steps: int, images: int, progress: ProgressCallback) -> Probe:
    def make() -> Probe:
        snn = _network(recipe, progress)
        chosen = warm.images(recipe, SPLIT, images)
        return probe_conversion(snn, chosen, num_steps=num_steps, dtype=getattr(torch, recipe.dtype), progress=progress)

    return _probes.get(_key(recipe, num_steps, images), make)


def _network(recipe: Recipe, progress: ProgressCallback) -> SpikingModel:
    """The network of a recipe; only the method's part is kept, so that an edit needs no calibration anew."""
    progress(0, 1, "converting")
    snn = warm.network(_unedited(recipe))
    sites = {name: site.model_dump() for name, site in recipe.converter.sites.items()}
    return with_edits(snn, sites) if sites else snn


def _method_facts(recipe: Recipe) -> dict[str, list[float]]:
    def make() -> dict[str, list[float]]:
        neurons = warm.network(_unedited(recipe)).sites.values()
        return {
            "threshold": [float(neuron.threshold.double().mean()) for neuron in neurons],
            "threshold_low": [float(neuron.threshold.min()) for neuron in neurons],
            "threshold_high": [float(neuron.threshold.max()) for neuron in neurons],
            "v0": [float(neuron.initial_fraction.double().mean()) for neuron in neurons],
        }

    return _methods.get(_key(_unedited(recipe)), make)


def _ann_correct(recipe: Recipe, images: int, progress: ProgressCallback) -> list[bool]:
    def make() -> list[bool]:
        chosen = warm.images(recipe, SPLIT, images)
        predicted = predict(warm.prepared(recipe).checkpoint.build(), chosen, progress=progress)
        return [bool(right) for right in predicted == chosen.labels]

    values = recipe.to_dict()
    return _anns.get(json.dumps([values["checkpoint"], values["data"], images], sort_keys=True), make)


def _unedited(recipe: Recipe) -> Recipe:
    return recipe.changed(converter={"sites": {}})


def _key(recipe: Recipe, *parts: int) -> str:
    values = recipe.to_dict()
    named = [values["checkpoint"], values["data"], values["converter"], recipe.dtype]
    return json.dumps([*named, *parts], sort_keys=True)
