"""Long work of this browser: started here, followed in this session, and taken over by the pages when it is done.

``progress`` draws it; ``questions`` holds the short work that a page waits for.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import cached, job_kinds, state, workspace
from pages._ui.job_kinds import CONVERSION

BRIEF_SECONDS = 30.0
"""So long the tray tells of a job that needs nothing more from the user."""


class NotConnected(ValueError):
    """A job was asked for before the browser told whose it is; the message is one sentence."""


@dataclass
class _Followed:
    """What this session knows of one job.

    Args:
        here: Started in this session, for its run to come into view by itself.
        beside: Run that it is compared with when it comes into view; empty for none.
        moves: ``state.moves()`` at its start; more of them later, and the user has gone elsewhere.
        settled: Whether it has taken effect.
        hidden: Whether the place that started it has said something newer.
        ended: Monotonic time at which this session saw its end.
    """

    here: bool = True
    beside: str = ""
    moves: int = 0
    settled: bool = False
    hidden: bool = False
    ended: float = 0.0


def start(kind: str, arguments: dict[str, Any], title: str = "", beside: str = "", bring: bool = True) -> "sl.runs.Job":
    """Hand a job to the pool and follow it in this session.

    Args:
        kind: Kind of work.
        arguments: Its arguments.
        title: How it is called; empty for the kind's name.
        beside: Run that the result is compared with when it comes into view; empty for none.
        bring: Whether its run comes into view by itself.

    Raises:
        NotConnected: The browser has not told its token yet.
        StoreError: The job cannot be written down.
    """
    if not workspace.settled():
        raise NotConnected("The browser is still connecting, so nothing was started; try again in a moment.")
    for job in _of_session():  # what failed before is answered by this attempt
        if job.kind == kind and job.state == "failed":
            dismiss(job.id)
    job = cached.pool().submit(kind, arguments, workspace=workspace.current(), title=title)
    _followed()[job.id] = _Followed(here=bring, moves=state.moves(), beside=beside)
    return job


def start_again(job_id: str) -> None:
    """Start an interrupted job anew, as if the user had just asked for it here.

    Raises:
        StoreError: It is no job of this browser, or cannot be written down.
    """
    job = cached.pool().restart(job_id, workspace=workspace.current())
    _followed()[job.id] = _Followed(moves=state.moves())


def cancel(job_id: str) -> None:
    """Ask a job of this browser to end.

    Raises:
        StoreError: It is no job of this browser.
    """
    cached.pool().cancel(job_id, workspace=workspace.current())


def dismiss(job_id: str) -> None:
    """Take a job of this browser that has ended off the list.

    Raises:
        StoreError: It is no job of this browser.
    """
    cached.pool().dismiss(job_id, workspace=workspace.current())


def latest(*kinds: str) -> "sl.runs.Job | None":
    """The newest job of these kinds that this session follows."""
    return next((job for job in _of_session() if job.kind in kinds), None)


def busy(*kinds: str) -> bool:
    """Whether no such job can be started now: one waits or runs, or the browser is still connecting."""
    return not workspace.settled() or any(job.active for job in _of_session() if job.kind in kinds)


def hide(kind: str) -> None:
    """Stop telling of a kind's last job where it was started: something newer is said there."""
    job = latest(kind)
    if job is not None:
        _followed()[job.id].hidden = True


def hidden(job: "sl.runs.Job") -> bool:
    """Whether the place that started it tells of it no more."""
    return _followed()[job.id].hidden


