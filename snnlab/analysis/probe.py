"""A quick look at a conversion: a few images, one T."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnlab.analysis.reports import Probe
from snnlab.core.errors import DataError
from snnlab.core.histogram import EXCESS, MISSING
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.engine import simulate
from snnlab.simulation.images import ImageSource
from snnlab.simulation.spiking_model import SpikingModel


def probe_conversion(
    snn: SpikingModel,
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    dtype: torch.dtype = torch.float32,
    progress: ProgressCallback = silent,
) -> Probe:
    """Simulate a conversion on labelled images and keep what one T tells.

    Args:
        snn: The converted network; left alone.
        data: Labelled images, normalised.
        num_steps: T.
        dtype: As in ``simulate``.
        progress: Called with images done and in all.

    Raises:
        DataError: The images have no labels.
        SimulationError: As ``simulate``.
    """
    recording = simulate(snn, data, num_steps=num_steps, snapshots=[num_steps], dtype=dtype, progress=progress)
    if recording.labels is None:
        raise DataError("A probe needs labels; pass a pair (images, labels) or a data split.")
    sites = recording.sites.values()
    neurons = np.array([int(np.prod(site.site.shape)) * recording.images for site in sites])
    counts = np.array([site.statistics.histogram[0].sum(axis=-1) for site in sites])
    return Probe(
        names=tuple(recording.sites),
        threshold=_each(np.mean, [site.threshold for site in sites]),
        threshold_low=_each(np.min, [site.threshold for site in sites]),
        threshold_high=_each(np.max, [site.threshold for site in sites]),
        v0=_each(np.mean, [site.initial_fraction for site in sites]),
        firing_rate=np.array([site.total_spikes for site in sites]) / (neurons * num_steps),
        excess=counts[:, EXCESS] / neurons,
        missing=counts[:, MISSING] / neurons,
        correct=recording.predictions[-1] == recording.labels,
        num_steps=num_steps,
        split=recording.split,
    )


def _each(statistic: Callable[[np.ndarray], Any], values: list[np.ndarray]) -> np.ndarray:
    return np.array([float(statistic(value)) for value in values])
