"""The plotly engine: figures for the screen. Every text is data and reaches plotly escaped."""

import html
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from snnlab.figures.scene import (
    Areas,
    Axis,
    Band,
    Bars,
    Heat,
    Layout,
    Line,
    Mark,
    Note,
    Panel,
    Picture,
    Points,
    Rule,
    Segments,
    legend_entries,
    outlines,
)
from snnlab.figures.style import faded, palette, plain, ramp_colours, template

if TYPE_CHECKING:
    from snnlab.figures.figure import Figure

_LINE_HEIGHT = 21  # px of a legend row
_ASSUMED_WIDTH = 560  # px, for guessing how often legend and foot wrap below a heading
_NARROWEST = 400  # px of the panels of a page's figure, whose height leaves room for a legend that wraps there
_ABOVE_PANELS = 16  # px between legend and panels, where titles of panels stand


def draw(figure: "Figure", *, dark: bool, heading: bool, wide: bool) -> go.Figure:
    """Draw a figure; see ``Figure.plotly``."""
    roles = palette(dark)
    panels = [panel for panel in figure.panels if wide or not panel.wide_only]
    columns = sorted({panel.column for panel in panels})
    labels = [entry.label for entry in legend_entries(panels)]
    keys = _legend_rows(labels, _ASSUMED_WIDTH if heading else _NARROWEST)
    head = 58 if heading else 4
    foot = _wrapped(figure.foot, _ASSUMED_WIDTH // 7) if heading and figure.foot else []
    top, bottom = head + keys * _LINE_HEIGHT + _ABOVE_PANELS, 54 + 17 * len(foot)
    height = figure.layout.pixels + top + bottom
    parts = _Parts(roles, dark)
    if foot:
        text = "<br>".join(escape(line) for line in foot)
        place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 0, "yref": "paper", "yanchor": "top", "yshift": -50}
        parts.annotations.append({"text": text, **place, "align": "left", **_font(12, roles["mute"])})
    layout = replace(figure.layout, columns=tuple(figure.layout.columns[column] for column in columns))
    for index, panel in enumerate(panels, start=1):
        parts.add(replace(panel, column=columns.index(panel.column)), layout, "" if index == 1 else str(index))
    frame = {
        "template": template(dark),
        "height": height,
        "margin": {"l": 12, "r": _right_margin(panels), "t": top if heading else head + _ABOVE_PANELS, "b": bottom},
        "minreducedheight": 20,  # a list of one row is lower than what plotly keeps free of the legend
        "showlegend": keys > 0,
        "legend": {
            **{"orientation": "h", "itemsizing": "constant", "traceorder": "normal", "x": 0, "xanchor": "left"},
            **_legend_place(head / height if heading else None, figure.layout.pixels),
        },
        "hovermode": "closest",
        "barmode": "overlay",
        "annotations": parts.annotations,
        "shapes": parts.shapes,
    }
    if heading:
        frame["title"] = {
            "text": f"<b>{escape(figure.title)}</b>",
            "font": {"size": 17, "color": roles["text"]},
            "subtitle": {"text": escape(figure.subtitle), "font": {"size": 13, "color": roles["mute"]}},
            **{"x": 0, "xref": "container", "xanchor": "left"},
            **{"y": 1, "yref": "container", "yanchor": "top", "pad": {"l": 4, "t": 8}},
        }
    return go.Figure(data=parts.traces, layout=frame | parts.axes)


def escape(text: str) -> str:
    """Text that plotly shows as it is: neither HTML tags nor, between dollar signs, mathematics."""
    return html.escape(plain(text), quote=False).replace("$", "&#36;")


def _hover(texts: Iterable[str]) -> list[str]:
    return ["<br>".join(escape(line) for line in text.split("\n")) for text in texts]


