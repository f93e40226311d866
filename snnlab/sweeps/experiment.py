"""The noise experiment: fine-tunings of one checkpoint, arm by arm and seed by seed, against the same without noise.

Every training (trained arm, seed) is kept in a folder of its own, with a cell for each arm that is read off it, so that
an experiment that was stopped goes on with the next epoch of the next training, and nothing is trained twice.
"""

import contextlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from snnlab.analysis.reports.gain import NoiseGain
from snnlab.core.errors import CheckpointError, SimulationError, StoreError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.runs.storage import enforce_training_quota, training_in_use
from snnlab.runs.store import Store
from snnlab.sweeps.arms import noise_of
from snnlab.sweeps.bench import Bench, open_bench, read_network, tuned_checkpoint, watch_network
from snnlab.sweeps.cells import Cell
from snnlab.sweeps.places import (
    cell_folder,
    experiment_of,
    reading_settings,
    seeds_of,
    tagged_trainings,
    training_settings,
    trainings_of,
)
from snnlab.sweeps.watched import NETWORK_FILE, LiveEpoch, add_epoch, cell_file, read_epochs
from snnlab.training import Batches, Epoch, fit
from snnlab.training.devices import helping
from snnlab.training.epochs import finished_epochs
from snnlab.training.noise import noise_hooks, noisy_sites, site_threshold

Watch = Callable[[LiveEpoch], None]

PROGRESS = "batches of all trainings"


def unwatched(epoch: LiveEpoch) -> None:
    """The default watcher: looks at nothing."""


def noise_experiment(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    watch: Watch = unwatched,
    progress: ProgressCallback = silent,
) -> NoiseGain:
    """Train every arm on every seed and compare.

    Args:
        recipe: With ``training``, ``noise`` and ``experiment``; its data are the images of the result.
        folder: Where trainings are kept and found again; None for the user's data folder, where experiments share what
            they have in common.
        watch: Called after every epoch.
        progress: Called with batches done and in all, of those that are left; cancels by raising ``Cancelled``, and
            finished epochs are kept.

    Raises:
        RecipeError: The recipe names no experiment, its files have changed, or ``folder`` holds another one.
        SimulationError: A training whose loss is no longer a number; names arm and seed.
        CheckpointError: The disk is full; the epoch before is kept.
    """
    return run_bench(open_bench(recipe, progress=progress), folder=folder, watch=watch, progress=progress)


def run_bench(
    bench: Bench,
    *,
    folder: Path | None = None,
    watch: Watch = unwatched,
    device: str = "cpu",
    devices: int = 1,
    progress: ProgressCallback = silent,
) -> NoiseGain:
    """As ``noise_experiment``, for a recipe already opened; on devices as ``fit`` knows them.

    A process that was started to help another one ends here.
    """
    places = {(arm, seed): cell_folder(bench.recipe, arm, seed, folder) for arm, seed in trainings_of(bench.recipe)}
    on = {"device": device, "devices": devices}
    if folder is not None:
        return _run_plan(bench, places, watch, on, progress)
    with training_in_use(places.values()):
        with contextlib.suppress(StoreError):  # without the store nobody knows what is spared
            enforce_training_quota(tagged_trainings(Store()))
        return _run_plan(bench, places, watch, on, progress)


def _run_plan(
    bench: Bench, places: Mapping[tuple[str, int], Path], watch: Watch, on: dict[str, Any], progress: ProgressCallback
) -> NoiseGain:
    """Train what is missing of every (trained arm, seed), in this order, read its arms, and compare."""
    recipe = bench.recipe
    cells: dict[tuple[str, int], Cell] = {}
    unread: dict[tuple[str, int], list[str]] = {}
    for (trained, seed), arms in trainings_of(recipe).items():
        place = places[trained, seed]
        for arm in arms:
            settings = training_settings(recipe, arm, seed)
            found = Cell.load(cell_file(place, arm), settings, reading_settings(recipe))
            if found is not None:
                cells[arm, seed] = found
            else:
                unread.setdefault((trained, seed), []).append(arm)
    left = sum(bench.training.epochs - finished_epochs(places[one]) for one in unread)
    counted = _Counted(progress, left * len(training_batches(bench, 0)))
    for (trained, seed), missing in unread.items():
        place = places[trained, seed]
        network = _trained(bench, trained, seed, place, watch, counted, on)
        if helping():
            continue
        tuned_checkpoint(bench, network, trained, seed).save(place / NETWORK_FILE)
        for arm in missing:
            cells[arm, seed] = _read_cell(bench, network, arm, seed, place)
    if helping():
        sys.exit(0)
    return _collected(bench, seeds_of(recipe), cells)


