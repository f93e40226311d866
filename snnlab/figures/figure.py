"""The Figure: one plain description that plotly draws on screen and matplotlib on paper."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from snnlab.core.errors import SnnlabError
from snnlab.core.files import write_atomically
from snnlab.figures.scene import Layout, Panel

if TYPE_CHECKING:
    import plotly.graph_objects as go

FORMATS = ("pdf", "svg", "png")


@dataclass(frozen=True, eq=False, repr=False)
class Figure:
    """A chart that answers one question.

    Args:
        name: Short name for file names, for example ``accuracy``.
        title: The question.
        subtitle: T, images, split and what else identifies the numbers.
        alt: What the chart shows, in words, for readers who cannot see it.
        panels: Axes with marks.
        layout: Sizes.
        data: The plotted numbers, tidy.
        foot: How to read it, in one or two sentences.
        recipe_sha: Hash of the recipe behind the numbers; written into exported files.
        run_id: Run that holds the numbers; written into exported files.
    """

    name: str
    title: str
    subtitle: str
    alt: str
    panels: tuple[Panel, ...]
    layout: Layout
    data: pd.DataFrame
    foot: str = ""
    recipe_sha: str = ""
    run_id: str = ""

    @property
    def caption(self) -> str:
        """Title, subtitle and foot as running text, for the caption in a paper."""
        sentences = (self.title, self.subtitle, self.foot)
        return " ".join(text if text.endswith((".", "?", "!")) else f"{text}." for text in sentences if text)

    def stamped(self, *, recipe_sha: str = "", run_id: str = "") -> "Figure":
        """The same figure, with the recipe and run that exported files are to name."""
        return replace(self, recipe_sha=recipe_sha, run_id=run_id)

    def plotly(self, dark: bool = False, *, heading: bool = True, wide: bool = True) -> "go.Figure":
        """The chart for the screen.

        Args:
            dark: Colours for a dark page; the background is transparent in both themes.
            heading: Draw title and subtitle; without them where the page has its own.
            wide: Draw the columns of numbers, for which some 700 px are needed.
        """
        from snnlab.figures.screen import draw

        return draw(self, dark=dark, heading=heading, wide=wide)

    def render(self, format: str, preset: str = "single", *, heading: bool = True) -> bytes:
        """The chart for paper: vector PDF or SVG, or PNG at 600 dpi; the same figure gives the same bytes.

        Args:
            format: ``"pdf"``, ``"svg"`` or ``"png"``.
            preset: Journal width, a name in ``style.PRESETS``.
            heading: Draw title, subtitle and foot; without them where the caption says it.

        Raises:
            SnnlabError: Unknown format or preset.
        """
        from snnlab.figures.paper import render

        if format not in FORMATS:
            raise SnnlabError(f"Figures cannot be written as {format!r}; choose one of {', '.join(FORMATS)}.")
        return render(self, format, preset, heading=heading)

    def __repr__(self) -> str:
        return f"Figure({self.name}: {self.title})"

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.render("svg", "double").decode()

    def save(self, path: str | Path, preset: str = "single", *, heading: bool = True) -> Path:
        """``render`` to a file; its ending names the format.

        Raises:
            SnnlabError: Unknown ending or preset, or the file cannot be written.
        """
        path = Path(path)
        data = self.render(path.suffix.removeprefix(".").lower(), preset, heading=heading)
        try:
            write_atomically(path, data)
        except OSError as error:
            raise SnnlabError(f"{path} cannot be written: {error.strerror or error}.") from None
        return path
