"""Fused kernels: one pass over T updates the neurons and, at snapshots, counts them by class and potential.

Compiled by numba without its own threads (they abort a process that is entered from two threads); the engine runs
the kernels on its own thread pool over images.
"""

import math
from typing import NamedTuple

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


PLAIN, SIGNED, GROUP = range(3)


class States(NamedTuple):
    """What every neuron has come to at some steps, (those steps, N, P) each; empty where nobody asks.

    Args:
        spikes: Sent out so far, negative ones subtracted, int32.
        residual: v(t) without what a method's correction of v(0), its added current and its withheld spikes have
            brought, activation units, float64.
        charge: Sum of the inputs so far, added current included, v(0) apart, activation units, float64.
        squares: Sum of their squares, float64.
        peak: Largest abs(v) so far, activation units, float64.
    """

    spikes: np.ndarray
    residual: np.ndarray
    charge: np.ndarray
    squares: np.ndarray
    peak: np.ndarray

    @classmethod
    def empty(cls, *shape: int) -> "States":
        """Room for them."""
        return cls(np.empty(shape, np.int32), *(np.empty(shape, np.float64) for _ in range(4)))


class Neurons(NamedTuple):
    """The constants of one site's neurons, one entry a neuron in memory order; potentials are of the threshold's type.

    Args:
        threshold: Worth of one spike, (P,), activation units.
        initial: v(0), (1, P), or (N, P) where every image has its own, activation units.
        added: Current added at every step, (P,), activation units, or empty.
        reference: The v(0) from which the ideal count starts, (P,), activation units.
        negative: Negative threshold, (P,), activation units, or empty.
        passes: Whose spikes go out, (N, P), bool; (0, 0) where all do. The others fire and reset unseen.
        kind: ``PLAIN``, ``SIGNED`` or ``GROUP``.
        at_equality: Fire on ``>=`` rather than ``>``.
        negative_at_equality: Fire negatively on ``<=`` rather than ``<``.
        gated: Negative spikes only where the count is positive.
        most: Spikes that one step can bring.
    """

    threshold: np.ndarray
    initial: np.ndarray
    added: np.ndarray
    reference: np.ndarray
    negative: np.ndarray
    passes: np.ndarray = np.zeros((0, 0), np.bool_)
    kind: int = PLAIN
    at_equality: bool = True
    negative_at_equality: bool = True
    gated: bool = True
    most: int = 1


@njit(nogil=True, cache=True)
def advance(potential, current, threshold, at_equality, emitted):  # type: ignore[no-untyped-def]
    """One step of a block of neurons.

    A product in place of a branch, few arrays and no overlap, so that the loops compile to vector instructions (four
    times faster). Subtracting an emitted 0 leaves a potential exactly as it was.

    Args:
        potential: v, updated, (P,).
        current: Input of this step, (P,).
        threshold: (P,).
        at_equality: Fire on ``>=`` rather than ``>``.
        emitted: Receives threshold x spikes, (P,); apart from ``current``.
    """
    if at_equality:
        for j in range(len(potential)):
            u = potential[j] + current[j]
            out = threshold[j] * (u >= threshold[j])
            emitted[j] = out
            potential[j] = u - out
    else:
        for j in range(len(potential)):
            u = potential[j] + current[j]
            out = threshold[j] * (u > threshold[j])
            emitted[j] = out
            potential[j] = u - out


@njit(nogil=True, cache=True)
def advance_signed(  # type: ignore[no-untyped-def]
    potential, current, threshold, negative, at_equality, negative_at_equality, gated, count, emitted
):
    """As ``signed_if_step`` for a block of neurons; updates potential and count, returns the spikes of either sign."""
    spikes = 0
    for j in range(len(potential)):
        theta = threshold[j]
        u = potential[j] + current[j]
        if u >= theta if at_equality else u > theta:
            potential[j], emitted[j] = u - theta, theta
            count[j] += 1
            spikes += 1
        elif (u <= negative[j] if negative_at_equality else u < negative[j]) and (count[j] > 0 or not gated):
            potential[j], emitted[j] = u + theta, -theta
            count[j] -= 1
            spikes += 1
        else:
            potential[j], emitted[j] = u, theta * 0
    return spikes


