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
def advance(potential, current, threshold, at_equality, emitted):  # type: ignore[no-untyped-def]
    """One step of a block of neurons; returns the number of spikes.

    Whole slices, plain selects and no overlap, so that the loops compile to vector instructions (five to eight times
    faster). Subtracting an emitted 0 leaves a potential exactly as it was.

    Args:
        potential: v, updated, (P,).
        current: Input of this step, (P,).
        threshold: (P,).
        at_equality: Fire on ``>=`` rather than ``>``.
        emitted: Receives threshold x spikes, (P,); apart from ``current``.
    """
    spikes = 0
    if at_equality:
        for j in range(len(potential)):
            u = potential[j] + current[j]
            out = threshold[j] if u >= threshold[j] else threshold[j] * 0
            emitted[j] = out
            potential[j] = u - out
    else:
        for j in range(len(potential)):
            u = potential[j] + current[j]
            out = threshold[j] if u > threshold[j] else threshold[j] * 0
            emitted[j] = out
            potential[j] = u - out
    for j in range(len(potential)):
        spikes += emitted[j] != 0
    return spikes


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
def check_block(potential, threshold, count, charge, peak, step, identity):  # type: ignore[no-untyped-def]
    """Charge balance of a block of neurons: v(0) + sum I = threshold x N + v(t).

    Args:
        potential: v, (P,), activation units.
        threshold: (P,).
        count: Spikes so far, (P,), int32.
        charge: v(0) + sum I, (P,), float64.
        peak: Largest abs(v) so far, (P,).
        step: t.
        identity: Updated: largest error in thresholds, largest ratio of an error to its tolerance, (2,).

    Returns:
        Potentials that are not a number.
    """
    nan = 0
    for j in range(len(potential)):
        theta = np.float64(threshold[j])
        error = abs(charge[j] - count[j] * theta - np.float64(potential[j]))
        if math.isnan(error):
            nan += 1
        # Products first: a division only for the few neurons that set a new record.
        if error > identity[0] * theta:
            identity[0] = error / theta
        allowed = max(BASE_TOLERANCE * theta, FLOAT_STEP * step * (np.float64(peak[j]) + theta))
        if error > identity[1] * allowed:
            identity[1] = error / allowed
    return nan


@njit(nogil=True, cache=True)
def count_block(  # type: ignore[no-untyped-def]
    potential, threshold, count, step, edges, histogram, spike_errors, moments, fired
):
    """Add a block of neurons, as they stand after ``step``, to the statistics of one snapshot.

    Args:
        potential: v, (P,), activation units; what is not a number is left out.
        threshold: (P,).
        count: Spikes so far, (P,), int32.
        step: t.
        edges: The fixed bin edges.
        histogram: (classes, NUM_BINS).
        spike_errors: (2 K_LIMIT + 1,).
        moments: (classes, 4).
        fired: (3,).

    Returns:
        Spikes of the counted neurons.
    """
    spikes = 0
    for j in range(len(potential)):
        v = np.float64(potential[j]) / np.float64(threshold[j])
        if math.isnan(v):
            continue
        ideal = ideal_count(count[j], v, step)
        kind = class_of(count[j], ideal, step)
        histogram[kind, bin_of(v, edges)] += 1
        spike_errors[min(max(count[j] - ideal, -K_LIMIT), K_LIMIT) + K_LIMIT] += 1
        moments[kind, 0] += v
        moments[kind, 1] += v * v
        moments[kind, 2] = min(moments[kind, 2], v)
        moments[kind, 3] = max(moments[kind, 3], v)
        spikes += count[j]
        if count[j] > 0 and abs(v) < 2.0:
            fired[0] += 1
            fired[1] += v
            fired[2] += v * v
    return spikes


@njit(nogil=True, cache=True)
def fire(  # type: ignore[no-untyped-def]
    current, threshold, initial, at_equality, emitted, first, last, snapshot_at, edges, histogram, spike_errors,
    moments, fired, spikes, nan, identity,
):  # fmt: skip
    """Integrate and fire over T steps; count at snapshots; check charge balance there and at T.

    Args:
        current: Input, (T, N, P), or (1, N, P) when it is the same at every step; float32 or float64.
        threshold: (P,), same type, or float64: potentials are of its type.
        initial: v(0), (P,), type of the threshold.
        at_equality: Fire on ``>=`` rather than ``>``.
        emitted: Receives threshold x spikes, (T, N, P), type of the input; may be ``current``.
        first: First image to run; bounds, not slices, keep the arrays contiguous for the compiler.
        last: Image after the last one.
        snapshot_at: Snapshot index of each step, -1 for none, (T,).
        edges: The fixed bin edges, float64.
        histogram: Counts, (snapshots, classes, NUM_BINS), int64.
        spike_errors: Counts of k, (snapshots, 2 K_LIMIT + 1), int64.
        moments: Sum, sum of squares, minimum, maximum of v/threshold, (snapshots, classes, 4), float64.
        fired: Count, sum, sum of squares where N > 0 and abs(v) < 2 thresholds, (snapshots, 3), float64.
        spikes: Spikes up to each snapshot, (snapshots,), int64.
        nan: Potentials that are not a number, per snapshot, (snapshots or 1,), int64.
        identity: Largest charge-balance error in thresholds, and largest ratio of it to its tolerance, (2,), float64.

    Returns:
        Number of spikes.
    """
    steps, _, neurons = emitted.shape
    constant = current.shape[0] == 1
    scratch = np.empty((3, _BLOCK), dtype=threshold.dtype)
    count_scratch = np.empty(_BLOCK, dtype=np.int32)
    charge_scratch = np.empty(_BLOCK, dtype=np.float64)
    total_spikes = 0
    for n in range(first, last):
        for start in range(0, neurons, _BLOCK):
            stop = min(start + _BLOCK, neurons)
            width = stop - start
            potential, peak, out = scratch[0, :width], scratch[1, :width], scratch[2, :width]
            count, charge = count_scratch[:width], charge_scratch[:width]
            theta = threshold[start:stop]
            potential[:] = initial[start:stop]
            charge[:] = initial[start:stop]
            peak[:] = np.abs(initial[start:stop])
            count[:] = 0
            for t in range(steps):
                row = current[0 if constant else t, n, start:stop]
                total_spikes += advance(potential, row, theta, at_equality, out)
                for j in range(width):
                    charge[j] += row[j]
                    count[j] += out[j] != 0
                    peak[j] = max(peak[j], abs(potential[j]))
                emitted[t, n, start:stop] = out
                s = snapshot_at[t]
                if s >= 0 or t == steps - 1:
                    nan[max(s, 0)] += check_block(potential, theta, count, charge, peak, t + 1, identity)
                if s >= 0:
                    spikes[s] += count_block(
                        potential, theta, count, t + 1, edges, histogram[s], spike_errors[s], moments[s], fired[s]
                    )
    return total_spikes


BIN_EDGES = EDGES.astype(np.float64)
