"""Long work: started here, shown with progress, time left and Cancel, and taken over by the page when it is done."""

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import cached, label, shell, state, workspace

POLL_SECONDS = 1.0
FOLLOW_SECONDS = 0.3
CANCEL_SECONDS = 0.9
"""So long a click on Cancel waits for the end of the job, so that the next picture is without it."""
BRIEF_SECONDS = 30.0
"""So long the tray tells of a job that needs nothing more from the user."""
SHOWN_JOBS = 6

TITLES = {
    "open": "Open checkpoint",
    "analyse": "Convert and analyse",
    "normalization": "Find the normalisation",
    "candidates": "Find the network",
    "evaluate_ann": "Evaluate the ANN",
    "trace": "Trace one neuron",
    "selected": "Residuals of the selection",
    "noise": "Fit the noise",
    "noisy": "Noisy ANN",
    "sensitivity": "Which site matters",
    "largest_scale": "Largest scale of the noise",
    "probe": "Probe the conversion",
    "flips": "Find flips",
    "early-exit": "Early exit",
    "final": "Final evaluation",
    "diagnosis": "Diagnose",
    "experiment": "Train with noise",
    "pace": "Time a few batches",
    "tournament": "Tournament",
    "tournament_pace": "Time a few images",
    "attribution": "Explain one image",
}
_CONVERSION = "analyse"
"""The kind whose result every page looks at; the runs of other kinds belong to their own page."""
_PAGES = {
    "open": "checkpoint",
    "noise": "noise",
    "sensitivity": "noise",
    "largest_scale": "noise",
    "experiment": "train",
    "attribution": "attribution",
    "flips": "flips",
    "tournament": "tournament",
    "early-exit": "accuracy",
    "final": "final",
    "diagnosis": "budget",
}
"""The page where the results of other kinds are seen."""
_KEPT = {"experiment": "finished epochs are kept", "tournament": "finished cells are kept"}
"""What a cancelled job leaves behind."""
_PROBLEM = "jobs.problem"


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
    for job in _jobs():  # what failed before is answered by this attempt
        if job.kind == kind and job.state == "failed":
            cached.pool().dismiss(job.id, workspace=workspace.current())
    job = cached.pool().submit(kind, arguments, workspace=workspace.current(), title=title)
    _followed()[job.id] = _Followed(here=bring, moves=state.moves(), beside=beside)
    return job


def latest(kind: str) -> "sl.runs.Job | None":
    """The newest job of a kind that this session follows."""
    return next((job for job in _jobs() if job.kind == kind), None)


def busy(*kinds: str) -> bool:
    """Whether no such job can be started now: one waits or runs, or the browser is still connecting."""
    return not workspace.settled() or any(job.active for job in _jobs() if job.kind in kinds)


def hide(kind: str) -> None:
    """Stop telling of a kind's last job where it was started: something newer is said there."""
    job = latest(kind)
    if job is not None:
        _followed()[job.id].hidden = True


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
    for job in reversed(_jobs()):
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
                if job.kind == _CONVERSION:
                    st.toast(f"{_title(job)}: done. The new run is in view on every page.", icon=":material/check:")
    for job in cached.pool().jobs(workspace.current()):
        if job.state == "done" and _in_front(job, page):
            _answered().setdefault(job.id, time.monotonic())


def _in_front(job: "sl.runs.Job", page: str) -> bool:
    """Whether the result of a finished job is what the user looks at."""
    return state.shows(job.result["run"]) if job.kind == _CONVERSION else _PAGES.get(job.kind) == page


