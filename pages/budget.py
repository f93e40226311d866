"""Error budget: where does the error come from, and which layer is to blame?"""

import streamlit as st

import snnlab as sl
from pages._ui import budget_view, diagnosis, explain, label, shell
from pages._ui.budget_view import BUDGET

QUESTION = "Where does the error come from, and which layer is to blame?"

if not shell.inside():
    shell.run_app_instead()


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "SNN minus ANN at every site, split without a rest: **uneven** is the timing of spikes, **resolution** what "
        "t + 1 levels, the threshold and the ANN's own quantizer make of the same input, **propagated** what earlier "
        "sites handed on. Resolution is the sum of quantization, clipping and activation mismatch, which are large "
        "and opposite where it is small.\n\n"
        "**Means add up, magnitudes do not**: a term may be large in every neuron and 0 on average. *Own* is what a "
        "site would add given the ANN's input.",
        (
            r"\frac{\theta N}{t} - h(z_A) = \underbrace{\tfrac{\theta (N - N^*)}{t}}_{\text{uneven}} + "
            r"\underbrace{\tfrac{\theta N^*}{t} - h(z)}_{\text{resolution}} + "
            r"\underbrace{h(z) - h(z_A)}_{\text{propagated}}",
            r"\tfrac{\theta N^*}{t} - h(z) = \underbrace{\tfrac{\theta N^*}{t} - c(z)}_{\text{quantization}} + "
            r"\underbrace{c(z) - r(z)}_{\text{clipping}} + \underbrace{r(z) - h(z)}_{\text{activation}}",
        ),
        "z is the mean input of t steps, c clips to [0, threshold], r is ReLU, h the ANN's activation. Unevenness: Bu "
        "et al., ICLR 2022.",
    )


view = shell.page()
bar = shell.title_bar(QUESTION)
if not shell.empty(view):
    assert view.run is not None, "shell.empty said so"
    recipe = sl.runs.budget_recipe(view.run.recipe)
    if (found := BUDGET.find(view.run)) is not None:
        budget_view.draw(view, found, bar, explanation)
    else:
        with bar:
            explanation()
        data = recipe.data
        few = f"up to {label.count(data.limit)}" if data.limit else "all"
        st.info(
            "The error of this conversion was not split yet. It will be, at every site and at "
            f"t = {', '.join(map(str, recipe.snapshots))}, on {few} {data.split} images: one simulation and one pass "
            "of the ANN.",
            icon=":material/account_balance:",
        )
        BUDGET.offer(recipe, "Make the error budget")
    diagnosis.draw(view, view.run)
