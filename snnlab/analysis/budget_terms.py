"""The terms of the error budget, element by element, and their streaming sums."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numba import njit

from snnlab.analysis.reports.budget import QUANTITIES, SIZED
from snnlab.core.histogram import CLASSES, K_LIMIT
from snnlab.neurons.kernels import BASE_TOLERANCE, FLOAT_STEP, States, class_of, ideal_count

_QUANTITIES, _SIZED = len(QUANTITIES), len(SIZED)
_BLOCK = 64  # elements whose terms stay in the first-level cache

_LOST = 1e9  # thresholds: an ideal count outside its range is no matter of rounding


@dataclass
class BudgetStatistics:
    """What is kept of one site: sums, which merging adds up.

    Args:
        sums: Sums over elements of every quantity by channel, (snapshots, quantities, channels), float64.
        sizes: Sums over elements of the absolute values and of the squares, (snapshots, 2, sized quantities), float64.
        image_squares: Sum over images of the squared mean of one image, (snapshots, quantities), float64.
        classes: Elements by class of spike-count error and channel, (snapshots, classes, channels), int64.
        spike_errors: Elements by k, (snapshots, 2 K_LIMIT + 1), int64.
        worst: Largest error of the sum and its ratio to the tolerance, the same two of the ideal count,
            (snapshots, 4), float64; merging takes the larger.
        elements: Elements measured.
        images: Images measured.
    """

    sums: np.ndarray
    sizes: np.ndarray
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
            np.zeros((snapshots, _QUANTITIES, channels)),
            np.zeros((snapshots, 2, _SIZED)),
            np.zeros((snapshots, _QUANTITIES)),
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
        """Mean, mean absolute value, mean square of every quantity, (snapshots, 3, quantities); 0 where unsized."""
        found = np.zeros((len(self.sums), 3, _QUANTITIES))
        found[:, 0] = self.sums.sum(axis=-1)
        found[:, 1:, :_SIZED] = self.sizes
        return found / self.elements

    def image_std(self) -> np.ndarray:
        """Std over images of the mean of one image, (snapshots, quantities); NaN for one image."""
        if self.images < 2:
            return np.full_like(self.image_squares, np.nan)
        mean = self.moments()[:, 0]
        return np.asarray(np.sqrt(np.maximum(self.image_squares - self.images * mean**2, 0.0) / (self.images - 1)))

    def channel_mean(self) -> np.ndarray:
        """Mean of every quantity in each channel, (snapshots, channels, quantities)."""
        channels = self.sums.shape[-1]
        return np.moveaxis(self.sums, 1, 2) * channels / self.elements


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
    ideal: Sequence[np.ndarray],
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
        ideal: N* of every snapshot, (n, P) each, int32.
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
            target.most, step, channels, found.sums[s], found.sizes[s], found.image_squares[s],
            found.classes[s], found.spike_errors[s], found.worst[s],
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
    reference, most, step, channels, sums, sizes, image_squares, classes, spike_errors, worst,
):  # fmt: skip
    """One snapshot; arguments as in ``collect`` and ``BudgetStatistics``.

    Blocks of a fixed length, whole slices, plain selects and one sum for each place in a block, so that every loop but
    the counting one compiles to vector instructions.
    ``uneven`` comes from potentials and ``total_direct`` from spike counts: that the two sums agree is charge balance.
    """
    images, positions = activation.shape
    # Whole pixels, so that a place stands for one channel all along.
    span = channels * max(1, _BLOCK // channels)
    rows, checks = np.empty((_QUANTITIES, _BLOCK)), np.empty((4, _BLOCK))
    of_image, by_channel = np.empty((_QUANTITIES, span)), np.empty((_QUANTITIES, channels))
    absolute, squared, largest = np.zeros((_SIZED, _BLOCK)), np.zeros((_SIZED, _BLOCK)), np.zeros((4, _BLOCK))
    kinds, bins = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    rate, most_so_far = 1.0 / step, most * step
    limit, group = np.float64(most_so_far), np.float64(most)
    for i in range(images):
        of_image[:] = 0
        for place in range(0, min(span, positions), _BLOCK):
            for first in range(place, positions, span):
                size = min(_BLOCK, span - place, positions - first)
                part = slice(first, first + size)
                thetas, worths, starts = threshold[part], worth[part], reference[part]
                zs, hs, seen, outs = mean_input[i, part], wanted[i, part], ann_input[i, part], activation[i, part]
                fired, left_over, highest, ideals = spikes[i, part], residual[i, part], peak[i, part], ideal[i, part]
                charges, squares_in = charge[i, part], squares[i, part]
                for j in range(size):
                    theta, w, z, h, a = thetas[j], worths[j], zs[j], hs[j], outs[j]
                    n_ideal = np.float64(ideals[j])
                    left = starts[j] + z * step - theta * n_ideal  # the residual of the ideal count
                    # A group emits up to most spikes a step.
                    clipped, positive = min(max(z, 0.0), group * theta), max(z, 0.0)
                    quantized = w * n_ideal * rate
                    direct = w * fired[j] * rate - a
                    uneven = (left - left_over[j]) * rate * (w / theta)
                    own = w * min(max(np.floor((seen[j] * step + starts[j]) / theta), 0.0), limit) * rate - a
                    total = uneven + (quantized - clipped) + (clipped - positive) + (positive - h) + (h - a)
                    rows[0, j] = uneven
                    rows[1, j] = quantized - clipped
                    rows[2, j] = clipped - positive
                    rows[3, j] = positive - h
                    rows[4, j] = h - a
                    rows[5, j] = quantized - h
                    rows[6, j] = own
                    rows[7, j] = total - own
                    rows[8, j] = total
                    rows[9, j] = direct
                    rows[10, j] = a
                    mean_current = charges[j] * rate
                    rows[11, j] = max(squares_in[j] * rate - mean_current * mean_current, 0.0) / (theta * theta)
                    in_thresholds = left / theta
                    below = -in_thresholds if n_ideal > 0.0 else 0.0
                    above = in_thresholds - 1.0 if n_ideal < limit else 0.0
                    outside = (n_ideal < 0.0) | (n_ideal > limit)
                    error, far = abs(total - direct) / w, _LOST if outside else max(max(below, above), 0.0)
                    reached = FLOAT_STEP * (highest[j] / theta + group)
                    checks[0, j] = error
                    checks[1, j] = error / max(BASE_TOLERANCE, reached)
                    checks[2, j] = far
                    checks[3, j] = far / max(BASE_TOLERANCE, step * reached)
                for q in range(_QUANTITIES):
                    for j in range(size):
                        of_image[q, place + j] += rows[q, j]
                for q in range(_SIZED):
                    for j in range(size):
                        absolute[q, j] += abs(rows[q, j])
                        squared[q, j] += rows[q, j] * rows[q, j]
                for check in range(4):
                    for j in range(size):
                        value, so_far = checks[check, j], largest[check, j]
                        largest[check, j] = value if value > so_far else so_far
                for j in range(size):
                    kinds[j] = class_of(fired[j], ideals[j], most_so_far)
                    bins[j] = min(max(fired[j] - ideals[j], -K_LIMIT), K_LIMIT) + K_LIMIT
                channel = place % channels
                for j in range(size):
                    classes[kinds[j], channel] += 1
                    spike_errors[bins[j]] += 1
                    channel = channel + 1 if channel + 1 < channels else 0
        by_channel[:] = 0
        for q in range(_QUANTITIES):
            for first in range(0, span, channels):
                for c in range(channels):
                    by_channel[q, c] += of_image[q, first + c]
            sums[q] += by_channel[q]
            mean = by_channel[q].sum() / positions
            image_squares[q] += mean * mean
    for q in range(_SIZED):
        sizes[0, q] += absolute[q].sum()
        sizes[1, q] += squared[q].sum()
    for check in range(4):
        worst[check] = max(worst[check], largest[check].max())