@njit(nogil=True, cache=True)
def advance_group(potential, current, threshold, most, at_equality, count, emitted):  # type: ignore[no-untyped-def]
    """As ``group_step`` for a block of neurons; updates potential and count, returns the number of spikes."""
    spikes = 0
    for j in range(len(potential)):
        theta = threshold[j]
        u = potential[j] + current[j]
        fired = 0
        for member in range(1, most + 1):
            level = np.float32(member) * theta
            fired += u >= level if at_equality else u > level
        out = np.float32(fired) * theta
        potential[j], emitted[j] = u - out, out
        count[j] += fired
        spikes += fired
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
def ideal_count(count, v, most):  # type: ignore[no-untyped-def]
    r"""Spikes that a charge pays for, :math:`N^* = \mathrm{clip}(\lfloor (v(0) + \sum I)/\theta \rfloor, 0, mt)`.

    By charge balance (v(0) + sum I)/threshold is N + v/threshold. The neuron's own potential is used, not a second sum
    of its input: rounding then never turns a neuron that is right at a level edge into a wrong one.

    Args:
        count: Spikes fired, N.
        v: Potential after the step, in thresholds, without what a correction added.
        most: Spikes possible up to the step: t, times the members of a group.
    """
    return min(max(count + math.floor(v), 0), most)


@njit(nogil=True, cache=True)
def class_of(count, ideal, most):  # type: ignore[no-untyped-def]
    """Class of spike-count error: silent, exact, excess, missing, saturated; arguments as in ``ideal_count``."""
    if count > ideal:
        return EXCESS
    if count < ideal:
        return MISSING
    if count == 0:
        return SILENT
    return SATURATED if count == most else EXACT


@njit(nogil=True, cache=True)
def check_block(potential, threshold, count, charge, peak, step, most, identity):  # type: ignore[no-untyped-def]
    """Charge balance of a block of neurons: v(0) + sum I = threshold x N + v(t).

    Args:
        potential: v, (P,), activation units.
        threshold: (P,).
        count: Spikes so far, (P,), int32.
        charge: v(0) + sum I, (P,), float64.
        peak: Largest abs(v) so far, (P,).
        step: t.
        most: Spikes that one step can bring.
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
        allowed = max(BASE_TOLERANCE * theta, FLOAT_STEP * step * (np.float64(peak[j]) + most * theta))
        if error > identity[1] * allowed:
            identity[1] = error / allowed
    return nan


@njit(nogil=True, cache=True)
def count_block(  # type: ignore[no-untyped-def]
    potential, correction, threshold, count, most, edges, histogram, spike_errors, moments, fired
):
    """Add a block of neurons, as they stand after a step, to the statistics of one snapshot.

    Args:
        potential: v, (P,), activation units; what is not a number is left out.
        correction: What a method's correction of v(0), its added current and its withheld spikes have brought up to
            now, (P,), activation units: the residual that is counted is v without it, so that the target does not move
            with the correction.
        threshold: (P,).
        count: Spikes sent out so far, (P,), int32.
        most: Spikes possible up to now.
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
        v = (np.float64(potential[j]) - correction[j]) / np.float64(threshold[j])
        if math.isnan(v):
            continue
        ideal = ideal_count(count[j], v, most)
        kind = class_of(count[j], ideal, most)
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
def put(values, row):  # type: ignore[no-untyped-def]
    """Put values into a row, (P,) each; an assignment of slices would look for overlap first."""
    for j in range(len(row)):
        row[j] = values[j]


@njit(nogil=True, cache=True)
def add(row, added, total):  # type: ignore[no-untyped-def]
    """Put row + added into total, each (P,)."""
    for j in range(len(total)):
        total[j] = row[j] + added[j]


