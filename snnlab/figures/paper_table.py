"""The table of a paper: methods x T with intervals, the best marked, published numbers set apart."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from snnlab.analysis.reports import AccuracyCurve
from snnlab.core.errors import SnnlabError
from snnlab.core.literature import PublishedNumber
from snnlab.figures.tables import (
    INTERPRETATION_NOTE,
    PUBLISHED_NOTE,
    escape_latex,
    latex_mark,
    latex_table,
    number,
    to_csv,
)

_BEST_NOTE = r"Bold: the best at that T of the rows measured here on the same images. 95\,\% intervals over images."
_INTERVAL_NOTE = r"95\,\% intervals over images."

_DAGGER = " †"  # as in ``MethodCard.display_name``


@dataclass(frozen=True)
class Cell:
    """One accuracy; fractions, the interval None where the source tells none."""

    accuracy: float
    low: float | None = None
    high: float | None = None
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    measured: bool
    interpretation: bool
    ann: Cell | None
    cells: dict[int, Cell]
    images: int | None
    split: str
    remark: str


@dataclass(frozen=True, eq=False, repr=False)
class PaperTable:
    """Accuracies of several conversions at chosen T, with those published elsewhere below them.

    Args:
        rows: Measured lines first.
        steps: The columns.
        remarks: Further sentences below the table, plain text.
    """

    rows: tuple[Row, ...]
    steps: tuple[int, ...]
    remarks: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row a line and T: method, measured_here, ann, T, accuracy, low, high, best, images, split, remark.

        Accuracies are fractions. ``best`` is the largest measured one at that T among rows on the same images, where
        there are at least two.
        """
        found = [
            {
                "method": row.name,
                "measured_here": row.measured,
                "interpretation": row.interpretation,
                "ann": None if row.ann is None else row.ann.accuracy,
                "T": step,
                "accuracy": cell.accuracy,
                "low": cell.low,
                "high": cell.high,
                "best": cell.best,
                "images": row.images,
                "split": row.split,
                "remark": row.remark,
            }
            for row in self.rows
            for step, cell in row.cells.items()
        ]
        return pd.DataFrame(found).astype({"ann": float, "low": float, "high": float, "images": "Int64"})

    def to_csv(self) -> str:
        """``to_frame`` as CSV, names that a spreadsheet would run made text."""
        return to_csv(self.to_frame())

    def to_latex(self, caption: str = "SNN accuracy in percent at T time-steps", label: str = "tab:accuracy") -> str:
        """The table in LaTeX with booktabs: best in bold, a dagger for interpretations, a double one for published.

        Args:
            caption: Plain text.
            label: For references.
        """
        heads = ["method", "ANN", *(f"$T={step}$" for step in self.steps)]
        lines: list[str] = []
        for before, row in zip((None, *self.rows), self.rows, strict=False):
            if before is not None and before.measured and not row.measured:
                lines.append(r"\midrule")
            name = escape_latex(row.name)
            name += latex_mark("†") * row.interpretation + latex_mark("‡") * (not row.measured)
            lines.append(" & ".join([name, _latex(row.ann), *(_latex(row.cells.get(t)) for t in self.steps)]) + r" \\")
        cells = [cell for row in self.rows for cell in row.cells.values()]
        measured = [row for row in self.rows if row.measured]
        notes = [_BEST_NOTE if any(cell.best for cell in cells) else _INTERVAL_NOTE]
        notes += [escape_latex(remark) for remark in self.remarks]
        images = [f"{row.split.replace('_', ' ')}, {row.images:,} images" for row in measured]
        if len(set(images)) > 1:
            notes += [escape_latex(f"{row.name}: {text}.") for row, text in zip(measured, images, strict=True)]
        else:
            notes.append(escape_latex(f"Measured on: {images[0]}."))
        if any(row.interpretation for row in self.rows):
            notes.append(f"{latex_mark('†')} {INTERPRETATION_NOTE}")
        if any(not row.measured for row in self.rows):
            notes.append(f"{latex_mark('‡')} {PUBLISHED_NOTE}")
            notes += [escape_latex(f"{row.name}: {row.remark}.") for row in self.rows if not row.measured]
        return latex_table(caption, label, "l" + "r" * (1 + len(self.steps)), heads, lines, notes)

    def __repr__(self) -> str:
        return f"PaperTable({len(self.rows)} rows, T = {', '.join(map(str, self.steps))})"


