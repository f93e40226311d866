"""The sidebar: what all pages share, and the job tray."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import StreamlitPage

import snnlab as sl
from pages._ui import cached, device, label, names, places, progress, state
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
    """Checkpoint, data, conversion, T and comparison of the view, what could not be loaded; then the jobs."""
    view = state.view()
    rows = cached.briefs()
    with st.sidebar:
        st.session_state["drawn"] = _Drawn(state.generation(), "" if view.row is None else view.row.id)
        if view.row is not None:
            listed = {row.id for row in rows}  # a link's, one of noise, or older than the menus reach
            rows = [*rows, *(row for row in view.named if row.id not in listed)]
            _choices(view, view.row, rows)
        if view.run is not None:
            places.ask(view.run)
        device.draw()
        for file in sl.loaded_files():
            if file.problem:
                st.warning(label.md(file.problem, 400), icon=":material/code_off:")
        with st.container(key="tray", gap="xsmall"):
            progress.tray()


def _choices(view: View, current: "sl.runs.RunRow", rows: "list[sl.runs.RunRow]") -> None:
    checkpoints = _first_by(rows, lambda row: row.sha256)
    titles = [row.checkpoint for row in checkpoints.values()]

    def checkpoint_label(sha: str) -> str:
        row = checkpoints[sha]
        same = titles.count(row.checkpoint) > 1
        return label.name(row.checkpoint, 40) + (f" ({sha[:6]})" if same else "")

    _choose(
        "Checkpoint",
        "",
        {sha: row.id for sha, row in checkpoints.items()},
        current.sha256,
        checkpoint_label,
        f"{current.checkpoint}, SHA-256 {current.sha256[:12]}",
    )
    siblings = [row for row in rows if row.sha256 == current.sha256]
    data, here = _first_by(siblings, names.data_key), names.data_key(current)
    shown = {key: names.data(row) for key, row in data.items()}
    _choose(
        "Data", current.sha256, {key: row.id for key, row in data.items()}, here, lambda key: shown[key], shown[here]
    )
    alike = [row for row in siblings if names.data_key(row) == here]
    conversions = names.among(alike)
    _choose(
        "Conversion",
        f"{current.sha256}{here}",
        {row.id: row.id for row in alike},
        current.id,
        lambda run_id: conversions[run_id],
        names.whole(current),
    )
    if not view.own and not current.shipped:
        st.caption("Made in another browser: it can be read here, not changed.")

    key = f"sidebar.T.{state.generation()}.{current.id}"
    st.selectbox(
        "Target T",
        view.steps,
        index=view.steps.index(view.target),
        key=key,
        on_change=_if_fresh(lambda: state.put(Address.TARGET, str(st.session_state[key]))),
        help="Time-steps that the numbers above every page are given for. One simulation holds them all.",
    )
    others = sorted((row for row in rows if row.id != current.id), key=lambda row: not state.pinned(row.id))
    beside = names.marked(names.beside(current, others), "baseline", state.pinned)
    options = [NOTHING, *beside]
    compared = view.compare.id if view.compare is not None and view.compare.id in beside else NOTHING
    compare_key = f"sidebar.compare.{state.generation()}.{current.id}.{_digest(beside.values())}"
    st.selectbox(
        "Compare with",
        options,
        index=options.index(compared),
        key=compare_key,
        format_func=lambda run_id: beside[run_id] if run_id else "nothing",
        on_change=_if_fresh(
            lambda: state.put(Address.COMPARE, st.session_state[compare_key][: state.ID_DIGITS] or None)
        ),
        help=_help(next((names.whole(row) for row in others if row.id == compared), "Another run, drawn in green.")),
    )
    pinned = next((row for row in rows if state.pinned(row.id)), None)
    if pinned is not None:
        called = "the run in view" if pinned.id == current.id else names.beside(current, others)[pinned.id]
        with st.container(key="baseline", gap="xxsmall"):
            st.caption(f":material/keep: Baseline: **{label.md(called, 60)}**", help=_help(names.whole(pinned)))
            st.button("Unpin", key="baseline-unpin", type="tertiary", on_click=_unpin)


def _unpin() -> None:
    state.pin(None)
    state.renew_choices()


def _choose(title: str, of: str, runs: dict[str, str], now: str, shown: Callable[[str], str], whole: str) -> None:
    """One menu; ``runs`` maps its options to the run that each brings into view."""
    options = list(runs)
    key = f"sidebar.{title}.{state.generation()}.{of}.{_digest(map(shown, options))}"
    st.selectbox(
        title,
        options,
        index=options.index(now),
        key=key,
        format_func=shown,
        on_change=_if_fresh(lambda: state.show_run(runs[st.session_state[key]])),
        help=_help(whole),
    )


def _digest(labels: Iterable[str]) -> str:
    """For the key of a menu: with other options it is another widget, without the old one's value.

    The browser sends the label of an option. When labels have changed meanwhile, as runs that have come to the list ask
    for longer names, an old one would be no option.
    """
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()[:12]


def _help(text: str) -> str:
    return label.md(text, 300)


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


def _first_by(rows: "list[sl.runs.RunRow]", key: "Callable[[sl.runs.RunRow], str]") -> "dict[str, sl.runs.RunRow]":
    first: dict[str, sl.runs.RunRow] = {}
    for row in rows:
        first.setdefault(key(row), row)
    return first


def run_label(row: "sl.runs.RunRow", rows: "list[sl.runs.RunRow]") -> str:
    """A run's name in a list of others."""
    return names.among(rows)[row.id]
