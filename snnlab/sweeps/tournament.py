"""The tournament: methods against each other on the same checkpoint, images and calibration data, cell by cell."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch

from snnlab.analysis.accuracy import curve_of, predict
from snnlab.analysis.activity import ActivityCounter
from snnlab.analysis.conversion import conversion_report
from snnlab.analysis.reports import Tournament, TournamentCell
from snnlab.analysis.reports.tournament import NOT_RUN
from snnlab.core.errors import ConversionError, SimulationError, StoreError
from snnlab.core.memory import is_short_of_memory
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.core.registry import card as method_card
from snnlab.data import ImageSplit
from snnlab.runs.execute import Prepared, convert_prepared, finished, resolve
from snnlab.runs.jobs import LOCAL
from snnlab.runs.run import Run, environment
from snnlab.runs.store import Store
from snnlab.simulation import Recording, SpikingModel, simulate
from snnlab.simulation.devices import find_device
from snnlab.sweeps.contest import CELL, VERB, CellPlan, contest_of, entrants, plan

PROGRESS = "time-steps of all cells"
FEWER = (None, 16, 4, 1)
"""Images at once: what the engine chooses, then less each time that memory does not suffice."""

T = TypeVar("T")
Watch = Callable[[CellPlan, "Run | None"], None]


def unwatched(cell: CellPlan, run: "Run | None") -> None:
    """The default watcher: looks at nothing."""


@dataclass(frozen=True)
class Cells:
    """Where finished cells are kept.

    Args:
        store: The store.
        workspace: Whose they are.
        lease: Of the job that makes them; None outside of a job.
    """

    store: Store
    workspace: str = LOCAL
    lease: str | None = None

    def find(self, recipe: Recipe, device: str) -> Run | None:
        """The finished cell of a recipe; None where it was not run."""
        return self.store.find(recipe, verb=CELL, device=device)

    def keep(self, run: Run) -> str:
        """Store a finished cell; what is wrong, in a sentence, where it could not be.

        Raises:
            StoreError: The job's lease holds no more.
        """
        try:
            self.store.save(run, workspace=self.workspace, lease=self.lease)
        except StoreError as error:
            if self.lease is not None:
                raise
            return f"Finished cells are not kept: {error}"  # the numbers are there all the same
        return ""


def tournament_run(
    recipe: Recipe,
    *,
    cells: Cells | None = None,
    device: str = "cpu",
    only_kept: bool = False,
    watch: Watch = unwatched,
    progress: ProgressCallback = silent,
) -> Run:
    """Run what is missing of a tournament, and compare. Stores its cells, and not itself.

    A conversion that a method refuses, or for which memory does not suffice, is told in the report with its reason,
    and the others go on.

    Args:
        recipe: With ``tournament``; what it leaves open is filled in.
        cells: Where finished cells are kept and found again; None for the user's run store.
        device: ``"cpu"`` or ``"cuda"``: where ANN and SNN run; calibration is on the CPU.
        only_kept: Run nothing: compare what is there, the rest is told as not run.
        watch: Called after every cell with its run; None where it was refused.
        progress: Called with time-steps done and in all, of the cells that are left; cancels by raising ``Cancelled``,
            and finished cells are kept.

    Returns:
        A run with report ``tournament``, and ``accuracy`` and ``conversion`` of its first cell; its environment says
        how many cells were run and how many were kept from before.

    Raises:
        RecipeError: It names no tournament.
        SimulationError: No cell could be run, with the reason of the first; or a device that is not there.
        SnnlabError: Whatever is wrong with checkpoint or data, in one sentence.
        Cancelled: ``progress`` asked for it.
    """
    started = time.perf_counter()
    contest_of(recipe)
    find_device(device)
    prepared = resolve(recipe, progress=progress)
    held = cells or Cells(Store())
    card = prepared.checkpoint.card.to_dict()
    todo = plan(prepared.recipe, card)
    done = {place: run for place, cell in enumerate(todo) if (run := held.find(cell.recipe, device)) is not None}
    refused: list[dict[str, Any]] = []
    notes = list(prepared.notes)
    kept, left = len(done), [place for place in range(len(todo)) if place not in done]
    if left and not only_kept:
        bench = _Bench(prepared, device, next(iter(done.values()), None))
        counted = _Counted(progress, sum(todo[place].weight for place in left))
        for place in left:
            try:
                done[place] = bench.cell(todo[place], counted.of(todo[place].weight))
            except (ConversionError, SimulationError) as error:
                refused.append({"entrant": todo[place].entrant, "steps": list(todo[place].steps), "why": str(error)})
                watch(todo[place], None)
            else:
                if (problem := held.keep(done[place])) and problem not in notes:
                    notes.append(problem)
                watch(todo[place], done[place])
            counted.finish()
    if not done:
        raise SimulationError(_nothing(refused, entrants(prepared.recipe, card)))
    ordered = sorted(done.items())
    first = ordered[0][1]
    return Run(
        recipe=prepared.recipe,
        reports={
            VERB: _collected(
                prepared, card, [(todo[place], run) for place, run in sorted(done.items())], _told_once(refused)
            ),
            "accuracy": first.accuracy,
            "conversion": first.conversion,
        },
        card=first.card,
        notes=(*notes, *_short_memory(todo, done)),
        environment={
            **environment(seconds=time.perf_counter() - started, threads=torch.get_num_threads(), device=device),
            "cells": {"run": len(done) - kept, "kept": kept},
        },
        verb=VERB,
    )


class _Counted:
    """Progress over all cells that are left, in time-steps."""

    def __init__(self, progress: ProgressCallback, total: int) -> None:
        self.progress, self.total, self.done, self.weight = progress, total, 0, 0

    def of(self, weight: int) -> ProgressCallback:
        """Progress within a cell, in its images."""
        self.weight = weight

        def within(done: int, total: int, what: str) -> None:
            self.progress(self.done + int(done / total * weight), self.total, PROGRESS)

        return within

    def finish(self) -> None:
        """A cell is done."""
        self.done += self.weight
        self.progress(self.done, self.total, PROGRESS)


class _Bench:
    """What the cells of a tournament share: the images, and what the ANN answers."""

    def __init__(self, prepared: Prepared, device: str, known: Run | None) -> None:
        self.prepared, self.device = prepared, device
        self.images: ImageSplit = prepared.images()
        self._ann = None if known is None else known.accuracy.ann_predictions

    def cell(self, cell: CellPlan, progress: ProgressCallback) -> Run:
        """Convert and simulate one cell.

        Raises:
            ConversionError: The method refuses.
            SimulationError: Out of memory even with one image at a time, or a number that is none.
        """
        started = time.perf_counter()
        prepared = replace(self.prepared, recipe=cell.recipe)
        snn = _enough_memory(lambda: convert_prepared(prepared, progress=lambda *_: progress(0, 1, "")))
        calibrated = time.perf_counter() - started
        recording, syn_ops, at_once = self._simulated(snn, cell, progress)
        if self._ann is None:
            self._ann = predict(prepared.checkpoint.build(), self.images, device=self.device)
        report = TournamentCell(
            calibration_seconds=calibrated,
            warm_up=snn.warm_up_steps,
            syn_ops=syn_ops,
            micro_batch=at_once or 0,
        )
        curve = curve_of(
            recording,
            self._ann,
            name=method_card(snn.method).display_name,
            num_classes=prepared.checkpoint.card.num_classes,
        )
        reports = {"accuracy": curve, "conversion": conversion_report(snn, recording), CELL: report}
        return finished(prepared, reports, recording, started, verb=CELL, device=self.device)

    def _simulated(
        self, snn: SpikingModel, cell: CellPlan, progress: ProgressCallback
    ) -> tuple[Recording, np.ndarray, int | None]:
        """The recording, synaptic operations up to every t, and images at once where memory was short."""
        steps, dtype = cell.recipe.num_steps, getattr(torch, cell.recipe.dtype)
        for at_once in FEWER:
            counter = self._counter(snn, steps)
            try:
                recording = simulate(
                    snn,
                    self.images,
                    num_steps=steps,
                    dtype=dtype,
                    device=self.device,
                    micro_batch=at_once,
                    observe=counter,
                    observe_warm_up=None if counter is None else counter.warm_up,
                    progress=progress,
                )
            except (MemoryError, RuntimeError) as error:
                if not is_short_of_memory(error):
                    raise
            else:
                if counter is None:
                    return recording, np.full(steps, np.nan), at_once
                counted = counter.report(split=recording.split)
                return recording, np.array([counted.per_image(step) for step in range(1, steps + 1)]), at_once
        raise SimulationError(
            f"{cell.told}: memory does not suffice for one image at a time over T = {cell.recipe.num_steps}; use a "
            "smaller T, or a machine with more memory."
        )

    def _counter(self, snn: SpikingModel, steps: int) -> ActivityCounter | None:
        """Counts what spikes cause; None for a network whose connections cannot be followed."""
        try:
            return ActivityCounter(snn, self.images.batch(0, 1), num_steps=steps)
        except SimulationError:
            return None


def _enough_memory(work: Callable[[], T]) -> T:
    try:
        return work()
    except (MemoryError, RuntimeError) as error:
        if not is_short_of_memory(error):
            raise
        raise SimulationError(
            "Memory does not suffice for this calibration; give it fewer images (calibration_images of the tournament, "
            "or the method's own parameter)."
        ) from None


def _collected(
    prepared: Prepared,
    card: Mapping[str, Any],
    done: Sequence[tuple[CellPlan, Run]],
    refused: tuple[dict[str, Any], ...],
) -> Tournament:
    contest, rows = contest_of(prepared.recipe), entrants(prepared.recipe, card)
    curve = done[0][1].accuracy
    shape = (len(rows), contest.seeds, len(contest.steps))
    correct = np.full((*shape, curve.images), NOT_RUN, dtype=np.int8)
    seconds, syn_ops = np.full(shape, np.nan), np.full(shape, np.nan)
    latency = np.zeros((len(rows), len(contest.steps)), dtype=np.int64)
    for cell, run in done:
        report = run.reports[CELL]
        assert isinstance(report, TournamentCell), "stored under its own name"
        for step in cell.steps:
            at = contest.steps.index(step)
            correct[cell.entrant, cell.seed, at] = run.accuracy.snn_predictions[step - 1] == curve.labels
            seconds[cell.entrant, cell.seed, at] = report.calibration_seconds
            syn_ops[cell.entrant, cell.seed, at] = report.syn_ops[step - 1]
            latency[cell.entrant, at] = report.warm_up + step
    return Tournament(
        entrants=rows,
        steps=contest.steps,
        labels=curve.labels,
        ann_correct=curve.ann_predictions == curve.labels,
        correct=correct,
        calibration_seconds=seconds,
        syn_ops=syn_ops,
        total_latency=latency,
        refused=refused,
        first_seed=prepared.recipe.seed,
        calibration_images=contest.calibration_images,
        split=curve.split,
        num_classes=curve.num_classes,
    )


def _told_once(refused: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """One row a method and reason, whatever the seed."""
    found: dict[tuple[int, str], list[int]] = {}
    for row in refused:
        found.setdefault((row["entrant"], row["why"]), []).extend(row["steps"])
    return tuple(
        {"entrant": entrant, "steps": sorted(set(steps)), "why": why} for (entrant, why), steps in found.items()
    )


def _short_memory(todo: tuple[CellPlan, ...], done: Mapping[int, Run]) -> list[str]:
    reports = {place: run.reports[CELL] for place, run in done.items()}
    return [
        f"{todo[place].told} ran {report.micro_batch} image{'s' * (report.micro_batch != 1)} at a time, as memory was "
        "short."
        for place, report in reports.items()
        if isinstance(report, TournamentCell) and report.micro_batch
    ]


def _nothing(refused: list[dict[str, Any]], rows: tuple[dict[str, Any], ...]) -> str:
    whys = [f"{row['name']}: {row['why']}" for row in rows if row["why"]]
    whys += [f"{rows[row['entrant']]['name']}: {row['why']}" for row in refused]
    return f"No cell of this tournament was run. {whys[0]}" if whys else "No cell of this tournament was run yet."
