"""Long work: started here, shown with progress, time left and Cancel, and taken over by the page when it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import cached, label, shell, state
from pages._ui.state import Address

POLL_SECONDS = 0.5
SHOWN_JOBS = 4

TITLES = {
    "open": "Open checkpoint",
    "analyse": "Convert and analyse",
    "normalization": "Find the normalisation",
    "candidates": "Find the network",
    "evaluate_ann": "Evaluate the ANN",
    "trace": "Trace one neuron",
}
_STAGES = {"queued": "waiting for the job before it", "cancelled": "cancelled, nothing was stored"}


@dataclass
class _Seen:
    """What this session knows of one job."""

    settled: bool = False


def start(kind: str, arguments: dict[str, Any]) -> None:
    """Hand a job to the worker, follow it in this session, and put its id into the address."""
    job = cached.worker().submit(kind, arguments)
    _followed()[job.id] = _Seen()
    opened = latest("open")
    in_address = [opened.id] if opened is not None and opened.id != job.id else []
    state.put(Address.JOB, ".".join([*in_address, job.id]))


def latest(kind: str) -> "sl.runs.Job | None":
    """The newest job of a kind that this session follows."""
    return next((job for job in _jobs() if job.kind == kind), None)


def busy(*kinds: str) -> bool:
    """Whether such a job waits or runs."""
    return any(job.active for job in _jobs() if job.kind in kinds)


def settle() -> None:
    """Let finished jobs take effect once: a stored run comes into view, a result is kept for its form."""
    for job_id in _in_address():
        if job_id not in _followed() and cached.worker().job(job_id) is not None:
            _followed()[job_id] = _Seen()  # a reload: the session is new, the job is not
    for job in reversed(_jobs()):
        seen = _followed()[job.id]
        if job.active or seen.settled:
            continue
        seen.settled = True
        if job.state == "done":
            st.session_state[f"result.{job.kind}"] = (job.arguments, job.result)
            if job.kind == "analyse":
                state.show_run(job.result["run"])
                state.renew_choices()
                state.put(Address.JOB, None)
                st.session_state["arrived"] = job.result["run"]
            if job.kind == "open":
                st.session_state["just-opened"] = True


def result(kind: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Arguments and result of the job of that kind that finished last."""
    found: tuple[dict[str, Any], dict[str, Any]] | None = st.session_state.get(f"result.{kind}")
    return found


def tray() -> None:
    """The job list of the sidebar."""
    active = [job.id for job in _jobs() if job.active]

    def watched() -> None:
        _draw_tray()
        if any(not _now(job_id).active for job_id in active):
            st.rerun()  # the whole page: a result concerns all of it

    _poll(watched, active)


def panel(*kinds: str) -> None:
    """The newest job of these kinds where it was started: progress while it runs, the sentence when it failed."""
    shown = [job for job in _jobs() if job.kind in kinds][:1]
    if shown:
        _poll(lambda: _draw(shown[0].id, "panel", quiet=True), [job.id for job in shown if job.active])


def _poll(draw: Callable[[], None], active: list[str]) -> None:
    st.fragment(draw, run_every=POLL_SECONDS if active else None)()


def _draw_tray() -> None:
    jobs = _jobs()[:SHOWN_JOBS]
    if any(cached.worker().job(job_id) is None for job_id in _in_address()):
        st.caption("The job of this address is no longer known here: the server was started anew. Start it again.")
        if st.button("Dismiss", key="job-dismiss", type="tertiary"):
            state.put(Address.JOB, None)
            st.rerun()
    elif not jobs:
        st.caption("Jobs: none running")
    for job in jobs:
        _draw(job.id, "tray", quiet=False)


def _draw(job_id: str, where: str, *, quiet: bool) -> None:
    job = _now(job_id)
    title = TITLES.get(job.kind, job.kind)
    if job.active:
        share = min(job.done / job.total, 1.0) if job.total else 0.0
        with st.container(key=f"job-{where}-{job.id}", gap="xsmall"):
            st.progress(share, text=f"{title}: {_progress(job)}")
            st.button("Cancel", key=f"cancel-{where}-{job.id}", on_click=cached.worker().cancel, args=(job.id,))
    elif job.state == "failed":
        if quiet:
            shell.say(job.error)
        else:
            sentence, _, _ = job.error.partition("\n")
            st.caption(f"{title}: failed. {label.md(sentence, 600)}")
    elif job.state == "cancelled":
        st.caption(f"{title}: {_STAGES['cancelled']}")
    elif not quiet:
        st.caption(f"{title}: done")


def _progress(job: "sl.runs.Job") -> str:
    if job.state == "queued":
        return _STAGES["queued"]
    amount = f" {job.done:,} of {job.total:,}" if job.total > 1 else ""
    left = job.seconds_left
    return f"{label.md(job.what, 60)}{amount}" + ("" if left is None else f" · {duration(left)} left")


def duration(seconds: float) -> str:
    """Rounded for people who wait."""
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _in_address() -> list[str]:
    return [job_id for job_id in (state.get(Address.JOB) or "").split(".") if job_id]


def _now(job_id: str) -> "sl.runs.Job":
    return cached.worker().job(job_id) or sl.runs.Job(job_id, "", {}, state="cancelled")


def _followed() -> dict[str, _Seen]:
    followed: dict[str, _Seen] = st.session_state.setdefault("jobs", {})
    return followed


def _jobs() -> "list[sl.runs.Job]":
    found = [cached.worker().job(job_id) for job_id in reversed(_followed())]
    return [job for job in found if job is not None]
