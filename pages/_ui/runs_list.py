"""Every run in one table: search, filters, and the rows that are chosen."""

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import cached, label, runs_chosen, state, workspace
from pages._ui.state import View

ANY = ""
_ROW_HEIGHT, _SHOWN_ROWS = 35, 9


def kind(verb: str) -> str:
    """What a run of this verb is called."""
    known = sl.runs.VERBS.get(verb)
    return label.name(verb, 24) if known is None else known.noun


def every() -> "Sequence[sl.runs.RunRow]":
    """All runs that are listed: this browser's, the command line's, and the shipped ones.

    Raises:
        StoreError: The store cannot be read.
    """
    return _listed()


def tags(rows: "Sequence[sl.runs.RunRow]") -> list[str]:
    """The tags that these runs have, each once."""
    return sorted({tag for row in rows for tag in row.tags}, key=str.lower)


def draw(view: View, listed: "Sequence[sl.runs.RunRow]", chosen: "list[sl.runs.RunRow]") -> "list[sl.runs.RunRow]":
    """Search box, filters and table.

    Args:
        view: What is in view.
        listed: As ``every`` gives them.
        chosen: The runs that were chosen before.

    Returns:
        Those that are chosen now, also where the search hides them.

    Raises:
        StoreError: The store cannot be read.
    """
    text, verb, tag = _filters(listed)
    rows = _listed(text=text, tag=tag or None, verb=verb or None) if text or tag or verb else listed
    if not rows:
        st.info("No run is found: change the search or the filters.", icon=":material/search_off:")
        return chosen
    by_hand = runs_chosen.by_hand()
    marked = _table(rows, {row.id for row in chosen} if by_hand else set(), roles(view))
    if not by_hand and not marked:
        _say(len(rows), len(listed), [])
        return chosen  # what every page shows, until something is chosen: the first tick opens, and compares nothing
    found = {row.id for row in rows}
    now = [row for row in chosen if row.id in marked or (by_hand and row.id not in found)]
    now += [row for row in rows if row.id in marked and row.id not in {each.id for each in now}]
    if len(now) > runs_chosen.MOST:
        st.warning(
            f"{len(now)} runs are chosen; the first {runs_chosen.MOST} are shown.", icon=":material/filter_list:"
        )
        now = now[: runs_chosen.MOST]
    if [row.id for row in now] != [row.id for row in chosen]:
        runs_chosen.keep(now)
    _say(len(rows), len(listed), [row for row in now if row.id not in found])
    return now


def _listed(**search: Any) -> "Sequence[sl.runs.RunRow]":
    return cached.store().list(cached.seen(), **search)


def _filters(rows: "Sequence[sl.runs.RunRow]") -> tuple[str, str, str]:
    verbs = list(dict.fromkeys(row.verb for row in rows))
    words = tags(rows)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="runs-filters"):
        text = st.text_input(
            "Search",
            key="runs-search",
            max_chars=200,
            placeholder="checkpoint, method, tag, note, or the first digits of the id",
        )
        verb = st.selectbox(
            "Kind",
            [ANY, *verbs],
            key=f"runs-kind-{_digest(verbs)}",
            format_func=lambda verb: kind(verb) if verb else "every kind",
            width=126,
        )
        tag = st.selectbox(
            "Tag",
            [ANY, *words],
            key=f"runs-tag-{_digest(words)}",
            format_func=lambda tag: label.name(tag, 32) if tag else "any tag",
            width=126,
        )
    return text.strip(), verb or ANY, tag or ANY


def roles(view: View) -> dict[str, str]:
    """Run id -> what it is on every page, for those that the address names."""
    found: dict[str, str] = {}
    for run, name in ((view.run, "in view"), (view.compare, "compared")):
        if run is not None:
            found[run.id] = name
    for row in view.named:
        if state.pinned(row.id):
            found[row.id] = ", ".join([*([found[row.id]] if row.id in found else []), "baseline"])
    return found


