"""Compiled sums over spikes, each weighed by where it goes. Whole numbers throughout: nothing is rounded."""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def count_spikes(emitted: np.ndarray, threshold: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Sums of the table's rows over the neurons that fire, each as often as it fires.

    Args:
        emitted: Threshold x spikes, (rows, neurons), activation units.
        threshold: Of neurons that fire several times a step, (neurons,); empty where every spike counts once.
        table: What one spike of each neuron counts, (neurons, columns), int64.

    Returns:
        (rows, columns), int64; a negative spike counts as a positive one.
    """
    rows, neurons = emitted.shape
    columns = table.shape[1]
    found = np.zeros((rows, columns), np.int64)
    for row in range(rows):
        for neuron in range(neurons):
            value = emitted[row, neuron]
            if value != 0:
                spikes = np.int64(1)
                if len(threshold):
                    spikes = np.int64(np.rint(abs(value) / threshold[neuron]))
                for column in range(columns):
                    found[row, column] += spikes * table[neuron, column]
    return found


@njit(nogil=True, cache=True)
def count_levels(emitted: np.ndarray, first: np.ndarray, places: np.ndarray, fan_out: np.ndarray) -> np.ndarray:
    """Sums of fan-outs over the pooled values that at least one spike reaches.

    Args:
        emitted: Threshold x spikes, (rows, neurons), activation units.
        first: Where each neuron's pooled values begin in ``places``, (neurons + 1,).
        places: Flat indices of pooled values.
        fan_out: Of every pooled value, int64.

    Returns:
        (rows,), int64.
    """
    rows, neurons = emitted.shape
    found = np.zeros(rows, np.int64)
    seen = np.full(len(fan_out), -1, np.int64)
    for row in range(rows):
        for neuron in range(neurons):
            if emitted[row, neuron] != 0:
                for at in range(first[neuron], first[neuron + 1]):
                    place = places[at]
                    if seen[place] != row:
                        seen[place] = row
                        found[row] += fan_out[place]
    return found
