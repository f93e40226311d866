"""One site at one time-step: what potential is left over, by class, and how far spike counts are off."""

import numpy as np
import pandas as pd

from snnlab.analysis.reports import ResidualReport
from snnlab.core.histogram import CLASSES, EXACT, EXCESS, K_LIMIT, MISSING, SATURATED, SILENT
from snnlab.figures.figure import Figure
from snnlab.figures.scene import (
    Areas,
    Axis,
    Bars,
    Layout,
    Line,
    Mark,
    Note,
    Panel,
    Rule,
    Segments,
    number_ticks,
    stairs,
)
from snnlab.figures.shares import BASES, Base, core_bins, data_text, denominators, site_index, stack, tails
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

_MERGE = 2
_SLOT = 0.55  # room beside the histogram for what lies outside it, thresholds
_BELOW, _ABOVE = -2.0, 2.0


def residual_site(
    report: ResidualReport,
    site: str | int,
    step: int,
    compare: ResidualReport | None = None,
    *,
    base: Base = "not_silent",
    compare_name: str = "compared run",
) -> Figure:
    """Histogram of v(t)/threshold at one site, stacked by class, with the Gaussian of the neurons that fired.

    Args:
        report: Residuals.
        site: Name or index.
        step: Snapshot t.
        compare: A second run, outlined in green if it has a site of that name.
        base: What shares and densities refer to: ``"not_silent"`` neurons or ``"all"``.
        compare_name: How the legend calls the second run.

    Raises:
        SnnlabError: No such site or snapshot, or an unknown base.
    """
    i, j, classes = site_index(report, site), report.snapshot(step), stack(base)
    total = int(denominators(report, step, base)[i])
    counts = report.class_counts[i, j]
    edges, bins = core_bins(report.histogram[i, j], _BELOW, _ABOVE, _MERGE)
    width = edges[1] - edges[0]
    density = bins[list(classes)] / (total * width)
    tops = np.concatenate([np.zeros((1, density.shape[1])), density.cumsum(axis=0)])

    marks: list[Mark] = []
    for k, index in enumerate(classes):
        share = number(100 * counts[index] / total, 1)
        marks.append(Areas(((edges, tops[k], tops[k + 1]),), CLASSES[index], f"{CLASSES[index]} {share} %"))
    curve, gaussian = _gaussian(report, i, j, total)
    if gaussian:
        marks.append(Line(*curve, "text", width=0.8, dash="dash", label=gaussian))
    outline = None
    if compare is not None and report.names[i] in compare.names:
        other = compare.names.index(report.names[i])
        theirs = core_bins(compare.histogram[other, compare.snapshot(step)], _BELOW, _ABOVE, _MERGE)[1]
        outline = theirs[list(classes)].sum(axis=0) / (int(denominators(compare, step, base)[other]) * width)
        marks.append(Line(*stairs(edges, outline), "compared", width=0.9, label=shorten(compare_name, 40)))
    highest = max(float(tops[-1].max()), 0.0 if outline is None else float(outline.max()))
    peak = max(highest, min(float(curve[1].max()), 1.3 * highest) if gaussian else 0.0) or 1.0
    marks += [Rule(0.0), Rule(1.0), *_overflow(report.histogram[i, j], classes, total)]
    if not counts[list(classes)].sum():
        marks.append(Note(0.5, 0.5, "No neuron fired here, and none should have.", "mute", "center", y_panel=True))
    panel = Panel(
        Axis(_BELOW - _SLOT, _ABOVE + _SLOT, "potential left over, v(t) / threshold", number_ticks(-2, 2, 4)),
        Axis(0, 1.06 * peak, "density (per threshold)", number_ticks(0, 1.06 * peak, 4)),
        tuple(marks),
    )
    return Figure(
        name=f"residuals-{report.names[i]}-t{step}",
        title=f"What is left over in {shorten(report.names[i], 32)}?",
        subtitle=_subtitle(report, i, step, base),
        alt=_alt(report, i, j, total),
        panels=(panel,),
        layout=Layout(aspect=0.62, pixels=300),
        data=_histogram_frame(report, i, j, classes, total, outline),
        foot="Left of 0: more spikes than the charge pays for. From the threshold on: fewer, or clipping where "
        f"a neuron fired at every step.{_nan_text(report, i, j)}",
    )


