"""Streaming statistics of the gap between an ANN's activation and its SNN's, one site at several steps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit

from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import GAP_REACH

OTHER_LATTICE = 32
"""Bins a threshold where the gaps of a site lie on no lattice of at most GAP_REACH."""

ZERO = 1e-6
"""Gaps below this share of the threshold are 0: the same number of spikes, apart from rounding."""

PAPER_BATCH = 100
"""Images a batch of the paper's mean of batch variances."""

_BLOCK = 1024  # neurons whose counts stay in the first-level cache over T


def lattice_of(levels: Sequence[int | None], step: int) -> int:
    """Bins a threshold: the gaps k/L - n/t of quantized sites lie on one with lcm(L, t), where that is not too fine."""
    known = [level for level in levels if level is not None]
    common = math.lcm(*known, step)
    return common if len(known) == len(levels) and common <= GAP_REACH else OTHER_LATTICE


@dataclass
class GapStatistics:
    """What is kept of one site: sums image by image, so that no grouping of the images changes them.

    Args:
        sums: Sum and sum of squares of the gap, then of the local gap, over thresholds, (images, steps, 4), float64.
        zero: Elements whose gap is 0, (steps,), int64.
        gap_counts: Elements by gap, (steps, 2 GAP_REACH + 1), int64.
        outside: Elements whose gap exceeds one threshold, (steps,), int64.
        elements: Elements an image.
    """

    sums: np.ndarray
    zero: np.ndarray
    gap_counts: np.ndarray
    outside: np.ndarray
    elements: int

    @classmethod
    def empty(cls, num_steps: int, elements: int) -> Self:
        """Statistics of no image."""
        return cls(
            np.zeros((0, num_steps, 4)),
            np.zeros(num_steps, np.int64),
            np.zeros((num_steps, 2 * GAP_REACH + 1), np.int64),
            np.zeros(num_steps, np.int64),
            elements,
        )

    def merge(self, other: "GapStatistics") -> None:
        """Add the statistics of the images that follow."""
        self.sums = np.concatenate([self.sums, other.sums])
        for name in ("zero", "gap_counts", "outside"):
            getattr(self, name).__iadd__(getattr(other, name))

    @property
    def count(self) -> int:
        """Elements measured."""
        return len(self.sums) * self.elements

    def mean(self) -> np.ndarray:
        """Mean gap at each step, (steps,), activation units."""
        return np.asarray(self.sums[..., 0].sum(axis=0) / self.count)

    def std(self, *, paper_compat: bool = False) -> np.ndarray:
        r"""Std of the gap at each step, (steps,), activation units.

        Pooled over all elements, unbiased; or, as in the official code [Huang2024], the root of the mean of unbiased
        variances of batches of ``PAPER_BATCH`` images in their order, the last one as long as it comes.
        """
        return self._std(self.sums[..., :2], PAPER_BATCH if paper_compat else len(self.sums))

    def local_std(self) -> np.ndarray:
        """Pooled std of the local gap at each step, (steps,), activation units."""
        return self._std(self.sums[..., 2:], len(self.sums))

    def _std(self, sums: np.ndarray, batch: int) -> np.ndarray:
        variances = []
        for start in range(0, len(sums), batch):
            part = sums[start : start + batch]
            n = len(part) * self.elements
            if n < 2:
                raise SnnlabError("The std of the gap needs at least 2 activations; measure it on more images.")
            total, squares = part.sum(axis=0).T
            variances.append(np.maximum(squares - total**2 / n, 0.0) / (n - 1))
        return np.asarray(np.sqrt(np.mean(variances, axis=0)))


