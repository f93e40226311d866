"""One edit for many sites, and the way back: apply to a site, a stage or all; undo, redo, reset."""

from collections.abc import Sequence

import streamlit as st

import snnlab as sl
from pages._ui import edit_sites, edits, shell
from pages._ui.edit_sites import SiteRow
from pages._ui.edits import EditError

TIMES, EQUALS, POTENTIAL, BACK = "threshold ×", "threshold =", "v(0) / θ =", "the method's own"
_USUAL = {TIMES: 1.0, EQUALS: 1.0, POTENTIAL: 0.5, BACK: 0.0}
_STEP = {TIMES: 0.05, EQUALS: 0.1, POTENTIAL: 0.05, BACK: 0.0}


def draw(run: "sl.runs.Run", table: Sequence[SiteRow]) -> str:
    """The controls above the site table.

    Args:
        run: The run in view.
        table: All its sites.

    Returns:
        Which rows to show.
    """
    names = [row.name for row in table]
    scopes = edits.scopes(names)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="edit-bar"):
        scope = st.selectbox(
            "Apply to", list(scopes), format_func=scopes.__getitem__, key="edit-scope", width=175, help="Type to search"
        )
        what = st.selectbox("Set", list(_USUAL), key="edit-what", width=135)
        value = st.number_input(
            "Value",
            value=_USUAL[what],
            step=_STEP[what] or None,
            format="%g",
            key=f"edit-value-{what}",
            width=115,
            disabled=what == BACK,
        )
        apply = st.button("Apply", key="edit-apply", icon=":material/done_all:")
        _steps(run)
        filters = [edit_sites.ALL, edit_sites.EDITED, *_stages(names)]
        shown = st.selectbox("Show", filters, key=f"edit-show-{run.id}", width=130, persist_state="session")
    if apply:
        try:
            _apply(run, table, edits.sites_in(names, scope), what, value)
        except ValueError as error:
            shell.refuse(error)
        else:
            st.rerun()
    return shown


def _steps(run: "sl.runs.Run") -> None:
    history = edits.of(run)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="bottom", width="content"):
        st.button(
            "Undo",
            key="edit-undo",
            icon=":material/undo:",
            disabled=history.at == 0,
            on_click=edits.go,
            args=(run, history.at - 1),
        )
        st.button(
            "Redo",
            key="edit-redo",
            icon=":material/redo:",
            disabled=history.at == len(history.steps) - 1,
            on_click=edits.go,
            args=(run, history.at + 1),
        )
        st.button(
            "Reset all",
            key="edit-reset",
            icon=":material/restart_alt:",
            disabled=not history.edited,
            on_click=edits.reset,
            args=(run,),
        )


def _stages(names: Sequence[str]) -> list[str]:
    stages = list(dict.fromkeys(sl.figures.stage_of(name) for name in names))
    return stages if 1 < len(stages) < len(names) else []


def _apply(run: "sl.runs.Run", table: Sequence[SiteRow], chosen: Sequence[str], what: str, value: float | None) -> None:
    wanted = [row for row in table if row.name in chosen]
    where = wanted[0].name if len(wanted) == 1 else f"{len(wanted)} sites"
    changes: dict[str, dict[str, float | None]] = {}
    if what == BACK:
        changes = {row.name: {"threshold": None, "v0": None} for row in wanted}
    else:
        if value is None:
            raise EditError(f"{where}: type a number first; nothing was changed.")
        quantity = {TIMES: "the factor", EQUALS: "the threshold", POTENTIAL: "v(0)"}[what]
        number = edits.checked(where, quantity, value)
        for row in wanted:
            if what == TIMES:
                changes[row.name] = {"threshold": edit_sites.scaled(row, number)}
            else:
                changes[row.name] = {"threshold" if what == EQUALS else "v0": number}
    edits.change(run, edits.with_sites(edits.of(run).now, changes))
    edits.of(run).refresh()