def spike_errors(
    report: ResidualReport,
    site: str | int,
    step: int,
    compare: ResidualReport | None = None,
    *,
    base: Base = "not_silent",
    compare_name: str = "compared run",
) -> Figure:
    """Shares of the spike-count errors k = N - N* at one site; too many on the left, as potentials below 0 are.

    Arguments and errors as ``residual_site``.
    """
    i, j = site_index(report, site), report.snapshot(step)
    shares = _error_shares(report, i, j, base)
    theirs = None
    if compare is not None and report.names[i] in compare.names:
        theirs = _error_shares(compare, compare.names.index(report.names[i]), compare.snapshot(step), base)
    k = np.arange(-K_LIMIT, K_LIMIT + 1)
    wrong = np.flatnonzero((shares if theirs is None else shares + theirs) > 0)
    reach = int(min(K_LIMIT, max(2, np.abs(k[wrong]).max(initial=0))))
    inside = np.abs(k) <= reach
    # What lies beyond the ends is part of the open ends themselves, so cutting empty ones loses nothing.
    k, shares, theirs = k[inside], shares[inside], None if theirs is None else theirs[inside]

    heights = np.sqrt(shares)
    marks: list[Mark] = []
    for role, chosen, label in (
        ("excess", k > 0, "too many"),
        ("exact", k == 0, "right"),
        ("missing", k < 0, "too few"),
    ):
        hover = tuple(
            f"k = {_signed(int(e))}\n{number(100 * s, 2)} %" for e, s in zip(k[chosen], shares[chosen], strict=True)
        )
        bars = Bars(
            k[chosen].astype(float), np.zeros(chosen.sum()), heights[chosen], 0.62, role, label=label, hover=hover
        )
        marks.append(bars)
    if theirs is not None:
        at, level = k.astype(float), np.sqrt(theirs)
        marks.append(Segments(at - 0.4, level, at + 0.4, level, "compared", label=shorten(compare_name, 40)))
    upper = heights if theirs is None else np.maximum(heights, np.sqrt(theirs))
    top = max(float(upper.max()), 0.1) * 1.14
    for place, height, other, share in zip(k, heights, upper, shares, strict=True):
        foot = other if other - height < 0.14 * top else height  # above the compared run where the text would cross it
        text = "0" if share == 0 else number(100 * share, 1) if share >= 0.0005 else "<0.1"
        marks.append(Note(float(place), float(foot), text, "text", "center", "bottom", gap=(0.0, 2.5)))
    labels = [(float(e), _open_label(int(e), reach)) for e in k]
    grades = [g for g in (0.0, 0.01, 0.1, 0.3, 0.6, 1.0) if g**0.5 <= top]
    panel = Panel(
        Axis(reach + 0.6, -reach - 0.6, "spike-count error k = N − N*", tuple(labels)),
        Axis(0, top, "share of neurons (%)", tuple((g**0.5, f"{100 * g:g}") for g in grades)),
        tuple(marks),
    )
    data = pd.DataFrame({"site": report.names[i], "step": step, "k": k, "share": shares})
    off = 1 - float(shares[k == 0][0])
    return Figure(
        name=f"spike-errors-{report.names[i]}-t{step}",
        title=f"By how many spikes is {shorten(report.names[i], 32)} off?",
        subtitle=_subtitle(report, i, step, base),
        alt=f"Bar chart of spike-count errors at {shorten(report.names[i], 40)}: {number(100 * off, 1)} % are off.",
        panels=(panel,),
        layout=Layout(aspect=0.5, pixels=200),
        data=data if theirs is None else data.assign(compared=theirs),
        foot="N: spikes fired, N*: spikes that the charge pays for. Height: square root of the share.",
    )


