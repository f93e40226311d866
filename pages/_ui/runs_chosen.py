"""Which runs the Runs page shows: in the address, kept from page to page, in the order in which they were chosen.

The first one is A, the second B: their colours are those of the run in view and of the compared one on every page.
"""

from collections.abc import Sequence

import streamlit as st

import snnlab as sl
from pages._ui import cached, curves, state, workspace
from pages._ui.state import View

PARAMETER = "runs"
MOST = 12
_KEPT, _USUAL, _TURN = "runs.chosen", "runs.usual", "runs.turn"


def find(view: View, problems: list[str]) -> "list[sl.runs.RunRow]":
    """The lines of the chosen runs; at first those that every page shows, the run in view and the compared one.

    Args:
        view: What is in view.
        problems: Receives a sentence for each run that the address asks for in vain.
    """
    asked = st.query_params.get(PARAMETER)
    if asked is not None and asked != _text(_kept() or ()):
        st.session_state[_KEPT] = tuple(asked.split(",")[:MOST])
        renew()
    ids = _kept()
    if ids is None:
        shown = [run.id for run in (view.run, view.compare) if run is not None]
        ids = st.session_state[_USUAL] = tuple(run_id[: state.ID_DIGITS] for run_id in shown)
    found: dict[str, sl.runs.RunRow] = {}
    for wanted in ids:
        try:
            row = cached.store().row(wanted, cached.seen())
            found[row.id] = row
        except ValueError as error:
            problems.append(f"{str(error).rstrip('.')}; the others are shown.")
    rows = list(found.values())
    if _kept() is not None:
        keep(rows)
    return rows


def by_hand() -> bool:
    """Whether the user or the address has chosen; otherwise what every page shows is shown here, too."""
    return _kept() is not None


def keep(rows: "Sequence[sl.runs.RunRow]") -> None:
    """Choose these, in the address and in the session."""
    _keep(tuple(row.id[: state.ID_DIGITS] for row in rows))


def choose(rows: "Sequence[sl.runs.RunRow]") -> None:
    """Choose these otherwise than by a click in the table, which then marks them."""
    keep(rows)
    renew()


def exchange(one: str, other: str) -> None:
    """Let two of the chosen runs change places, wherever they stand by now; by their ids."""
    ids = _kept() or st.session_state.get(_USUAL, ())
    first, second = one[: state.ID_DIGITS], other[: state.ID_DIGITS]
    places = {first: second, second: first}
    _keep(tuple(places.get(run_id[: state.ID_DIGITS], run_id) for run_id in ids))
    renew()


def renew() -> None:
    """Give the table a new widget, as something else than it has changed what is chosen."""
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def stamp() -> str:
    """Part of the table's key: another one when something else than a click in the table has chosen."""
    return f"{st.session_state.get(_TURN, 0)}-{'-'.join(st.session_state.get(_USUAL, ()))}"


def letter(place: int) -> str:
    """What the run at that place is called: A, B, C."""
    return chr(ord("A") + place)


def role(place: int) -> str:
    """Its colour."""
    return curves.role(place)


def own(row: "sl.runs.RunRow") -> bool:
    """Whether it may be deleted here: this browser's or the command line's."""
    return not row.shipped and row.workspace in (workspace.current(), cached.LOCAL)


def conversion(row: "sl.runs.RunRow") -> bool:
    """Whether it is a conversion whose images every page may show: only those come into view."""
    return sl.runs.is_conversion(row.verb) and not cached.sealed(row)


def _kept() -> tuple[str, ...] | None:
    kept: tuple[str, ...] | None = st.session_state.get(_KEPT)
    return kept


def _keep(ids: tuple[str, ...]) -> None:
    st.session_state[_KEPT] = ids
    if ids:
        st.query_params[PARAMETER] = _text(ids)
    else:
        st.query_params.pop(PARAMETER, None)


def _text(ids: Sequence[str]) -> str:
    return ",".join(ids)
