"""Three steps from a checkpoint of one's own to a stored run: open it, say what its file cannot tell, convert it."""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import card as cards
from pages._ui import jobs, label, own_candidates, own_data, own_method, progress, shell
from pages._ui.state import View

SUFFIXES = ["pt", "pth", "th", "tar", "safetensors", "bin"]
HERE, OWN = "This checkpoint", "Open or convert your own"
"""Tabs of the Checkpoint page."""
IN_VIEW, OPENED, UPLOAD, PATH = "The one in view", "opened", "Upload a file", "A file on this machine"
_LAYERS = "resnet20-A\n\nor\n\n- {conv: [20, 5], bias: false}\n- relu\n- {avgpool: 2}\n- flatten\n- {linear: 10}"


@dataclass(frozen=True)
class Draft:
    """The checkpoint that the form is about.

    Args:
        card: What is known of it.
        source: Bundled name or the user's own path; the worker opens the copy that it keeps of it.
        declared: Fields of the recipe's checkpoint choice that the user declared: architecture, levels.
        recipe: The run's recipe, where the checkpoint is the one in view.
        run: Id of that run.
        found: Dataset and normalisation under which the network was found.
    """

    card: dict[str, Any]
    source: str
    declared: dict[str, Any]
    recipe: sl.Recipe | None = None

    run: str = ""
    found: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """For widgets that belong to this checkpoint; a link to another run of it starts with that run's choices."""
        return f"own-{self.card['sha256'][:12]}{self.run[:12]}{self.found.get('normalize', '')}"

    @property
    def choice(self) -> dict[str, Any]:
        """The checkpoint part of a recipe."""
        return {"source": self.source, "sha256": self.card["sha256"], **self.declared}


def announce() -> None:
    """Turn to what a job has just brought: an opened checkpoint, or a run."""
    if st.session_state.pop("just-opened", False):
        st.session_state["checkpoint-tab"], st.session_state["own-origin"] = OWN, OPENED
    if st.session_state.pop("arrived", None):
        st.session_state["checkpoint-tab"] = HERE


def citations(method: str) -> list[str]:
    """The paper behind a method."""
    return [own_method.reference(card) for card in sl.methods() if card.name == method]


def draw(view: View) -> None:
    """The form."""
    st.header("1  Checkpoint", anchor=False)
    draft = _open(view)
    if draft is None:
        st.header("2  Images, and what the file cannot tell", anchor=False)
        st.caption("Dataset, normalisation and quantization levels, with proposals, once the checkpoint is open.")
        st.header("3  Method", anchor=False)
        st.caption("The conversion that fits, its parameters, and how long to simulate.")
        return
    st.header("2  Images, and what the file cannot tell", anchor=False)
    data, levels = own_data.draw(draft.key, draft.card, draft.choice, draft.recipe, draft.found)
    st.header("3  Method", anchor=False)
    choice = {**draft.choice, **({"levels": levels} if levels is not None else {})}
    own_method.draw(draft.key, draft.card, choice, data, draft.recipe)


def _open(view: View) -> Draft | None:
    opened = jobs.result("open")
    origins = [
        *([IN_VIEW] if view.run is not None else []),
        *([OPENED] if opened is not None else []),
        UPLOAD,
        PATH,
    ]
    if st.session_state.get("own-origin") not in origins:
        st.session_state["own-origin"] = origins[0]
    origin = st.segmented_control(
        "Where it is",
        origins,
        required=True,
        key="own-origin",
        format_func=lambda o: label.name(opened[1]["card"]["name"], 40) if o == OPENED and opened else o,
        label_visibility="collapsed",
        persist_state="session",
        wrap=True,
    )
    if origin == IN_VIEW and view.run is not None:
        choice = view.run.recipe.checkpoint
        declared = {
            k: v for k, v in (("architecture", choice.architecture), ("levels", choice.levels)) if v is not None
        }
        st.caption(f"{label.md(view.run.card['name'], 90)}: convert it again, with another method or other images.")
        return Draft(view.run.card, choice.source, declared, view.run.recipe, view.run.id)
    if origin == OPENED and opened is not None:
        return _opened(view, *opened)
    path = _upload() if origin == UPLOAD else _path()
    latest = jobs.latest("open")
    declared = _declared(None if latest is None else latest.arguments["path"])
    if path:
        _start(path, declared)
    progress.panel("open")
    return None


def _opened(view: View, arguments: dict[str, Any], found: dict[str, Any]) -> Draft:
    cards.facts(found["card"])
    cards.notes(found["card"]["notes"])
    _declared(arguments["path"])
    progress.panel("open")
    asked = {k: v for k, v in arguments.items() if k == "architecture" and v is not None}
    # A reload forgets the form; where the run in view is of this very file, its recipe fills it again.
    recipe = view.recipe if view.run is not None and view.run.card["sha256"] == found["card"]["sha256"] else None
    return Draft(found["card"], arguments["path"], asked, recipe, found=own_candidates.found_with(arguments))


def _upload() -> str | None:
    turn = st.session_state.setdefault("own-upload-turn", 0)
    given = st.file_uploader(
        "Checkpoint",
        SUFFIXES,
        key=f"own-upload-{turn}",
        help="Weights only: a pickle that holds code is refused, and its global named. Nothing is executed.",
    )
    if given is None:
        return None
    try:
        path = str(sl.runs.keep_upload(given.name, given.getvalue()))
    except ValueError as error:
        _refuse(error)
        return None
    st.session_state["own-upload-turn"] = turn + 1  # the bytes are on disk: let the widget's copy go
    return path


def _path() -> str | None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Path", key="own-path", placeholder="folder/resnet20.pth", persist_state="session")
        asked = st.button("Open", key="own-open", disabled=jobs.busy("open"))
    if not asked:
        return None
    try:
        return str(sl.runs.allowed_path(text))
    except ValueError as error:
        _refuse(error)
        return None


def _declared(path: str | None) -> Any:
    """What the user declared of the architecture; ``path`` is what can be opened again with it."""
    with st.expander("Not recognised, or wrongly? Declare the architecture", icon=":material/edit_note:"):
        text = st.text_area(
            "Name or list of layers",
            key="own-architecture",
            persist_state="session",
            placeholder=_LAYERS,
            help="A known name (resnet20-A, vgg16, ...), or the layers in order as YAML.",
            height=170,
        )
        again = st.button("Open it again with this", key="own-again", disabled=path is None or jobs.busy("open"))
        taken = None if path is None else own_candidates.draw(path)
    if taken is not None and path is not None:
        _start(path, taken)
    try:
        declared = own_data.architecture(text)
    except ValueError as error:
        _refuse(error)
        return None
    if again and path is not None:
        _start(path, declared)
    return declared


def _refuse(error: Exception) -> None:
    """Say what is wrong now, instead of what was wrong before."""
    jobs.hide("open")
    shell.refuse(error)


def _start(path: str, declared: Any) -> None:
    arguments = {"path": path, **({"architecture": declared} if declared is not None else {})}
    jobs.start("open", arguments, f"Open {path.rpartition('/')[2]}")
    st.rerun()
