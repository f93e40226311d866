"""The paper around the panels: fonts, and heading, legend and foot wrapped by measured text widths."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from matplotlib import font_manager
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from snnlab.figures.scene import LegendEntry
from snnlab.figures.style import PAPER_FONTS, palette, plain

if TYPE_CHECKING:
    from snnlab.figures.figure import Figure

DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 2.4)), "dot": (0, (1, 2.2)), "dashdot": (0, (5, 2, 1, 2))}
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "triangle-up": "^"}


class TextLine:
    """A line of text with its place on the page, points from the left and from the top of its block."""

    def __init__(self, text: str, size: float, role: str, *, bold: bool = False, x: float = 0.0) -> None:
        self.text, self.size, self.role, self.bold, self.x = text, size, role, bold, x
        self.entry: LegendEntry | None = None
        self.height = 1.42 * size


class Page:
    """What surrounds the panels: heading, legend and foot, wrapped by measured text widths."""

    def __init__(self, canvas: Canvas, width: float, em: float) -> None:
        self.canvas, self.width, self.em = canvas, width, em
        self.colours = palette()
        self.ruler = canvas.text(0, 0, "", alpha=0)

    def measure(self, text: str, size: float, *, bold: bool = False) -> float:
        """Width of a text, pt."""
        self.ruler.set(text=text, size=size, weight="bold" if bold else "normal")
        extent = self.ruler.get_window_extent(self.canvas.canvas.get_renderer())  # type: ignore[attr-defined]
        self.ruler.set(text="")
        return 1.01 * float(extent.width) * 72 / self.canvas.dpi

    def lines(self, text: str, size: float, role: str, *, bold: bool = False) -> list[TextLine]:
        """Wrap a text to the page; a word that is wider than the page is cut."""
        lines, current = [], ""
        for word in drawable(text).split(" "):
            for piece in self._pieces(word, size, bold):
                longer = f"{current} {piece}".strip()
                if current and self.measure(longer, size, bold=bold) > self.width - 2:
                    lines.append(current)
                    longer = piece
                current = longer
        return [TextLine(line, size, role, bold=bold) for line in [*lines, current] if line]

    def _pieces(self, word: str, size: float, bold: bool) -> list[str]:
        if not word or self.measure(word, size, bold=bold) <= self.width - 2:
            return [word]
        half = len(word) // 2
        return self._pieces(word[:half], size, bold) + self._pieces(word[half:], size, bold)

    def heading(self, figure: "Figure") -> list[TextLine]:
        """Title and subtitle."""
        title = self.lines(plain(figure.title), 1.18 * self.em, "text", bold=True)
        return title + self.lines(plain(figure.subtitle), 0.95 * self.em, "mute")

    def legend(self, entries: Sequence[LegendEntry]) -> list[list[TextLine]]:
        """Entries flowing over as many rows as they need."""
        rows: list[list[TextLine]] = []
        x = 0.0
        for entry in entries:
            item = TextLine(drawable(plain(entry.label)), self.em, "text")
            needed = self._swatch(entry) + self.measure(item.text, item.size)
            if not rows or (x > 0 and x + needed > self.width - 2):
                rows.append([])
                x = 0.0
            item.entry, item.x = entry, x
            rows[-1].append(item)
            x += needed + 1.3 * self.em
        return rows

    def _swatch(self, entry: LegendEntry) -> float:
        return (2.4 if entry.swatch == "line" else 1.25) * self.em

    def place(self, top: list[TextLine], keys: list[list[TextLine]], foot: list[TextLine], height: float) -> None:
        """Put everything on the page of that height, pt."""
        self.ruler.remove()
        y = height
        for line in top:
            y -= line.height
            self._put(line, 1.0, y + 0.3 * line.size, height)
        y -= 0.3 * self.em if top and keys else 0.0
        for row in keys:
            y -= row[0].height
            for item in row:
                assert item.entry is not None
                self._key(item.entry, item.x + 1.0, y + 0.66 * item.size, height)
                self._put(item, item.x + 1.0 + self._swatch(item.entry), y + 0.3 * item.size, height)
        y = sum(line.height for line in foot)
        for line in foot:
            y -= line.height
            self._put(line, 1.0, y + 0.35 * line.size, height)

    def _put(self, line: TextLine, x: float, y: float, height: float) -> None:
        self.canvas.text(
            x / self.width,
            y / height,
            line.text,
            size=line.size,
            color=self.colours[line.role],
            weight="bold" if line.bold else "normal",
            va="baseline",
        )

    def _key(self, entry: LegendEntry, x: float, y: float, height: float) -> None:
        colour, em = self.colours[entry.role], self.em
        if entry.swatch == "patch":
            side = 0.78 * em
            corner = (x / self.width, (y - side / 2) / height)
            patch = Rectangle(corner, side / self.width, side / height, facecolor=colour, edgecolor="none", linewidth=0)
            patch.set_transform(self.canvas.transFigure)
            self.canvas.add_artist(patch)
            return
        span = (0.0, 1.9 * em) if entry.swatch == "line" else (0.4 * em, 0.4 * em)
        key = Line2D(
            [(x + part) / self.width for part in span],
            [y / height] * 2,
            color=colour,
            linewidth=0.16 * em * entry.width if entry.swatch == "line" else 0,
            alpha=entry.opacity,
            linestyle=DASHES[entry.dash],
            transform=self.canvas.transFigure,
        )
        self.canvas.add_artist(key)
        if entry.marker in MARKERS:
            middle = [(x + sum(span) / 2) / self.width], [y / height]
            marker = Line2D(
                *middle,
                marker=MARKERS[entry.marker],
                markersize=(0.6 if entry.swatch == "point" else 0.42) * em,
                markerfacecolor=self.colours["background"] if entry.outlined else colour,
                markeredgecolor=colour,
                markeredgewidth=0.13 * em if entry.outlined else 0,
                transform=self.canvas.transFigure,
            )
            self.canvas.add_artist(marker)


@cache
def fonts() -> tuple[str, ...]:
    """Installed families of ``PAPER_FONTS``."""
    installed = set(font_manager.fontManager.get_font_names())
    return tuple(family for family in PAPER_FONTS if family in installed)


@cache
def _glyphs() -> frozenset[int]:
    paths = [font_manager.findfont(font_manager.FontProperties(family=[family])) for family in fonts()]
    return frozenset().union(*(font_manager.get_font(path).get_charmap() for path in paths))


def drawable(text: str) -> str:
    """The text, with a sign in place of every character that none of the fonts can draw."""
    return "".join(c if ord(c) in _glyphs() else "\ufffd" for c in text)
