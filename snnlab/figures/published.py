"""Published numbers in a figure: open markers in greys, called published elsewhere wherever they are named."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from snnlab.core.errors import SnnlabError
from snnlab.core.literature import PublishedNumber
from snnlab.core.references import REFERENCES
from snnlab.figures.scene import Points
from snnlab.figures.style import shorten
from snnlab.figures.tables import percent

ELSEWHERE = "published elsewhere"
_LOOKS = [(role, symbol) for role in ("mute", "text", "axis") for symbol in ("circle", "square", "triangle-up")]
_LABEL_LENGTH = 44  # a legend line of a single column holds it with the remark

Series = dict[str, list[PublishedNumber]]


def by_series(rows: Sequence[PublishedNumber], num_steps: int) -> Series:
    """The numbers of each network up to T, by how the legend calls it.

    Raises:
        SnnlabError: More networks than there are markers.
    """
    found: dict[str, list[PublishedNumber]] = {}
    for row in rows:
        if row.num_steps <= num_steps:
            found.setdefault(row.series, []).append(row)
    if len(found) > len(_LOOKS):
        raise SnnlabError(
            f"Published numbers of {len(found)} networks cannot be told apart in one figure; choose {len(_LOOKS)} or "
            "fewer."
        )
    names = [_short(rows[0]) for rows in found.values()]
    labels = [
        f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)
    ]
    return {
        f"{label}, {ELSEWHERE}": sorted(rows, key=lambda row: row.num_steps)
        for label, rows in zip(labels, found.values(), strict=True)
    }


def marks(series: Series) -> list[Points]:
    """One kind of open marker a network."""
    found = []
    for (label, rows), (role, symbol) in zip(series.items(), _LOOKS, strict=False):
        steps, accuracy = (
            np.array([getattr(row, name) for row in rows], float) for name in ("num_steps", "snn_accuracy")
        )
        hover = tuple(f"{row.name}\nT = {row.num_steps}\n{percent(row.snn_accuracy)}\n{row.remark}" for row in rows)
        found.append(Points(steps, 100 * accuracy, role, symbol, 1.1, outlined=True, label=label, hover=hover))
    return found


def in_words(series: Series) -> str:
    """For readers who cannot see the markers."""
    told = [
        f"{label}: {', '.join(f'{percent(row.snn_accuracy)} at T = {row.num_steps}' for row in rows)}."
        for label, rows in series.items()
    ]
    return " ".join(["", *told])


def foot(rows: Sequence[PublishedNumber], num_steps: int) -> str:
    """What the open markers are, and which are beyond the axis."""
    if not rows:
        return ""
    beyond = any(row.num_steps > num_steps for row in rows)
    return f" Open grey markers: {ELSEWHERE}, on other networks" + (
        f"; those beyond T = {num_steps} are not drawn." if beyond else "."
    )


def frame(series: Series) -> pd.DataFrame:
    """One row a number, in the columns of ``AccuracyCurve.to_frame`` and ``where``."""
    frame = pd.DataFrame(
        [
            {
                "name": label,
                "role": "published",
                "step": row.num_steps,
                "accuracy": row.snn_accuracy,
                "conversion": row.name,
                "where": row.remark,
            }
            for label, rows in series.items()
            for row in rows
        ]
    )
    return frame.assign(images=pd.array([None] * len(frame), dtype="Int64"))  # unknown; the others stay whole numbers


def _short(row: PublishedNumber) -> str:
    source = REFERENCES[row.source]
    levels = "" if row.levels is None else f" L{row.levels}"
    network = " ".join(filter(None, (row.dataset, row.architecture)))
    return shorten(f"{row.title}, {source.authors} {source.year}, {network}{levels}", _LABEL_LENGTH)
