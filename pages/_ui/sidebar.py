"""The sidebar: what all pages share, and the job tray."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages._ui import cached, jobs, label, reports, state
from pages._ui.cached import Brief
from pages._ui.state import Address, View

NOTHING = ""


def navigation(pages: dict[str, list[StreamlitPage]]) -> None:
    """Links to the pages, by section. Streamlit's own grouped list is no valid list to screen readers."""
    with st.sidebar.container(key="navigation", gap="xxsmall"):
        for section, members in pages.items():
            st.caption(section)
            for page in members:
                st.page_link(page, width="stretch")


def draw() -> None:
    """Checkpoint, data, conversion, T and comparison of the view; then the jobs."""
    view = state.view()
    briefs = cached.briefs()
    current = next((brief for brief in briefs if view.run is not None and brief.id == view.run.id), None)
    if current is None and view.run is not None:  # older than the menus reach
        run = view.run
        images = reports.accuracy(run).images
        current = Brief(run.id, run.card["name"], run.card["sha256"], run.recipe, images, False)
        briefs = [*briefs, current]
    with st.sidebar:
        st.session_state["drawn"] = _Drawn(state.generation(), "" if current is None else current.id)
        if current is not None:
            _choices(view, current, briefs)
        with st.container(key="tray"):
            jobs.tray()


def _choices(view: View, current: Brief, briefs: list[Brief]) -> None:
    checkpoints = _first_by(briefs, lambda brief: brief.sha256)
    names = [brief.checkpoint for brief in checkpoints.values()]

    def checkpoint_label(sha: str) -> str:
        brief = checkpoints[sha]
        same = names.count(brief.checkpoint) > 1
        return label.name(brief.checkpoint, 40) + (f" ({sha[:6]})" if same else "")

    _choose("Checkpoint", "", list(checkpoints), current.sha256, checkpoint_label, lambda sha: checkpoints[sha].id)
    siblings = [brief for brief in briefs if brief.sha256 == current.sha256]
    data, here = _first_by(siblings, data_label), data_label(current)
    _choose("Data", current.sha256, list(data), here, str, lambda text: data[text].id)
    same_data = {brief.id: brief for brief in siblings if data_label(brief) == here}
    of = f"{current.sha256}{here}"
    _choose("Conversion", of, list(same_data), current.id, lambda run_id: conversion_label(same_data[run_id]), str)

    key = f"sidebar.T.{state.generation()}.{current.id}"
    st.selectbox(
        "Target T",
        view.steps,
        index=view.steps.index(view.target),
        key=key,
        on_change=_if_fresh(lambda: state.put(Address.TARGET, str(st.session_state[key]))),
        help="Time-steps that the numbers above every page are given for. One simulation holds them all.",
    )
    others = {brief.id: brief for brief in briefs if brief.id != current.id}
    options = [NOTHING, *others]
    compared = view.compare.id if view.compare is not None and view.compare.id in others else NOTHING
    compare_key = f"sidebar.compare.{state.generation()}.{current.id}"
    st.selectbox(
        "Compare with",
        options,
        index=options.index(compared),
        key=compare_key,
        format_func=lambda run_id: run_label(others[run_id], briefs) if run_id else "nothing",
        on_change=_if_fresh(
            lambda: state.put(Address.COMPARE, st.session_state[compare_key][: state.ID_DIGITS] or None)
        ),
    )


def _choose(
    title: str, of: str, options: list[str], now: str, shown: Callable[[str], str], to_run: Callable[[str], str]
) -> None:
    # The key names what the options depend on: with other options it is another widget, without the old one's value.
    key = f"sidebar.{title}.{state.generation()}.{of}"
    st.selectbox(
        title,
        options,
        index=options.index(now),
        key=key,
        format_func=shown,
        on_change=_if_fresh(lambda: state.show_run(to_run(st.session_state[key]))),
    )


@dataclass(frozen=True)
class _Drawn:
    """What the sidebar's widgets were drawn for."""

    generation: int
    run: str


def _if_fresh(change: Callable[[], None]) -> Callable[[], None]:
    # A browser that has not heard of a new view yet sends the values of widgets that are gone. Streamlit takes them
    # for changes and calls back; such a call must not bring the old view back.
    drawn = st.session_state["drawn"]

    def called() -> None:
        if st.session_state.get("drawn") == drawn:
            change()

    return called


def _first_by(briefs: list[Brief], key: Callable[[Brief], str]) -> dict[str, Brief]:
    first: dict[str, Brief] = {}
    for brief in briefs:
        first.setdefault(key(brief), brief)
    return first


def data_label(brief: Brief) -> str:
    """Dataset, split, images, and the normalisation where it is not a preset's."""
    data = brief.recipe.data
    return f"{data.dataset}, {data.split}, {brief.images:,}" + (f", {data.normalize}" if data.normalize else "")


def conversion_label(brief: Brief) -> str:
    """Method and its parameters."""
    return f"{label.method(brief.recipe)} {label.parameters(brief.recipe, None)}, T {brief.recipe.num_steps}"


def run_label(brief: Brief, briefs: list[Brief]) -> str:
    """A run in a list of all: checkpoint and method, then parameters and id where that is not enough."""
    text = f"{label.name(brief.checkpoint, 40)} · {label.method(brief.recipe)}"
    alike = [b for b in briefs if b.checkpoint == brief.checkpoint]
    alike = [b for b in alike if b.recipe.converter.method == brief.recipe.converter.method]
    if any(b.recipe.converter != brief.recipe.converter for b in alike):
        text += f" {label.parameters(brief.recipe, None)}"
    same = [b for b in alike if b.recipe.converter == brief.recipe.converter]
    return text + (f" · {brief.id[:6]}" if len(same) > 1 else "")
