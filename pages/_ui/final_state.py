"""Which final evaluation is shown: one that was stored before, by link or by click. Nothing here opens a test set."""

from typing import cast

import streamlit as st

import snnlab as sl
from pages._ui import cached, jobs, state
from pages._ui.state import View

PARAMETER = "final"
"""Query parameter of the page: a stored final evaluation."""
_SHOWN, _BESIDE, _TAKEN = "final.shown", "final.beside", "final.taken"


def report(run: "sl.runs.Run") -> "sl.analysis.FinalEvaluation":
    """The evaluation that a run of this kind holds."""
    return cast("sl.analysis.FinalEvaluation", run.reports["final"])


def take_over() -> None:
    """Show the evaluation that a job of this session has just stored."""
    job = jobs.latest("final")
    if job is not None and job.state == "done" and st.session_state.get(_TAKEN) != job.id:
        st.session_state[_TAKEN] = job.id
        show(job.result["final"])


def show(run_id: str) -> None:
    """Bring a stored evaluation onto the page, and its id into the address."""
    st.session_state[_SHOWN] = run_id[: state.ID_DIGITS]
    st.session_state.pop(_BESIDE, None)
    st.query_params[PARAMETER] = run_id[: state.ID_DIGITS]


def close() -> None:
    """Go back to the protocol."""
    st.session_state.pop(_SHOWN, None)
    st.session_state.pop(_BESIDE, None)
    st.query_params.pop(PARAMETER, None)


def shown(view: View, problems: list[str]) -> "sl.runs.Run | None":
    """The evaluation that the address or this session asks for; None for the protocol.

    Args:
        view: What is in view; another run than when the evaluation was opened closes it.
        problems: Receives one sentence where the address asks for what is not there.
    """
    assert view.run is not None, "there is nothing to evaluate in an empty store"
    asked = st.query_params.get(PARAMETER)
    if asked is not None and asked != st.session_state.get(_SHOWN):
        st.session_state[_SHOWN] = asked
        st.session_state.pop(_BESIDE, None)
    wanted = st.session_state.get(_SHOWN)
    if wanted is None:
        return None
    if st.session_state.setdefault(_BESIDE, view.run.id) != view.run.id:
        close()
        return None
    st.query_params[PARAMETER] = wanted
    try:
        rows = [row for row in cached.store().list() if len(wanted) >= 6 and row.id.startswith(wanted)]
        if len(rows) == 1 and rows[0].verb == "final":
            return cached.run(rows[0].id)
        if rows:
            problems.append(f"The run {wanted[:40]!r} is no final evaluation; the protocol is shown instead.")
        else:
            cached.store().get(wanted)  # raises the sentence that says what is wrong
    except ValueError as error:
        problems.append(f"{str(error).rstrip('.')}; the protocol is shown instead.")
    close()
    return None
