"""Which tournament is shown, and which others there are."""

from typing import cast

import streamlit as st

import snnlab as sl
from pages._ui import cached, jobs
from pages._ui.state import View
from pages._ui.stored import Stored

KIND = VERB = "tournament"
PAGE = Stored(KIND, verb=VERB, what="tournament", otherwise="the form")
_FORM = "tournament.form"


def report(run: "sl.runs.Run") -> "sl.analysis.Tournament":
    """What a run of this kind holds."""
    return cast("sl.analysis.Tournament", run.reports[VERB])


def shown(view: View, problems: list[str]) -> "sl.runs.Run | None":
    """The tournament that is asked for, else the newest one with this checkpoint; None for the form.

    Args:
        view: What is in view.
        problems: Receives one sentence where the address asks for what is not there.
    """
    assert view.run is not None, "there is nothing to compare in an empty store"
    sha256 = str(view.run.card["sha256"])
    run = PAGE.shown(sha256, problems)
    if run is not None:
        st.session_state.pop(_FORM, None)
        return run
    job = jobs.latest(KIND)
    if problems or st.session_state.get(_FORM) == sha256 or (job is not None and job.state != "done"):
        return None
    rows = earlier(sha256)
    if not rows:
        return None
    PAGE.show(rows[0].id)
    return PAGE.shown(sha256, problems)


def to_form(view: View) -> None:
    """Show the form until a tournament is opened."""
    assert view.run is not None
    PAGE.close()
    st.session_state[_FORM] = str(view.run.card["sha256"])


def earlier(sha256: str) -> "list[sl.runs.RunRow]":
    """Stored tournaments with a checkpoint, one's own first, newest first."""
    rows = cached.store().list(cached.seen(), verb=VERB)
    return [row for row in rows if row.sha256 == sha256 and not cached.sealed(row)]
