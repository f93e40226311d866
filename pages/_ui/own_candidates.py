"""Which network may a file hold? Where its keys leave pools open, every candidate by accuracy on labelled images."""

from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import jobs, label, places, progress, shell, show
from pages._ui.show import Column

SHOWN = 6
_TAKEN = "own-rank-taken"


def draw(path: str) -> Any:
    """Rank the networks that the file at ``path`` may hold; returns the architecture that the user takes, or None."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        dataset = st.selectbox(
            "Labelled images",
            list(sl.data.DATASETS),
            key="own-rank-dataset",
            format_func=lambda name: sl.data.DATASETS[name].title,
            persist_state="session",
            width=190,
        )
        folder = st.text_input(
            "Their folder",
            key="own-rank-folder",
            placeholder="the folder that holds the dataset",
            persist_state="session",
            disabled=not sl.data.DATASETS[dataset].needs_folder,
        )
        asked = st.button(
            "Find it by accuracy", key="own-rank", icon=":material/search:", disabled=jobs.busy("candidates")
        )
    if asked:
        _submit(path, dataset, folder.strip())
    progress.panel("candidates")
    found = jobs.result("candidates")
    if found is None or found[0]["path"] != path:
        st.caption("Tries every network that the file's shapes allow on 500 training images, and ranks them.")
        return None
    rows = found[1]["candidates"][:SHOWN]
    show.table(
        rows,
        [
            Column("layers", lambda row: layers(row["architecture"]), strong=True),
            Column("normalisation", lambda row: row["normalization"]),
            Column("ANN accuracy", lambda row: label.percent(row["accuracy"]), numeric=True),
            Column("95 % interval", lambda row: label.span(row["low"], row["high"]), "Percent", numeric=True),
        ],
        "Networks that the file may hold, best first",
    )
    alike = sum(row["high"] >= rows[0]["low"] for row in rows)
    if alike > 1:
        st.caption(f"These {rows[0]['images']} images do not tell the first {alike} apart beyond their intervals.")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        rank = st.selectbox(
            "Take", range(len(rows)), key="own-rank-take", format_func=lambda index: f"number {index + 1}"
        )
        taken = st.button("Open it as this network", key="own-rank-open", disabled=jobs.busy("open"))
    if not taken:
        return None
    st.session_state[_TAKEN] = {
        "path": path,
        "architecture": rows[rank]["architecture"],
        "data": {"normalize": rows[rank]["normalization"], "dataset": dataset},
    }
    return rows[rank]["architecture"]


def found_with(opened: dict[str, Any]) -> dict[str, str]:
    """The images and the normalisation under which the network that was then opened had won.

    Args:
        opened: Arguments of the job that opened it.

    Returns:
        ``dataset`` and ``normalize``; nothing when it was not found by its accuracy.
    """
    taken = st.session_state.get(_TAKEN)
    if taken is None or any(taken[name] != opened.get(name) for name in ("path", "architecture")):
        return {}
    data: dict[str, str] = taken["data"]
    return data


def layers(architecture: dict[str, Any]) -> str:
    """The layers in a line: ``conv 20×5×5, avgpool 2, linear 10``, without the activations."""
    words = [_words(layer) for layer in architecture.get("layers", ()) if not isinstance(layer, str)]
    return ", ".join(words) or str(architecture["family"])


def _words(layer: dict[str, Any]) -> str:
    kind, size = next(iter(layer.items()))
    extent = f"{size[0]}×{size[1]}×{size[1]}" if isinstance(size, list) else str(size)
    usual = {"stride": 1 if kind == "conv" else size, "padding": 0}
    unusual = [f"{name} {layer[name]}" for name, value in usual.items() if layer.get(name, value) != value]
    return " ".join([kind, extent, *unusual])


def _submit(path: str, dataset: str, folder: str) -> None:
    try:
        allowed = str(sl.runs.allowed_path(folder)) if folder else None
    except ValueError as error:
        jobs.hide("candidates")
        shell.refuse(error)
        return
    if allowed:
        places.keep(dataset, allowed)  # step 2 asks for it next
    jobs.start("candidates", {"path": path, "dataset": dataset, "folder": allowed})
    st.rerun()
