"""Published numbers beside one's own: chosen in a menu, kept in the address bar and from page to page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import label

NAME = "published"
"""Query parameter of the page."""

MARK = " ‡"
MOST = 9
"""So many networks have markers of their own."""

_KEY, _KEPT = "accuracy-published", "accuracy.published"
_SEPARATOR = "."


def choose(card: Mapping[str, Any], dataset: str) -> "dict[str, tuple[sl.PublishedNumber, ...]]":
    """Series -> its numbers, as the reader or a link chose them; those of the same dataset and network come first.

    Args:
        card: Of the checkpoint in view.
        dataset: Of the run in view.
    """
    series = _all()
    alike = {row.series for row in sl.literature(dataset=dataset, architecture=card["architecture_name"])}
    same_data = {row.series for row in sl.literature(dataset=dataset)}
    options = sorted(series, key=lambda name: (name not in alike, name not in same_data))
    asked = st.query_params.get(NAME)
    if asked is not None and asked != st.session_state.get(_KEPT):
        st.session_state[_KEY] = _known(asked, series)
    elif _KEY not in st.session_state:  # the page has just come back
        st.session_state[_KEY] = _known(st.session_state.get(_KEPT, ""), series)
    picked = st.multiselect(
        "Published numbers",
        options,
        key=_KEY,
        format_func=lambda name: series[name][0].name,
        max_selections=MOST,
        placeholder="Add what others published",
        help="Accuracies that other people published, on their own networks; those of this dataset and architecture "
        "come first. They are never measured here.",
    )
    _keep(picked)
    return {name: series[name] for name in picked}


def numbers(chosen: Iterable[str]) -> "list[sl.PublishedNumber]":
    """The numbers of these series."""
    return [row for name in chosen for row in _all()[name]]


def steps(chosen: "Mapping[str, Sequence[sl.PublishedNumber]]", among: Sequence[int]) -> pd.DataFrame:
    """The numbers at these T, as ``curves.by_step`` gives conversions; no interval is known."""
    return pd.DataFrame(
        [
            {
                "T": row.num_steps,
                "conversion": row.name + MARK,
                "accuracy": row.snn_accuracy,
                "low": float("nan"),
                "high": float("nan"),
                "gap": float("nan") if row.ann_accuracy is None else row.snn_accuracy - row.ann_accuracy,
            }
            for rows in chosen.values()
            for row in rows
            if row.num_steps in among
        ]
    )


def notes(chosen: "Mapping[str, Sequence[sl.PublishedNumber]]") -> None:
    """What the mark means, and what has to be known of each source."""
    if not chosen:
        return
    lines = ["‡ Published elsewhere, not measured here: other networks, other images."]
    lines += [
        f"{label.md(rows[0].name, 120)}: {label.md('; '.join(dict.fromkeys(row.remark for row in rows)), 300)}"
        for rows in chosen.values()
    ]
    st.caption("  \n".join(lines))


@st.cache_resource(show_spinner=False)
def _all() -> "dict[str, tuple[sl.PublishedNumber, ...]]":
    found: dict[str, list[sl.PublishedNumber]] = {}
    for row in sl.literature():
        found.setdefault(row.series, []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def _known(asked: str, series: Mapping[str, Any]) -> list[str]:
    wanted = [name for name in asked.split(_SEPARATOR) if name]
    if unknown := [name for name in wanted if name not in series]:
        st.warning(
            f"This version knows no published numbers called {label.md(unknown[0], 60)}; they are left out.",
            icon=":material/link_off:",
        )
    return [name for name in dict.fromkeys(wanted) if name in series][:MOST]


def _keep(picked: Sequence[str]) -> None:
    told = _SEPARATOR.join(picked)
    st.session_state[_KEPT] = told
    if not told:
        st.query_params.pop(NAME, None)
    elif st.query_params.get(NAME) != told:
        st.query_params[NAME] = told