def result(kind: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Arguments and result of the job of that kind that finished last."""
    found: tuple[dict[str, Any], dict[str, Any]] | None = st.session_state.get(f"result.{kind}")
    return found


def settle(page: str) -> None:
    """Let finished jobs take effect once: a stored run comes into view, a result is kept for its form.

    Args:
        page: Name of the page that is drawn.

    Raises:
        StoreError: The jobs cannot be read.
    """
    if not workspace.settled():
        return
    _find_again()
    for job in reversed(_of_session()):
        followed = _followed()[job.id]
        if job.active or followed.settled:
            continue
        followed.settled, followed.ended = True, time.monotonic()
        if job.state == "done":
            _keep(job)
            if followed.here and followed.moves == state.moves():
                _bring(job)
                if followed.beside:
                    state.compare_with(followed.beside)
                if job.kind == CONVERSION:
                    st.toast(
                        f"{job_kinds.title(job)}: done. The new run is in view on every page.", icon=":material/check:"
                    )
    for job in of_browser():
        if job.state == "done" and _in_front(job, page):
            _answered().setdefault(job.id, time.monotonic())


def of_browser() -> "Sequence[sl.runs.Job]":
    """This browser's jobs, newest first; none while it is still connecting."""
    return cached.pool().jobs(workspace.current()) if workspace.settled() else ()


def worth_telling() -> "list[sl.runs.Job]":
    """Those of this browser's jobs that are under way, need the user, or have just ended; newest first."""
    return [job for job in of_browser() if _worth_telling(job)]


def offered(job: "sl.runs.Job") -> bool:
    """Whether its result can be shown and this session has not looked at it yet."""
    shown = job.kind == CONVERSION or job_kinds.of(job.kind).page
    return job.state == "done" and bool(shown) and job.id not in _answered()


def show(job: "sl.runs.Job") -> None:
    """Go to the result of a finished job, as the user asked for it."""
    _keep(job)
    _bring(job)
    _answered()[job.id] = time.monotonic()
    if page := job_kinds.of(job.kind).page:
        st.switch_page(f"pages/{page}.py")
    st.rerun()


def forget_answered() -> None:
    """Take conversions that were looked at off the list, so that the next session does not offer them again.

    Raises:
        StoreError: The list cannot be changed.
    """
    for job in of_browser():
        if job.kind == CONVERSION and time.monotonic() - _answered().get(job.id, math.inf) >= BRIEF_SECONDS:
            dismiss(job.id)


def _worth_telling(job: "sl.runs.Job") -> bool:
    if job.active or job.state in ("failed", "interrupted"):
        return True
    followed = _followed().get(job.id)
    if followed is None:  # ended while nobody watched; only what can be shown, and was not, is worth a line
        return job.kind == CONVERSION and offered(job)
    return offered(job) or not followed.settled or time.monotonic() - followed.ended < BRIEF_SECONDS


def _in_front(job: "sl.runs.Job", page: str) -> bool:
    """Whether the result of a finished job is what the user looks at."""
    return state.shows(job.result["run"]) if job.kind == CONVERSION else job_kinds.of(job.kind).page == page


def _keep(job: "sl.runs.Job") -> None:
    st.session_state[f"result.{job.kind}"] = (job.arguments, job.result)


def _bring(job: "sl.runs.Job") -> None:
    """Bring a result into view, of the kinds that have one."""
    if job.kind == CONVERSION:
        state.show_run(job.result["run"], by_hand=False)
        state.renew_choices()
        st.session_state["arrived"] = job.kind
    elif job.kind == "open":
        st.session_state["just-opened"] = True


def _find_again() -> None:
    """At the first script run of a session: what an earlier one of this browser left behind."""
    if st.session_state.get("jobs.found") == workspace.current():
        return
    st.session_state["jobs.found"] = workspace.current()
    cached.pool().warm()  # the first question is to find a worker ready
    for job in reversed(of_browser()):
        if job.active:
            _followed().setdefault(job.id, _Followed(here=False))
        elif job.state == "done":
            _keep(job)


def _followed() -> dict[str, _Followed]:
    followed: dict[str, _Followed] = st.session_state.setdefault("jobs", {})
    return followed


def _answered() -> dict[str, float]:
    """Jobs whose result this session has had in view -> monotonic time of the first time."""
    answered: dict[str, float] = st.session_state.setdefault("jobs.answered", {})
    return answered


def _of_session() -> "list[sl.runs.Job]":
    """The jobs that this session follows, newest first."""
    found = [cached.pool().job(job_id) for job_id in reversed(_followed())]
    return [job for job in found if job is not None]
