"""What another threshold or v(0) would make of a site's own error, in closed form: nothing is simulated."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

from snnlab.analysis.budget import in_memory_order, target_of
from snnlab.analysis.budget_terms import Target
from snnlab.calibration.beside import AnnBeside
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.spiking_model import SpikingModel

FACTORS = tuple(2.0 ** (k / 4) for k in range(-12, 13))
"""Factors on the threshold that are tried: an eighth to eight times, in quarters of an octave."""

FRACTIONS = (0.0, 0.25, 0.5, 0.75)
"""v(0) / threshold that are tried."""

_BATCH = 32


@dataclass(frozen=True)
class SiteRepair:
    r"""The own error of one site as it is, and with one thing changed.

    The own error is what the site adds by itself, given the ANN's input :math:`z_A` at every step; with a constant
    input the count is known without a simulation:

    .. math:: e = q_T(z_A) - a,\quad q_T(z) = \frac{\theta}{T}\,
        \mathrm{clip}\!\left(\left\lfloor\frac{T z + v(0)}{\theta}\right\rfloor, 0, T\right)

    All errors are mean squares over elements, as shares of the mean square of the activation a.

    Args:
        name: Site.
        threshold: Its mean threshold, activation units.
        v0: Its mean v(0) / threshold.
        power: Mean square of the ANN's activation, activation units squared.
        own: Own error now.
        by_factor: Own error with every threshold of the site times one of ``FACTORS``, (factors,).
        by_fraction: Own error with v(0) / threshold one of ``FRACTIONS``, (fractions,).
    """

    name: str
    threshold: float
    v0: float
    power: float
    own: float
    by_factor: np.ndarray
    by_fraction: np.ndarray

    @property
    def factor(self) -> float:
        """The factor on the threshold with the least own error."""
        return FACTORS[int(np.argmin(self.by_factor))]

    @property
    def fraction(self) -> float:
        """The v(0) / threshold with the least own error."""
        return FRACTIONS[int(np.argmin(self.by_fraction))]

    @property
    def saved_by_threshold(self) -> float:
        """What the best threshold takes from the own error, never negative."""
        return max(self.own - float(self.by_factor.min()), 0.0)

    @property
    def saved_by_v0(self) -> float:
        """What the best v(0) takes from it, never negative."""
        return max(self.own - float(self.by_fraction.min()), 0.0)


def site_repairs(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    num_steps: int,
    progress: ProgressCallback = silent,
) -> tuple[SiteRepair, ...]:
    """Try other thresholds and other v(0) at every site by itself; one pass of the ANN.

    Args:
        snn: The converted network.
        ann: The network it was converted from; both are left alone.
        data: Images, normalised.
        num_steps: T.
        progress: Called with images done and in all.

    Raises:
        ConversionError: The two networks have different sites.
    """
    images = as_images(data)
    beside = AnnBeside(ann, snn, images, torch.float32)
    neurons, sums = snn.sites, dict[str, np.ndarray]()
    targets: dict[str, Target] = {}
    for start in range(0, len(images), _BATCH):
        stop = min(start + _BATCH, len(images))
        for name in beside.names:
            z, a = beside.at(name, start, stop)
            if name not in targets:
                targets[name] = target_of(neurons[name], tuple(z.shape[1:]))
                sums[name] = np.zeros(3 + len(FACTORS) + len(FRACTIONS))
            of = targets[name]
            _squares(
                in_memory_order(z.numpy(), 1), in_memory_order(a.numpy(), 1), of.threshold, of.worth, of.reference,
                of.most * num_steps, num_steps, np.array(FACTORS), np.array(FRACTIONS), sums[name],
            )  # fmt: skip
        progress(stop, len(images), "images through the ANN")
    return tuple(_repair(name, targets[name], sums[name]) for name in beside.names)


def _repair(name: str, target: Target, sums: np.ndarray) -> SiteRepair:
    elements, power, own, by_factor, by_fraction = np.split(sums, [1, 2, 3, 3 + len(FACTORS)])
    scale = 1 / power[0] if power[0] > 0 else 0.0  # where nothing is active there is nothing to lose
    return SiteRepair(
        name=name,
        threshold=float(target.threshold.mean()),
        v0=float((target.reference / target.threshold).mean()),
        power=float(power[0] / elements[0]),
        own=float(own[0] * scale),
        by_factor=by_factor * scale,
        by_fraction=by_fraction * scale,
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _squares(  # type: ignore[no-untyped-def]
    z, a, threshold, worth, reference, most, steps, factors, fractions, sums
):
    """Add a micro-batch: elements, squares of a, of the own error, of those with a factor, of those with a fraction.

    Args:
        z: The ANN's input, (n, P), float64.
        a: Its activation, (n, P), float64.
        threshold: (P,), as the next two activation units.
        worth: What a spike passes on.
        reference: The v(0) from which the ideal count starts.
        most: Spikes possible up to T.
        steps: T.
        factors: On threshold, worth and v(0).
        fractions: v(0) / threshold.
        sums: Updated.
    """
    for i in range(z.shape[0]):
        for p in range(z.shape[1]):
            theta, w, start = threshold[p], worth[p], reference[p]
            total, wanted = z[i, p] * steps, a[i, p]
            sums[0] += 1
            sums[1] += wanted * wanted
            if total <= 0.0 and wanted == 0.0 and start < theta:
                continue  # silent and right, whatever the threshold
            error = w * min(max(math.floor((total + start) / theta), 0), most) / steps - wanted
            sums[2] += error * error
            for k in range(len(factors)):
                f = factors[k]
                count = min(max(math.floor((total + f * start) / (f * theta)), 0), most)
                error = f * w * count / steps - wanted
                sums[3 + k] += error * error
            for k in range(len(fractions)):
                count = min(max(math.floor((total + fractions[k] * theta) / theta), 0), most)
                error = w * count / steps - wanted
                sums[3 + len(factors) + k] += error * error
