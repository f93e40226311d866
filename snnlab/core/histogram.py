"""The fixed bins of v/threshold: never re-binned, so that merging two histograms is addition.

A core of 256 bins covers [-2, 2); outside it eight bins an octave reach 2^16, then one open bin each side.
"""

import numpy as np

CORE_LOW, CORE_HIGH, CORE_BINS = -2.0, 2.0, 256
BINS_PER_OCTAVE, OCTAVES = 8, 15  # 2^1 .. 2^16

_tail = 2.0 ** (1 + np.arange(1, OCTAVES * BINS_PER_OCTAVE + 1) / BINS_PER_OCTAVE)
EDGES = np.concatenate([-_tail[::-1], np.linspace(CORE_LOW, CORE_HIGH, CORE_BINS + 1), _tail])
"""Finite edges, ascending, in units of the threshold. Bin 0 is (-inf, EDGES[0]); bin i is [EDGES[i-1], EDGES[i])."""

NUM_BINS = len(EDGES) + 1
CORE = slice(OCTAVES * BINS_PER_OCTAVE + 1, OCTAVES * BINS_PER_OCTAVE + 1 + CORE_BINS)
"""The bins of the core within the NUM_BINS counts."""

CLASSES = ("silent", "exact", "excess", "missing", "saturated")
SILENT, EXACT, EXCESS, MISSING, SATURATED = range(5)

GAP_REACH = 64
"""Gaps between ANN and SNN are counted in bins from -GAP_REACH to GAP_REACH."""

K_LIMIT = 6
"""Spike-count errors k are counted from -K_LIMIT to K_LIMIT; the two ends are open."""
