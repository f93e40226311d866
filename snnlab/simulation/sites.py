"""Run one site's neurons over all steps of a micro-batch and collect its statistics."""

import copy
import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnlab.core.errors import SimulationError
from snnlab.core.sites import Site
from snnlab.neurons import (
    GroupIntegrateFire,
    IntegrateFire,
    MaskedIntegrateFire,
    SignedIntegrateFire,
    WarmUpIntegrateFire,
    kernels,
)
from snnlab.simulation.recording import Candidates, SiteRecording, SiteStatistics

_PARALLEL_ELEMENTS = 1 << 16  # below this, handing work to threads costs more than it saves


class SiteRunner:
    """The neurons of one site during one simulation.

    Args:
        site: Site with known shape.
        neuron: Its neuron; only its constants are read.
        num_steps: T.
        snapshots: Steps with statistics.
        candidates: (image, position) of neurons whose input is kept, sorted by image; None for none. Kept only where
            potential and spikes follow from it.
        fused: Compiled kernel, or step by step in torch.
        pool: Threads over images.
        threads: Their number.
        states_at: Steps at which ``states`` holds, after ``run``, what every neuron of the micro-batch came to.
    """

    def __init__(
        self,
        site: Site,
        neuron: IntegrateFire,
        *,
        num_steps: int,
        snapshots: tuple[int, ...],
        candidates: tuple[np.ndarray, np.ndarray] | None,
        fused: bool,
        pool: ThreadPoolExecutor,
        threads: int,
        states_at: tuple[int, ...] = (),
    ) -> None:
        self.site, self.neuron, self.num_steps = site, neuron, num_steps
        self.fused, self.pool, self.threads = fused, pool, threads
        self.flat = _in_memory_order(neuron, site.shape)
        # Apart, so that spikes can be counted in what the neurons emit, whatever a spike is worth.
        self.worth, self.flat.output_fraction = self.flat.output_fraction, None
        self.constants = _constants(self.flat)
        self.snapshot_at, self.states_at = _places(snapshots, num_steps), _places(states_at, num_steps)
        self.statistics = SiteStatistics.empty(len(snapshots))
        self.candidates = candidates if neuron.is_replayable else None
        if self.candidates is not None:
            image, position = self.candidates
            self.kept = np.empty((len(image), num_steps), np.float32)
            order = _flat(torch.arange(math.prod(site.shape)).reshape(site.shape)).numpy()
            self.places = np.argsort(order)[position]  # where those neurons lie in memory
        self.total_spikes = 0
        self.kept_steps, self._states = len(states_at), kernels.States.empty(0, 0, 0)

    @property
    def states(self) -> kernels.States:
        """Of the last micro-batch, (steps asked for, n, ...) each, shaped as activations are."""
        if len(self.site.shape) != 3:
            return kernels.States(*(part.reshape(*part.shape[:2], *self.site.shape) for part in self._states))
        channels, *space = self.site.shape
        parts = (part.reshape(*part.shape[:2], *space, channels) for part in self._states)
        return kernels.States(*(np.moveaxis(part, -1, 2) for part in parts))

    def run(self, current: Tensor, varies: bool, images: int, start: int, *, in_place: bool) -> Tensor:
        """What goes out for a micro-batch: threshold x spikes, or what these are worth.

        Args:
            current: Input, (T x N, ...) when it varies, else (N, ...), activation units.
            varies: Whether the input changes over time.
            images: N.
            start: Index of the first image.
            in_place: The input may be overwritten.

        Returns:
            (T x N, ...).
        """
        flat = self._flat(current, self.num_steps if varies else 1, images)
        if self.candidates is not None:
            self._keep(flat.cpu().numpy(), images, start)
        if self.kept_steps:
            self._states = kernels.States.empty(self.kept_steps, images, flat.shape[-1])
        if self.fused:
            emitted = flat if in_place and varies else flat.new_empty(self.num_steps, images, flat.shape[-1])
            self._fused(flat.numpy(), emitted.numpy())
        else:
            emitted = self._stepwise(flat)
        return self._shaped(emitted)

    def warm_up(self, current: Tensor, varies: bool, images: int, steps: int) -> Tensor:
        """Let the neurons decide what the sequence of these images starts from, before ``run``.

        Args:
            current: Input of the warm-up, (steps x N, ...) when it varies, else (N, ...), activation units.
            varies: Whether the input changes over time.
            images: N.
            steps: Those of the warm-up.

        Returns:
            What goes out meanwhile, (steps x N, ...).
        """
        flat = self._flat(current, steps if varies else 1, images)
        emitted = self.flat.warm_up(flat.expand(steps, -1, -1)).to(flat.dtype)
        if isinstance(self.flat, WarmUpIntegrateFire):
            assert self.flat.start is not None, "it has just decided"
            self.constants = self.constants._replace(initial=self.flat.start.contiguous().cpu().numpy())
        if isinstance(self.flat, MaskedIntegrateFire):
            assert self.flat.passes is not None, "it has just decided"
            self.constants = self.constants._replace(passes=self.flat.passes.contiguous().cpu().numpy())
        return self._shaped(emitted)

    def _flat(self, current: Tensor, steps: int, images: int) -> Tensor:
        """(steps x N, ...) as (steps, N, P), in memory order."""
        last = current.permute(0, 2, 3, 1) if current.ndim == 4 else current
        return last.contiguous().reshape(steps, images, math.prod(self.site.shape))

    def _shaped(self, emitted: Tensor) -> Tensor:
        """What a spike is worth, (steps x N, ...), for threshold x spikes, (steps, N, P)."""
        if self.worth is not None:
            emitted = emitted * self.worth.to(emitted.dtype)
        if len(self.site.shape) == 3:
            channels, height, width = self.site.shape
            return emitted.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return emitted.reshape(-1, *self.site.shape)

    def recording(self) -> SiteRecording:
        """What the site leaves behind."""
        candidates = None
        if self.candidates is not None:
            image, position = self.candidates
            initial = self.constants.initial[0, self.places] / self.constants.threshold[self.places]
            candidates = Candidates(image, position, self.kept, initial, self._negative(), self.constants.most)
        return SiteRecording(
            site=self.site,
            threshold=self.neuron.threshold.cpu().numpy().copy(),
            initial_fraction=self.neuron.initial_fraction.cpu().numpy().copy(),
            statistics=self.statistics,
            total_spikes=self.total_spikes,
            candidates=candidates,
            is_replayable=self.neuron.is_replayable,
        )

    def _fused(self, current: np.ndarray, emitted: np.ndarray) -> None:
        images = emitted.shape[1]
        workers = min(self.threads, images) if emitted.size >= _PARALLEL_ELEMENTS else 1
        bounds = itertools.pairwise(images * part // workers for part in range(workers + 1))
        if workers == 1:
            parts = [self._fire(current, emitted, 0, images)]
        else:
            parts = list(self.pool.map(lambda part: self._fire(current, emitted, *part), bounds))
        for statistics, spikes in parts:
            self.total_spikes += spikes
            self.statistics.merge(statistics)

    def _fire(self, current: np.ndarray, emitted: np.ndarray, first: int, last: int) -> tuple[SiteStatistics, int]:
        new = SiteStatistics.empty(len(self.statistics.spikes))
        spikes = kernels.fire(
            current, self.constants, emitted, first, last, self.snapshot_at, kernels.BIN_EDGES, new.histogram,
            new.spike_errors, new.moments, new.fired, new.spikes, new.nan, new.identity, self.states_at,
            self._states,
        )  # fmt: skip
        return new, spikes

    def _stepwise(self, flat: Tensor) -> Tensor:
        """The same equations through the neuron itself, on the input's device; statistics by the kernel.

        Raises:
            SimulationError: The two count different spikes.
        """
        result = self.step_through(flat)
        current = flat.cpu().numpy()
        statistics, counted = self._fire(current, np.empty(result.shape, current.dtype), 0, result.shape[1])
        spikes = int((result / self.flat.threshold).abs().round().sum(dtype=torch.float64))
        if spikes != counted and not statistics.nan.any():  # the engine names a site with NaN by itself
            raise SimulationError(
                f"{self.site.name}: {spikes:,} spikes on {flat.device.type}, {counted:,} on the CPU for the same "
                "input; use the device cpu, and report this network."
            )
        self.statistics.merge(statistics)
        self.total_spikes += spikes
        return result

    def step_through(self, flat: Tensor) -> Tensor:
        """Threshold x spikes of all steps, (T, N, P), for input (T or 1, N, P), wherever it lies."""
        neuron = copy.deepcopy(self.flat).to(flat.device)
        if isinstance(neuron, WarmUpIntegrateFire):
            neuron.decide_as(self.flat)
        return torch.stack([neuron(flat[t if len(flat) > 1 else 0]).to(flat.dtype) for t in range(self.num_steps)])

    def _negative(self) -> np.ndarray:
        """Of the candidates; met at equality in any case: where it has to be passed, the next number below it."""
        if not isinstance(self.flat, SignedIntegrateFire):
            return np.full(len(self.places), -np.inf, np.float32)
        fraction = self.flat.negative_fraction.cpu().numpy()[self.places].astype(np.float32)
        return fraction if self.flat.negative_at_equality else np.nextafter(fraction, np.float32(-np.inf))

    def _keep(self, current: np.ndarray, images: int, start: int) -> None:
        assert self.candidates is not None
        image, places = self.candidates[0], self.places
        rows = slice(*np.searchsorted(image, [start, start + images]))
        chosen = current[:, image[rows] - start, places[rows]] / self.constants.threshold[places[rows]]
        self.kept[rows] = np.broadcast_to(chosen, (self.num_steps, chosen.shape[1])).T


def _places(steps: tuple[int, ...], num_steps: int) -> np.ndarray:
    """Which of the steps each of T is, counted from 0; -1 for none, (T,)."""
    places = np.full(num_steps, -1, np.int64)
    places[np.array(steps, np.int64) - 1] = np.arange(len(steps))
    return places


def _in_memory_order(neuron: IntegrateFire, shape: tuple[int, ...]) -> IntegrateFire:
    """A copy of the neuron with one entry a neuron in each of its constants, (P,), in channels-last order."""
    flat = copy.deepcopy(neuron)
    for name, value in neuron.named_buffers():
        if name in flat.state_dict():
            setattr(flat, name, _flat(value.expand(shape)))
    return flat


def _flat(values: Tensor) -> Tensor:
    """One image's values, (channels, height, width) or (neurons,), flat in channels-last order."""
    return (values.permute(1, 2, 0) if values.ndim == 3 else values).contiguous().reshape(-1)


def _constants(flat: IntegrateFire) -> kernels.Neurons:
    """What the kernel needs of a neuron whose constants are flat."""

    def numbers(value: Tensor | None) -> np.ndarray:
        return (flat.threshold.new_empty(0) if value is None else value).cpu().numpy()

    shared: dict[str, Any] = {
        "threshold": numbers(flat.threshold),
        "initial": numbers(flat.initial_membrane)[None],
        "added": numbers(flat.added_current),
        "reference": numbers(flat.reference_membrane),
        "negative": numbers(None),
        "at_equality": flat.fires_at_equality,
    }
    if isinstance(flat, SignedIntegrateFire):
        signed = {"negative_at_equality": flat.negative_at_equality, "gated": flat.gated}
        return kernels.Neurons(
            **{**shared, **signed, "negative": numbers(flat.negative_threshold)}, kind=kernels.SIGNED
        )
    kind = kernels.GROUP if isinstance(flat, GroupIntegrateFire) else kernels.PLAIN
    return kernels.Neurons(**shared, kind=kind, most=flat.most_spikes)