def _gaussian(report: ResidualReport, i: int, j: int, total: int) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    mean, std = (float(values[i, j]) for values in report.fired_gaussian())
    x = np.linspace(_BELOW, _ABOVE, 201)
    if not np.isfinite(mean) or std < 1e-6:
        return (x, np.zeros_like(x)), ""
    share = float(report.fired_moments[i, j, 0]) / total
    y = share * np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))
    return (x, y), f"Gaussian of those that fired, |v| < 2: {number(mean)} ± {number(std)}"


def _overflow(histogram: np.ndarray, classes: tuple[int, ...], total: int) -> list[Mark]:
    marks: list[Mark] = []
    below, above = (float(counts[list(classes)].sum()) / total for counts in tails(histogram))
    for share, at, side, text in (
        (below, _BELOW - _SLOT, "left", "‹ {} %\nbelow"),
        (above, _ABOVE + _SLOT, "right", "{} % ›\nabove"),
    ):
        if share >= 0.0005:
            gap = (2.0 if side == "left" else 0.0, 2.5)
            marks.append(Note(at, 0.0, text.format(number(100 * share, 1)), "mute", side, "bottom", gap=gap))
    return marks


def _error_shares(report: ResidualReport, i: int, j: int, base: Base) -> np.ndarray:
    counts = report.spike_errors[i, j].astype(float)
    if base == "not_silent":
        counts[K_LIMIT] -= report.class_counts[i, j, SILENT]
    return counts / max(counts.sum(), 1.0)


def _signed(k: int) -> str:
    return f"+{k}" if k > 0 else f"−{-k}" if k < 0 else "0"


def _open_label(k: int, reach: int) -> str:
    if abs(k) < reach or reach < K_LIMIT:
        return _signed(k)
    return f"≥ {k}" if k > 0 else f"≤ −{-k}"


def _subtitle(report: ResidualReport, i: int, step: int, base: Base) -> str:
    counts = report.class_counts[i, report.snapshot(step)]
    share = number(100 * (1 - counts[SILENT] / max(counts.sum(), 1)), 1)
    of = f"shares of the {share}\u00a0% that are not silent" if base == "not_silent" else f"shares of {BASES['all']}"
    shape = " × ".join(map(str, report.shapes[i]))
    return f"{data_text(report, step)} · {shape} neurons, threshold {number(report.thresholds[i], 3)} · {of}"


def _alt(report: ResidualReport, i: int, j: int, total: int) -> str:
    counts = report.class_counts[i, j]
    parts = [
        f"{CLASSES[index]} {number(100 * counts[index] / total, 1)} %" for index in (EXCESS, EXACT, SATURATED, MISSING)
    ]
    return f"Histogram of v/threshold at {shorten(report.names[i], 40)}, t = {report.steps[j]}: {', '.join(parts)}."


def _nan_text(report: ResidualReport, i: int, j: int) -> str:
    nan = int(report.nan[i, j])
    return f" {nan:,} potentials are not a number." if nan else ""


def _histogram_frame(
    report: ResidualReport, i: int, j: int, classes: tuple[int, ...], total: int, outline: np.ndarray | None
) -> pd.DataFrame:
    edges, bins = core_bins(report.histogram[i, j], _BELOW, _ABOVE, _MERGE)
    density = bins / (total * (edges[1] - edges[0]))
    frame = pd.DataFrame({"site": report.names[i], "step": report.steps[j], "low": edges[:-1], "high": edges[1:]})
    for index in classes:
        frame[CLASSES[index]] = density[index]
    (x, y), gaussian = _gaussian(report, i, j, total)
    if gaussian:
        frame["gaussian"] = np.interp((edges[:-1] + edges[1:]) / 2, x, y)
    if outline is not None:
        frame["compared"] = outline
    return frame