@njit(nogil=True, cache=True)
def add_squares(current, squares):  # type: ignore[no-untyped-def]
    """Add the squares of a step's input to ``squares``, (P,) each."""
    for j in range(len(squares)):
        squares[j] += np.float64(current[j]) * current[j]


@njit(nogil=True, cache=True)
def keep_block(  # type: ignore[no-untyped-def]
    states, s, n, start, stop, count, potential, correction, charge, initial, squares, peak
):
    """Write a block of neurons, as they stand after a step, into ``states``; arguments as in ``count_block``."""
    states.spikes[s, n, start:stop] = count
    states.squares[s, n, start:stop] = squares
    for j in range(stop - start):
        states.residual[s, n, start + j] = np.float64(potential[j]) - correction[j]
        states.charge[s, n, start + j] = charge[j] - np.float64(initial[j])
        states.peak[s, n, start + j] = peak[j]


@njit(nogil=True, cache=True)
def withhold(passes, emitted):  # type: ignore[no-untyped-def]
    """Take back what neurons emitted whose spikes do not go out, (P,) each; returns the spikes taken back."""
    held = 0
    for j in range(len(emitted)):
        if not passes[j] and emitted[j] != 0:
            emitted[j] = 0
            held += 1
    return held


@njit(nogil=True, cache=True)
def withheld_charge(passes, threshold, count, sent, correction):  # type: ignore[no-untyped-def]
    """Spikes sent out into ``sent``; the charge of the others back into the residual, by way of ``correction``."""
    for j in range(len(sent)):
        sent[j] = count[j] if passes[j] else 0
        correction[j] -= np.float64(threshold[j]) * (count[j] - sent[j])


@njit(nogil=True, cache=True)
def follow(current, charge, potential, peak):  # type: ignore[no-untyped-def]
    """Add a step's input to the charge, and keep the largest abs(v), (P,) each; one loop each, as in ``advance``."""
    for j in range(len(charge)):
        charge[j] += current[j]
    for j in range(len(peak)):
        peak[j] = np.maximum(peak[j], np.abs(potential[j]))


@njit(nogil=True, cache=True)
def step_block(  # type: ignore[no-untyped-def]
    neurons, start, stop, potential, current, charge, count, peak, emitted
):
    """One step of a block of neurons of any kind, and what ``check_block`` needs of it.

    Returns:
        The spikes of either sign; 0 for plain neurons, whose count tells them in the end.
    """
    theta = neurons.threshold[start:stop]
    if neurons.kind == PLAIN:
        advance(potential, current, theta, neurons.at_equality, emitted)
        for j in range(len(potential)):
            count[j] += emitted[j] != 0
        follow(current, charge, potential, peak)
        return 0
    if neurons.kind == SIGNED:
        spikes = advance_signed(
            potential, current, theta, neurons.negative[start:stop], neurons.at_equality,
            neurons.negative_at_equality, neurons.gated, count, emitted,
        )  # fmt: skip
    else:
        spikes = advance_group(potential, current, theta, neurons.most, neurons.at_equality, count, emitted)
    follow(current, charge, potential, peak)
    return spikes


