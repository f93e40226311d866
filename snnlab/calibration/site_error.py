"""What a neuron gets wrong at one site of the walk: its squared error, and the parts that its error consists of."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit

from snnlab.core.sites import NeuronSpec
from snnlab.neurons.kernels import advance

if TYPE_CHECKING:
    from snnlab.calibration.context import SiteInput

TERMS = ("deviation", "quantization", "clipping", "activation", "propagated")
"""Parts of phi - a, in the order of ``error_terms``."""

_BLOCK = 1024  # neurons whose state stays in the first-level cache over T


def squared_errors(at: "SiteInput", thresholds: Sequence[float], initial_fraction: float) -> list[float]:
    r"""Mean squared error of plain neurons at several thresholds, each run on the site's input as it comes.

    .. math:: \mathrm{mean}\,(\phi - a)^2,\quad \phi = \theta N / T

    Args:
        at: The site.
        thresholds: Thresholds that are tried, activation units.
        initial_fraction: v(0) / threshold.

    Returns:
        One mean over images and neurons a threshold, activation units squared.
    """
    totals, elements = np.zeros(len(thresholds)), 0
    for current, activation in zip(at.currents, at.activations, strict=True):
        rows, target = current.float().flatten(1).numpy(), activation.double().flatten().numpy()
        elements += len(target)
        for index, threshold in enumerate(thresholds):
            theta = np.float32(threshold)
            totals[index] += _squared_error(rows, target, theta, np.float32(initial_fraction) * theta, at.num_steps)
    return [float(total / elements) for total in totals]


@njit(nogil=True, cache=True)
def _squared_error(current, target, threshold, initial, num_steps):  # type: ignore[no-untyped-def]
    """Sum of (phi - a)^2; current (T or 1, P) float32, target (P,) float64."""
    total = 0.0
    for first in range(0, len(target), _BLOCK):
        size = min(_BLOCK, len(target) - first)
        potential, theta = np.full(size, initial), np.full(size, threshold)
        emitted, count = np.empty(size, np.float32), np.zeros(size, np.int64)
        for t in range(num_steps):
            row = current[t if len(current) > 1 else 0]
            advance(potential, row[first : first + size], theta, True, emitted)
            for j in range(size):
                count[j] += emitted[j] != 0
        for j in range(size):
            error = threshold * (count[j] / num_steps) - target[first + j]
            total += error * error
    return total


def error_terms(at: "SiteInput", spec: NeuronSpec) -> dict[str, Any]:
    r"""The parts of a plain neuron's error on the site's input, which add up to it.

    With :math:`\bar z` the mean input of the spiking network, h the source activation and :math:`z_A` the ANN's input,

    .. math:: \phi - a = \underbrace{\phi - q_T(\bar z)}_\text{deviation}
        + \underbrace{q_T(\bar z) - c(\bar z)}_\text{quantization}
        + \underbrace{c(\bar z) - r(\bar z)}_\text{clipping}
        + \underbrace{r(\bar z) - h(\bar z)}_\text{activation}
        + \underbrace{h(\bar z) - h(z_A)}_\text{propagated}

    where :math:`q_T(z) = \frac{\theta}{T}\,\mathrm{clip}(\lfloor (Tz + v(0))/\theta \rfloor, 0, T)`,
    :math:`c(z) = \mathrm{clip}(z, 0, \theta)` and :math:`r(z) = \max(z, 0)`. The deviation is what uneven input alone
    does: constant input of the same mean has none.

    Args:
        at: The site.
        spec: A plain neuron with one threshold.

    Returns:
        Term -> ``{"mean", "mean_abs"}`` over images and neurons, activation units, and the same of ``"total"``;
        ``"input_variance"``, the mean over images and neurons of the variance of the input over time, activation units
        squared. Means add up, mean magnitudes do not.
    """
    threshold = float(np.float32(spec.threshold))
    steps, start = at.num_steps, float(np.float32(spec.initial_fraction)) * threshold
    sums, elements, variance = np.zeros((len(TERMS) + 1, 2)), 0, 0.0
    for current, activation, emitted in zip(at.currents, at.activations, at.emitted(spec), strict=True):
        mean = current.double().mean(0)
        count = (emitted.double() / threshold).round().sum(0)
        ideal_count = torch.floor((steps * mean + start) / threshold).clamp(0, steps)
        spent, ideal = threshold / steps * count, threshold / steps * ideal_count
        clipped, rectified = mean.clamp(0, threshold), mean.clamp(min=0)
        with torch.inference_mode():
            source = at.function(mean.to(activation.dtype)).double()
        target = activation.double()
        parts = (
            threshold / steps * (count - ideal_count),  # a difference of whole numbers: 0 where they are equal
            ideal - clipped,
            clipped - rectified,
            rectified - source,
            source - target,
            spent - target,
        )
        sums += np.array([[float(part.sum()), float(part.abs().sum())] for part in parts])
        variance += float(current.double().var(0, correction=0).sum()) if len(current) > 1 else 0.0
        elements += math.prod(activation.shape)
    means = sums / elements
    found: dict[str, Any] = {
        name: {"mean": float(mean), "mean_abs": float(size)}
        for name, (mean, size) in zip((*TERMS, "total"), means, strict=True)
    }
    return {**found, "input_variance": variance / elements}
