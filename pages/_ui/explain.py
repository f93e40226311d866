"""Explanations beside the numbers: what a picture shows, and how to get the same numbers without the app."""

import shlex
from collections.abc import Sequence

import streamlit as st

import snnlab as sl
from pages._ui import derived


def popover(title: str, markdown: str, latex: str | tuple[str, ...] = (), citation: str = "") -> None:
    """How to read what the page shows: one sentence, the equation, the paper."""
    with st.popover(title, type="tertiary"):
        st.markdown(markdown)
        for line in (latex,) if isinstance(latex, str) else latex:
            st.latex(line)
        if citation:
            st.caption(citation)


def code(
    recipe: sl.Recipe,
    verb: str = "evaluate",
    num_steps: int | None = None,
    options: Sequence[str] = (),
    title: str = "The same numbers without the app",
) -> None:
    """The command line, the recipe and the library calls that give the numbers of this page.

    Args:
        recipe: Behind the numbers.
        verb: Of the command line.
        num_steps: T, where the page shows another one than the recipe's.
        options: Further words of the command line, which are no part of the recipe.
        title: Of the closed box; says which numbers, where a page has several boxes.
    """
    with st.expander(title, icon=":material/terminal:"):
        line, recipe_yaml, python = st.tabs(["Command line", "Recipe (YAML)", "Python"])
        last = num_steps
        if last not in (None, recipe.num_steps) and derived.for_one_number(recipe):
            # Another T on the command line would convert another network.
            last = None
            line.caption(
                f"The network is converted for T = {recipe.num_steps}, and so by this line; the page shows t = "
                f"{num_steps} of it, as the Python lines do."
            )
        told = " ".join([sl.runs.as_cli(recipe, verb=verb, num_steps=last), *map(shlex.quote, options)])
        line.code(told, language="bash", wrap_lines=True)
        recipe_yaml.code(recipe.to_yaml(), language="yaml")
        python.code(sl.runs.as_python(recipe, verb=verb, num_steps=num_steps), language="python", wrap_lines=True)
