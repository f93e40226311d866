"""Where conversions run: a menu in the sidebar, on machines that have more than a CPU."""

import streamlit as st

from pages._ui import cached

_KEY = "sidebar.device"
_NAMES = {"cpu": "CPU", "cuda": "CUDA GPU"}


def draw() -> None:
    """The menu; nothing where there is no choice. A worker has told what there is."""
    devices = cached.pool().devices
    if len(devices) > 1:
        st.selectbox(
            "Device",
            devices,
            key=_KEY,
            format_func=lambda name: _NAMES.get(name, name),
            persist_state="session",
            help="Where the networks of the next conversion run. Results of a GPU are kept apart from those of the "
            "CPU: they differ in the last digits.",
        )


def arguments() -> dict[str, str]:
    """What a job is told beside its recipe; nothing for the CPU."""
    device = st.session_state.get(_KEY, "cpu")
    return {} if device == "cpu" else {"device": device}
