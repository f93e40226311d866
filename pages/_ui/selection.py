"""The images that several pages look at together: one image or one class, chosen on Flips, followed by other pages."""

import re
from dataclasses import dataclass

import streamlit as st

import snnlab as sl
from pages._ui import label, reports, state
from pages._ui.state import Address

IMAGE, CLASS = "image", "class"
_FORM = re.compile(r"([a-z0-9]+)-([a-z_]+)-(image|class)-(\d{1,7})")


@dataclass(frozen=True)
class Selection:
    """One image, or all images of one class, of a run's data.

    Args:
        dataset: Name of the dataset.
        split: Split as the run's accuracy names it, for example ``dev`` or ``dev_from_test``.
        kind: ``"image"`` or ``"class"``.
        index: Position of the image among those of the run, from 0; or the class.
    """

    dataset: str
    split: str
    kind: str
    index: int

    @property
    def image(self) -> int | None:
        """The image; None where a class is selected."""
        return self.index if self.kind == IMAGE else None

    @property
    def name(self) -> str:
        """For sentences: ``image 17 of dev``."""
        of = "of" if self.kind == IMAGE else "in"
        return f"{self.kind} {self.index} {of} {self.split.replace('_', ' ')}"

    def images(self, run: "sl.runs.Run") -> list[int]:
        """Positions of the selected images among those of a run."""
        if self.kind == IMAGE:
            return [self.index]
        return [place for place, truth in enumerate(reports.accuracy(run).labels) if truth == self.index]

    def to_text(self) -> str:
        """As the address holds it."""
        return f"{self.dataset}-{self.split}-{self.kind}-{self.index}"


def current(run: "sl.runs.Run") -> Selection | None:
    """What is selected, where it fits the data of this run; None otherwise. ``draw`` says why not."""
    found, problem = _read(run)
    return None if problem else found


def choose_image(run: "sl.runs.Run", image: int) -> None:
    """Select one image, by its position among those of the run.

    Raises:
        IndexError: The run has no such image.
    """
    _choose(run, IMAGE, image)


def choose_class(run: "sl.runs.Run", truth: int) -> None:
    """Select all images of one true class.

    Raises:
        IndexError: No image of the run is of that class.
    """
    _choose(run, CLASS, truth)


def clear() -> None:
    """Select nothing."""
    state.put(Address.CHOSEN, None)


def draw(run: "sl.runs.Run") -> Selection | None:
    """Say what is selected, or why it does not fit this run, with a button that ends it; returns as ``current``."""
    found, problem = _read(run)
    if found is None and not problem:
        return None
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="selection"):
        if problem:
            st.caption(f":material/link_off: {problem}", width="content")
        elif found is not None:
            count = len(found.images(run))
            told = f", {count} image{'s' * (count != 1)}" if found.kind == CLASS else ""
            named = label.md(found.name[0].upper() + found.name[1:], 80)
            st.caption(f":material/push_pin: **{named}**{told}, chosen for every page", width="content")
        st.button("Clear selection", key="selection-clear", type="tertiary", on_click=clear, icon=":material/close:")
    return None if problem else found


def _choose(run: "sl.runs.Run", kind: str, index: int) -> None:
    curve = reports.accuracy(run)
    wanted = Selection(run.recipe.data.dataset, curve.split, kind, int(index))
    problem = _misfit(wanted, run)
    if problem:
        raise IndexError(problem)
    state.put(Address.CHOSEN, wanted.to_text())


def _read(run: "sl.runs.Run") -> tuple[Selection | None, str]:
    """The selection that session and address name, and why it cannot be followed; (None, "") for none."""
    text = state.get(Address.CHOSEN)
    if text is None:
        return None, ""
    parts = _FORM.fullmatch(text)
    if parts is None:
        return None, f"The address selects {label.md(repr(text), 60)}, which is no image and no class."
    found = Selection(parts[1], parts[2], parts[3], int(parts[4]))
    return found, _misfit(found, run)


def _misfit(found: Selection, run: "sl.runs.Run") -> str:
    """Why a selection says nothing about a run; empty where it does."""
    curve, dataset = reports.accuracy(run), run.recipe.data.dataset
    if (found.dataset, found.split) != (dataset, curve.split):
        return label.md(
            f"{found.name} of {found.dataset} is selected; the run in view is on {curve.split} of {dataset}.", 200
        )
    if found.kind == IMAGE and found.index >= curve.images:
        return f"Image {found.index} is selected; the run in view has images 0 to {curve.images - 1}."
    if found.kind == CLASS and not found.images(run):
        return f"Class {found.index} is selected; no image of the run in view is of it."
    return ""