def paper_table(
    curves: AccuracyCurve | Sequence[AccuracyCurve] | Mapping[str, AccuracyCurve],
    steps: Sequence[int],
    *,
    literature: Sequence[PublishedNumber] = (),
    interpretations: Collection[str] = (),
) -> PaperTable:
    r"""The accuracies of conversions at chosen T, as a paper prints them.

    The best at each T is marked among the rows that were measured here on the same images, and only where there are at
    least two of them: a published number was measured on another network and is no competitor.

    Args:
        curves: Measured conversions, by name where it is given.
        steps: T of the columns.
        literature: Published numbers, as ``snnlab.literature`` gives them; those at other T are left out.
        interpretations: Names of conversions whose method interprets its source; they carry a dagger, as do names that
            end in one.

    Raises:
        SnnlabError: No curve, no T, a T that no curve reaches, or an interpretation that no curve is called.

    Example:
        >>> import snnlab as sl
        >>> snn = sl.convert(sl.example("digits-vgg-qcfs-L8").build(), "qcfs")
        >>> dev = sl.example("digits-vgg-qcfs-L8").data("dev", limit=50)
        >>> curve = sl.analysis.accuracy_vs_steps({"ANN": sl.example("digits-vgg-qcfs-L8").build(), "QCFS": snn}, dev,
        ...                                       num_steps=4)
        >>> sl.figures.paper_table(curve, [2, 4]).to_frame()[["method", "T"]].values.tolist()
        [['QCFS', 2], ['QCFS', 4]]
    """
    if isinstance(curves, AccuracyCurve):
        curves = [curves]
    named = list(curves.items()) if isinstance(curves, Mapping) else [(curve.name, curve) for curve in curves]
    chosen = tuple(dict.fromkeys(steps))
    longest = max((curve.num_steps for _, curve in named), default=0)
    if not named or not chosen:
        raise SnnlabError("A table needs at least one accuracy curve and one T.")
    outside = [step for step in chosen if not 1 <= step <= longest]
    if outside:
        raise SnnlabError(f"No curve holds T = {outside[0]}; the longest ends at T = {longest}.")
    strangers = set(interpretations) - {name for name, _ in named}
    if strangers:
        raise SnnlabError(f"No curve is called {sorted(strangers)[0]!r}, which is to be marked as an interpretation.")
    best = _best([curve for _, curve in named], chosen)
    measured = [
        _measured(name, curve, chosen, best[place], name in interpretations or name.endswith(_DAGGER))
        for place, (name, curve) in enumerate(named)
    ]
    return PaperTable((*measured, *published_rows(literature, chosen)), chosen)


def _best(curves: Sequence[AccuracyCurve], steps: Sequence[int]) -> list[set[int]]:
    """Per curve the T at which it is the best, or as good as the best, of those on the same images."""
    groups: dict[tuple[str, bytes], list[int]] = {}
    for place, curve in enumerate(curves):
        groups.setdefault((curve.split, curve.labels.astype("<i8").tobytes()), []).append(place)
    best: list[set[int]] = [set() for _ in curves]
    for places in groups.values():
        for step in steps:
            reached = {p: float(curves[p].snn_accuracy[step - 1]) for p in places if step <= curves[p].num_steps}
            if len(reached) > 1:
                for place, accuracy in reached.items():
                    if accuracy == max(reached.values()):
                        best[place].add(step)
    return best


def _measured(name: str, curve: AccuracyCurve, steps: Sequence[int], best: set[int], interpretation: bool) -> Row:
    accuracy, (low, high) = curve.snn_accuracy, curve.snn_interval
    cells = {
        step: Cell(float(accuracy[step - 1]), float(low[step - 1]), float(high[step - 1]), step in best)
        for step in steps
        if step <= curve.num_steps
    }
    ann = Cell(curve.ann_accuracy, *curve.ann_interval)
    return Row(name.replace(_DAGGER, ""), True, interpretation, ann, cells, curve.images, curve.split, "")


def published_rows(literature: Sequence[PublishedNumber], steps: Sequence[int]) -> list[Row]:
    """The lines of published numbers at these T, one a network."""
    series: dict[str, list[PublishedNumber]] = {}
    for one in literature:
        if one.num_steps in steps:
            series.setdefault(one.series, []).append(one)
    rows = []
    for found in series.values():
        first = found[0]
        ann = None if first.ann_accuracy is None else Cell(first.ann_accuracy)
        cells = {step: Cell(one.snn_accuracy) for step in steps for one in found if one.num_steps == step}
        remark = "; ".join(dict.fromkeys(one.remark for one in found))
        rows.append(Row(first.name, False, False, ann, cells, None, "", remark))
    return rows


def _latex(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    value = number(100 * cell.accuracy)
    text = rf"\textbf{{{value}}}" if cell.best else value
    if cell.low is None or cell.high is None:
        return text
    return text + rf" {{\scriptsize [{number(100 * cell.low)}, {number(100 * cell.high)}]}}"
