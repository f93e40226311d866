"""The site table of the Conversion page: what stands at every site, with threshold and v(0) to be edited in place."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import edits, label, reports
from pages._ui.edits import Choice, EditError

KEY = "conversion-sites"
ALL, EDITED = "All", "Edited"
ROW, MOST_ROWS = 35, 16
"""Height of a row in pixels, and rows shown before the table scrolls."""
COLUMNS = ("threshold", "factor", "v0")
_QUANTITY = {"threshold": "the threshold", "factor": "the factor", "v0": "v(0)"}


@dataclass(frozen=True)
class Activity:
    """What a site does: spikes per neuron and time-step, and which share of spike counts is right, where known."""

    firing_rate: float
    right: float | None


@dataclass(frozen=True)
class SiteRow:
    """One site of the table.

    Args:
        name: Its name.
        shape: Channels x height x width.
        activation: What it was in the ANN.
        method: Threshold that the method gives it, mean over channels, activation units; None until it is measured.
        spread: Smallest and largest threshold of the method's channels.
        threshold: In use; None while unknown.
        method_v0: v(0) that the method gives it, as a fraction of the threshold.
        v0: In use.
        before: Before the edits; None where nothing tells.
        now: With the edits; None while nothing is edited, or not yet known.
        edited: Set by hand.
    """

    name: str
    shape: str
    activation: str
    method: float | None
    spread: tuple[float, float] | None
    threshold: float | None
    method_v0: float | None
    v0: float | None
    before: "Activity | None"
    now: "Activity | None"
    edited: bool

    @property
    def factor(self) -> float | None:
        """Threshold in use over the method's."""
        if self.threshold is None or self.method is None:
            return None
        return self.threshold / self.method


@dataclass(frozen=True)
class Method:
    """What a method puts at every site before any edit by hand; all lists over sites, None where unknown."""

    threshold: Sequence[float | None]
    low: Sequence[float | None]
    high: Sequence[float | None]
    v0: Sequence[float | None]


def method_of(run: "sl.runs.Run", choice: Choice, measured: Mapping[str, Any] | None) -> Method:
    """The method's values: as measured, else what the stored run tells of sites that it did not edit.

    Args:
        run: The run in view.
        choice: The conversion.
        measured: The ``method`` part of a probe's answer for the same method and parameters; None for none.
    """
    if measured is not None:
        return Method(measured["threshold"], measured["threshold_low"], measured["threshold_high"], measured["v0"])
    sites, own = reports.conversion(run).sites, run.recipe.to_dict()["converter"]
    v0 = choice["parameters"].get("initial_fraction")
    if (choice["method"], choice["parameters"]) != (own["method"], own["parameters"]):
        unknown = [None] * len(sites)
        return Method(unknown, unknown, unknown, [v0] * len(sites))
    by_hand = [own.get("sites", {}).get(site["name"], {}) for site in sites]
    low, high = (
        [None if "threshold" in hand else site[f"threshold_{end}"] for site, hand in zip(sites, by_hand, strict=True)]
        for end in ("low", "high")
    )
    one = [a if a == b else None for a, b in zip(low, high, strict=True)]  # the mean over channels is not stored
    return Method(one, low, high, [v0 if "v0" in hand else s["v0"] for s, hand in zip(sites, by_hand, strict=True)])


def rows(
    run: "sl.runs.Run",
    choice: Choice,
    method: Method,
    before: Sequence[Activity] | None,
    now: Sequence[Activity] | None,
) -> list[SiteRow]:
    """Every site, input first.

    Args:
        run: The run in view.
        choice: The conversion as edited.
        method: What its method gives.
        before: What the sites do in the run.
        now: What they do in the edited conversion; None while nothing is edited, or not yet known.
    """
    found = []
    for i, site in enumerate(reports.conversion(run).sites):
        hand = choice.get("sites", {}).get(site["name"], {})
        low, high = method.low[i], method.high[i]
        found.append(
            SiteRow(
                name=site["name"],
                shape=label.shape(site["shape"]),
                activation=label.activation(site["activation"], site["levels"]),
                method=method.threshold[i],
                spread=None if low is None or high is None or low == high else (low, high),
                threshold=hand.get("threshold", method.threshold[i]),
                method_v0=method.v0[i],
                v0=hand.get("v0", method.v0[i]),
                before=None if before is None else before[i],
                now=None if now is None else now[i],
                edited=bool(hand),
            )
        )
    return found


