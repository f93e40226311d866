"""The server's shared things: one run store, one worker, and the runs read last. No torch here."""

import os
from dataclasses import dataclass

import streamlit as st

import snnlab as sl
from pages._ui import reports

LISTED_RUNS = 60
"""So many runs, newest first, are offered in menus; older ones open by their address."""


@dataclass(frozen=True)
class Brief:
    """What menus need of a run.

    Args:
        id: Run id.
        checkpoint: Name of the checkpoint.
        sha256: Hash of the checkpoint's file.
        recipe: What was run.
        images: Images simulated.
        shipped: Comes with snnlab.
    """

    id: str
    checkpoint: str
    sha256: str
    recipe: sl.Recipe
    images: int
    shipped: bool


def store() -> sl.runs.Store:
    """The run store.

    Raises:
        StoreError: It cannot be opened.
    """
    return _store(os.environ.get("SNNLAB_STORE"))


@st.cache_resource(show_spinner=False)
def _store(named: str | None) -> sl.runs.Store:
    return sl.runs.Store(named)


@st.cache_resource(show_spinner=False)
def worker() -> sl.runs.Worker:
    """The process that computes; it starts with the first job."""
    return sl.runs.Worker()


def run(run_id: str) -> sl.runs.Run:
    """A stored run by its whole id.

    Raises:
        StoreError: No such run.
    """
    found = store()
    return _run(run_id, str(found.path), found)


@st.cache_resource(max_entries=12, show_spinner=False)
def _run(run_id: str, path: str, _store: sl.runs.Store) -> sl.runs.Run:
    return _store.get(run_id)


def briefs() -> list[Brief]:
    """The runs that menus offer: shipped ones first, then newest first."""
    found = store()
    rows = found.list()
    own = [row for row in rows if not row.shipped][:LISTED_RUNS]
    return [_brief(row.id, row.shipped, str(found.path), found) for row in [*(r for r in rows if r.shipped), *own]]


@st.cache_resource(max_entries=512, show_spinner=False)
def _brief(run_id: str, shipped: bool, path: str, _store: sl.runs.Store) -> Brief:
    whole = _store.get(run_id)
    card = whole.card
    return Brief(run_id, card["name"], card["sha256"], whole.recipe, reports.accuracy(whole).images, shipped)
