"""Experiments and tournaments as the app's work: run, store, and say before how long it will take."""

import time
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from snnlab.core.errors import RecipeError
from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import Recipe
from snnlab.data import ImageSplit
from snnlab.runs.execute import convert_prepared, resolve
from snnlab.runs.kinds import context
from snnlab.runs.store import Store
from snnlab.simulation import simulate
from snnlab.sweeps.bench import WATCHED, Bench, first_images, open_bench, watch_network
from snnlab.sweeps.experiment import training_batches
from snnlab.sweeps.run import experiment_run
from snnlab.sweeps.tournament import Cells, tournament_run
from snnlab.training import Epoch

TIMED_BATCHES, TIMED_IMAGES, FEWER_IMAGES, TIMED_CALIBRATION = 3, 100, 20, 32


def run_experiment(*, progress: ProgressCallback, recipe: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Run a noise experiment, trained on a device, and store it: ``{"experiment": id, "notes"}``.

    Finished epochs are kept when it is cancelled, and the same experiment goes on from them. The answer has no
    ``"run"``: an experiment comes into view on its own page only.

    Raises:
        RecipeError: It would read the test set, which only *Final evaluation* opens.
        SimulationError: This machine has not the device.
    """
    parsed = Recipe.parse(recipe)
    if parsed.data.split == "test":
        raise RecipeError("An experiment explores and is read on dev; Final evaluation opens the test set.")
    run = experiment_run(parsed, device=device, progress=progress)
    context.record(run)
    return {"experiment": run.id, "notes": list(run.notes)}


def run_tournament(*, progress: ProgressCallback, recipe: dict[str, Any], device: str = "cpu") -> dict[str, Any]:
    """Run what is missing of a tournament and store it: ``{"tournament": id, "notes"}``.

    Finished cells are kept when it is cancelled. The answer has no ``"run"``: as an experiment's.

    Raises:
        RecipeError: It would read the test set, which only *Final evaluation* opens.
        SimulationError: This machine has not the device, or no method can be run.
    """
    parsed = Recipe.parse(recipe)
    if parsed.data.split == "test":
        raise RecipeError("A tournament explores and is read on dev; Final evaluation opens the test set.")
    job = context.current()
    run = tournament_run(parsed, cells=Cells(Store(), job.workspace, job.lease), device=device, progress=progress)
    context.record(run)
    return {"tournament": run.id, "notes": list(run.notes)}


def time_simulation(*, progress: ProgressCallback, recipe: dict[str, Any]) -> dict[str, Any]:
    """What a tournament's simulations cost on this machine, from a few images.

    Returns:
        ``{"step", "images"}``: seconds of one image and time-step, and the images that the split has.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint or data, in one sentence.
    """
    parsed = Recipe.parse(recipe)
    prepared = resolve(parsed, check_normalization=False, progress=progress)
    timed = replace(prepared, recipe=parsed.changed(calibration={"images": TIMED_CALIBRATION, "seed": 0}))
    snn = convert_prepared(timed, progress=progress)
    everything = prepared.images()
    few = first_images(everything, TIMED_IMAGES)
    simulate(snn, first_images(few, 1), num_steps=1)  # what is compiled and loaded once is not counted
    seconds = _seconds(lambda: simulate(snn, few, num_steps=parsed.num_steps, progress=progress))
    return {"step": seconds / len(few) / parsed.num_steps, "images": len(everything)}


def time_training(*, progress: ProgressCallback, recipe: dict[str, Any]) -> dict[str, Any]:
    """What an experiment costs on this machine, from a few batches: seconds by part.

    Returns:
        ``{"batch", "noise", "watch", "read", "batches"}``: one training batch, one measurement of the gap, what is
        watched after an epoch, reading a finished network (all in seconds), and the batches of an epoch.
    """
    bench = open_bench(Recipe.parse(recipe), progress=progress)
    network = bench.start("control")
    batches = training_batches(bench, 0)
    rows = batches.rows(0)
    taken = []
    for index in range(min(TIMED_BATCHES, len(batches))):
        progress(index, TIMED_BATCHES + 2, "timing")
        taken.append(_seconds(lambda index=index: _one_batch(network, batches.batch(rows, 0, index), bench)))
    progress(TIMED_BATCHES, TIMED_BATCHES + 2, "timing")
    few = replace(bench, fit=first_images(bench.fit, TIMED_IMAGES), validation=_few(bench.validation))
    seen, watch, read = Epoch(1, 0.0, 0.0, None, 0.0, {}, 0.0), 0.0, 0.0
    if few.validation is not None and bench.validation is not None:
        watch_network(few, network, "control", 0, seen, (1.0,))  # what is compiled and loaded once is not counted
        watch = _seconds(lambda: watch_network(few, network, "control", 0, seen, (1.0,)))
        watch *= min(WATCHED, len(bench.validation)) / len(few.validation)
        read = watch / WATCHED * len(bench.evaluation) * max(bench.steps) / bench.target
    progress(TIMED_BATCHES + 1, TIMED_BATCHES + 2, "timing")
    fewer = replace(few, fit=first_images(bench.fit, FEWER_IMAGES))
    least, most = _seconds(lambda: fewer.profile(network)), _seconds(lambda: few.profile(network))
    per_image = max(0.0, most - least) / max(1, len(few.fit) - len(fewer.fit))
    noise = most + per_image * (len(bench.fit) - len(few.fit))
    return {
        "batch": min(taken),  # the first one pays for what is loaded once
        "noise": noise,
        "watch": watch,
        "read": noise + read,
        "batches": len(batches),
    }


def _few(images: ImageSplit | None) -> ImageSplit | None:
    return None if images is None else first_images(images, TIMED_IMAGES)


def _one_batch(network: nn.Module, batch: tuple[torch.Tensor, torch.Tensor], bench: Bench) -> None:
    network.train()
    nn.functional.cross_entropy(network(batch[0]), batch[1]).backward()
    network.zero_grad(set_to_none=True)


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
