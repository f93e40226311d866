"""Whose jobs and runs: a random token that the browser keeps in its local storage, never in the address."""

import re
import secrets
from pathlib import Path

import streamlit as st

_TOKEN = re.compile(r"[0-9a-f]{32}")
_LONGEST = 64
_KEY, _TOLD, _OWN = "workspace", "workspace.told", "workspace.temporary"

_keeper = st.components.v2.component(
    "snnlab_workspace", html="<span></span>", js=Path(__file__).with_name("workspace.js").read_text()
)


def connect() -> None:
    """Ask the browser for its token; it arrives with a script run of its own."""
    with st.container(key="connection"):
        token = _keeper(key=_KEY, default={"token": None}, on_token_change=lambda: None).token
    if isinstance(token, str) and token:  # kept: a component that is drawn anew has no answer for a moment
        st.session_state[_TOLD] = token[:_LONGEST]


def current() -> str:
    """The browser's token; this session's own until it has arrived, and where local storage is blocked."""
    token = _answer()
    if _TOKEN.fullmatch(token):
        return token
    own: str = st.session_state.setdefault(_OWN, secrets.token_hex(16))
    return own


def settled() -> bool:
    """Whether the browser has answered; before that no job starts."""
    return bool(_answer())


def forgotten_on_reload() -> bool:
    """Whether the browser keeps no token, so that a reload is a stranger to the jobs of this session."""
    return settled() and not _TOKEN.fullmatch(_answer())


def _answer() -> str:
    told: str = st.session_state.get(_TOLD, "")
    return told