def result(kind: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Arguments and result of the job of that kind that finished last."""
    found: tuple[dict[str, Any], dict[str, Any]] | None = st.session_state.get(f"result.{kind}")
    return found


def ask(
    kind: str, arguments: dict[str, Any], slot: str, wait: float = 0.25, before: Sequence[str] = ()
) -> "sl.runs.Job":
    """Interactive work; a newer question of the same slot replaces the older one, an equal one is answered again.

    Args:
        kind: Kind of work.
        arguments: Its arguments.
        slot: The place on the page that shows the answer.
        wait: Seconds to wait for it, so that a quick answer needs no second picture.
        before: Slots whose questions become pointless by this one: it does not wait for them.

    Returns:
        The job as it stands then; while the browser is still connecting one that waits and has no id.
    """
    if not workspace.settled():
        return sl.runs.Job("", kind, arguments)
    pool, kept = cached.pool(), f"asked.{slot}"
    asked = st.session_state.get(kept)
    job = pool.job(asked[2]) if asked is not None and asked[:2] == (kind, arguments) else None
    if job is None or job.state == "cancelled":  # by another question: asked anew; by the user: it stays so
        own = st.session_state.setdefault("asked.by", secrets.token_hex(4))  # two tabs ask in two slots
        gone = [f"{own}.{each}" for each in before]
        job = pool.ask(kind, arguments, workspace=workspace.current(), slot=f"{own}.{slot}", before=gone)
        st.session_state[kept] = (kind, arguments, job.id)
    if job.active and wait > 0:
        job = pool.wait(job.id, wait) or job
    return job


def ask_again(slot: str) -> None:
    """Forget what a slot asked once it has ended: an equal question is then asked anew, as after a failure."""
    job = asked(slot)
    if job is not None and not job.active:
        cached.pool().dismiss(job.id, workspace=workspace.current())
        del st.session_state[f"asked.{slot}"]


def asked(slot: str) -> "sl.runs.Job | None":
    """What the slot asked for last, as it stands now."""
    last = st.session_state.get(f"asked.{slot}")
    return None if last is None else _now(last[2])


def follow(job: "sl.runs.Job") -> None:
    """An ask where its answer will be: progress and Cancel until it is done, then the page runs again."""
    if not job.id:
        st.caption("Connecting to the browser.")
    elif job.active:

        def watched() -> None:
            now = _now(job.id)
            if now is None or not now.active:
                st.rerun()
            _draw_active(now, "ask")

        st.fragment(watched, run_every=FOLLOW_SECONDS)()
    elif job.state == "failed":
        shell.say(job.error)


def tray() -> None:
    """The job list of the sidebar: this browser's jobs, and nobody else's."""
    active = _active()

    def watched() -> None:
        _draw_tray()
        if _active() != active:  # one ended, or was started from here
            st.rerun()  # the whole page: a result concerns all of it, and only it sets how often the tray is drawn

    leaving = any(not job.active and _worth_showing(job) for job in _own())
    _poll(watched, POLL_SECONDS if active else BRIEF_SECONDS if leaving else None)


def _own() -> "Sequence[sl.runs.Job]":
    """This browser's jobs, newest first."""
    return cached.pool().jobs(workspace.current()) if workspace.settled() else ()


def _active() -> list[str]:
    return [job.id for job in _own() if job.active]


def panel(*kinds: str) -> None:
    """The newest job of these kinds where it was started: progress while it runs, the sentence when it failed."""
    job = next((job for job in _jobs() if job.kind in kinds), None)
    if job is None or _followed()[job.id].hidden:
        return

    def watched() -> None:
        now = _now(job.id)
        if now is None:
            return
        if now.active:
            _draw_active(now, "panel")
        elif job.active:
            st.rerun()
        elif now.state == "failed":
            shell.say(now.error)
        elif now.state == "cancelled":
            st.caption(f"{_title(now)}: cancelled, nothing was stored")

    _poll(watched, POLL_SECONDS if job.active else None)


def _poll(draw: Callable[[], None], seconds: float | None) -> None:
    def guarded() -> None:
        try:
            draw()
        except ValueError as error:
            shell.refuse(error)

    st.fragment(guarded, run_every=seconds)()


def _draw_tray() -> None:
    if not workspace.settled():
        st.caption("Jobs: connecting to the browser")
        return
    if problem := st.session_state.pop(_PROBLEM, None):
        shell.say(problem)
    _forget_answered()
    shown = [job for job in _own() if _worth_showing(job)]
    if not shown:
        st.caption("Jobs: none running")
    for job in shown[:SHOWN_JOBS]:
        if job.active:
            _draw_active(job, "tray")
        else:
            _draw_ended(job)
    if len(shown) > SHOWN_JOBS:
        st.caption(f"and {len(shown) - SHOWN_JOBS} more")
    if workspace.forgotten_on_reload():
        st.caption("This browser stores nothing for this page: a reload forgets its jobs.")


def _worth_showing(job: "sl.runs.Job") -> bool:
    if job.active or job.state in ("failed", "interrupted"):
        return True
    followed = _followed().get(job.id)
    if followed is None:  # ended while nobody watched; only what can be shown, and was not, is worth a line
        return job.kind == _CONVERSION and _offered(job)
    return _offered(job) or not followed.settled or time.monotonic() - followed.ended < BRIEF_SECONDS


def _offered(job: "sl.runs.Job") -> bool:
    """Whether its result can be shown and this session has not looked at it yet."""
    return job.state == "done" and job.id not in _answered() and (job.kind == _CONVERSION or job.kind in _PAGES)


def _forget_answered() -> None:
    """Take conversions that were looked at off the list, so that the next session does not offer them again."""
    for job in _own():
        if job.kind == _CONVERSION and time.monotonic() - _answered().get(job.id, math.inf) >= BRIEF_SECONDS:
            _dismiss(job.id)


def _draw_active(job: "sl.runs.Job", where: str) -> None:
    share = min(job.done / job.total, 1.0) if job.total else 0.0
    with st.container(key=f"job-{where}-{job.id}", gap="xxsmall"):
        st.progress(share, text=f"{_title(job)}: {_progress(job)}")
        st.button("Cancel", key=f"cancel-{where}-{job.id}", on_click=_cancel, args=(job.id,), type="tertiary")


def _draw_ended(job: "sl.runs.Job") -> None:
    told = {
        "done": "done, in view" if job.kind == _CONVERSION and not _offered(job) else "done",
        "cancelled": f"cancelled, {_KEPT.get(job.kind, 'nothing was stored')}",
        "interrupted": "the server was stopped while this ran",
        "failed": label.md(job.error.partition("\n")[0], 600),
    }[job.state]
    with st.container(key=f"job-tray-{job.id}", gap="xxsmall"):
        st.caption(f"**{_title(job)}**: {told}")
        with st.container(horizontal=True, gap="small"):
            if job.state == "interrupted":
                st.button(
                    "Start again", key=f"again-{job.id}", on_click=_again, args=(job.id,), icon=":material/replay:"
                )
            if _offered(job) and st.button("Show", key=f"show-{job.id}", icon=":material/visibility:"):
                _show(job)
            if job.state in ("failed", "interrupted") or _offered(job):
                st.button("Dismiss", key=f"dismiss-{job.id}", on_click=_dismiss, args=(job.id,), type="tertiary")


def _progress(job: "sl.runs.Job") -> str:
    if job.state == "queued":
        return "waiting for a free worker"
    amount = f" {job.done:,} of {job.total:,}" if job.total > 1 else ""
    left = job.seconds_left if job.done < job.total else None  # the next stage has its own pace
    return f"{label.md(job.what, 60)}{amount}" + ("" if left is None else f" · {duration(left)} left")


def duration(seconds: float) -> str:
    """Rounded for people who wait."""
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _title(job: "sl.runs.Job") -> str:
    return label.md(job.title or TITLES.get(job.kind, job.kind), 60)


def _cancel(job_id: str) -> None:
    _act(lambda pool: pool.cancel(job_id, workspace=workspace.current()))
    cached.pool().wait(job_id, CANCEL_SECONDS)


def _dismiss(job_id: str) -> None:
    _act(lambda pool: pool.dismiss(job_id, workspace=workspace.current()))


def _again(job_id: str) -> None:
    def restart(pool: "sl.runs.Pool") -> None:
        job = pool.restart(job_id, workspace=workspace.current())
        _followed()[job.id] = _Followed(moves=state.moves())

    _act(restart)


def _act(action: "Callable[[sl.runs.Pool], None]") -> None:
    """A click's effect; what is refused is said in the tray, as callbacks run outside of every page."""
    try:
        action(cached.pool())
    except ValueError as error:
        if not shell.is_for_users(error):
            raise
        st.session_state[_PROBLEM] = str(error)


def _show(job: "sl.runs.Job") -> None:
    _keep(job)
    _bring(job)
    _answered()[job.id] = time.monotonic()
    if job.kind in _PAGES:
        st.switch_page(f"pages/{_PAGES[job.kind]}.py")
    st.rerun()


def _keep(job: "sl.runs.Job") -> None:
    st.session_state[f"result.{job.kind}"] = (job.arguments, job.result)


def _bring(job: "sl.runs.Job") -> None:
    """Bring a result into view, of the kinds that have one."""
    if job.kind == _CONVERSION:
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
    for job in reversed(cached.pool().jobs(workspace.current())):
        if job.active:
            _followed().setdefault(job.id, _Followed(here=False))
        elif job.state == "done":
            _keep(job)


def _now(job_id: str) -> "sl.runs.Job | None":
    return cached.pool().job(job_id)


def _followed() -> dict[str, _Followed]:
    followed: dict[str, _Followed] = st.session_state.setdefault("jobs", {})
    return followed


def _answered() -> dict[str, float]:
    """Jobs whose result this session has had in view -> monotonic time of the first time."""
    answered: dict[str, float] = st.session_state.setdefault("jobs.answered", {})
    return answered


def _jobs() -> "list[sl.runs.Job]":
    """The jobs that this session follows, newest first."""
    found = [_now(job_id) for job_id in reversed(_followed())]
    return [job for job in found if job is not None]
