"""The neuron that the user names by number: asked for, followed, and handed to the view."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

import snnlab as sl
from pages._ui import progress, questions

_ASKED = "residuals.asked"
_SLOT = "trace"


def ask(run: sl.runs.Run, wanted: Mapping[str, Any]) -> None:
    """Ask for the simulation of one neuron, and run the script again, which draws the answer."""
    neuron = {"site": str(wanted["site"]), "image": int(wanted["image"]), "position": int(wanted["position"])}
    arguments = {"recipe": run.recipe.to_dict(), **neuron}
    st.session_state[_ASKED] = {"run": run.id, "arguments": arguments}
    before = questions.asked(_SLOT)
    if before is not None and before.state in ("failed", "cancelled"):
        questions.ask_again(_SLOT)
    questions.ask("trace", arguments, _SLOT, wait=0)
    st.rerun()


def asked(run: sl.runs.Run) -> tuple[dict[str, Any] | None, sl.analysis.NeuronTraces | None]:
    """The neuron asked for last.

    Returns:
        What the view is told of it (site, image, position, state: running, done, failed, cancelled), and its trace
        once there is one; None where nothing was asked of this run.
    """
    last = st.session_state.get(_ASKED)
    if last is None or last["run"] != run.id:
        return None, None
    arguments = last["arguments"]
    neuron = {name: arguments[name] for name in ("site", "image", "position")}
    job = questions.asked(_SLOT)
    if job is None or job.arguments != arguments:
        return None, None
    if job.state == "done":
        traces = _traces(job.result)
        done = {"state": "done", "currents": traces.currents[0].tolist(), "initial": float(traces.initial[0])}
        lowest = float(traces.negative[0])
        law = {"negative": lowest if math.isfinite(lowest) else None, "most": int(traces.most[0])}
        return neuron | done | law, traces
    return neuron | {"state": "running" if job.active else job.state, "error": job.error}, None


def follow() -> None:
    """Progress of the trace that was asked for last, and Cancel."""
    job = questions.asked(_SLOT)
    if job is not None:
        progress.follow(job)


def _traces(values: Mapping[str, Any]) -> sl.analysis.NeuronTraces:
    """The report that the worker sent as plain lists."""
    return sl.analysis.NeuronTraces(
        currents=np.array(values["currents"], np.float32),
        site=np.array(values["site"]),
        image=np.array(values["image"]),
        position=np.array(values["position"]),
        initial=np.array(values["initial"], np.float32),
        members=np.array(values["members"], np.int32).reshape(-1, 4),
        negative=np.array([-math.inf if each is None else each for each in values["negative"]], np.float32),
        most=np.array(values["most"], np.int16),
    )
