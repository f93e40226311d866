"""Which neurons shares and densities refer to, and residual histograms in bins that a page can show."""

from typing import Literal

import numpy as np

from snnlab.analysis.reports import ResidualReport
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CORE, CORE_BINS, EXACT, EXCESS, MISSING, SATURATED, SILENT

Base = Literal["not_silent", "all"]

STACK = (EXCESS, EXACT, SATURATED, SILENT, MISSING)
"""Classes from left to right and from bottom to top: too much ... too little."""

BASES = {"not_silent": "neurons that are not silent", "all": "all neurons"}


def stack(base: Base) -> tuple[int, ...]:
    """Classes that a base contains, in drawing order.

    Raises:
        SnnlabError: Unknown base.
    """
    if base not in BASES:
        raise SnnlabError(f"Shares cannot refer to {base!r}; choose 'not_silent' or 'all'.")
    return tuple(index for index in STACK if base == "all" or index != SILENT)


def denominators(report: ResidualReport, step: int, base: Base) -> np.ndarray:
    """Neurons x images that shares refer to, (sites,); at least 1."""
    counts = report.class_counts[:, report.snapshot(step)]
    return np.maximum(counts[:, stack(base)].sum(axis=1), 1)


def site_index(report: ResidualReport, site: str | int) -> int:
    """Index of a site given by name or index.

    Raises:
        SnnlabError: The report has no such site.
    """
    if isinstance(site, str):
        if site not in report.names:
            known = ", ".join(report.names[:8]) + ", ..." * (len(report.names) > 8)
            raise SnnlabError(f"The report has no site {site!r}; it has {known}.")
        return report.names.index(site)
    if not 0 <= site < len(report.names):
        raise SnnlabError(f"The report has no site {site}; its sites are numbered 0 to {len(report.names) - 1}.")
    return site


def core_bins(histogram: np.ndarray, low: float, high: float, merge: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts between ``low`` and ``high`` (within the core), ``merge`` fine bins in one.

    Args:
        histogram: Counts on ``EDGES``, (..., NUM_BINS).
        low: Lower end, a multiple of the merged width.
        high: Upper end.
        merge: Fine bins in one.
    """
    core = histogram[..., CORE]
    per_unit = CORE_BINS // 4
    start, stop = round((low + 2) * per_unit), round((high + 2) * per_unit)
    merged = core[..., start:stop].reshape(*core.shape[:-1], -1, merge).sum(axis=-1)
    return np.linspace(low, high, merged.shape[-1] + 1), merged


def tails(histogram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts below -2 and from 2 thresholds on, (...)."""
    return histogram[..., : CORE.start].sum(axis=-1), histogram[..., CORE.stop :].sum(axis=-1)


def data_text(report: ResidualReport, step: int) -> str:
    """What identifies the numbers of a snapshot."""
    return f"t = {step} · {report.split}, {report.images:,} image{'s' * (report.images != 1)}"