@njit(nogil=True, cache=True)
def fire(  # type: ignore[no-untyped-def]
    current, neurons, emitted, first, last, snapshot_at, edges, histogram, spike_errors, moments, fired, spikes, nan,
    identity, states_at, states,
):  # fmt: skip
    """Integrate and fire over T steps; count at snapshots, keep states where asked; check charge balance at both and T.

    Args:
        current: Input, (T, N, P), or (1, N, P) when it is the same at every step; float32 or float64.
        neurons: Their constants, of the same type, or float64: potentials are of that type.
        emitted: Receives threshold x spikes, (T, N, P), type of the input; may be ``current``.
        first: First image to run; bounds, not slices, keep the arrays contiguous for the compiler.
        last: Image after the last one.
        snapshot_at: Snapshot index of each step, -1 for none, (T,).
        edges: The fixed bin edges, float64.
        histogram: Counts, (snapshots, classes, NUM_BINS), int64.
        spike_errors: Counts of k, (snapshots, 2 K_LIMIT + 1), int64.
        moments: Sum, sum of squares, minimum, maximum of v/threshold, (snapshots, classes, 4), float64.
        fired: Count, sum, sum of squares where N > 0 and abs(v) < 2 thresholds, (snapshots, 3), float64.
        spikes: Positive minus negative spikes up to each snapshot, (snapshots,), int64.
        nan: Potentials that are not a number, per snapshot, (snapshots or 1,), int64.
        identity: Largest charge-balance error in thresholds, and largest ratio of it to its tolerance, (2,), float64.
        states_at: Index in ``states`` of each step, -1 for none, (T,).
        states: Receives what every neuron has come to at those steps.

    Returns:
        Number of spikes, of either sign.
    """
    steps, _, size = emitted.shape
    constant = current.shape[0] == 1
    adds = len(neurons.added) > 0
    scratch = np.empty((4, _BLOCK), dtype=neurons.threshold.dtype)
    own = neurons.initial.shape[0] > 1
    masks = neurons.passes.shape[0] > 0
    count_scratch = np.empty((2, _BLOCK), dtype=np.int32)
    double_scratch = np.empty((3, _BLOCK), dtype=np.float64)
    keeps = len(states.spikes) > 0
    total_spikes = 0
    for n in range(first, last):
        for start in range(0, size, _BLOCK):
            stop = min(start + _BLOCK, size)
            width = stop - start
            potential, peak, out, total = scratch[0, :width], scratch[1, :width], scratch[2, :width], scratch[3, :width]
            count, sent = count_scratch[0, :width], count_scratch[1, :width]
            charge, correction = double_scratch[0, :width], double_scratch[1, :width]
            squares = double_scratch[2, :width]
            squares[:] = 0
            theta, initial = neurons.threshold[start:stop], neurons.initial[n if own else 0, start:stop]
            reference = neurons.reference[start:stop]
            potential[:] = initial
            charge[:] = initial
            peak[:] = np.abs(initial)
            count[:] = 0
            for t in range(steps):
                row = current[0 if constant else t, n, start:stop]
                if adds:
                    add(row, neurons.added[start:stop], total)
                    total_spikes += step_block(neurons, start, stop, potential, total, charge, count, peak, out)
                else:
                    total_spikes += step_block(neurons, start, stop, potential, row, charge, count, peak, out)
                if keeps and adds:
                    add_squares(total, squares)
                elif keeps:
                    add_squares(row, squares)
                if masks:
                    # The count stays that of the spikes fired: charge balance is that of the neuron.
                    total_spikes -= withhold(neurons.passes[n, start:stop], out)
                put(out, emitted[t, n, start:stop])
                s, kept = snapshot_at[t], states_at[t]
                if s >= 0 or kept >= 0 or t == steps - 1:
                    nan[max(s, 0)] += check_block(potential, theta, count, charge, peak, t + 1, neurons.most, identity)
                if s >= 0 or kept >= 0:
                    for j in range(width):
                        correction[j] = np.float64(initial[j]) - np.float64(reference[j])
                        if adds:
                            correction[j] += (t + 1) * np.float64(neurons.added[start + j])
                    if masks:
                        withheld_charge(neurons.passes[n, start:stop], theta, count, sent, correction)
                    shown = sent if masks else count
                    if s >= 0:
                        spikes[s] += count_block(
                            potential, correction, theta, shown, neurons.most * (t + 1), edges, histogram[s],
                            spike_errors[s], moments[s], fired[s],
                        )  # fmt: skip
                    if kept >= 0:
                        keep_block(
                            states, kept, n, start, stop, shown, potential, correction, charge, initial, squares, peak
                        )
            if neurons.kind == PLAIN:
                for j in range(width):
                    total_spikes += count[j]
    return total_spikes


BIN_EDGES = EDGES.astype(np.float64)