class _Counted:
    """Progress over all trainings, in the batches that this call has to do."""

    def __init__(self, progress: ProgressCallback, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def one_training(self, done: int, total: int, what: str) -> None:
        """Called by ``fit`` after each batch."""
        self.done += 1
        self.progress(min(self.done, self.total), self.total, PROGRESS)


def training_batches(bench: Bench, seed: int) -> Batches:
    """The training images of a seed in their order, the same for every arm."""
    training = bench.training
    return Batches(bench.train, training.batch_size, training.augment, seed, training.images)


def _trained(
    bench: Bench, arm: str, seed: int, place: Path, watch: Watch, counted: _Counted, on: dict[str, Any]
) -> nn.Module:
    network = bench.start(arm)
    source = noise_of(arm, bench.training, bench.noise, bench.fit, bench.target, bench.base_profile)
    acting = noise_hooks(source, seed=seed)
    relative: list[float] = []

    def before(current: nn.Module, epoch: int) -> dict[str, float]:
        std, sites = acting.before(current, epoch), noisy_sites(current)
        relative[:] = [std.get(name, 0.0) / site_threshold(sites[name]) for name in bench.names]
        return std

    def after(epoch: Epoch) -> None:
        seen = watch_network(bench, network, arm, seed, epoch, relative)
        try:
            add_epoch(place, seen)
        except OSError as error:
            raise CheckpointError(
                f"{place} cannot be written: {error.strerror}; free some space and start again, it goes on after epoch "
                f"{epoch.epoch}."
            ) from None
        watch(seen)

    try:
        fitted = fit(
            network,
            training_batches(bench, seed),
            bench.training,
            validation=bench.validation,
            folder=place,
            settings=training_settings(bench.recipe, arm, seed),
            hooks=replace(acting, before=before, after=after),
            progress=counted.one_training,
            **on,
        )
    except SimulationError as error:
        raise SimulationError(f"Arm {arm}, seed {seed}: {error}") from None
    return fitted.network


def _read_cell(bench: Bench, network: nn.Module, arm: str, seed: int, place: Path) -> Cell:
    cell = read_network(bench, network, arm, read_epochs(place))
    cell.save(cell_file(place, arm), training_settings(bench.recipe, arm, seed), reading_settings(bench.recipe))
    return cell


def _collected(bench: Bench, seeds: tuple[int, ...], cells: Mapping[tuple[str, int], Cell]) -> NoiseGain:
    arms = experiment_of(bench.recipe).arms
    base = read_network(bench, bench.start("base"))

    def stacked(part: str) -> np.ndarray:
        return np.stack([[getattr(cells[arm, seed], part) for seed in seeds] for arm in arms])

    return NoiseGain(
        arms=arms,
        seeds=seeds,
        steps=bench.steps,
        names=bench.names,
        labels=np.asarray(bench.evaluation.labels).astype(np.int16),
        ann_correct=stacked("ann_correct"),
        snn_correct=stacked("snn_correct"),
        base_ann=base.ann_correct,
        base_snn=base.snn_correct,
        std=stacked("std"),
        gap_before=base.gap,
        gap_after=stacked("gap"),
        curves=stacked("curves"),
        epochs=bench.training.epochs,
        split=bench.evaluation.name,
        num_classes=bench.prepared.checkpoint.card.num_classes,
        classes_before=base.classes,
        classes_after=stacked("classes"),
        errors_before=base.errors,
        errors_after=stacked("errors"),
    )
