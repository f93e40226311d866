"""Which experiment is shown: one that was stored before, by link or by click, or the one that has just ended."""

from typing import cast

import streamlit as st

import snnlab as sl
from pages._ui import cached, jobs, state, workspace
from pages._ui.state import View

KIND, VERB = "experiment", "train"
PARAMETER = "experiment"
"""Query parameter of the page: a stored experiment."""
_SHOWN, _BESIDE, _TAKEN = "experiment.shown", "experiment.beside", "experiment.taken"


def report(run: "sl.runs.Run") -> "sl.analysis.NoiseGain":
    """The gains that a run of this kind holds."""
    return cast("sl.analysis.NoiseGain", run.reports["gain"])


def take_over() -> None:
    """Show the experiment that a job of this session has just stored."""
    job = jobs.latest(KIND)
    if job is not None and job.state == "done" and st.session_state.get(_TAKEN) != job.id:
        st.session_state[_TAKEN] = job.id
        show(job.result["experiment"])


def show(run_id: str) -> None:
    """Bring a stored experiment onto the page, and its id into the address."""
    st.session_state[_SHOWN] = run_id[: state.ID_DIGITS]
    st.session_state.pop(_BESIDE, None)
    st.query_params[PARAMETER] = run_id[: state.ID_DIGITS]


def close() -> None:
    """Go back to the form."""
    st.session_state.pop(_SHOWN, None)
    st.session_state.pop(_BESIDE, None)
    st.query_params.pop(PARAMETER, None)


def shown(view: View, problems: list[str]) -> "sl.runs.Run | None":
    """The experiment that the address or this session asks for; None for the form.

    Args:
        view: What is in view; another checkpoint than when the experiment was opened closes it.
        problems: Receives one sentence where the address asks for what is not there.
    """
    assert view.run is not None, "there is nothing to train in an empty store"
    asked = st.query_params.get(PARAMETER)
    if asked is not None and asked != st.session_state.get(_SHOWN):
        st.session_state[_SHOWN] = asked
        st.session_state.pop(_BESIDE, None)
    wanted = st.session_state.get(_SHOWN)
    if wanted is None:
        return None
    if st.session_state.setdefault(_BESIDE, view.run.card["sha256"]) != view.run.card["sha256"]:
        close()
        return None
    st.query_params[PARAMETER] = wanted
    try:
        rows = [row for row in cached.store().list() if len(wanted) >= 6 and row.id.startswith(wanted)]
        if len(rows) == 1 and rows[0].verb == VERB:
            return cached.run(rows[0].id)
        if rows:
            problems.append(f"The run {wanted[:40]!r} is no experiment; the form is shown instead.")
        else:
            cached.store().get(wanted)  # raises the sentence that says what is wrong
    except ValueError as error:
        problems.append(f"{str(error).rstrip('.')}; the form is shown instead.")
    close()
    return None


def earlier(sha256: str) -> "list[sl.runs.RunRow]":
    """Stored experiments with a checkpoint, newest first."""
    rows = cached.store().list((workspace.current(), cached.LOCAL))
    return [row for row in rows if row.verb == VERB and row.sha256 == sha256]


def position(run: "sl.runs.Run") -> tuple[int, int]:
    """Which of the experiments on this checkpoint and split a run is, from 1, and how many there are."""
    rows = [row for row in earlier(run.card["sha256"]) if row.split == run.recipe.data.split]
    ids = [row.id for row in reversed(rows)]
    return (ids.index(run.id) + 1 if run.id in ids else len(ids) + 1), max(len(ids), 1)
