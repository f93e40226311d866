"""Work under way as it is drawn: the tray of the sidebar, the panel where a job was started, an awaited answer."""

from collections.abc import Callable

import streamlit as st

import snnlab as sl
from pages._ui import cached, job_kinds, jobs, label, shell, workspace

POLL_SECONDS = 1.0
FOLLOW_SECONDS = 0.3
CANCEL_SECONDS = 0.9
"""So long a click on Cancel waits for the end of the job, so that the next picture is without it."""
SHOWN_JOBS = 6
_PROBLEM = "jobs.problem"


def tray() -> None:
    """The job list of the sidebar: this browser's jobs, and nobody else's."""
    active = _active()

    def watched() -> None:
        _draw_tray()
        if _active() != active:  # one ended, or was started from here
            st.rerun()  # the whole page: a result concerns all of it, and only it sets how often the tray is drawn

    leaving = any(not job.active for job in jobs.worth_telling())
    _poll(watched, POLL_SECONDS if active else jobs.BRIEF_SECONDS if leaving else None)


def panel(*kinds: str) -> None:
    """The newest job of these kinds where it was started: progress while it runs, the sentence when it failed."""
    job = jobs.latest(*kinds)
    if job is None or jobs.hidden(job):
        return

    def watched() -> None:
        now = cached.pool().job(job.id)
        if now is None:
            return
        if now.active:
            _draw_active(now, "panel")
        elif job.active:
            st.rerun()
        elif now.state == "failed":
            shell.say(now.error)
        elif now.state == "cancelled":
            st.caption(f"{job_kinds.title(now)}: cancelled, {job_kinds.of(now.kind).kept}")

    _poll(watched, POLL_SECONDS if job.active else None)


def follow(job: "sl.runs.Job") -> None:
    """A question where its answer will be: progress and Cancel until it is done, then the page runs again."""
    if not job.id:
        st.caption("Connecting to the browser.")
    elif job.active:

        def watched() -> None:
            now = cached.pool().job(job.id)
            if now is None or not now.active:
                st.rerun()
            _draw_active(now, "ask")

        st.fragment(watched, run_every=FOLLOW_SECONDS)()
    elif job.state == "failed":
        shell.say(job.error)


def duration(seconds: float) -> str:
    """Rounded for people who wait."""
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _poll(draw: Callable[[], None], seconds: float | None) -> None:
    def guarded() -> None:
        try:
            draw()
        except ValueError as error:
            shell.refuse(error)

    st.fragment(guarded, run_every=seconds)()


def _active() -> list[str]:
    return [job.id for job in jobs.of_browser() if job.active]


def _draw_tray() -> None:
    if not workspace.settled():
        st.caption("Jobs: connecting to the browser")
        return
    if problem := st.session_state.pop(_PROBLEM, None):
        shell.say(problem)
    jobs.forget_answered()
    shown = jobs.worth_telling()
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


def _draw_active(job: "sl.runs.Job", where: str) -> None:
    share = min(job.done / job.total, 1.0) if job.total else 0.0
    with st.container(key=f"job-{where}-{job.id}", gap="xxsmall"):
        st.progress(share, text=f"{job_kinds.title(job)}: {_amount(job)}")
        st.button("Cancel", key=f"cancel-{where}-{job.id}", on_click=_cancel, args=(job.id,), type="tertiary")


def _draw_ended(job: "sl.runs.Job") -> None:
    offered = jobs.offered(job)
    told = {
        "done": "done, in view" if job.kind == job_kinds.CONVERSION and not offered else "done",
        "cancelled": f"cancelled, {job_kinds.of(job.kind).kept}",
        "interrupted": "the server was stopped while this ran",
        "failed": label.md(job.error.partition("\n")[0], 600),
    }[job.state]
    with st.container(key=f"job-tray-{job.id}", gap="xxsmall"):
        st.caption(f"**{job_kinds.title(job)}**: {told}")
        with st.container(horizontal=True, gap="small"):
            if job.state == "interrupted":
                st.button(
                    "Start again", key=f"again-{job.id}", on_click=_again, args=(job.id,), icon=":material/replay:"
                )
            if offered and st.button("Show", key=f"show-{job.id}", icon=":material/visibility:"):
                jobs.show(job)
            if job.state in ("failed", "interrupted") or offered:
                st.button("Dismiss", key=f"dismiss-{job.id}", on_click=_dismiss, args=(job.id,), type="tertiary")


def _amount(job: "sl.runs.Job") -> str:
    if job.state == "queued":
        return "waiting for a free worker"
    amount = f" {job.done:,} of {job.total:,}" if job.total > 1 else ""
    left = job.seconds_left if job.done < job.total else None  # the next stage has its own pace
    return f"{label.md(job.what, 60)}{amount}" + ("" if left is None else f" · {duration(left)} left")


def _cancel(job_id: str) -> None:
    _act(jobs.cancel, job_id)
    cached.pool().wait(job_id, CANCEL_SECONDS)


def _dismiss(job_id: str) -> None:
    _act(jobs.dismiss, job_id)


def _again(job_id: str) -> None:
    _act(jobs.start_again, job_id)


def _act(action: Callable[[str], None], job_id: str) -> None:
    """A click's effect; what is refused is said in the tray, as callbacks run outside of every page."""
    try:
        action(job_id)
    except ValueError as error:
        if not shell.is_for_users(error):
            raise
        st.session_state[_PROBLEM] = str(error)