def _legend_rows(labels: list[str], room: int) -> int:
    widths = [46 + 7 * len(label) for label in labels]
    if sum(widths) <= room:
        return min(len(labels), 1)
    return math.ceil(len(labels) / max(1, room // max(widths)))  # plotly puts wrapped legends in columns


def _legend_place(head: float | None, pixels: int) -> dict[str, Any]:
    """Where the legend stands: below a heading that ends at a share of the height, else right above the panels.

    Above the panels plotly itself makes room for as many rows as the width needs, and the panels take what is left of
    the height; it cannot do so below a heading, where the guessed rows are kept free.
    """
    if head is not None:
        return {"xref": "container", "y": 1 - head, "yref": "container", "yanchor": "top"}
    return {"xref": "paper", "y": 1 + _ABOVE_PANELS / pixels, "yref": "paper", "yanchor": "bottom"}


def _right_margin(panels: list[Panel]) -> int:
    """Room for texts beside the panels, which plotly does not reserve by itself."""
    beside = [m for panel in panels for m in panel.marks if isinstance(m, Note) and m.x_panel and m.x >= 1]
    return 18 + max((8 * len(note.text) for note in beside), default=0)


def _wrapped(text: str, length: int) -> list[str]:
    lines = [""]
    for word in plain(text).split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > length:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _domain(sizes: tuple[float, ...], gap: float, index: int) -> list[float]:
    room = 1 - gap * (len(sizes) - 1)
    start = sum(sizes[:index]) / sum(sizes) * room + gap * index
    return [start, min(1.0, start + sizes[index] / sum(sizes) * room)]


class _Parts:
    """What the panels add up to; plotly takes it in one go, since adding piece by piece is slow."""

    def __init__(self, roles: dict[str, str], dark: bool) -> None:
        self.roles, self.dark = roles, dark
        self.traces: list[Any] = []
        self.axes: dict[str, Any] = {}
        self.annotations: list[dict[str, Any]] = []
        self.shapes: list[dict[str, Any]] = []
        self.seen: set[str] = set()

    def add(self, panel: Panel, layout: Layout, suffix: str) -> None:
        """Draw one panel on the axes ``x<suffix>``, ``y<suffix>``."""
        across = _domain(layout.columns, layout.column_gap, panel.column)
        low, high = _domain(layout.rows, layout.row_gap, panel.row)
        x, y = f"x{suffix}", f"y{suffix}"
        self.axes[f"xaxis{suffix}"] = _axis(panel.x, self.roles) | {"domain": across, "anchor": y}
        self.axes[f"yaxis{suffix}"] = _axis(panel.y, self.roles) | {"domain": [1 - high, 1 - low], "anchor": x}
        if panel.square:
            self.axes[f"xaxis{suffix}"]["constrain"] = "domain"
            self.axes[f"yaxis{suffix}"] |= {"scaleanchor": x, "scaleratio": 1, "constrain": "domain"}
        if panel.wash:
            corners = {"x0": 0, "x1": 1, "y0": 0, "y1": 1, "xref": f"{x} domain", "yref": f"{y} domain"}
            fill = {"fillcolor": self.roles["wash"], "line": {"width": 0}, "layer": "below"}
            self.shapes.append({"type": "rect", **corners, **fill})
        for mark in panel.marks:
            if isinstance(mark, Rule):
                self.shapes.append(_rule(mark, x, y, self.roles))
            elif isinstance(mark, Note):
                self.annotations.append(_note(mark, panel, x, y, self.roles))
            else:
                self._add_traces(mark, x, y)

    def _add_traces(self, mark: Mark, x: str, y: str) -> None:
        if isinstance(mark, Picture):  # which has no place in a legend
            shades = (255 * mark.values).round().astype(np.uint8)
            self.traces.append(go.Image(z=shades, x0=0.5, y0=0.5, hoverinfo="skip", xaxis=x, yaxis=y))
        label = getattr(mark, "label", "")
        for trace in _traces(mark, self.roles, self.dark):
            shown = bool(label) and label not in self.seen and trace.showlegend is not False
            if shown:
                self.seen.add(label)
            trace.update(xaxis=x, yaxis=y, showlegend=shown, name=escape(label), legendgroup=escape(label) or None)
            self.traces.append(trace)


def _rule(mark: Rule, x: str, y: str, roles: dict[str, str]) -> dict[str, Any]:
    line = {"color": roles[mark.role], "width": 2 * mark.width, "dash": _dash(mark.dash)}
    if mark.vertical:
        at: dict[str, Any] = {"x0": mark.at, "x1": mark.at, "y0": 0, "y1": 1, "xref": x, "yref": f"{y} domain"}
    else:
        at = {"x0": 0, "x1": 1, "y0": mark.at, "y1": mark.at, "xref": f"{x} domain", "yref": y}
    return {"type": "line", **at, "line": line}


def _font(size: int, colour: str) -> dict[str, Any]:
    return {"showarrow": False, "font": {"size": size, "color": colour}}


def _axis(axis: Axis, roles: dict[str, str]) -> dict[str, Any]:
    limits = [float(np.log10(axis.low)), float(np.log10(axis.high))] if axis.log else [axis.low, axis.high]
    return {
        "type": "log" if axis.log else "linear",
        "range": limits,
        "autorange": False,
        "title": {"text": escape(axis.title)},
        "tickmode": "array",
        "tickvals": [at for at, _ in axis.ticks],
        "ticktext": [escape(text) for _, text in axis.ticks],
        "showline": axis.line,
        "ticks": "outside" if axis.line and axis.ticks else "",
        "showgrid": axis.grid,
        "automargin": True,
        "ticklabelstandoff": 0 if axis.line else 5,
        "tickfont": {"color": roles["text" if axis.strong else "mute"]},
    }


def _dash(name: str) -> str:
    return {"dot": "1.5px,3px", "dash": "6px,4px"}.get(name, name)


def _note(note: Note, panel: Panel, x: str, y: str, roles: dict[str, str]) -> dict[str, Any]:
    text = "<br>".join(escape(line) for line in note.text.split("\n"))
    # Annotations, unlike traces and shapes, count in exponents on a logarithmic axis.
    at_x = float(np.log10(note.x)) if panel.x.log and not note.x_panel else note.x
    at_y = float(np.log10(note.y)) if panel.y.log and not note.y_panel else note.y
    return {
        "x": at_x,
        "y": at_y,
        "xref": f"{x} domain" if note.x_panel else x,
        "yref": f"{y} domain" if note.y_panel else y,
        "text": f"<b>{text}</b>" if note.bold else text,
        "xanchor": note.horizontal,
        "yanchor": note.vertical,
        "xshift": 1.3 * note.gap[0],
        "yshift": 1.3 * note.gap[1],
        "align": note.horizontal,
        "borderpad": 0,
        **_font(12, roles[note.role]),
    }


def _traces(mark: Mark, roles: dict[str, str], dark: bool) -> Iterator[Any]:
    if isinstance(mark, Line):
        yield _scatter(mark, roles)
    elif isinstance(mark, Band):
        x, y = np.concatenate([mark.x, mark.x[::-1]]), np.concatenate([mark.high, mark.low[::-1]])
        yield _filled(x, y, faded(roles[mark.role], mark.opacity))
    elif isinstance(mark, Areas):
        xs, ys = _joined(list(outlines(mark)))
        yield _filled(xs, ys, roles[mark.role])
        if mark.label:  # the key of a filled line is a line; a square says what it is
            yield _key(roles[mark.role], "square")
    elif isinstance(mark, Bars):
        length = mark.end - mark.start
        place = {"x": length, "y": mark.at} if mark.horizontal else {"x": mark.at, "y": length}
        yield go.Bar(
            **place,
            base=mark.start,
            orientation="h" if mark.horizontal else "v",
            width=mark.thickness,
            marker={"color": roles[mark.role], "line": {"width": 0}},
            opacity=mark.opacity,
            **_hovering(mark.hover),
        )
    elif isinstance(mark, Points):
        yield _points(mark, roles)
    elif isinstance(mark, Segments):
        gap = np.full(len(mark.x0), np.nan)
        x, y = np.column_stack([mark.x0, mark.x1, gap]).ravel(), np.column_stack([mark.y0, mark.y1, gap]).ravel()
        line = {"color": roles[mark.role], "width": 2 * mark.width}
        yield go.Scatter(x=x, y=y, mode="lines", line=line, opacity=mark.opacity, hoverinfo="skip")
    elif isinstance(mark, Heat):
        colours = ramp_colours(mark.ramp, dark)
        scale = [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]
        told: dict[str, Any] = {"hoverinfo": "skip"}
        if mark.told is not None:
            told = {"customdata": mark.told, "hovertemplate": "%{customdata:.4g}<extra></extra>"}
        yield go.Heatmap(
            **{"x": mark.x_edges, "y": mark.y_edges, "z": mark.values, "zmin": 0, "zmax": 1},
            **{"colorscale": scale, "showscale": False, **told},
        )


def _scatter(mark: Line, roles: dict[str, str]) -> Any:
    return go.Scatter(
        x=mark.x,
        y=mark.y,
        mode="lines+markers" if mark.marker else "lines",
        line={"color": roles[mark.role], "width": 2 * mark.width, "dash": _dash(mark.dash)},
        marker={"symbol": mark.marker or "circle", "size": 6, "color": roles[mark.role]},
        opacity=mark.opacity,
        connectgaps=False,
        **_hovering(mark.hover),
    )


def _points(mark: Points, roles: dict[str, str]) -> Any:
    if mark.symbol == "none":
        marker: dict[str, Any] = {"opacity": 0, "size": 12}
    else:
        fill, edge = ("background", mark.role) if mark.outlined else (mark.role, mark.edge)
        line = {"color": roles[edge], "width": 2 if mark.outlined else 1}
        marker = {"symbol": mark.symbol, "size": 8 * mark.size, "color": roles[fill], "line": line}
    return go.Scatter(x=mark.x, y=mark.y, mode="markers", marker=marker, cliponaxis=False, **_hovering(mark.hover))


def _filled(x: np.ndarray, y: np.ndarray, colour: str) -> Any:
    return go.Scatter(
        x=x, y=y, mode="lines", fill="toself", fillcolor=colour, line={"width": 0}, hoverinfo="skip", showlegend=False
    )


def _key(colour: str, symbol: str) -> Any:
    marker = {"symbol": symbol, "size": 10, "color": colour}
    return go.Scatter(x=[None], y=[None], mode="markers", marker=marker, hoverinfo="skip")


def _joined(polygons: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    gap = np.array([np.nan])
    xs, ys = ([part for polygon in polygons for part in (polygon[i], gap)] for i in (0, 1))
    return np.concatenate([*xs, []]), np.concatenate([*ys, []])


def _hovering(texts: tuple[str, ...]) -> dict[str, Any]:
    if not texts:
        return {"hoverinfo": "skip"}
    return {"hovertext": _hover(texts), "hovertemplate": "%{hovertext}<extra></extra>"}
