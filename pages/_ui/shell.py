"""The frame around every page: guard against cold deep links, style, context strip, title bar, problems."""

import runpy
from contextvars import ContextVar
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages._ui import label, state, strip
from pages._ui.state import View

APP = Path(__file__).resolve().parents[2] / "app.py"
ICON = Path(__file__).with_name("icon.svg")  # a Material symbol would be fetched from another host
_STYLE = Path(__file__).with_name("style.css")
_inside = ContextVar("inside the app", default=False)


def mark_inside() -> None:
    """Say that app.py runs: the pages need not start it."""
    _inside.set(True)


def inside() -> bool:
    """Whether app.py runs this page; not so when a deep link is the first visit to a fresh server."""
    return _inside.get()


def run_app_instead() -> None:
    """Run app.py, which draws the page that the address names, and stop."""
    runpy.run_path(str(APP), run_name="__main__")
    st.stop()


def style() -> None:
    """The style sheet of the app."""
    st.html(_STYLE)


def page() -> View:
    """Draw the context strip and what the address got wrong; return what the page looks at.

    Raises:
        StoreError: The store cannot be read.
    """
    view = state.view()
    strip.draw(view)
    for problem in view.problems:
        st.warning(label.md(problem, 600), icon=":material/link_off:")
    return view


def title_bar(question: str) -> DeltaGenerator:
    """The page's question as its heading; returns the place beside it, for ``explain.popover`` and ``show.export``."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small", key="title-bar")
    bar.title(question, anchor=False, width="stretch")
    return bar.container(horizontal=True, width="content", gap="small", key="title-bar-right")


def empty(view: View) -> bool:
    """Say what to do where there is no run; True if that was so."""
    if view.run is not None:
        return False
    st.info("There is no run yet. Open a checkpoint on the Checkpoint page and convert it.", icon=":material/inbox:")
    return True


def is_for_users(error: Exception) -> bool:
    """Whether the message is one of snnlab's own sentences."""
    return type(error).__module__.startswith(("snnlab.", "pages."))


def refuse(error: Exception) -> None:
    """Show one of snnlab's sentences where the user's input was; raise anything else.

    Raises:
        Exception: ``error``, when it is no sentence for users.
    """
    if not is_for_users(error):
        raise error
    say(str(error))


def say(problem: str) -> None:
    """An error's sentence; the lines below it, such as the keys that do not fit, as they are."""
    sentence, _, rest = problem.partition("\n")
    st.error(label.md(sentence, 600), icon=":material/error:")
    if rest.strip():
        st.code(rest, language=None)
