"""What differs between two conversions of one network? Threshold, v(0) and firing rate of every site."""

import numpy as np
import pandas as pd

from snnlab.analysis.reports import ConversionReport
from snnlab.core.errors import SnnlabError
from snnlab.figures.figure import Figure
from snnlab.figures.rows import Rows, arrange
from snnlab.figures.scene import Axis, Bars, Layout, Mark, Panel, Points, Rule, Segments, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

_LOG_FROM = 5.0  # ratios that span more are drawn on a logarithmic axis


def conversion_change(
    report: ConversionReport,
    before: ConversionReport,
    *,
    name: str = "B",
    before_name: str = "A",
    roles: tuple[str, str] = ("snn", "compared"),
) -> Figure:
    """Threshold over the other conversion's, v(0) and firing rate of both, one row a site, input first.

    Of thresholds that differ by channel the middle of their range counts.

    Args:
        report: The conversion (B).
        before: What it is compared with (A).
        name: How the legend calls B.
        before_name: How the legend calls A.
        roles: Roles of their colours, of B and of A: what is in view is blue (``"snn"``), the other one green.

    Raises:
        SnnlabError: The two have different sites.
    """
    frame, other = report.to_frame(), before.to_frame()
    if list(frame["name"]) != list(other["name"]):
        raise SnnlabError(
            f"The two conversions have different sites ({len(frame)} and {len(other)}); compare conversions of one "
            "network."
        )
    rows = arrange([str(site) for site in frame["name"]])
    mine, theirs = shorten(name, 40), shorten(before_name, 40)
    own, other_role = roles
    ratio = _threshold(frame) / _threshold(other)
    v0, v0_before = (each["v0"].to_numpy(dtype=float) for each in (frame, other))
    rate, rate_before = (each["firing_rate"].to_numpy(dtype=float) for each in (frame, other))
    hover = tuple(
        f"{site}\nthreshold × {number(r, 3)}\nv(0) / threshold {number(b, 3)}, before {number(a, 3)}\n"
        f"{number(now, 3)} spikes per step, before {number(was, 3)}"
        for site, r, a, b, was, now in zip(rows.names, ratio, v0_before, v0, rate_before, rate, strict=True)
    )
    size = 0.9 if rows.named else 0.75
    thresholds: tuple[Mark, ...] = (
        Rule(1.0),
        Segments(np.ones_like(ratio), rows.centre, ratio, rows.centre, own, width=1.1, opacity=0.5),
        Points(ratio, rows.centre, own, "circle", size, hover=hover),
    )
    potentials: tuple[Mark, ...] = (
        Segments(v0_before, rows.centre, v0, rows.centre, own, width=1.1, opacity=0.5),
        Points(v0_before, rows.centre, other_role, "diamond", size),
        Points(v0, rows.centre, own, "circle", size, hover=hover),
    )
    half = 0.43 if rows.named else 0.5
    rates: tuple[Mark, ...] = (
        Bars(rows.centre, np.zeros_like(rate), rate, 0.62 if rows.named else 0.85, own, True, label=mine, hover=hover),
        Segments(
            rate_before,
            rows.centre - half,
            rate_before,
            rows.centre + half,
            other_role,
            width=1.2,
            label=theirs,
        ),
    )
    return Figure(
        name="changes",
        title="What differs between the two conversions, and where?",
        subtitle=f"{mine} against {theirs} · {len(rows.names)} sites · rates over {_steps(report, before)}",
        alt=_alt(rows, ratio, v0, v0_before, rate, rate_before),
        panels=(
            Panel(_ratio_axis(ratio), _striped(rows), thresholds),
            Panel(_around(np.concatenate([v0, v0_before])), rows.blank_axis, potentials, column=1),
            Panel(_from_zero(float(max(rate.max(), rate_before.max()))), rows.blank_axis, rates, column=2),
        ),
        layout=Layout(columns=(1.0, 0.8, 1.0), millimetres=rows.millimetres + 9, pixels=rows.pixels, column_gap=0.04),
        data=frame.assign(
            threshold_ratio=ratio,
            before_threshold_low=other["threshold_low"],
            before_threshold_high=other["threshold_high"],
            before_v0=v0_before,
            before_firing_rate=rate_before,
        ),
    )


def _threshold(frame: pd.DataFrame) -> np.ndarray:
    low, high = (frame[name].to_numpy(dtype=float) for name in ("threshold_low", "threshold_high"))
    return np.asarray((low + high) / 2)


def _steps(report: ConversionReport, before: ConversionReport) -> str:
    if report.num_steps == before.num_steps:
        return f"T = {report.num_steps}"
    return f"T = {report.num_steps} and {before.num_steps}"


def _striped(rows: Rows) -> Axis:
    axis = rows.axis
    return Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)


def _ratio_axis(ratio: np.ndarray) -> Axis:
    low, high = min(float(ratio.min()), 1.0), max(float(ratio.max()), 1.0)
    title = "threshold ratio"
    if high / low > _LOG_FROM:
        powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        ticks = tuple((10.0**power, f"{10.0**power:g}") for power in powers)
        return Axis(min(low / 1.15, ticks[0][0]), max(high * 1.15, ticks[-1][0]), title, ticks, log=True)
    pad = max(0.06 * (high - low), 0.05)
    return Axis(low - pad, high + pad, title, number_ticks(low - pad, high + pad, 3))


def _around(values: np.ndarray) -> Axis:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 1.0)
    pad = 0.06 * (high - low)
    return Axis(low - pad, high + pad, "v(0) / θ", number_ticks(low, high, 3))


def _from_zero(largest: float) -> Axis:
    end = 1.06 * largest if largest > 0 else 1.0
    return Axis(0, end, "spikes per step", number_ticks(0, end, 3))


def _alt(
    rows: Rows,
    ratio: np.ndarray,
    v0: np.ndarray,
    v0_before: np.ndarray,
    rate: np.ndarray,
    rate_before: np.ndarray,
) -> str:
    changed = int(np.sum((ratio != 1) | (v0 != v0_before)))
    most = int(np.argmax(np.abs(rate - rate_before)))
    return (
        f"Threshold ratio, v(0) and firing rate in {len(rows.names)} sites, input first; {changed} have another "
        f"threshold or v(0). The firing rate differs most at {shorten(rows.names[most], 40)}: "
        f"{number(float(rate_before[most]), 3)} before, {number(float(rate[most]), 3)} now."
    )
