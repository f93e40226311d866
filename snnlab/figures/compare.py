"""What differs between runs, and where? One row a site, one dot a run, one panel a quantity."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from snnlab.analysis.reports import Comparison
from snnlab.core.errors import SnnlabError
from snnlab.figures.figure import Figure
from snnlab.figures.rows import Rows, arrange
from snnlab.figures.scene import Axis, Layout, Mark, Panel, Points, Segments, number_ticks
from snnlab.figures.style import SERIES, shorten
from snnlab.figures.tables import number

_MARKERS = ("circle", "diamond", "square", "triangle-up")
_LETTERS = ("A: ", "B: ", *[""] * (len(SERIES) - 2))


@dataclass(frozen=True)
class _Quantity:
    title: str
    factor: float = 1.0
    decimals: int = 3
    wide_only: bool = False


_SHOWN = {
    "threshold": _Quantity("threshold θ"),
    "firing_rate": _Quantity("spikes per step"),
    "mean_abs": _Quantity("mean |v| / θ"),
    "excess": _Quantity("excess (%)", 100.0, 2, wide_only=True),
    "missing": _Quantity("missing (%)", 100.0, 2, wide_only=True),
}


def comparison(report: Comparison, step: int) -> Figure:
    """Threshold, firing rate and residual of every site that the runs share, one dot a run, input first.

    Wide figures add the shares of neurons that fired too often and too rarely. Colours are those of the runs'
    accuracy curves: the first blue, the second green.

    Args:
        report: Two or more runs.
        step: A common snapshot t.

    Raises:
        SnnlabError: No common snapshot at that t, no common site, or more runs than there are colours.
    """
    if len(report.runs) > len(SERIES):
        raise SnnlabError(f"Sites can be compared between {len(SERIES)} runs at most, not {len(report.runs)}.")
    frame = report.site_frame(step)
    sites = list(dict.fromkeys(frame["site"]))
    rows = arrange(sites)
    pair = len(report.runs) == 2
    names = [f"{letter * pair}{shorten(name, 40)}" for letter, name in zip(_LETTERS, report.names, strict=False)]
    panels = []
    for column, (name, quantity) in enumerate(_SHOWN.items()):
        # (sites, runs): rows of the frame come site by site, in the order of the runs.
        values = quantity.factor * frame[name].to_numpy(dtype=float).reshape(len(sites), len(names))
        panels.append(_panel(rows, values, names, quantity, column))
    return Figure(
        name="comparison",
        title="What differs between A and B, and where?" if pair else "What differs between the runs, and where?",
        subtitle=f"t = {step} · {len(sites)} sites · {_images(report)}",
        alt=_alt(report, frame, step),
        panels=tuple(panels),
        layout=Layout(
            columns=(1.0,) * len(_SHOWN), millimetres=rows.millimetres + 9, pixels=rows.pixels, column_gap=0.035
        ),
        data=frame,
        foot=_foot(report),
    )


def _panel(rows: Rows, values: np.ndarray, names: list[str], quantity: _Quantity, column: int) -> Panel:
    low, high = values.min(axis=1), values.max(axis=1)
    marks: list[Mark] = [Segments(low, rows.centre, high, rows.centre, "axis", width=0.9, opacity=0.7)]
    size = 0.95 if rows.named else 0.7
    for place, name in enumerate(names):
        hover = tuple(
            f"{site}\n{name}\n{quantity.title}: {number(value, quantity.decimals)}"
            for site, value in zip(rows.names, values[:, place], strict=True)
        )
        marker, label = _MARKERS[place % len(_MARKERS)], name * (column == 0)
        marks.append(Points(values[:, place], rows.centre, SERIES[place], marker, size, label=label, hover=hover))
    end = 1.06 * float(high.max()) if high.max() > 0 else 1.0
    axis = rows.axis if column == 0 else rows.blank_axis
    y = Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)
    # Room before 0, so that dots there are drawn whole.
    x = Axis(-0.03 * end, end, quantity.title, number_ticks(0, end, 3), grid=True)
    return Panel(x, y, tuple(marks), column=column, wide_only=quantity.wide_only)


def _images(report: Comparison) -> str:
    told = dict.fromkeys(f"{row['split']}, {row['images']:,} image{'s' * (row['images'] != 1)}" for row in report.runs)
    return "; ".join(told)


def _foot(report: Comparison) -> str:
    left = [
        f"{shorten(row['name'], 40)} has {len(own)} more" for row in report.runs if (own := report.unshared[row["run"]])
    ]
    more = f" Only sites that all have are shown; {', '.join(left)}." if left else ""
    return f"No intervals: the neurons of one image are not independent of each other.{more}"


def _alt(report: Comparison, frame: pd.DataFrame, step: int) -> str:
    parts = []
    for name in ("firing_rate", "mean_abs"):
        values = frame[name].to_numpy(dtype=float).reshape(-1, len(report.runs))
        spread = values.max(axis=1) - values.min(axis=1)
        most = int(np.argmax(spread))
        site = shorten(str(frame["site"].iloc[most * len(report.runs)]), 40)
        told = ", ".join(
            f"{shorten(run, 40)} {number(value, 3)}" for run, value in zip(report.names, values[most], strict=True)
        )
        parts.append(f"{_SHOWN[name].title} differs most at {site}: {told}.")
    return f"Dot plot of {len(report.runs)} runs over sites, input first, at t = {step}. " + " ".join(parts)
