"""Sites as rows, input first, top to bottom: positions, names, stages; used by every chart that lists sites."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snnlab.core.stages import stage_of
from snnlab.figures.scene import Axis
from snnlab.figures.style import shorten

NAMED_ROWS = 25
"""Up to so many rows have room for a name of their own."""

_STAGE_GAP = 0.35  # rows
_DENSE_STAGE_GAP = 0.9


@dataclass(frozen=True)
class Rows:
    """Where the rows lie.

    Args:
        names: Site names, input first.
        centre: Position of each row, downwards, (sites,).
        stages: Name and the indices [start, stop) of every run of rows of one stage.
        named: Every row has its name; else only stages have.
        end: Lower edge of the last row.
        millimetres: Height of all rows on paper, at a 7 pt font.
        pixels: Height of all rows on screen.
    """

    names: tuple[str, ...]
    centre: np.ndarray
    stages: tuple[tuple[str, int, int], ...]
    named: bool
    end: float
    millimetres: float
    pixels: int

    @property
    def axis(self) -> Axis:
        """The axis that names rows, or stages where rows are thin."""
        if self.named:
            ticks = [(float(at), shorten(name, 22)) for at, name in zip(self.centre, self.names, strict=True)]
            return Axis(self.end, -0.5, "", tuple(ticks), line=False, strong=True)
        # A label needs about 3 mm on paper and 15 px on screen; of stages that lie closer, the later one stays unnamed.
        apart = self.end * max(3.0 / self.millimetres, 15 / self.pixels)
        ticks, last = [], -np.inf
        for stage, start, stop in self.stages:
            middle = float(self.centre[start:stop].mean())
            if middle - last >= apart:
                ticks.append((middle, shorten(stage if stop - start == 1 else f"{stage} ({stop - start})", 22)))
                last = middle
        return Axis(self.end, -0.5, "", tuple(ticks), line=False, strong=True)

    @property
    def blank_axis(self) -> Axis:
        """The same axis without names, for panels further right."""
        return Axis(self.end, -0.5, line=False)


def arrange(names: Sequence[str]) -> Rows:
    """Place sites as rows, stages set apart."""
    named = len(names) <= NAMED_ROWS
    stages: list[tuple[str, int, int]] = []
    for i, name in enumerate(names):
        if stages and stages[-1][0] == stage_of(name):
            stages[-1] = (stages[-1][0], stages[-1][1], i + 1)
        else:
            stages.append((stage_of(name), i, i + 1))
    alone = len(stages) == len(names)  # gaps between rows that are all their own stage say nothing
    gap = 0.0 if alone else _STAGE_GAP if named else _DENSE_STAGE_GAP
    centre = np.array([i + s * gap for s, (_, start, stop) in enumerate(stages) for i in range(start, stop)])
    end = float(centre[-1]) + 0.5
    row_mm, row_px = (
        (3.5, 24.0) if named else (min(2.0, max(0.9, 130 / len(names))), min(12.0, max(4.0, 560 / len(names))))
    )
    height = end + 0.5
    return Rows(tuple(names), centre, tuple(stages), named, end, height * row_mm, max(40, round(height * row_px)))