def collect(
    emitted: np.ndarray,
    activation: np.ndarray,
    current: np.ndarray,
    threshold: np.ndarray,
    fraction: np.ndarray,
    *,
    worth: np.ndarray | None = None,
    most: int = 1,
    steps: tuple[int, ...],
    lattice: tuple[int, ...],
) -> GapStatistics:
    """Statistics of one micro-batch.

    Args:
        emitted: What the SNN's spikes are worth, (T, n, P), activation units.
        activation: Activation of the ANN, (n, P), float64, activation units.
        current: Its own pre-activation z, (n, P), float64, activation units.
        threshold: (P,), activation units.
        fraction: Nominal v(0) / threshold, (P,).
        worth: Worth of a spike / threshold, (P,); None for 1.
        most: Spikes that one step can bring.
        steps: Steps at which the gap is taken, ascending.
        lattice: Bins a threshold at each of them.
    """
    found = GapStatistics.empty(len(steps), emitted.shape[2])
    found.sums = np.zeros((emitted.shape[1], len(steps), 4))
    _gather(
        emitted, activation, current, threshold, fraction, np.ones(len(threshold)) if worth is None else worth, most,
        np.array(steps, activation.dtype), np.array(lattice),
        found.sums, found.zero, found.gap_counts, found.outside,
    )  # fmt: skip
    return found


@njit(nogil=True, cache=True)
def _gather(  # type: ignore[no-untyped-def]
    emitted, activation, current, threshold, fraction, amplitude, most, steps, lattice, sums, zero, gap_counts, outside
):
    r"""Add one micro-batch to the statistics; arguments as in ``collect`` and ``GapStatistics``.

    .. math:: g = h(z) - \beta\theta n(t)/t, \qquad g_\mathrm{local} = h(z) - \beta q_t(z), \quad
        q_t(z) = \theta\,\mathrm{clip}(\lfloor (t z + v(0))/\theta \rfloor, 0, m t) / t
    """
    images, positions = activation.shape
    spikes, shares, scaled = np.zeros(_BLOCK, np.int32), np.zeros(_BLOCK), np.zeros(_BLOCK, activation.dtype)
    worth = np.zeros(_BLOCK)
    for i in range(images):
        for first in range(0, positions, _BLOCK):
            size = min(_BLOCK, positions - first)
            for k in range(size):
                p = first + k
                spikes[k] = 0
                shares[k] = np.float64(activation[i, p]) / np.float64(threshold[p])  # gaps are taken in thresholds
                scaled[k] = current[i, p] / threshold[p]
                # A spike that is worth nothing leaves nothing to count, and nothing to subtract.
                worth[k] = 1.0 / (threshold[p] * amplitude[p]) if amplitude[p] > 0 else 0.0
            t = 0
            for j in range(len(steps)):
                step = steps[j]
                while t < step:
                    fired = emitted[t, i, first : first + size]
                    for k in range(size):
                        spikes[k] += np.int32(np.rint(fired[k] * worth[k]))
                    t += 1
                rate, bins = 1.0 / np.float64(step), np.float64(lattice[j])
                total, squares, local_total, local_squares, zeros, beyond = 0.0, 0.0, 0.0, 0.0, 0, 0
                for k in range(size):
                    theta = np.float64(threshold[first + k])
                    gap = shares[k] - spikes[k] * rate * amplitude[first + k]
                    if abs(gap) < ZERO:
                        gap = 0.0
                        zeros += 1
                    total += gap * theta
                    squares += gap * theta * gap * theta
                    beyond += abs(gap) > 1.0 + ZERO
                    # In the ANN's own precision: at t = L this is the quantizer of QCFS, operation by operation.
                    ideal = min(max(math.floor(scaled[k] * step + fraction[first + k]), 0.0), most * step)
                    local = shares[k] - ideal * rate * amplitude[first + k]
                    local = 0.0 if abs(local) < ZERO else local
                    local_total += local * theta
                    local_squares += local * theta * local * theta
                    place = math.floor(gap * bins + 0.5) if abs(gap) * bins < GAP_REACH + 0.5 else GAP_REACH + 1
                    if -GAP_REACH <= place <= GAP_REACH:
                        gap_counts[j, GAP_REACH + place] += 1
                sums[i, j, 0] += total
                sums[i, j, 1] += squares
                sums[i, j, 2] += local_total
                sums[i, j, 3] += local_squares
                zero[j] += zeros
                outside[j] += beyond
