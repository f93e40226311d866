"""The terms of the error budget, element by element, and their streaming sums."""

import math
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numba import njit

from snnlab.analysis.reports.budget import QUANTITIES
from snnlab.core.histogram import CLASSES, K_LIMIT
from snnlab.neurons.kernels import BASE_TOLERANCE, FLOAT_STEP, States, class_of, ideal_count

UNSIZED = 3
"""The last quantities, of which only the mean is kept."""

_LOST = 1e9  # thresholds: an ideal count outside its range is no matter of rounding


@dataclass
class BudgetStatistics:
    """What is kept of one site: sums, which merging adds up.

    Args:
        sums: Sums over elements of every quantity, its absolute value and its square, by channel,
            (snapshots, 3, quantities, channels), float64; of the last ``UNSIZED`` only the first one.
        image_squares: Sum over images of the squared mean of one image, (snapshots, quantities), float64.
        classes: Elements by class of spike-count error and channel, (snapshots, classes, channels), int64.
        spike_errors: Elements by k, (snapshots, 2 K_LIMIT + 1), int64.
        worst: Largest error of the sum and its ratio to the tolerance, the same two of the ideal count,
            (snapshots, 4), float64; merging takes the larger.
        elements: Elements measured.
        images: Images measured.
    """

    sums: np.ndarray
    image_squares: np.ndarray
    classes: np.ndarray
    spike_errors: np.ndarray
    worst: np.ndarray
    elements: int = 0
    images: int = 0

    @classmethod
    def empty(cls, snapshots: int, channels: int) -> Self:
        """Statistics of no image."""
        return cls(
            np.zeros((snapshots, 3, len(QUANTITIES), channels)),
            np.zeros((snapshots, len(QUANTITIES))),
            np.zeros((snapshots, len(CLASSES), channels), np.int64),
            np.zeros((snapshots, 2 * K_LIMIT + 1), np.int64),
            np.zeros((snapshots, 4)),
        )

    def merge(self, other: "BudgetStatistics") -> None:
        """Add the statistics of other images, in whatever order."""
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            setattr(self, item.name, np.maximum(mine, theirs) if item.name == "worst" else mine + theirs)

    def moments(self) -> np.ndarray:
        """Mean, mean absolute value and mean square of every quantity, (snapshots, 3, quantities)."""
        return np.asarray(self.sums.sum(axis=-1) / self.elements)

    def image_std(self) -> np.ndarray:
        """Std over images of the mean of one image, (snapshots, quantities); NaN for one image."""
        if self.images < 2:
            return np.full_like(self.image_squares, np.nan)
        mean = self.moments()[:, 0]
        return np.asarray(np.sqrt(np.maximum(self.image_squares - self.images * mean**2, 0.0) / (self.images - 1)))

    def channel_mean(self) -> np.ndarray:
        """Mean of every quantity in each channel, (snapshots, channels, quantities)."""
        channels = self.sums.shape[-1]
        return np.moveaxis(self.sums[:, 0], 1, 2) * channels / self.elements


@dataclass(frozen=True)
class Target:
    """What a site is to reach, whatever a conversion does to reach it; each (P,), activation units, float64.

    Args:
        threshold: Charge that one spike takes.
        worth: What one spike passes on; the threshold, where no method changes it.
        reference: The v(0) from which the ideal count starts.
        added: Current that the method adds at every step, which the target leaves out.
        most: Spikes that one step can bring.
    """

    threshold: np.ndarray
    worth: np.ndarray
    reference: np.ndarray
    added: np.ndarray
    most: int


def ideal_counts(spikes: np.ndarray, residual: np.ndarray, target: Target, step: int) -> np.ndarray:
    """N* of every element, (n, P), int32; as the kernel counts it, from the neuron's own potential.

    Args:
        spikes: N, (n, P).
        residual: v(t) without what corrections brought, (n, P), activation units.
        target: What the site is to reach.
        step: t.
    """
    found = np.empty(spikes.shape, np.int32)
    _ideal_counts(spikes, residual, target.threshold, target.most * step, found)
    return found


def collect(
    states: States,
    ideal: np.ndarray,
    mean_input: np.ndarray,
    wanted: np.ndarray,
    ann_input: np.ndarray,
    activation: np.ndarray,
    target: Target,
    *,
    steps: tuple[int, ...],
    channels: int,
) -> BudgetStatistics:
    """Statistics of one micro-batch; P counts neurons with channels last.

    Args:
        states: What every neuron has come to, (snapshots, n, P) each.
        ideal: N*, (snapshots, n, P), int32.
        mean_input: Mean input without what corrections added, (snapshots, n, P), float64.
        wanted: h of that mean input, (snapshots, n, P), float64.
        ann_input: The ANN's own input, (n, P), float64.
        activation: The ANN's activation, (n, P), float64.
        target: What the site is to reach.
        steps: Snapshots t.
        channels: Channels; P is a multiple of it.
    """
    found = BudgetStatistics.empty(len(steps), channels)
    found.images, found.elements = activation.shape[0], activation.size
    for s, step in enumerate(steps):
        _gather(
            states.spikes[s], states.residual[s], states.squares[s], states.charge[s], states.peak[s], ideal[s],
            mean_input[s], wanted[s], ann_input, activation, target.threshold, target.worth, target.reference,
            target.most, step, channels, found.sums[s], found.image_squares[s], found.classes[s],
            found.spike_errors[s], found.worst[s],
        )  # fmt: skip
    return found


