"""Interactive work: a question has a slot, the place that shows its answer, and a newer one there replaces it."""

import secrets
from collections.abc import Sequence
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import cached, workspace


def ask(
    kind: str, arguments: dict[str, Any], slot: str, wait: float = 0.25, before: Sequence[str] = ()
) -> "sl.runs.Job":
    """Ask; an equal question of the same slot is answered again, without new work.

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
    pool, kept = cached.pool(), _key(slot)
    last = st.session_state.get(kept)
    job = pool.job(last[2]) if last is not None and last[:2] == (kind, arguments) else None
    if job is None or job.state == "cancelled":  # by another question: asked anew; by the user: it stays so
        own = st.session_state.setdefault("asked.by", secrets.token_hex(4))  # two tabs ask in two slots
        gone = [f"{own}.{each}" for each in before]
        job = pool.ask(kind, arguments, workspace=workspace.current(), slot=f"{own}.{slot}", before=gone)
        st.session_state[kept] = (kind, arguments, job.id)
    if job.active and wait > 0:
        job = pool.wait(job.id, wait) or job
    return job


def asked(slot: str) -> "sl.runs.Job | None":
    """What the slot asked for last, as it stands now."""
    last = st.session_state.get(_key(slot))
    return None if last is None else cached.pool().job(last[2])


def ask_again(slot: str) -> None:
    """Forget what a slot asked once it has ended: an equal question is then asked anew, as after a failure."""
    job = asked(slot)
    if job is not None and not job.active:
        cached.pool().dismiss(job.id, workspace=workspace.current())
        del st.session_state[_key(slot)]


def _key(slot: str) -> str:
    return f"asked.{slot}"
