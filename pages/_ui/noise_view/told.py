"""What the view was given and has told: the drawn profile and T go both ways, each taken over once."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import state
from pages._ui.noise_view import drawn
from pages._ui.noise_view.drawn import Drawn
from pages._ui.state import Address

KEY = "noise-view"
_GIVEN, _HEARD, _TABLE, _PROBLEM = "noise.given", "noise.heard", "noise.revision", "noise.problem"
_CHOSEN = "noise.chosen"


@dataclass(frozen=True)
class Given:
    """What the view starts from, the same until the server has something new: so reruns send equal data."""

    run: str
    rev: int
    profile: dict[str, Any]

    def to_browser(self) -> dict[str, Any]:
        """Without the run."""
        return {"rev": self.rev, "profile": self.profile}


def listen(run_id: str, report: "sl.analysis.NoiseReport") -> Drawn:
    """Take over what the view has told since; the profile that is drawn now.

    A T that the view has chosen goes into the address, and the script runs again, as all of the page depends on it.
    """
    sites = len(report.names)
    told = (st.session_state[KEY].get("profile") if KEY in st.session_state else None) or {}
    given: Given | None = st.session_state.get(_GIVEN)
    fresh = told != st.session_state.get(_HEARD)
    if fresh and given is not None and told.get("run") == given.run == run_id and told.get("rev") == given.rev:
        st.session_state[_HEARD] = told
        new = Drawn.from_browser(told, sites)
        if new is not None and new != drawn.kept(run_id, sites):
            drawn.keep(run_id, new)
            st.session_state[_TABLE] = revision() + 1
            st.session_state[_PROBLEM] = ""
        if _chosen(told) and told.get("target") in report.steps and str(told["target"]) != state.get(Address.TARGET):
            state.put(Address.TARGET, str(told["target"]))
            state.renew_choices()
            st.rerun()
    return drawn.kept(run_id, sites)


def _chosen(told: dict[str, Any]) -> bool:
    """Whether the user has chosen a T in the view since it last told: what it tells may lag behind the sidebar's."""
    chosen = told.get("chosen", 0)
    if not chosen or chosen == st.session_state.get(_CHOSEN):
        return False
    st.session_state[_CHOSEN] = chosen
    return True


def give(run_id: str, now: Drawn) -> Given:
    """What the view is given."""
    given: Given | None = st.session_state.get(_GIVEN)
    if given is None or given.run != run_id or KEY not in st.session_state:
        given = _renew(run_id, now)
    return given


def change(run_id: str, new: Drawn) -> None:
    """Another profile, from the server's side: the view takes it over."""
    drawn.keep(run_id, new)
    st.session_state[_PROBLEM] = ""
    _renew(run_id, new)


def revision() -> int:
    """How often the profile was changed by the view or by a pasted vector."""
    count: int = st.session_state.get(_TABLE, 0)
    return count


def renew_table() -> None:
    """Draw the exact table anew."""
    st.session_state[_TABLE] = revision() + 1


def problem() -> str:
    """The sentence on what was pasted into the view."""
    text: str = st.session_state.get(_PROBLEM, "")
    return text


def complain(sentence: str) -> None:
    """Say what was wrong with it."""
    st.session_state[_PROBLEM] = sentence


def _renew(run_id: str, now: Drawn) -> Given:
    before: Given | None = st.session_state.get(_GIVEN)
    given = Given(run_id, (0 if before is None else before.rev) + 1, now.to_browser())
    st.session_state[_GIVEN] = given
    return given