@njit(nogil=True, cache=True)
def _ideal_counts(spikes, residual, threshold, most, found):  # type: ignore[no-untyped-def]
    for i in range(len(found)):
        for p in range(len(threshold)):
            found[i, p] = ideal_count(spikes[i, p], residual[i, p] / threshold[p], most)


@njit(nogil=True, cache=True, error_model="numpy")
def _gather(  # type: ignore[no-untyped-def]
    spikes, residual, squares, charge, peak, ideal, mean_input, wanted, ann_input, activation, threshold, worth,
    reference, most, step, channels, sums, image_squares, classes, spike_errors, worst,
):  # fmt: skip
    """One snapshot; arguments as in ``collect`` and ``BudgetStatistics``.

    Rows of one pixel's channels, whole slices and plain selects, so that the loops compile to vector instructions.
    ``uneven`` comes from potentials and ``total_direct`` from spike counts: that the two sums agree is charge balance.
    """
    images, positions = activation.shape
    quantities = sums.shape[1]
    rows, error, far = np.empty((quantities, channels)), np.empty(channels), np.empty(channels)
    of_image = np.empty((quantities, channels))
    rate, most_so_far, sized = 1.0 / step, most * step, quantities - UNSIZED
    limit = np.float64(most_so_far)
    for i in range(images):
        of_image[:] = 0
        for first in range(0, positions, channels):
            for c in range(channels):
                p = first + c
                theta, w, z, h, a = threshold[p], worth[p], mean_input[i, p], wanted[i, p], activation[i, p]
                n_ideal = np.float64(ideal[i, p])
                left = reference[p] + z * step - theta * n_ideal  # the residual of the ideal count
                clipped, positive = (
                    min(max(z, 0.0), most * theta),
                    max(z, 0.0),
                )  # a group emits up to most spikes a step
                quantized = w * n_ideal * rate
                direct = w * spikes[i, p] * rate - a
                uneven = (left - residual[i, p]) * rate * (w / theta)
                own = w * min(max(math.floor((ann_input[i, p] * step + reference[p]) / theta), 0.0), limit) * rate - a
                total = uneven + (quantized - clipped) + (clipped - positive) + (positive - h) + (h - a)
                rows[0, c] = uneven
                rows[1, c] = quantized - clipped
                rows[2, c] = clipped - positive
                rows[3, c] = positive - h
                rows[4, c] = h - a
                rows[5, c] = quantized - h
                rows[6, c] = own
                rows[7, c] = total - own
                rows[8, c] = total
                rows[9, c] = direct
                rows[10, c] = a
                mean_current = charge[i, p] * rate
                rows[11, c] = max(squares[i, p] * rate - mean_current * mean_current, 0.0) / (theta * theta)
                error[c] = abs(total - direct) / w
                below = -left / theta if n_ideal > 0.0 else 0.0
                above = left / theta - 1.0 if n_ideal < limit else 0.0
                outside = n_ideal < 0.0 or n_ideal > limit
                far[c] = _LOST if outside else max(max(below, above), 0.0)
            for q in range(quantities):
                for c in range(channels):
                    value = rows[q, c]
                    of_image[q, c] += value
            for q in range(sized):
                for c in range(channels):
                    value = rows[q, c]
                    sums[1, q, c] += abs(value)
                    sums[2, q, c] += value * value
            for c in range(channels):
                p = first + c
                k = spikes[i, p] - ideal[i, p]
                classes[class_of(spikes[i, p], ideal[i, p], most_so_far), c] += 1
                spike_errors[min(max(k, -K_LIMIT), K_LIMIT) + K_LIMIT] += 1
                if error[c] > 0.0 or far[c] > 0.0:
                    reached = peak[i, p] / threshold[p] + most
                    _note(worst, 0, error[c], max(BASE_TOLERANCE, FLOAT_STEP * reached))
                    _note(worst, 2, far[c], max(BASE_TOLERANCE, FLOAT_STEP * step * reached))
        for q in range(quantities):
            mean = 0.0
            for c in range(channels):
                sums[0, q, c] += of_image[q, c]
                mean += of_image[q, c]
            mean /= positions
            image_squares[q] += mean * mean


@njit(nogil=True, cache=True)
def _note(worst, place, error, allowed):  # type: ignore[no-untyped-def]
    """Keep the largest error and its largest ratio to what is allowed."""
    if error > worst[place]:
        worst[place] = error
    if error > worst[place + 1] * allowed:
        worst[place + 1] = error / allowed
