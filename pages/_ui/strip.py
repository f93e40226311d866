"""The context strip: what is in view, each part a link to the page that sets it."""

import streamlit as st

from pages._ui import label, reports
from pages._ui.state import View

CHECKPOINT, CONVERSION, ACCURACY = "pages/checkpoint.py", "pages/conversion.py", "pages/accuracy.py"


def parts(view: View) -> list[tuple[str, str, str, str]]:
    """(page, name, value, remark) of each part, as plain text."""
    run = view.run
    if run is None:
        return [(CHECKPOINT, "checkpoint", "none", "open one")]
    accuracy, recipe, t = reports.accuracy(run), run.recipe, view.target
    low, high = (bound[t - 1] for bound in accuracy.snn_interval)
    snn, ann = accuracy.snn_accuracy[t - 1], accuracy.ann_accuracy
    chance = accuracy.first_step_above_chance()
    remark = "" if chance == 1 else f"· above chance from {chance}" if chance else "· never above chance"
    return [
        (CHECKPOINT, "checkpoint", label.name(run.card["name"], 40), ""),
        (CHECKPOINT, "data", recipe.data.dataset, label.images(accuracy)),
        (CONVERSION, "method", label.method(recipe), label.parameters(recipe, run.card["levels"])),
        (ACCURACY, "T", str(t), remark),
        (ACCURACY, "ANN", label.percent(ann), ""),
        (ACCURACY, "SNN", label.percent(snn), label.span(low, high)),
        (ACCURACY, "gap", label.points(snn - ann), "points"),
    ]


def draw(view: View) -> None:
    """The strip on top of a page."""
    with st.container(horizontal=True, key="strip", gap="medium"):
        for page, name, value, remark in parts(view):
            text = f":small[{name}] **{label.md(value)}**" + (f" *{label.md(remark)}*" if remark else "")
            st.page_link(page, label=text)
