"""Run a recipe and store it; follow one neuron of it."""

import math
from typing import Any

from snnlab.analysis.neuron_traces import trace_neuron
from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import analyse, convert_prepared, resolve
from snnlab.runs.kinds import context
from snnlab.runs.kinds.plain import plain


def run_analysis(*, progress: ProgressCallback, recipe: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Execute a recipe on a device and store the run: ``{"run": id, "notes", "looks"}``."""
    run = analyse(Recipe.parse(recipe), device=device, progress=progress)
    looks = context.record(run)
    return {"run": run.id, "notes": list(run.notes), "looks": looks}


def trace(
    *, progress: ProgressCallback, recipe: dict[str, Any], site: str, image: int, position: int
) -> dict[str, Any]:
    """One neuron's input: payload of a ``NeuronTraces``, arrays as lists; None where no spike is ever taken back."""
    prepared = resolve(Recipe.parse(recipe), check_normalization=False)
    images = prepared.images()
    snn = convert_prepared(prepared, progress=progress)
    steps = prepared.recipe.num_steps
    found = plain(trace_neuron(snn, images, site=site, image=image, position=position, num_steps=steps))
    found["negative"] = [each if math.isfinite(each) else None for each in found["negative"]]  # JSON has no infinity
    return found
