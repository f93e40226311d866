"""What the user says of a run, edited in place: tags and a note; and deleting it."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import cached, label, runs_chosen, shell, state, workspace

_PROBLEM, _ASKED, _TURN = "runs.problem", "runs.delete", "runs.marks"


def draw(row: "sl.runs.RunRow", known: Sequence[str]) -> None:
    """Tags and note; of another browser's run they can only be read.

    Args:
        row: The run.
        known: Tags that other runs have, which are offered.
    """
    if not (runs_chosen.own(row) or row.shipped):
        _read(row)
        return
    turn = st.session_state.get(_TURN, 0)
    tags_key, note_key = (f"runs-{part}-{row.id[: state.ID_DIGITS]}-{turn}" for part in ("tags", "note"))
    st.multiselect(
        "Tags",
        sorted({*known, *row.tags}, key=str.lower),
        default=list(row.tags),
        key=tags_key,
        format_func=lambda tag: label.name(tag, 32),
        accept_new_options=True,
        placeholder="Type a word and press Enter",
        on_change=_mark(row, lambda: {"tags": st.session_state[tags_key]}),
    )
    st.text_area(
        "Note",
        row.note,
        key=note_key,
        height=96,
        placeholder="What was this run for, and what did it tell?",
        on_change=_mark(row, lambda: {"note": st.session_state[note_key]}),
    )
    if problem := st.session_state.pop(_PROBLEM, None):
        shell.say(problem)


def _read(row: "sl.runs.RunRow") -> None:
    if row.tags:
        st.markdown("Tags: " + ", ".join(f"**{label.md(tag, 32)}**" for tag in row.tags))
    if row.note:
        st.markdown("  \n".join(label.md(line, 400) for line in row.note.splitlines()))


def _mark(row: "sl.runs.RunRow", said: Callable[[], dict[str, Any]]) -> Callable[[], None]:
    def changed() -> None:
        try:
            cached.store().mark(row.id, **said(), workspace=workspace.current())
        except ValueError as error:
            if not shell.is_for_users(error):
                raise
            st.session_state[_PROBLEM] = str(error)
            st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1  # the widgets show what is stored again

    return changed


def add(row: "sl.runs.RunRow", tag: str) -> None:
    """Give a run one tag more, in a callback."""
    _mark(row, lambda: {"tags": [*row.tags, tag]})()
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def draw_delete(row: "sl.runs.RunRow") -> None:
    """Two clicks: the second says what goes. A run that is not one's own says why there is no button."""
    if row.shipped:
        st.caption("This run comes with snnlab and stays.")
        return
    if not runs_chosen.own(row):
        st.caption("Made in another browser: it can be read here, not changed.")
        return
    if st.session_state.get(_ASKED) != row.id:
        if st.button("Delete", key="runs-delete", icon=":material/delete:", type="tertiary"):
            st.session_state[_ASKED] = row.id
            st.rerun()
        return
    st.warning(
        f"The run {row.id[:8]} ({label.md(row.title, 60)}) will be deleted for good. Links to it stop working.",
        icon=":material/delete:",
    )
    with st.container(horizontal=True, gap="small"):
        if st.button("Delete it", key="runs-delete-now", type="primary"):
            _delete(row)
        if st.button("Keep it", key="runs-delete-not"):
            st.session_state.pop(_ASKED)
            st.rerun()


def _delete(row: "sl.runs.RunRow") -> None:
    st.session_state.pop(_ASKED)
    try:
        cached.store().delete(row.id, workspace=workspace.current())
    except ValueError as error:
        shell.refuse(error)
        return
    cached.forget_runs()
    state.forget_missing()
    runs_chosen.choose([])
    st.rerun()
