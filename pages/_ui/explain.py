"""Explanations beside the numbers: what a picture shows, and how to get the same numbers without the app."""

import streamlit as st

import snnlab as sl


def popover(title: str, markdown: str, latex: str | tuple[str, ...] = (), citation: str = "") -> None:
    """How to read what the page shows: one sentence, the equation, the paper."""
    with st.popover(title, type="tertiary"):
        st.markdown(markdown)
        for line in (latex,) if isinstance(latex, str) else latex:
            st.latex(line)
        if citation:
            st.caption(citation)


def code(recipe: sl.Recipe, verb: str = "evaluate") -> None:
    """The command line, the recipe and the library calls that give the numbers of this page."""
    with st.expander("The same numbers without the app", icon=":material/terminal:"):
        line, recipe_yaml, python = st.tabs(["Command line", "Recipe (YAML)", "Python"])
        line.code(sl.runs.as_cli(recipe, verb=verb), language="bash", wrap_lines=True)
        recipe_yaml.code(recipe.to_yaml(), language="yaml")
        python.code(sl.runs.as_python(recipe), language="python", wrap_lines=True)
