"""The matplotlib engine: figures for paper, in vector form, with embedded fonts and reproducible bytes."""

import io
import threading
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullLocator
from PIL import Image

from snnlab.core.errors import SnnlabError
from snnlab.figures.page import DASHES, MARKERS, Page, drawable, fonts
from snnlab.figures.scene import (
    Areas,
    Axis,
    Band,
    Bars,
    Heat,
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
from snnlab.figures.style import WIDE, palette, plain, preset, ramp_colours

if TYPE_CHECKING:
    from snnlab.figures.figure import Figure

RENDER_LOCK = threading.Lock()
"""matplotlib's settings are one per process, so figures are drawn one at a time."""

DPI = 600
_POINTS_PER_MM = 72 / 25.4


def render(figure: "Figure", kind: str, preset_name: str, *, heading: bool) -> bytes:
    """Draw and check a figure; see ``Figure.render``."""
    with RENDER_LOCK, mpl.rc_context(_settings()):
        canvas = compose(figure, preset_name, heading=heading)
        buffer = io.BytesIO()
        canvas.savefig(buffer, format=kind, dpi=DPI, metadata=_metadata(figure, kind))
        width, height = canvas.get_size_inches()
    return _checked(buffer.getvalue(), kind, (int(width * DPI), int(height * DPI)))


def compose(figure: "Figure", preset_name: str, *, heading: bool) -> Canvas:
    """Lay the figure out on a matplotlib canvas; the caller holds ``RENDER_LOCK`` and the settings."""
    size = preset(preset_name)
    wide = size.width >= WIDE
    panels = [panel for panel in figure.panels if wide or not panel.wide_only]
    layout, em = figure.layout, size.font
    width = size.width * _POINTS_PER_MM
    scaling = layout.aspect * size.width * (0.62 if wide else 1.0)
    listed = layout.millimetres + layout.wide_millimetres * wide
    body = _POINTS_PER_MM * (scaling + listed * em / 7)

    canvas = Canvas(figsize=(width / 72, 1.0), dpi=300)
    FigureCanvasAgg(canvas)
    page = Page(canvas, width, em)
    top = page.heading(figure) if heading else []
    keys = page.legend(legend_entries(panels))
    foot = page.lines(plain(figure.foot), 0.9 * em, "mute") if heading and figure.foot else []
    above = sum(line.height for line in top) + sum(row[0].height for row in keys) + (0.5 * em if top or keys else 0)
    below = sum(line.height for line in foot) + (0.4 * em if foot else 0)
    height = above + body + below
    canvas.set_size_inches(width / 72, height / 72)
    page.place(top, keys, foot, height)

    columns = sorted({panel.column for panel in panels})
    grid = canvas.add_gridspec(
        len(layout.rows),
        len(columns),
        width_ratios=[layout.columns[column] for column in columns],
        height_ratios=layout.rows,
    )
    canvas.set_layout_engine(
        "constrained",
        rect=(0, below / height, 1, (body - 1) / height),
        w_pad=1 / 72,
        h_pad=1 / 72,
        wspace=layout.column_gap,
        hspace=layout.row_gap,
    )
    for panel in panels:
        axes = canvas.add_subplot(grid[panel.row, columns.index(panel.column)])
        _draw_panel(axes, panel, em)
    return canvas


def _draw_panel(axes: Axes, panel: Panel, em: float) -> None:
    colours = palette()
    axes.set_facecolor(colours["wash"] if panel.wash else "none")
    for order, mark in enumerate(panel.marks):
        _draw_mark(axes, mark, em, 2 + 0.01 * order)
    for axis, name in ((panel.x, "x"), (panel.y, "y")):
        _draw_axis(axes, axis, name, em)
    axes.set_aspect("equal" if panel.square else "auto")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_axis(axes: Axes, axis: Axis, name: str, em: float) -> None:
    colours = palette()
    side = {"x": axes.xaxis, "y": axes.yaxis}[name]
    spine = axes.spines["bottom" if name == "x" else "left"]
    if axis.log:
        getattr(axes, f"set_{name}scale")("log")
        side.set_minor_locator(NullLocator())
    getattr(axes, f"set_{name}lim")(axis.low, axis.high)
    side.set_ticks([at for at, _ in axis.ticks], [drawable(plain(text)) for _, text in axis.ticks])
    side.set_tick_params(
        length=0.35 * em if axis.line else 0,
        width=0.08 * em,
        pad=0.3 * em,
        color=colours["axis"],
        labelcolor=colours["text" if axis.strong else "mute"],
        labelsize=0.95 * em,
    )
    spine.set_visible(axis.line)
    spine.set(color=colours["axis"], linewidth=0.08 * em)
    if axis.grid:
        axes.grid(axis=name, color=colours["grid"], linewidth=0.07 * em)  # type: ignore[arg-type]
        axes.set_axisbelow(True)
    if axis.title:
        side.set_label_text(drawable(plain(axis.title)), size=em, color=colours["text"])
        side.labelpad = 0.35 * em


def _draw_mark(axes: Axes, mark: Mark, em: float, order: float) -> None:
    colours, stroke = palette(), 0.16 * em
    if isinstance(mark, Line):
        axes.plot(
            mark.x,
            mark.y,
            color=colours[mark.role],
            linewidth=stroke * mark.width,
            linestyle=DASHES[mark.dash],
            marker=MARKERS.get(mark.marker, ""),
            markersize=0.42 * em,
            markeredgewidth=0,
            alpha=mark.opacity,
            zorder=order,
            solid_joinstyle="miter",
        )
    elif isinstance(mark, Band):
        colour = colours[mark.role]
        axes.fill_between(mark.x, mark.low, mark.high, color=colour, alpha=mark.opacity, linewidth=0, zorder=order)
    elif isinstance(mark, Areas):
        corners = [np.column_stack(polygon) for polygon in outlines(mark)]
        axes.add_collection(
            PolyCollection(corners, facecolor=colours[mark.role], linewidth=0, zorder=order), autolim=False
        )
    elif isinstance(mark, Bars):
        near, far = mark.at - mark.thickness / 2, mark.at + mark.thickness / 2
        along = np.column_stack([mark.start, mark.end, mark.end, mark.start])
        across = np.column_stack([near, near, far, far])
        boxes = np.stack([along, across] if mark.horizontal else [across, along], axis=-1)
        bars = PolyCollection(list(boxes), facecolor=colours[mark.role], alpha=mark.opacity, linewidth=0, zorder=order)
        axes.add_collection(bars, autolim=False)
    elif isinstance(mark, Points):
        if mark.symbol in MARKERS:
            axes.plot(
                mark.x,
                mark.y,
                linestyle="none",
                marker=MARKERS[mark.symbol],
                markersize=0.5 * em * mark.size,
                markerfacecolor=colours["background"] if mark.outlined else colours[mark.role],
                markeredgecolor=colours[mark.role if mark.outlined else mark.edge],
                markeredgewidth=0.13 * em if mark.outlined else 0.06 * em,
                zorder=order,
                clip_on=False,
            )
    elif isinstance(mark, Segments):
        pieces = np.stack([np.column_stack([mark.x0, mark.y0]), np.column_stack([mark.x1, mark.y1])], axis=1)
        colour, width = colours[mark.role], stroke * mark.width
        axes.add_collection(
            LineCollection(list(pieces), colors=colour, linewidths=width, alpha=mark.opacity, zorder=order),
            autolim=False,
        )
    elif isinstance(mark, Rule):
        rule = axes.axvline if mark.vertical else axes.axhline
        colour, width = colours[mark.role], stroke * mark.width
        rule(mark.at, color=colour, linewidth=width, linestyle=DASHES[mark.dash], zorder=order)
    elif isinstance(mark, Heat):
        colour_map = LinearSegmentedColormap.from_list(mark.ramp, ramp_colours(mark.ramp))
        axes.pcolormesh(
            mark.x_edges, mark.y_edges, mark.values, cmap=colour_map, vmin=0, vmax=1, rasterized=True, zorder=order
        )
    elif isinstance(mark, Picture):
        height, width = mark.values.shape[:2]
        axes.imshow(mark.values, extent=(0, width, height, 0), interpolation="nearest", zorder=order)
    else:
        _draw_note(axes, mark, em, order)


def _draw_note(axes: Axes, note: Note, em: float, order: float) -> None:
    text = "\n".join(drawable(plain(line)) for line in note.text.split("\n"))
    axes.annotate(
        text,
        (note.x, note.y),
        xycoords=("axes fraction" if note.x_panel else "data", "axes fraction" if note.y_panel else "data"),
        xytext=(note.gap[0] * em / 10, note.gap[1] * em / 10),
        textcoords="offset points",
        ha=note.horizontal,
        va="center" if note.vertical == "middle" else note.vertical,
        size=0.95 * em,
        color=palette()[note.role],
        weight="bold" if note.bold else "normal",
        linespacing=1.15,
        zorder=order,
        annotation_clip=False,
    )


def _settings() -> dict[Any, Any]:
    return {
        "font.family": list(fonts()),
        "pdf.fonttype": 42,  # journals refuse Type 3 fonts
        "ps.fonttype": 42,
        "svg.fonttype": "path",  # SVG viewers ignore embedded fonts: outlines look the same everywhere
        "svg.hashsalt": "snnlab",
        "text.parse_math": False,  # names are data: a dollar sign is a dollar sign
        "text.usetex": False,
        "text.hinting": "none",  # hinted widths depend on the resolution, and line breaks must not
        "axes.unicode_minus": True,
        "path.simplify": False,
        "savefig.bbox": None,
        "savefig.transparent": False,
        "figure.facecolor": "white",
        "lines.dash_capstyle": "butt",
    }


def _metadata(figure: "Figure", kind: str) -> dict[str, Any]:
    origin = [f"recipe {figure.recipe_sha}"] * bool(figure.recipe_sha) + [f"run {figure.run_id}"] * bool(figure.run_id)
    title, subject = plain(figure.title), plain(". ".join([figure.subtitle, *origin]))
    keywords = plain(", ".join(origin))
    if kind == "pdf":
        named = {"Title": title, "Subject": subject, "Keywords": keywords, "Creator": "snnlab"}
        return {**named, "CreationDate": None, "Producer": None}
    if kind == "svg":
        return {"Title": title, "Description": subject, "Keywords": origin or None, "Creator": "snnlab", "Date": None}
    return {"Title": title, "Description": subject, "Keywords": keywords, "Software": "snnlab"}


def _checked(data: bytes, kind: str, pixels: tuple[int, int]) -> bytes:
    problem = ""
    if kind == "pdf":
        whole = data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
        problem = "" if whole and b"/Type3" not in data and b"/FontFile2" in data else "its fonts are not embedded"
    elif kind == "svg":
        try:
            ElementTree.fromstring(data)
        except ElementTree.ParseError as error:
            problem = f"it is not valid XML ({error})"
    else:
        with Image.open(io.BytesIO(data)) as image:
            close = all(abs(a - b) <= 1 for a, b in zip(image.size, pixels, strict=True))
            image.verify()
        problem = "" if close else f"it came out with {image.size} pixels instead of {pixels}"
    if problem:
        raise SnnlabError(f"The {kind.upper()} was not handed out because {problem}; choose another format.")
    return data