def _table(rows: "Sequence[sl.runs.RunRow]", chosen: set[str], shown: Mapping[str, str]) -> set[str]:
    """The table; which of its rows are marked."""
    ids = [row.id for row in rows]
    told = st.dataframe(
        frame(rows, shown),
        key=f"runs-table-{_digest(ids)}-{runs_chosen.stamp()}",  # rows are marked by place: other rows, other table
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [place for place, found in enumerate(ids) if found in chosen]}},
        hide_index=True,
        height=_ROW_HEIGHT * (min(len(rows), _SHOWN_ROWS) + 1) + 3,
        column_config={
            # What a run is and what was said of it fits beside the sidebar of a laptop; the rest is scrolled to.
            "shown": st.column_config.TextColumn("shown", width=72, help="What it is on every page just now"),
            "checkpoint": st.column_config.TextColumn("checkpoint", width=160),
            "kind": st.column_config.TextColumn("kind", width=80),
            "method": st.column_config.TextColumn("method", width=92),
            "T": st.column_config.NumberColumn("T", width=38, format="%d"),
            "data": st.column_config.TextColumn("data", width=118, help="Dataset, split, images"),
            "tags": st.column_config.ListColumn("tags", width=72),
            "note": st.column_config.TextColumn("note", width=120),
            "parameters": st.column_config.TextColumn("parameters", width=120),
            "made": st.column_config.DatetimeColumn("made (UTC)", width=124, format="YYYY-MM-DD HH:mm"),
            "by": st.column_config.TextColumn("by", width=100),
            "size": st.column_config.NumberColumn("size, MB", width=72, format="%.2f"),
            "run": st.column_config.TextColumn("run", width=112, help="The first digits of its id"),
        },
        alt=f"{len(rows)} stored runs, newest first; rows are chosen by their box at the left",
    )
    places = told["selection"]["rows"]
    return {ids[place] for place in places if 0 <= place < len(ids)}


def frame(rows: "Sequence[sl.runs.RunRow]", shown: Mapping[str, str]) -> pd.DataFrame:
    """The runs as the table shows them; names are data, drawn as text.

    Args:
        rows: The runs.
        shown: As ``roles`` gives it.
    """
    told = [_told(row.recipe_json) for row in rows]
    return pd.DataFrame(
        {
            "shown": [shown.get(row.id, "") for row in rows],
            "checkpoint": [row.checkpoint for row in rows],
            "kind": [kind(row.verb) for row in rows],
            "method": [each[0] for each in told],
            "T": [each[2] for each in told],
            "data": [f"{each[3]}, {row.split}, {row.images:,}" for row, each in zip(rows, told, strict=True)],
            "tags": [list(row.tags) for row in rows],
            "note": [row.note.partition("\n")[0] for row in rows],
            "parameters": [each[1] for each in told],
            "made": pd.Series([_moment(row.created) for row in rows], dtype="datetime64[s]"),
            "by": [maker(row) for row in rows],
            "size": [row.size / 1e6 for row in rows],
            "run": [row.id[: state.ID_DIGITS] for row in rows],
        }
    )


def maker(row: "sl.runs.RunRow") -> str:
    """Who made it."""
    if row.shipped:
        return "snnlab"
    if row.workspace == cached.LOCAL:
        return "command line"
    return "this browser" if row.workspace == workspace.current() else "another browser"


@lru_cache(maxsize=4096)
def _told(recipe_json: str) -> tuple[str, str, int, str]:
    """Method, parameters, T and dataset; kept, as reading a recipe takes longer than all else in a row."""
    recipe = sl.Recipe.parse(json.loads(recipe_json))
    return label.method(recipe), label.parameters(recipe, None), recipe.num_steps, recipe.data.dataset


def _moment(created: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(created)
    except ValueError:
        return None
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _say(found: int, of: int, hidden: "Sequence[sl.runs.RunRow]") -> None:
    count = f"{of:,} runs, newest first, the shipped ones last." if found == of else f"{found:,} of {of:,} runs."
    also = ", ".join(label.md(row.title, 60) for row in hidden)
    st.caption(
        f"{count} Choose one to open it, two or more to compare them." + (f" Also chosen: {also}." if also else "")
    )


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
