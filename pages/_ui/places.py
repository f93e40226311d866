"""Where the images of a run lie on this machine, when its recipe does not say or says another machine's folder.

The folder of a recipe is a location and no part of what was asked, so it may be filled in: by what the user names, and
before that by what the user's newest run of the same dataset knows.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

import streamlit as st

import snnlab as sl
from pages._ui import label

Rows = Callable[[], "Iterable[sl.runs.RunRow]"]
_SOUGHT = "places.sought"


def look_again() -> None:
    """At the start of a script run: a folder that no run knew is looked for once more."""
    st.session_state[_SOUGHT] = set()


def placed(run: "sl.runs.Run", rows: Rows) -> "sl.runs.Run":
    """The run with the folder of its images, where that is known.

    Args:
        run: A stored run.
        rows: The user's runs, newest first; called where the run does not know.
    """
    data = run.recipe.data
    if not sl.data.why_missing(data.dataset, data.folder):
        return run
    folder = _found(data.dataset, rows)
    return run if not folder else replace(run, recipe=run.recipe.changed(data={"folder": folder}))


def known(dataset: str) -> str:
    """The folder of a dataset that the user named last, or that a run of one's own knew; empty for none."""
    folder: str | None = st.session_state.get(_folder(dataset))
    return folder or ""


def keep(dataset: str, folder: str) -> None:
    """Remember the folder that the user has named for a dataset, if it holds the dataset."""
    if not sl.data.why_missing(dataset, folder):
        st.session_state[_folder(dataset)] = folder


def ask(run: "sl.runs.Run") -> None:
    """A place to name the folder; nothing where the images are found."""
    data = run.recipe.data
    if not sl.data.why_missing(data.dataset, data.folder):
        return
    title = sl.data.DATASETS[data.dataset].title
    key = f"places.{data.dataset}.field"
    with st.popover(f"{title} folder", icon=":material/folder_off:", width="stretch", key="places"):
        st.markdown(
            f"{title} was not found on this machine. Stored results are shown all the same; new ones need its files."
        )
        st.text_input(
            f"Folder of {title}",
            key=key,
            placeholder="the folder that holds the dataset",
            on_change=lambda: _name(data.dataset, st.session_state[key]),
        )
        if problem := st.session_state.get(_problem(data.dataset), ""):
            st.error(label.md(problem, 400))
        st.caption(
            "A folder under `SNNLAB_DATA_ROOTS`, or under the one that the app was started in. Or fetch it: "
            f"`snnlab data fetch {data.dataset}`."
        )


def _name(dataset: str, text: str) -> None:
    try:
        folder = str(sl.runs.allowed_path(text))
        problem = sl.data.why_missing(dataset, folder)
        keep(dataset, folder)
    except ValueError as error:
        problem = str(error)
    st.session_state[_problem(dataset)] = problem if text.strip() else ""


def _found(dataset: str, rows: Rows) -> str:
    folder = known(dataset)
    if folder and not sl.data.why_missing(dataset, folder):
        return folder
    sought: set[str] = st.session_state.setdefault(_SOUGHT, set())
    if dataset in sought:
        return ""
    sought.add(dataset)
    of_runs = (row.recipe.data.folder for row in rows() if row.recipe.data.dataset == dataset and not row.shipped)
    folder = next((each for each in of_runs if each and not sl.data.why_missing(dataset, each)), "")
    st.session_state[_folder(dataset)] = folder
    return folder


def _folder(dataset: str) -> str:
    return f"places.{dataset}"


def _problem(dataset: str) -> str:
    return f"places.{dataset}.problem"
