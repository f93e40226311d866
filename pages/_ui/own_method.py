"""Step 3: the method with its parameters, how much to simulate, and the job that does it."""

from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import device, jobs, label, progress, shell

IMAGES = 1000
MOST_IMAGES = 50_000
STEPS = (8, 16, 32, 64, 128)
FIRST_STEPS = 32
TRACES = 3
_TITLES = {"initial_fraction": "v(0) / threshold", "batch": "Batch size"}
"""What a parameter is called on every form, where its own name is not it."""


def reference(card: "sl.MethodCard") -> str:
    """The paper of a method, short."""
    found = sl.references().get(card.citation)
    return found.short if found else ", ".join(filter(None, (card.citation, str(card.year))))


def draw(
    key: str, card: dict[str, Any], choice: dict[str, Any], data: dict[str, Any], recipe: "sl.Recipe | None"
) -> None:
    """Method, parameters, images, T, and the button.

    Args:
        key: Prefix of widget keys, one per checkpoint.
        card: What is known of the checkpoint.
        choice: The checkpoint part of the recipe.
        data: Its data part, without the limit.
        recipe: Recipe of the run in view, when the form is about its checkpoint.
    """
    methods = {method.name: method for method in sl.methods() if fits(method, card)}
    fitting = sl.runs.default_recipe("-", activation=card["activation"]).converter.method
    now = recipe.converter.method if recipe and recipe.converter.method in methods else fitting
    left, right = st.columns([1, 2], gap="medium")
    with left:
        name = st.selectbox(
            "Method",
            list(methods),
            index=list(methods).index(now),
            key=f"{key}-method",
            format_func=lambda n: methods[n].display_name,
            persist_state="session",
        )
    method = methods[name]
    with right:
        st.caption(f"{method.summary}  \n{label.md(reference(method), 120)}")
    before = recipe.converter.parameters if recipe and recipe.converter.method == name else {}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        parameters = parameters_form(key, method, before)
        images = st.number_input(
            "Images",
            1,
            MOST_IMAGES,
            (recipe.data.limit if recipe else None) or IMAGES,
            key=f"{key}-images",
            width=140,
            persist_state="session",
            help="The first images of dev; all of them where there are fewer.",
        )
        least = method.least_steps(parameters)
        offered = [step for step in STEPS if step >= least] or [least]
        first = recipe.num_steps if recipe else FIRST_STEPS
        steps = st.selectbox(
            "Simulate to T",
            offered,
            index=next((place for place, step in enumerate(offered) if step >= first), 0),
            key=f"{key}-{least}-steps",
            width=140,
            persist_state="session",
            help="One simulation holds every smaller T as well.",
        )
    if told := shortest(method, parameters):
        st.caption(told)
    values = {
        "checkpoint": choice,
        "data": {**data, "limit": int(images)},
        "converter": {"method": name, "parameters": parameters},
        "num_steps": steps,
        "snapshots": sl.runs.default_snapshots(steps),
        "traces": TRACES,
    }
    _convert(key, values)


def shortest(method: "sl.MethodCard", parameters: dict[str, Any]) -> str:
    """Which T a method needs, in a sentence; "" where any will do."""
    least = method.least_steps(parameters)
    if least == 1:
        return ""
    return f"{method.display_name} looks at the first {least} time-steps, so it is simulated to T = {least} or more."


def fits(method: "sl.MethodCard", card: dict[str, Any]) -> bool:
    """Whether the network has what the method needs."""
    return not sl.runs.why_unfit(method, card)


def parameters_form(key: str, method: "sl.MethodCard", before: dict[str, Any]) -> dict[str, Any]:
    """One widget a parameter, side by side where the caller's container is horizontal.

    Args:
        key: Prefix of widget keys.
        method: Card of the method.
        before: Values to start with; the defaults of the card where there are none.

    Returns:
        The parameters of a recipe's converter.
    """
    return {p.name: _parameter(key, method.name, p, before.get(p.name, p.default)) for p in method.parameters}


def _parameter(key: str, method: str, parameter: "sl.Parameter", now: Any) -> Any:
    title = _TITLES.get(parameter.name, parameter.name.replace("_", " ").capitalize())
    shared: dict[str, Any] = {
        "key": f"{key}-{method}-{parameter.name}",
        "help": parameter.help,
        "persist_state": "session",
    }
    if set(parameter.choices) == {False, True}:
        return st.toggle(title, bool(now), **shared)
    if parameter.choices:
        return st.selectbox(title, parameter.choices, index=parameter.choices.index(now), width=170, **shared)
    kind = type(parameter.default)
    low, high = (None if bound is None else kind(bound) for bound in (parameter.low, parameter.high))
    extra: dict[str, Any] = {"step": 0.05, "format": "%g"} if kind is float else {}
    return st.number_input(title, low, high, kind(now), width=170, **shared, **extra)


def _convert(key: str, values: dict[str, Any]) -> None:
    running = jobs.busy("analyse")
    if st.button(
        "Convert and analyse", key=f"{key}-convert", type="primary", icon=":material/play_arrow:", disabled=running
    ):
        try:
            recipe = sl.Recipe.parse(values)
        except ValueError as error:
            jobs.hide("analyse")
            shell.refuse(error)
        else:
            title = f"{label.method(recipe)}, {label.name(recipe.checkpoint.source.rpartition('/')[2], 40)}"
            jobs.start("analyse", {"recipe": recipe.to_dict(), **device.arguments()}, title)
            st.rerun()
    progress.panel("analyse")
