"""Fused kernels: one pass over T updates the neurons and, at snapshots, counts them by class and potential.

Compiled by numba without its own threads (they abort a process that is entered from two threads); the engine runs
the kernels on its own thread pool over images.
"""

import math

import numpy as np
from numba import njit

from snnlab.core.histogram import (
    BINS_PER_OCTAVE,
    CORE_BINS,
    CORE_HIGH,
    CORE_LOW,
    EDGES,
    EXACT,
    EXCESS,
    K_LIMIT,
    MISSING,
    NUM_BINS,
    OCTAVES,
    SATURATED,
    SILENT,
)

FLOAT_STEP = 1.2e-7  # float32 rounding of one addition, relative
BASE_TOLERANCE = 1e-5  # in thresholds
_BLOCK = 1024  # neurons whose state stays in the first-level cache over T
_CORE_START = OCTAVES * BINS_PER_OCTAVE + 1
_BINS_PER_UNIT = CORE_BINS / (CORE_HIGH - CORE_LOW)


@njit(nogil=True, cache=True)
def fire(current, threshold, initial, at_equality, emitted):  # type: ignore[no-untyped-def]
    """Integrate and fire over T steps, nothing recorded.

    Args:
        current: Input, (T, N, P), or (1, N, P) when it is the same at every step; float32 or float64.
        threshold: (P,), same type.
        initial: v(0), (P,), same type.
        at_equality: Fire on ``>=`` rather than ``>``.
        emitted: Receives threshold x spikes, (T, N, P).

    Returns:
        Number of spikes.
    """
    steps, images, neurons = emitted.shape
    constant = current.shape[0] == 1
    potential = np.empty(_BLOCK, dtype=current.dtype)
    total_spikes = 0
    for n in range(images):
        for start in range(0, neurons, _BLOCK):
            width = min(_BLOCK, neurons - start)
            for j in range(width):
                potential[j] = initial[start + j]
            for t in range(steps):
                row = current[0 if constant else t, n]
                out = emitted[t, n]
                for j in range(width):
                    i = start + j
                    u = potential[j] + row[i]
                    fires = u >= threshold[i] if at_equality else u > threshold[i]
                    out[i] = threshold[i] if fires else 0
                    potential[j] = u - threshold[i] if fires else u
                    total_spikes += 1 if fires else 0
    return total_spikes


@njit(nogil=True, cache=True)
def bin_of(u, edges):  # type: ignore[no-untyped-def]
    """Bin of v/threshold on the fixed edges; bin i is [edges[i-1], edges[i])."""
    if CORE_LOW <= u < CORE_HIGH:
        # Scaling by a power of two is exact; subtracting CORE_LOW first would round across an edge.
        return _CORE_START + CORE_BINS // 2 + math.floor(u * _BINS_PER_UNIT)
    # A guess from the logarithm, then exact comparison with the edges: log2 may round across one.
    octaves = math.log2(abs(u)) - 1.0
    k = int(min(octaves, OCTAVES + 1.0) * BINS_PER_OCTAVE)
    guess = _CORE_START + CORE_BINS + k if u > 0 else _CORE_START - 1 - k
    guess = max(0, min(NUM_BINS - 1, guess))
    while guess > 0 and u < edges[guess - 1]:
        guess -= 1
    while guess < NUM_BINS - 1 and u >= edges[guess]:
        guess += 1
    return guess


@njit(nogil=True, cache=True)
def ideal_count(count, v, step):  # type: ignore[no-untyped-def]
    r"""Spikes that a charge pays for, :math:`N^* = \mathrm{clip}(\lfloor (v(0) + \sum I)/\theta \rfloor, 0, t)`.

    By charge balance (v(0) + sum I)/threshold is N + v/threshold. The neuron's own potential is used, not a second sum
    of its input: rounding then never turns a neuron that is right at a level edge into a wrong one.

    Args:
        count: Spikes fired, N.
        v: Potential after the step, in thresholds.
        step: t.
    """
    return min(max(count + math.floor(v), 0), step)


