"""Activation maxima and exact quantiles on calibration images, independent of the order of the images."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, fx

from snnlab.core.errors import ConversionError, SnnlabError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.sites import ActivationStatistics, Site
from snnlab.simulation.images import ImageSource, as_images, check_finite

_BATCH = 64


class Statistic(Protocol):
    """A statistic gathered batch by batch; ``snnlab.converters.calibration.Calibration`` says what its parts are."""

    def update(self, state: Any, activations: Tensor) -> Any:
        """What is known after some more activations."""

    def finish(self, state: Any) -> Tensor:
        """The statistic."""


class _Largest:
    """The largest elements of a stream, per channel or over all: enough for a maximum and an upper quantile, exactly.

    Only the top (1 - q) share can hold the quantile q, so only it is kept; merging keeps the largest of both, which
    does not depend on order.
    """

    def __init__(self, keep: int) -> None:
        self.keep, self.values = keep, torch.empty(0)

    def add(self, elements: Tensor) -> None:
        """Take elements (channels, n)."""
        if elements.shape[1] > self.keep:
            elements = elements.topk(self.keep, dim=1, sorted=False).values
        joined = torch.cat([self.values, elements], dim=1) if self.values.numel() else elements.clone()
        self.values = joined.topk(self.keep, dim=1, sorted=False).values if joined.shape[1] > self.keep else joined

    def quantile(self, q: float, count: int) -> np.ndarray:
        """Linear-interpolated quantile of all ``count`` elements a channel, as ``torch.quantile`` defines it."""
        ordered = self.values.sort(dim=1, descending=True).values.double()
        rank = (count - 1) * (1 - q)  # from the top
        low = min(math.floor(rank), count - 1)
        high = min(low + 1, count - 1)
        return (ordered[:, low] + (rank - low) * (ordered[:, high] - ordered[:, low])).numpy()


def measure_activations(
    graph: fx.GraphModule,
    sites: Sequence[Site],
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    percentiles: Sequence[float] = (),
    per_channel: bool = False,
    statistic: Statistic | None = None,
    progress: ProgressCallback = silent,
) -> tuple[Site, ...]:
    """Measure every site's activations in the ANN.

    Args:
        graph: Prepared ANN graph; left alone.
        sites: Its sites.
        data: Calibration images, normalised.
        percentiles: Percentiles in (0, 100], over all activations, zeros included.
        per_channel: One value a channel instead of one a site.
        statistic: Another statistic, for ``measured``.
        progress: Called after every batch with images done and in all.

    Returns:
        The sites with ``shape`` and ``statistics``.

    Raises:
        ConversionError: An activation is not finite, or a site is zero on every image, or ``statistic`` raises or does
            not give finite numbers; names the site.
        DataError: No image, or NaN in one.
    """
    images = as_images(data)
    recorder = Recorder(graph, {site.name for site in sites})
    largest: dict[str, _Largest] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    states: dict[str, Any] = {}
    share = 1 - min([*percentiles, 100.0]) / 100
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            stop = min(start + _BATCH, len(images))
            x = images.batch(start, stop)
            check_finite(x, start)
            for name, activation in recorder.activations(x).items():
                if not bool(torch.isfinite(activation).all()):
                    raise ConversionError(f"{name}: an activation is not finite on the calibration images.")
                shapes[name] = tuple(activation.shape[1:])
                rows = activation.transpose(0, 1).flatten(1) if per_channel else activation.reshape(1, -1)
                if name not in largest:
                    total = rows.shape[1] // len(x) * len(images)
                    # One more than the rank, for interpolation, and one for rounding of the rank.
                    largest[name] = _Largest(min(total, math.ceil(share * total) + 2))
                largest[name].add(rows)
                if statistic is not None:
                    with _named(name, statistic):
                        states[name] = statistic.update(states.get(name), rows)
            progress(stop, len(images), "calibration images")
    measured = []
    for site in sites:
        name = site.name
        found = _statistics(name, largest[name], shapes[name], len(images), percentiles, per_channel)
        if statistic is not None:
            values = _finished(name, statistic, states[name], found.maximum.shape)
            found = replace(found, measured=values)
        measured.append(replace(site, shape=shapes[name], statistics=found))
    return tuple(measured)


@contextmanager
def _named(site: str, statistic: Statistic) -> Iterator[None]:
    """An error of the user's code in one sentence; what is ours, such as Cancelled, passes."""
    try:
        yield
    except SnnlabError:
        raise
    except Exception as error:
        called, reason = type(statistic).__name__, " ".join(str(error).split())[:300] or "no message"
        raise ConversionError(f"{site}: {called} raised {type(error).__name__}: {reason}.") from error


def _finished(site: str, statistic: Statistic, state: Any, shape: tuple[int, ...]) -> np.ndarray:
    """What a statistic found at a site, () or (channels,)."""
    with _named(site, statistic), torch.inference_mode():
        values = torch.as_tensor(statistic.finish(state)).detach().double().cpu().numpy()
    called, wanted = type(statistic).__name__, shape or (1,)
    if values.shape != wanted and not (shape == () and values.shape == ()):
        raise ConversionError(f"{site}: {called}.finish gives the shape {values.shape}; here it must be {wanted}.")
    if not np.isfinite(values).all():
        raise ConversionError(f"{site}: {called}.finish gives a value that is not finite on the calibration images.")
    return np.asarray(values.reshape(shape))


def _statistics(
    name: str, largest: _Largest, shape: tuple[int, ...], images: int, percentiles: Sequence[float], per_channel: bool
) -> ActivationStatistics:
    elements = math.prod(shape) * images // (shape[0] if per_channel else 1)
    maximum = largest.values.amax(dim=1).double().numpy()
    if not (maximum > 0).any():
        raise ConversionError(
            f"{name}: every activation is 0 on the {images} calibration images, so there is no threshold to set; "
            "check the normalisation, or use other images."
        )
    quantiles = {p: largest.quantile(p / 100, elements) for p in percentiles}
    if not per_channel:
        maximum, quantiles = maximum[0], {p: value[0] for p, value in quantiles.items()}
    return ActivationStatistics(np.asarray(maximum), {p: np.asarray(v) for p, v in quantiles.items()}, images, elements)


class Recorder(fx.Interpreter):
    """Runs a graph and keeps the outputs of some modules. No hooks, so nothing can be left behind."""

    def __init__(self, graph: fx.GraphModule, names: set[str]) -> None:
        super().__init__(graph)
        self.names = names
        self.kept: dict[str, Tensor] = {}

    def activations(self, x: Tensor) -> dict[str, Tensor]:
        """Outputs of the named modules for a batch."""
        self.kept = {}
        self.run(x)
        return self.kept

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Tensor:  # type: ignore[override]
        """One module of the graph."""
        output = super().call_module(target, args, kwargs)
        if target in self.names:
            self.kept[target] = output
        return output
