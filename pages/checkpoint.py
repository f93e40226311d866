"""The first page: what was recognised, how accurate it is, and the way to a network of one's own."""

import streamlit as st

import snnlab as sl
from pages._ui import card, explain, own, reports, shell, show

if not shell.inside():
    shell.run_app_instead()


def draw(run: sl.runs.Run, target: int) -> None:
    """The run in view."""
    known, measured = st.container(key="overview").columns([1.25, 1], gap="large")
    with known:
        st.header("Recognised", anchor=False)
        card.facts(run.card)
    with measured:
        st.header("Accuracy", anchor=False)
        card.accuracy(run, target)
    card.notes(run.notes)
    st.page_link(
        "pages/conversion.py",
        label="What the conversion put at each site, and edits by hand",
        icon=":material/arrow_forward:",
    )
    with bar:
        explain.popover(
            "What am I seeing?",
            "A **site** is one activation of the ANN and the neuron that replaces it. The neuron collects its input in "
            "a potential $v$, fires a spike worth the **threshold** $\\theta$ when $v$ reaches it, and keeps the rest. "
            "Batch-norm is folded into the layer before it.",
            r"v(t) = v(t-1) + I(t) - \theta\, s(t), \qquad s(t) = [\,v(t-1) + I(t) \ge \theta\,]",
            "; ".join(own.citations(run.recipe.converter.method)),
        )
        tables = {"Checkpoint": card.frame(run.card), "Accuracy by time-step": reports.accuracy(run).to_frame()}
        show.export({}, tables, run.recipe, "checkpoint")
    explain.code(run.recipe, "evaluate")


view = shell.page()
bar = shell.title_bar("What was recognised, and how accurate is it?")
own.announce()
here, mine = st.tabs([own.HERE, own.OWN], key="checkpoint-tab", on_change="rerun")
with here:
    if view.run is not None:
        draw(view.run, view.target)
    else:
        shell.empty(view)
with mine:
    own.draw(view)