def take(run: "sl.runs.Run", table: Sequence[SiteRow]) -> list[str]:
    """Make the edits that the browser's table holds and that are not part of the conversion yet.

    Args:
        run: The run in view.
        table: All its sites.

    Returns:
        One sentence for each cell that could not be taken; the table then starts afresh.
    """
    history = edits.of(run)
    widget = st.session_state.get(history.drawn[0]) or {}
    by_name = {row.name: row for row in table}
    cells = {
        history.drawn[1][int(at)]: dict(values)
        for at, values in (widget.get("edited_rows") or {}).items()
        if int(at) < len(history.drawn[1])
    }
    changes: dict[str, dict[str, float | None]] = {}
    problems, overlaid = [], False
    for site, values in cells.items():
        before = history.seen.get(site, {})
        fresh = {name: value for name, value in values.items() if name not in before or before[name] != value}
        for name, value in fresh.items():
            try:
                changes.setdefault(site, {}).update(_change(by_name[site], name, value))
            except EditError as error:
                problems.append(str(error))
        # Two cells of a row that mean the same: the older one would go on showing what no longer holds.
        overlaid |= bool(fresh) and ({"threshold", "factor"} <= values.keys() or None in fresh.values())
    history.seen = cells
    if changes:
        try:
            edits.change(run, edits.with_sites(history.now, changes))
        except ValueError as error:
            problems.append(str(error))
    if problems or overlaid:
        history.refresh()
    return problems


def _change(row: SiteRow, column: str, value: Any) -> dict[str, float | None]:
    field = "threshold" if column == "factor" else column
    if field not in edits.FIELDS:
        return {}
    if value is None or value == "":
        return {field: None}
    number = edits.checked(row.name, _QUANTITY[column], value)
    if column == "factor":
        return {field: scaled(row, number)}
    return {field: None if number == (row.method if field == "threshold" else row.method_v0) else number}


def scaled(row: SiteRow, factor: float) -> float | None:
    """The method's threshold times a factor; None, the method's own, at 1.

    Raises:
        EditError: The method's threshold is not known yet.
    """
    if factor == 1:
        return None
    if row.method is None:
        raise EditError(f"{row.name}: its threshold is not measured yet, so it cannot be multiplied; try again.")
    return factor * row.method


def shown(table: Sequence[SiteRow], scope: str) -> list[SiteRow]:
    """The rows of a filter: all, edited ones, or a stage."""
    if scope == ALL:
        return list(table)
    return [row for row in table if (row.edited if scope == EDITED else sl.figures.stage_of(row.name) == scope)]


