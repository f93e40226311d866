"""Is the gap Gaussian, as noise calibration takes it to be? Its quantiles against those of the fitted Gaussian."""

from statistics import NormalDist

import numpy as np
import pandas as pd

from snnlab.analysis.reports import NoiseReport
from snnlab.core.histogram import GAP_REACH
from snnlab.figures.figure import Figure
from snnlab.figures.noise import site_index
from snnlab.figures.scene import Axis, Layout, Line, Mark, Panel, Points, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number, percent

_SHARES = np.concatenate([[0.001, 0.005], np.linspace(0.01, 0.99, 99), [0.995, 0.999]])


def gap_quantiles(report: NoiseReport, site: str | int, step: int) -> Figure:
    """Quantiles of the measured gap over those of N(mean, std), both in thresholds; on the line where they agree.

    Args:
        report: Noise; its counts of the gap are used.
        site: Name or index.
        step: T at which the gap was measured.

    Raises:
        SnnlabError: No such site, or the gap was not measured at that step.
    """
    i, j = site_index(report, site), report.step_index(step)
    threshold = float(report.thresholds[i])
    mean, std = float(report.mean[i, j]) / threshold, float(report.std[i, j]) / threshold
    gap = np.arange(-GAP_REACH, GAP_REACH + 1) / report.lattice[j]
    counts = report.gap_counts[i, j]
    measured = quantiles(gap, counts, int(report.count[i]))
    fitted = np.array([mean + std * NormalDist().inv_cdf(float(share)) for share in _SHARES])
    name, zero = shorten(report.names[i], 40), percent(float(report.zero[i, j]), 1)
    kurtosis = excess_kurtosis(gap, counts)
    hover = tuple(
        f"{percent(share, 1)} lie below\nmeasured {number(m, 3, sign=True)}\nGaussian {number(f, 3, sign=True)}"
        for share, m, f in zip(_SHARES.tolist(), measured.tolist(), fitted.tolist(), strict=True)
    )
    inside = np.isfinite(measured)
    reach = float(1.05 * max(np.abs(fitted).max(), np.abs(measured[inside]).max(initial=0.0), 1e-6))
    ends = np.array([-reach, reach])
    marks: list[Mark] = [
        Line(ends, ends, "noisy_ann", 1.0, "dash", label="Gaussian of the same mean and std"),
        Points(fitted[inside], measured[inside], "snn", "circle", 0.7, label="measured gap",
               hover=tuple(np.array(hover)[inside].tolist())),
    ]  # fmt: skip
    axis = number_ticks(-reach, reach, 5)
    return Figure(
        name=f"gap-quantiles-{report.names[i]}-t{step}",
        title=f"Does a Gaussian stand for the gap at {shorten(report.names[i], 32)}?",
        subtitle=f"T = {step} · {report.fit_split}, {report.fit_images:,} images · quantiles 0.1 % to 99.9 %",
        alt=f"Quantiles of the gap at {name} over those of a Gaussian of std {number(std, 3)} thresholds: {zero} of "
        f"the gaps are exactly 0, excess kurtosis {number(kurtosis, 1)}.",
        panels=(
            Panel(
                Axis(-reach, reach, "Gaussian quantile (thresholds)", axis),
                Axis(-reach, reach, "measured (thresholds)", axis, grid=True),
                tuple(marks),
            ),
        ),
        layout=Layout(aspect=0.7, pixels=300),
        data=pd.DataFrame({"site": report.names[i], "step": step, "share": _SHARES, "measured": measured,
                           "gaussian": fitted}),
        foot=f"A step at 0 ({zero} of the gaps) with tails steeper than the line is usual; excess kurtosis "
        f"{number(kurtosis, 1)}, 0 for a Gaussian.",
    )  # fmt: skip


def quantiles(gap: np.ndarray, counts: np.ndarray, elements: int) -> np.ndarray:
    """Gap below which each of the drawn shares lies; NaN where it lies beyond the counted bins, whose side is unknown.

    Args:
        gap: Ascending.
        counts: Elements at each.
        elements: Elements in all, those beyond the bins included.
    """
    beyond = (elements - counts.sum()) / elements
    below = counts.cumsum() / max(counts.sum(), 1)
    place = np.minimum(np.searchsorted(below, _SHARES - 1e-12), len(gap) - 1)
    known = (beyond <= _SHARES) & (1 - beyond >= _SHARES)
    return np.where(known, gap[place], np.nan)


def excess_kurtosis(gap: np.ndarray, counts: np.ndarray) -> float:
    """Of the counted gaps; 0 for a Gaussian, NaN where all are equal."""
    share = counts / max(counts.sum(), 1)
    mean = float((share * gap).sum())
    variance = float((share * (gap - mean) ** 2).sum())
    return float((share * (gap - mean) ** 4).sum()) / variance**2 - 3 if variance > 0 else float("nan")
