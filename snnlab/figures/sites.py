"""What did the converter put where? Threshold and firing rate of every site."""

import numpy as np

from snnlab.analysis.reports import ConversionReport
from snnlab.figures.figure import Figure
from snnlab.figures.rows import Rows, arrange
from snnlab.figures.scene import Axis, Bars, Layout, Mark, Panel, Points, Segments, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number


def site_profile(
    report: ConversionReport, compare: ConversionReport | None = None, *, compare_name: str = "compared run"
) -> Figure:
    """Threshold (range over channels) and mean firing rate, one row a site, input first.

    Args:
        report: Conversion.
        compare: A second conversion, green, where it has a site of the same name.
        compare_name: How the legend calls it.
    """
    frame = report.to_frame()
    rows = arrange([str(name) for name in frame["name"]])
    low, high = (frame[name].to_numpy(dtype=float) for name in ("threshold_low", "threshold_high"))
    rate = frame["firing_rate"].to_numpy(dtype=float)
    hover = tuple(
        f"{name}\nthreshold {number(a, 3)}{'' if a == b else f' to {number(b, 3)}'}\n{number(r, 3)} spikes per step"
        for name, a, b, r in zip(rows.names, low, high, rate, strict=True)
    )
    size = 0.9 if rows.named else 0.75
    ranges = "lowest to highest channel" if (low != high).any() else ""
    marks: list[Mark] = [
        Segments(low, rows.centre, high, rows.centre, "snn", width=1.1, opacity=0.5, label=ranges),
        *(Points(end, rows.centre, "snn", "circle", size, hover=hover) for end in (low, high)),
    ]
    bars: list[Mark] = [
        Bars(rows.centre, np.zeros_like(rate), rate, 0.62 if rows.named else 0.85, "snn", True, hover=hover),
    ]
    largest, fastest = float(high.max()), float(rate.max())
    if compare is not None:
        other = compare.to_frame().set_index("name").reindex(list(rows.names))
        theirs = other[["threshold_low", "threshold_high", "firing_rate"]].to_numpy(dtype=float)
        label = shorten(compare_name, 40)
        marks.append(Points(theirs[:, :2].mean(axis=1), rows.centre, "compared", "diamond", size, label=label))
        half = 0.43 if rows.named else 0.5
        bars.append(Segments(theirs[:, 2], rows.centre - half, theirs[:, 2], rows.centre + half, "compared", width=1.2))
        largest, fastest = (float(np.nanmax([a, *b])) for a, b in ((largest, theirs[:, 1]), (fastest, theirs[:, 2])))
        frame = frame.assign(
            compared_threshold_low=theirs[:, 0], compared_threshold_high=theirs[:, 1], compared_firing_rate=theirs[:, 2]
        )
    return Figure(
        name="sites",
        title="What did the conversion put where?",
        subtitle=f"{shorten(report.method, 40)} · {len(rows.names)} sites · rates over T = {report.num_steps}",
        alt=_alt(rows, low, high, rate),
        panels=(
            Panel(_from_zero(largest, "threshold (activation units)"), _striped(rows), tuple(marks)),
            Panel(_from_zero(fastest, "firing rate (spikes per step)"), rows.blank_axis, tuple(bars), column=1),
        ),
        layout=Layout(columns=(1.0, 1.0), millimetres=rows.millimetres + 9, pixels=rows.pixels, column_gap=0.04),
        data=frame,
    )


def _striped(rows: Rows) -> Axis:
    axis = rows.axis
    return Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)


def _from_zero(largest: float, title: str) -> Axis:
    end = 1.06 * largest if largest > 0 else 1.0
    return Axis(0, end, title, number_ticks(0, end, 4))


def _alt(rows: Rows, low: np.ndarray, high: np.ndarray, rate: np.ndarray) -> str:
    most = int(np.argmax(rate))
    return (
        f"Thresholds from {number(float(low.min()), 3)} to {number(float(high.max()), 3)} in "
        f"{len(rows.names)} sites; the highest firing rate, {number(float(rate[most]), 3)} spikes per step, is at "
        f"{shorten(rows.names[most], 40)}."
    )