def draw(
    run: "sl.runs.Run", table: Sequence[SiteRow], scope: str, *, learned: bool, edited: bool, num_steps: int
) -> None:
    """The table, to be edited in place.

    Args:
        run: The run in view.
        table: Rows to show.
        scope: The filter that chose them.
        learned: The method takes thresholds that training learned, rather than measuring them.
        edited: Whether anything is edited: then there are rates before and now.
        num_steps: T of the firing rates.
    """
    source = "learned" if learned else "measured"
    seen = [done.firing_rate for row in table for done in (row.before, row.now) if done is not None]
    fastest = max(seen, default=0.0) or 1.0
    hidden = {"spread": not any(row.spread for row in table), "now": not edited}
    frame = pd.DataFrame(
        {
            "edited": ["●" if row.edited else "" for row in table],
            "threshold": _numbers(row.threshold for row in table),
            "factor": _numbers(row.factor for row in table),
            "v0": _numbers(row.v0 for row in table),
            "before": _numbers(None if row.before is None else row.before.firing_rate for row in table),
            "now": _numbers(None if row.now is None else row.now.firing_rate for row in table),
            "right": [_right(row) for row in table],
            "method": _numbers(row.method for row in table),
            "spread": [_spread(row) for row in table],
            "shape": [row.shape for row in table],
            "activation": [row.activation for row in table],
        },
        index=pd.Index([label.name(row.name, 60) for row in table], name="site"),
    )
    history = edits.of(run)
    # Another widget whenever something else than the table changed the conversion, and for other rows.
    key = f"{KEY}-{run.id}-{history.revision}-{scope}"
    history.drawn = (key, tuple(row.name for row in table))
    colour = sl.figures.style.palette(st.context.theme.type == "dark")
    smallest = min((row.threshold for row in table if row.threshold), default=1.0)
    digits = "%.3f" if smallest >= 0.1 else "%.5f" if smallest >= 0.001 else "%.3e"
    rate = f"Spikes per neuron and time-step, mean over images and T = {num_steps}"
    column = st.column_config
    st.data_editor(
        frame,
        key=key,
        height=ROW * (min(len(table), MOST_ROWS) + 1) + 3,
        num_rows="fixed",
        disabled=[name for name in frame.columns if name not in COLUMNS],
        column_order=[name for name in frame.columns if not hidden.get(name)],
        column_config={
            "_index": column.TextColumn("site", disabled=True),
            "edited": column.TextColumn("edited", help="Set by hand", width=58, alignment="center"),
            "shape": column.TextColumn("neurons", help="channels × height × width", width=88),
            "activation": column.TextColumn("activation", width=88),
            "method": column.NumberColumn(
                f"{source} threshold",
                help=f"As the method has it, {source}; in activation units",
                format=digits,
                width=142,
            ),
            "spread": column.TextColumn("by channel", help="Smallest to largest; an edit puts one for all channels"),
            "threshold": column.NumberColumn(
                "threshold", help="In use, in activation units; empty it to take the method's back", format=digits
            ),
            "factor": column.NumberColumn(
                "× factor", help=f"Threshold in use over the {source} one", format="%.3g", width=90
            ),
            "v0": column.NumberColumn("v(0) / θ", help="v(0) as a fraction of the threshold", format="%.3g", width=90),
            "before": column.ProgressColumn(
                "rate, A" if edited else "firing rate",
                help=rate,
                format="%.3f",
                min_value=0.0,
                max_value=fastest,
                width=128,
                color=colour["snn"],
            ),
            "now": column.ProgressColumn(
                "rate, B", help=rate, format="%.3f", min_value=0.0, max_value=fastest, color=colour["compared"]
            ),
            "right": column.TextColumn(
                "right, %",
                help="Share of neurons that fired as often as their charge pays for; A → B",
                width=115,
                alignment="right",
            ),
        },
        placeholder="–",
        alt=f"One row a site: threshold, v(0) and firing rate of {len(table)} sites",
    )


def to_frame(table: Sequence[SiteRow]) -> pd.DataFrame:
    """The table for export, numbers in full."""
    columns = {
        "site": lambda row: row.name,
        "neurons": lambda row: row.shape,
        "activation": lambda row: row.activation,
        "method_threshold": lambda row: row.method,
        "threshold": lambda row: row.threshold,
        "factor": lambda row: row.factor,
        "v0": lambda row: row.v0,
        "firing_rate_before": lambda row: None if row.before is None else row.before.firing_rate,
        "firing_rate": lambda row: None if row.now is None else row.now.firing_rate,
        "edited": lambda row: row.edited,
    }
    return pd.DataFrame({name: [cell(row) for row in table] for name, cell in columns.items()})


def _numbers(values: Iterable[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else float(value) for value in values])


def _right(row: SiteRow) -> str:
    parts = [f"{100 * done.right:.1f}" for done in (row.before, row.now) if done and done.right is not None]
    return " → ".join(parts)


def _spread(row: SiteRow) -> str:
    return "" if row.spread is None else f"{row.spread[0]:.3g} to {row.spread[1]:.3g}"
