"""Where does the error come from? The terms of the error budget over depth and over the channels of a site."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from snnlab.analysis.reports.budget import HEADLINE, TERMS, ErrorBudget
from snnlab.figures.figure import Figure
from snnlab.figures.rows import Rows, arrange
from snnlab.figures.scene import Axis, Bars, Layout, Mark, Panel, Points, Rule, Segments, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

View = Literal["headline", "terms"]

NAMES = {
    "uneven": "uneven",
    "quantization": "quantization",
    "clipping": "clipping",
    "activation": "activation mismatch",
    "propagated": "propagated",
    "resolution": "resolution",
}
_FOOT = "Means over neurons and images add up to the total; magnitudes do not."


def terms_of(report: ErrorBudget, view: View | None = None) -> tuple[str, ...]:
    """What is stacked: the three of a quantized source, or all five; None for what fits the source."""
    if view is None:
        view = "headline" if report.is_quantized else "terms"
    return HEADLINE if view == "headline" else TERMS


def error_terms(report: ErrorBudget, step: int, *, view: View | None = None) -> Figure:
    """Mean of every term as stacked bars, one row a site, input first; what is positive lies right of 0.

    Args:
        report: Error budget.
        step: t.
        view: ``"headline"`` (uneven, resolution, propagated), ``"terms"`` (all five); None for what fits the source.

    Raises:
        SnnlabError: No budget was made at that step.
    """
    terms = terms_of(report, view)
    rows, total = arrange(list(report.names)), report.values("total", step, thresholds=True)
    values = {term: report.values(term, step, thresholds=True) for term in terms}
    marks, low, high = _stacked(rows.centre, values, 0.62 if rows.named else 0.85, horizontal=True)
    marks += _total(rows, total, _hover(report, step, terms))
    return Figure(
        name=f"error-terms-t{step}",
        title="Where does the error come from, site by site?",
        subtitle=_subtitle(report, step),
        alt=_alt(report, step, values),
        panels=(Panel(_across(low, high, "mean error (thresholds)"), _striped(rows), tuple(marks)),),
        layout=Layout(millimetres=rows.millimetres + 9, pixels=rows.pixels),
        data=_frame(report, step, terms),
        foot=f"SNN minus ANN, in thresholds of the site; the diamond is the total. {_FOOT}",
    )


def error_waterfall(report: ErrorBudget, step: int, *, view: View | None = None) -> Figure:
    """Every site as a waterfall: what arrives from earlier sites, then what the site adds, down to its total.

    Args:
        report: Error budget.
        step: t.
        view: As in ``error_terms``.

    Raises:
        SnnlabError: No budget was made at that step.
    """
    terms = tuple(reversed(terms_of(report, view)))  # from what arrives to what the site adds
    rows, total = arrange(list(report.names)), report.values("total", step, thresholds=True)
    values = np.stack([report.values(term, step, thresholds=True) for term in terms])
    ends = values.cumsum(axis=0)
    starts = np.concatenate([np.zeros_like(ends[:1]), ends[:-1]])
    whole = 0.76 if rows.named else 0.96
    thin = whole / len(terms)
    places = [rows.centre - whole / 2 + thin * (k + 0.5) for k in range(len(terms))]
    marks: list[Mark] = [Rule(0.0)]
    for k, term in enumerate(terms):
        marks.append(Bars(places[k], starts[k], ends[k], 0.9 * thin, f"error_{term}", True, label=NAMES[term]))
        if k and rows.named:  # the step from one term to the next
            marks.append(Segments(starts[k], places[k - 1], starts[k], places[k], "mute", 0.5))
    marks += _total(rows, total, _hover(report, step, terms))
    low, high = float(min(ends.min(), 0.0)), float(max(ends.max(), 0.0))
    return Figure(
        name=f"error-waterfall-t{step}",
        title="What arrives at a site, and what does it add?",
        subtitle=_subtitle(report, step),
        alt=_alt(report, step, {term: values[k] for k, term in enumerate(terms)}),
        panels=(Panel(_across(low, high, "mean error (thresholds)"), _striped(rows), tuple(marks)),),
        layout=Layout(millimetres=1.3 * rows.millimetres + 9, pixels=round(1.3 * rows.pixels)),
        data=_frame(report, step, terms),
        foot=f"Each site from top to bottom: {', '.join(NAMES[term] for term in terms)}; each bar starts where the "
        f"one before ends, the diamond is the total. {_FOOT}",
    )


def error_channels(report: ErrorBudget, site: str, step: int, *, view: View | None = None) -> Figure:
    """Mean of every term in each channel of a site.

    Raises:
        SnnlabError: No such site or snapshot.
    """
    frame, terms = report.channel_frame(site, step), terms_of(report, view)
    threshold = float(report.thresholds[report.site(site)])
    at = frame["channel"].to_numpy(dtype=float)
    values = {term: frame[term].to_numpy() / threshold for term in terms}
    total = frame["total"].to_numpy() / threshold
    marks, low, high = _stacked(at, values, 0.8, horizontal=False)
    hover = tuple(
        f"channel {c:.0f}\ntotal {number(t, 3, sign=True)}\n"
        + "\n".join(f"{NAMES[term]} {number(float(values[term][i]), 3, sign=True)}" for term in terms)
        for i, (c, t) in enumerate(zip(at, total, strict=True))
    )
    marks.append(Points(at, total, "text", "diamond", 0.8, outlined=True, label="total", hover=hover))
    worst = int(np.argmax(np.abs(total)))
    told = f"channel {worst}, {number(float(total[worst]), 3, sign=True)} thresholds"
    return Figure(
        name=f"error-channels-{site}-t{step}",
        title=f"Which channels of {shorten(site, 32)} carry the error?",
        subtitle=f"{_subtitle(report, step)} · threshold {number(threshold, 3)}",
        alt=f"Stacked bars of the mean error in {len(frame)} channels of {shorten(site, 40)}; largest in {told}.",
        panels=(
            Panel(
                Axis(-0.8, len(at) - 0.2, "channel", number_ticks(0, len(at) - 1, 8)),
                Axis(low, high, "mean error (thresholds)", number_ticks(low, high, 5), grid=True),
                tuple(marks),
            ),
        ),
        layout=Layout(aspect=0.5, pixels=280),
        data=frame,
        foot=f"Largest total: {told}. {_FOOT}",
    )


def _stacked(
    at: np.ndarray, values: dict[str, np.ndarray], thickness: float, *, horizontal: bool
) -> tuple[list[Mark], float, float]:
    """Bars away from 0 to either side, a line at 0, and the ends of an axis that holds them."""
    up, down = np.zeros(len(at)), np.zeros(len(at))
    marks: list[Mark] = []
    for term, value in values.items():
        start = np.where(value >= 0, up, down)
        marks.append(
            Bars(at, start, start + value, thickness, f"error_{term}", horizontal=horizontal, label=NAMES[term])
        )
        up, down = up + np.maximum(value, 0), down + np.minimum(value, 0)
    marks.append(Rule(0.0, vertical=horizontal))
    low, high = float(down.min()), float(up.max())
    pad = 0.06 * max(high - low, 1e-6)
    return marks, low - pad, high + pad


def _total(rows: Rows, total: np.ndarray, hover: tuple[str, ...]) -> list[Mark]:
    size = 0.9 if rows.named else 0.6
    return [Points(total, rows.centre, "text", "diamond", size, outlined=True, label="total", hover=hover)]


def _across(low: float, high: float, title: str) -> Axis:
    pad = 0.05 * max(high - low, 1e-6)
    return Axis(low - pad, high + pad, title, number_ticks(low, high, 6))


def _striped(rows: Rows) -> Axis:
    axis = rows.axis
    return Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)


def _hover(report: ErrorBudget, step: int, terms: Sequence[str]) -> tuple[str, ...]:
    shown = {term: report.values(term, step, thresholds=True) for term in terms}
    total, own = (report.values(name, step, thresholds=True) for name in ("total", "own"))
    size = report.values("total", step, of="mean_absolute", thresholds=True)
    return tuple(
        f"{name}\ntotal {number(float(total[i]), 4, sign=True)} thresholds, mean |total| {number(float(size[i]), 4)}\n"
        + "\n".join(f"{NAMES[term]} {number(float(values[i]), 4, sign=True)}" for term, values in shown.items())
        + f"\nown {number(float(own[i]), 4, sign=True)}"
        for i, name in enumerate(report.names)
    )


def _subtitle(report: ErrorBudget, step: int) -> str:
    return f"t = {step} · {report.split}, {report.images:,} images"


def _alt(report: ErrorBudget, step: int, values: dict[str, np.ndarray]) -> str:
    total = report.values("total", step, thresholds=True)
    worst = int(np.argmax(np.abs(total)))
    shares = ", ".join(f"{NAMES[term]} {number(float(each[worst]), 3, sign=True)}" for term, each in values.items())
    return (
        f"Mean error of {len(report.names)} sites at t = {step}, by term. Largest at "
        f"{shorten(report.names[worst], 40)}: {number(float(total[worst]), 3, sign=True)} thresholds, of it {shares}."
    )


def _frame(report: ErrorBudget, step: int, terms: Sequence[str]) -> pd.DataFrame:
    columns = {term: report.values(term, step) for term in (*terms, "own", "total")}
    return pd.DataFrame({"site": report.names, "step": step, "threshold": report.thresholds, **columns})
