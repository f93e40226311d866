"""What a figure is made of, in plain values: both engines (plotly, matplotlib) draw exactly these marks.

Positions are data coordinates; colours are roles of ``style.palette``; text is plain and escaped by the engines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """A polyline; ``width`` 1 is normal, ``marker`` is ``""``, ``"circle"``, ``"square"``, ``"diamond"``, ..."""

    x: np.ndarray
    y: np.ndarray
    role: str
    width: float = 1.0
    dash: str = "solid"
    marker: str = ""
    opacity: float = 1.0
    label: str = ""
    hover: tuple[str, ...] = ()


@dataclass(frozen=True)
class Band:
    """The region between two curves."""

    x: np.ndarray
    low: np.ndarray
    high: np.ndarray
    role: str
    opacity: float = 0.18


@dataclass(frozen=True)
class Areas:
    """Filled steps, as of histograms: each is (edges (n + 1), bottom (n), top (n))."""

    steps: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    role: str
    label: str = ""


@dataclass(frozen=True)
class Bars:
    """Rectangles from ``start`` to ``end`` around ``at``; ``thickness`` in data units."""

    at: np.ndarray
    start: np.ndarray
    end: np.ndarray
    thickness: float
    role: str
    horizontal: bool = False
    opacity: float = 1.0
    label: str = ""
    hover: tuple[str, ...] = ()


@dataclass(frozen=True)
class Points:
    """Markers; ``symbol`` ``"none"`` is a place to hover over, ``edge`` the role of the rim of filled ones."""

    x: np.ndarray
    y: np.ndarray
    role: str
    symbol: str = "circle"
    size: float = 1.0
    outlined: bool = False
    edge: str = "background"
    label: str = ""
    hover: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segments:
    """Straight pieces from (x0, y0) to (x1, y1)."""

    x0: np.ndarray
    y0: np.ndarray
    x1: np.ndarray
    y1: np.ndarray
    role: str
    width: float = 1.0
    opacity: float = 1.0
    label: str = ""


@dataclass(frozen=True)
class Rule:
    """A line across the panel at ``at``."""

    at: float
    vertical: bool = True
    role: str = "text"
    dash: str = "dot"
    width: float = 0.7


@dataclass(frozen=True)
class Heat:
    """Cells of one colour ramp, values in 0..1; rows from the first y edge on.

    Args:
        x_edges: Edges of the columns, (columns + 1,).
        y_edges: Edges of the rows, (rows + 1,).
        values: (rows, columns).
        ramp: ``density``, from none to dense; or ``diverging``, with 0.5 as nothing.
        told: Numbers behind the cells, told where the pointer is, shaped as ``values``.
    """

    x_edges: np.ndarray
    y_edges: np.ndarray
    values: np.ndarray
    ramp: str = "density"
    told: np.ndarray | None = None


@dataclass(frozen=True)
class Picture:
    """An image of red, green and blue in 0..1, (rows, columns, 3); its pixels are unit squares from (0, 0) on."""

    values: np.ndarray


@dataclass(frozen=True)
class Note:
    """Text at a point; with ``x_panel``/``y_panel`` that coordinate is a fraction of the panel.

    Args:
        text: Plain text; line breaks are kept.
        horizontal: Part of the text at the point, ``left``, ``center`` or ``right``.
        vertical: Part of the text at the point, ``bottom``, ``middle`` or ``top``.
        gap: Distance between point and text, as (right, up) in units of a tenth of the font size.
    """

    x: float
    y: float
    text: str
    role: str = "mute"
    horizontal: str = "left"
    vertical: str = "middle"
    x_panel: bool = False
    y_panel: bool = False
    bold: bool = False
    gap: tuple[float, float] = (0.0, 0.0)


Mark = Line | Band | Areas | Bars | Points | Segments | Rule | Heat | Picture | Note


@dataclass(frozen=True)
class Axis:
    """One axis of a panel; ``low > high`` draws it reversed.

    Args:
        low: Value at the left or lower end.
        high: Value at the other end.
        title: Quantity and unit.
        ticks: (position, label) of every tick.
        log: Logarithmic scale.
        grid: Faint lines at the ticks.
        line: The axis itself and its tick marks; without it only labels stand there.
        strong: Labels in the text colour, for names that are read rather than scanned.
    """

    low: float
    high: float
    title: str = ""
    ticks: tuple[tuple[float, str], ...] = ()
    log: bool = False
    grid: bool = False
    line: bool = True
    strong: bool = False


@dataclass(frozen=True)
class Panel:
    """Axes with marks at a place in the grid; ``wide_only`` panels are left out of narrow figures.

    A ``square`` panel has one scale for both axes, as pictures need.
    """

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    row: int = 0
    column: int = 0
    wide_only: bool = False
    wash: bool = False
    square: bool = False


@dataclass(frozen=True)
class Layout:
    """Sizes of a figure: the panels of ``rows`` x ``columns`` relative sizes and gaps.

    Args:
        columns: Relative widths.
        rows: Relative heights.
        aspect: Height over width of the panels together, for charts that scale.
        millimetres: Height that does not scale with the width, for lists of rows, at a 7 pt font.
        wide_millimetres: What wide figures need on top of that.
        pixels: Height of the panels on screen.
        column_gap: Space between columns, as a share of the width.
        row_gap: Space between rows, as a share of the height.
    """

    columns: tuple[float, ...] = (1.0,)
    rows: tuple[float, ...] = (1.0,)
    aspect: float = 0.0
    millimetres: float = 0.0
    wide_millimetres: float = 0.0
    pixels: int = 340
    column_gap: float = 0.03
    row_gap: float = 0.05


@dataclass(frozen=True)
class LegendEntry:
    """One line of the legend: a swatch (``"patch"``, ``"line"`` or ``"point"``) and its text; ``width`` 1 is normal.

    ``outlined`` points are hollow, as in the chart.
    """

    label: str
    role: str
    swatch: str
    dash: str = "solid"
    marker: str = ""
    width: float = 1.0
    opacity: float = 1.0
    outlined: bool = False


def legend_entries(panels: Sequence[Panel]) -> list[LegendEntry]:
    """Entries of all labelled marks, each label once, in drawing order."""
    entries: dict[str, LegendEntry] = {}
    for panel in panels:
        for mark in panel.marks:
            label = getattr(mark, "label", "")
            if not label or label in entries:
                continue
            assert not isinstance(mark, Band | Rule | Heat | Picture | Note)
            if isinstance(mark, Areas | Bars):
                entries[label] = LegendEntry(label, mark.role, "patch")
            elif isinstance(mark, Points):
                entries[label] = LegendEntry(label, mark.role, "point", marker=mark.symbol, outlined=mark.outlined)
            else:
                dash, marker = getattr(mark, "dash", "solid"), getattr(mark, "marker", "")
                # A line a little heavier than in the chart is told from another by its colour; pieces by their width.
                pieces = isinstance(mark, Segments)
                width, opacity = (mark.width, mark.opacity) if pieces else (1.0, 1.0)
                entries[label] = LegendEntry(label, mark.role, "line", dash, marker, width, opacity)
    return list(entries.values())


def outlines(areas: Areas) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Corners (x, y) of every filled polygon; stretches without height have none, or they would show as hairlines."""
    for edges, bottom, top in areas.steps:
        filled = np.concatenate([[False], bottom != top, [False]])
        starts, stops = np.flatnonzero(filled[1:] & ~filled[:-1]), np.flatnonzero(filled[:-1] & ~filled[1:])
        for start, stop in zip(starts, stops, strict=True):
            across = np.repeat(edges[start : stop + 1], 2)[1:-1]
            upper, lower = np.repeat(top[start:stop], 2), np.repeat(bottom[start:stop], 2)
            yield np.concatenate([across, across[::-1]]), np.concatenate([upper, lower[::-1]])


def stairs(edges: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a step curve: ``heights`` (n) between ``edges`` (n + 1)."""
    return np.repeat(edges, 2)[1:-1], np.repeat(heights, 2)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers within [low, high]."""
    span = max(high - low, 1e-12)
    magnitude = 10.0 ** np.floor(np.log10(span / count))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude * count >= span * 0.999)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(round(i * step, 12)) + 0.0 for i in np.arange(first, last + 1)]


def number_ticks(low: float, high: float, count: int = 5) -> tuple[tuple[float, str], ...]:
    """``nice_ticks`` with labels that have a true minus sign."""
    return tuple((value, f"{value:g}".replace("-", "−")) for value in nice_ticks(low, high, count))
