"""The server's shared things: one run store, one pool of workers, and the runs read last. No torch here."""

import os
from collections.abc import Sequence

import streamlit as st

import snnlab as sl
from pages._ui import places, workspace

LISTED_RUNS = 60
"""So many runs, newest first, are offered in menus; older ones open by their address."""

LOCAL = "local"
"""Workspace of the command line and of notebooks, open to every browser of this machine."""


def store() -> sl.runs.Store:
    """The run store.

    Raises:
        StoreError: It cannot be opened.
    """
    return _store(os.environ.get("SNNLAB_STORE"))


@st.cache_resource(show_spinner=False)
def _store(named: str | None) -> sl.runs.Store:
    return sl.runs.Store(named)


def pool() -> "sl.runs.Pool":
    """The processes that compute.

    Raises:
        StoreError: The store, which holds the jobs, cannot be opened.
    """
    found = store()
    return _pool(found.location, found)


@st.cache_resource(show_spinner=False)
def _pool(location: str, _store: sl.runs.Store) -> "sl.runs.Pool":
    return sl.runs.Pool(_store)


def run(run_id: str) -> sl.runs.Run:
    """A stored run by its whole id, with the folder of its images where this browser knows a better one.

    Raises:
        StoreError: No such run.
    """
    found = store()
    return places.placed(_run(run_id, found.location, found), _newest)


@st.cache_resource(max_entries=12, show_spinner=False)
def _run(run_id: str, location: str, _store: sl.runs.Store) -> sl.runs.Run:
    return _store.get(run_id)


def forget_runs() -> None:
    """Drop the runs kept here, as one of them was deleted."""
    _run.clear()


def sealed(row: "sl.runs.RunRow") -> bool:
    """Whether a run is on test images: nothing is explored or chosen on those, so no page but one shows it."""
    return row.split == "test"


def seen() -> tuple[str, str]:
    """The workspaces whose runs and marks are listed here: this browser's, and the command line's."""
    return workspace.current(), LOCAL


def rows() -> list[sl.runs.RunRow]:
    """The runs of every kind: shipped ones first, then one's own and the command line's, newest first."""
    return _listed(store().list(seen()))


def _newest() -> Sequence[sl.runs.RunRow]:
    """One's own runs and the command line's that menus offer, without reading what is older."""
    return store().list((workspace.current(), LOCAL), limit=LISTED_RUNS)


def briefs() -> list[sl.runs.RunRow]:
    """``rows`` of conversions alone, which menus offer and which can be compared with each other."""
    found = store().list(seen())
    return _listed([row for row in found if sl.runs.is_conversion(row.verb) and not sealed(row)])


def _listed(found: Sequence[sl.runs.RunRow]) -> list[sl.runs.RunRow]:
    own = [row for row in found if not row.shipped][:LISTED_RUNS]
    return [*(row for row in found if row.shipped), *own]