@njit(nogil=True, cache=True)
def class_of(count, ideal, step):  # type: ignore[no-untyped-def]
    """Class of spike-count error: silent, exact, excess, missing, saturated."""
    if count > ideal:
        return EXCESS
    if count < ideal:
        return MISSING
    if count == 0:
        return SILENT
    return SATURATED if count == step else EXACT


@njit(nogil=True, cache=True)
def fire_and_count(  # type: ignore[no-untyped-def]
    current, threshold, initial, at_equality, emitted, snapshot_at, edges, histogram, spike_errors, moments, fired,
    spikes, nan, identity,
):  # fmt: skip
    """Integrate and fire over T steps; at snapshots add every neuron to the statistics.

    Args:
        current: Input, as in ``fire``.
        threshold: As in ``fire``.
        initial: As in ``fire``.
        at_equality: As in ``fire``.
        emitted: As in ``fire``.
        snapshot_at: Snapshot index of each step, -1 for none, (T,).
        edges: The fixed bin edges, float64.
        histogram: Counts, (snapshots, classes, NUM_BINS), int64.
        spike_errors: Counts of k, (snapshots, 2 K_LIMIT + 1), int64.
        moments: Sum, sum of squares, minimum, maximum of v/threshold, (snapshots, classes, 4), float64.
        fired: Count, sum, sum of squares where N > 0 and abs(v) < 2 thresholds, (snapshots, 3), float64.
        spikes: Spikes up to each snapshot, (snapshots,), int64.
        nan: Potentials that are not a number, (snapshots,), int64.
        identity: Largest charge-balance error in thresholds, and largest ratio of it to its tolerance, (2,), float64.

    Returns:
        Number of spikes.
    """
    steps, images, neurons = emitted.shape
    constant = current.shape[0] == 1
    potential = np.empty(_BLOCK, dtype=current.dtype)
    count = np.empty(_BLOCK, dtype=np.int32)
    total = np.empty(_BLOCK, dtype=np.float64)
    peak = np.empty(_BLOCK, dtype=current.dtype)
    total_spikes = 0
    for n in range(images):
        for start in range(0, neurons, _BLOCK):
            width = min(_BLOCK, neurons - start)
            for j in range(width):
                potential[j] = initial[start + j]
                count[j] = 0
                total[j] = initial[start + j]
                peak[j] = abs(initial[start + j])
            for t in range(steps):
                row = current[0 if constant else t, n]
                out = emitted[t, n]
                for j in range(width):
                    i = start + j
                    u = potential[j] + row[i]
                    total[j] += row[i]
                    peak[j] = max(peak[j], abs(u))
                    fires = u >= threshold[i] if at_equality else u > threshold[i]
                    out[i] = threshold[i] if fires else 0
                    potential[j] = u - threshold[i] if fires else u
                    count[j] += 1 if fires else 0
                    total_spikes += 1 if fires else 0
                s = snapshot_at[t]
                if s < 0:
                    continue
                for j in range(width):
                    theta = np.float64(threshold[start + j])
                    v = np.float64(potential[j]) / theta
                    if math.isnan(v):
                        nan[s] += 1
                        continue
                    charge = total[j] / theta
                    tolerance = max(BASE_TOLERANCE, FLOAT_STEP * (t + 1) * np.float64(peak[j]) / theta)
                    error = abs(charge - count[j] - v)
                    identity[0] = max(identity[0], error)
                    identity[1] = max(identity[1], error / tolerance)
                    ideal = ideal_count(count[j], v, t + 1)
                    kind = class_of(count[j], ideal, t + 1)
                    histogram[s, kind, bin_of(v, edges)] += 1
                    k = min(max(count[j] - ideal, -K_LIMIT), K_LIMIT)
                    spike_errors[s, k + K_LIMIT] += 1
                    moments[s, kind, 0] += v
                    moments[s, kind, 1] += v * v
                    moments[s, kind, 2] = min(moments[s, kind, 2], v)
                    moments[s, kind, 3] = max(moments[s, kind, 3], v)
                    spikes[s] += count[j]
                    if count[j] > 0 and abs(v) < 2.0:
                        fired[s, 0] += 1
                        fired[s, 1] += v
                        fired[s, 2] += v * v
    return total_spikes


BIN_EDGES = EDGES.astype(np.float64)
