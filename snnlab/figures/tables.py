"""Tables and numbers as text: CSV that no spreadsheet executes, LaTeX with booktabs, percent and points."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from snnlab.core.errors import SnnlabError

MINUS = "−"
INTERPRETATION_NOTE = "Interpretation: the source does not settle every detail."
PUBLISHED_NOTE = "Published elsewhere, not measured here; on other networks and images."
_FORMULA = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")  # spreadsheets read full-width signs too

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "[": "{[}",  # a cell that starts with a bracket would be read as the argument of the row's \\
    "]": "{]}",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "θ": r"$\theta$",
    "λ": r"$\lambda$",
    "Σ": r"$\Sigma$",
    "·": r"\textperiodcentered{}",
    "…": r"\ldots{}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "\u00a0": "~",
}


def number(value: float, decimals: int = 2, *, sign: bool = False) -> str:
    """A number with a true minus and without ``-0``; a dash where there is none.

    Example:
        >>> number(-8.149), number(0.4, sign=True), number(-0.0001)
        ('−8.15', '+0.40', '0.00')
    """
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0.0:
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def percent(fraction: float, decimals: int = 2) -> str:
    r"""A fraction in percent.

    Example:
        >>> percent(0.91732)
        '91.73\xa0%'
    """
    return f"{number(100 * fraction, decimals)}\u00a0%"


def points(difference: float, decimals: int = 2) -> str:
    """A difference of two fractions in percentage points, with its sign.

    Example:
        >>> points(0.8926 - 0.9741)
        '−8.15'
    """
    return number(100 * difference, decimals, sign=True)


def percent_interval(fraction: float, low: float, high: float) -> str:
    r"""A fraction with its interval, in percent.

    Example:
        >>> percent_interval(0.8926, 0.85, 0.9242)
        '89.26\xa0% [85.00, 92.42]'
    """
    return f"{percent(fraction)} [{number(100 * low)}, {number(100 * high)}]"


def to_csv(frame: pd.DataFrame) -> str:
    """The table as CSV, numbers in full, names that a spreadsheet would run as formulas made text by a leading ``'``.

    Example:
        >>> print(to_csv(pd.DataFrame({"site": ["=1+1", "act1"], "mean": [-0.5, 2.0]})))
        site,mean
        '=1+1,-0.5
        act1,2.0
        <BLANKLINE>
    """
    columns = [[_inert(value) for value in frame.iloc[:, i]] for i in range(frame.shape[1])]
    safe = pd.DataFrame(dict(enumerate(columns)), dtype=object).set_axis(
        [_inert(name) for name in frame.columns], axis=1
    )
    return str(safe.to_csv(index=False, lineterminator="\n"))


def to_latex(
    frame: pd.DataFrame,
    caption: str,
    label: str,
    *,
    percents: Collection[str] = (),
    decimals: int | Mapping[str, int] = 2,
    interpretations: Collection[str] = (),
    published: Collection[str] = (),
) -> str:
    r"""The table in LaTeX with booktabs rules; every name and the caption are escaped.

    Columns ``low`` and ``high`` belong to the column before them and are shown as ``value [low, high]``.

    Args:
        frame: One row per line of the table.
        caption: Plain text.
        label: For ``\ref``; characters that LaTeX labels cannot hold become hyphens.
        percents: Columns of fractions that are shown in percent, with their intervals.
        decimals: Of fractional numbers, for all columns or by column.
        interpretations: Text cells (method names) that are interpretations of a source, not reproductions: they
            carry a dagger, and a line below the table says so.
        published: Text cells (names) of rows that were published elsewhere: they carry a double dagger, and a line
            below the table says so.

    Raises:
        SnnlabError: ``low`` and ``high`` without a column before them.

    Example:
        >>> frame = pd.DataFrame({"T": [4], "accuracy": [0.8926], "low": [0.85], "high": [0.9242]})
        >>> print(to_latex(frame, "SNN", "tab:snn", percents=["accuracy"]).splitlines()[9])
            4 & 89.26 {[}85.00, 92.42{]} \\
    """
    columns = [str(column) for column in frame.columns]
    frame = frame.set_axis(columns, axis=1)
    bounded = _bounded_column(columns)
    shown = [column for column in columns if bounded is None or column not in ("low", "high")]
    heads, lines = [], []
    notes: dict[str, str] = {}
    for column in shown:
        unit = " (%)" if column in percents else ""
        interval = " [95 % interval]" if column == bounded else ""
        heads.append(escape_latex(column.replace("_", " ") + unit + interval))
    for place in range(len(frame)):
        row = {column: frame[column].iloc[place] for column in columns}  # a row as a Series would turn 4 into 4.0
        cells = []
        for column in shown:
            scale = 100.0 if column in percents else 1.0
            places = decimals if isinstance(decimals, int) else decimals.get(column, 2)
            text = _cell(row[column], scale, places)
            if column == bounded:
                text += f" [{_cell(row['low'], scale, places)}, {_cell(row['high'], scale, places)}]"
            cells.append(escape_latex(text) + _marks(row[column], interpretations, published, notes))
        lines.append(" & ".join(cells) + r" \\")
    numeric = [pd.api.types.is_numeric_dtype(frame[column]) for column in shown]
    return latex_table(
        caption, label, "".join("r" if is_number else "l" for is_number in numeric), heads, lines, list(notes.values())
    )


def latex_table(
    caption: str, label: str, alignment: str, heads: Sequence[str], lines: Sequence[str], notes: Sequence[str]
) -> str:
    """The frame of every LaTeX table.

    Args:
        caption: Plain text.
        label: As ``to_latex``.
        alignment: One letter a column.
        heads: Headings, already LaTeX.
        lines: Rows and rules, already LaTeX.
        notes: Lines below the table, already LaTeX.
    """
    return "\n".join(
        [
            r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}",
            r"\begin{table}",
            r"  \centering",
            f"  \\caption{{{escape_latex(caption)}}}",
            f"  \\label{{{_label(label)}}}",
            f"  \\begin{{tabular}}{{{alignment}}}",
            r"    \toprule",
            "    " + " & ".join(heads) + r" \\",
            r"    \midrule",
            *(f"    {line}" for line in lines),
            r"    \bottomrule",
            r"  \end{tabular}",
            *(rf"  \\[2pt]\footnotesize {note}" for note in notes),
            r"\end{table}",
            "",
        ]
    )


def latex_mark(symbol: str) -> str:
    """``"†"`` or ``"‡"`` raised, as it stands behind a name and before its note."""
    return rf"\textsuperscript{{{escape_latex(symbol).removesuffix('{}')}}}"


def _marks(value: Any, interpretations: Collection[str], published: Collection[str], notes: dict[str, str]) -> str:
    found = ""
    for symbol, names, told in (("†", interpretations, INTERPRETATION_NOTE), ("‡", published, PUBLISHED_NOTE)):
        if isinstance(value, str) and value in names:
            found += latex_mark(symbol)
            notes[symbol] = f"{latex_mark(symbol)} {told}"
    return found


def _inert(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    lines = value.replace("\r\n", "\n").replace("\r", "\n")  # a lone \r is not quoted, yet readers end the row there
    held = "".join(c for c in lines if c in "\t\n" or unicodedata.category(c) not in ("Cc", "Cs"))
    return f"'{held}" if held.lstrip(" ").startswith(_FORMULA) else held


def _bounded_column(columns: list[str]) -> str | None:
    if not {"low", "high"} <= set(columns):
        return None
    place = columns.index("low")
    if place == 0 or columns[place + 1 : place + 2] != ["high"]:
        raise SnnlabError("Columns 'low' and 'high' must stand right after the column they bound; reorder the table.")
    return columns[place - 1]


def _cell(value: Any, scale: float, decimals: int) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer) and scale == 1.0:
        return str(value).replace("-", MINUS)
    if isinstance(value, int | float | np.number):
        return number(float(value) * scale, decimals)
    return " ".join(str(value).split())


def escape_latex(text: str) -> str:
    """Plain text as LaTeX shows it."""
    held = (c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return "".join(_LATEX.get(c, c) for c in held)


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9:.\-]+", "-", text).strip("-") or "table"
