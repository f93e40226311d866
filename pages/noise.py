"""Noise: what noise stands for the conversion error, and where does it belong?"""

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import explain, label, noise_sites, progress, shell, show
from pages._ui.noise_view import asks, downloads, exact, noise_view, pack, told
from pages._ui.noise_view.drawn import Drawn
from pages._ui.noise_view.found import NOISE, Found, find, recipe_of
from pages._ui.noise_view.vector import VectorError

QUESTION = "What noise stands for the conversion error, and where does it belong?"
PLAIN = (
    "A bar moves the **noisy ANN** now: a prediction of what such a gap costs. The **SNN** has no noise in it; only "
    "training with the profile moves it."
)
PROGRESS_PIXELS, PROGRESS_WIDTH = 64, 330  # room for what is under way, so that nothing moves when it comes and goes

if not shell.inside():
    shell.run_app_instead()


@st.cache_resource(max_entries=12, show_spinner=False)
def packed(run_id: str, _report: sl.analysis.NoiseReport) -> str:
    """The run for the browser, made once, so that reruns send the same bytes."""
    return pack(_report, run_id=run_id)


@st.cache_resource(max_entries=12, show_spinner=False)
def tables(run_id: str, _report: sl.analysis.NoiseReport) -> dict[str, pd.DataFrame]:
    """What does not depend on the drawn profile."""
    return {"Gap at every t": _report.to_frame(), "Accuracies": _report.accuracy_frame()}


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "After T steps a site of the SNN says $r$, where the ANN says $a$. The **gap** $g$ between them is measured on "
        "calibration images; NQ trains the ANN with Gaussian noise of the gap's std in its place, so that the network "
        "learns to tolerate it.\n"
        "- **Now**: a bar changes the *noisy ANN*, a prediction of how much such a gap costs.\n"
        "- **Only training** with the profile changes the SNN: at inference it has no noise in it.\n\n"
        "**kappa** is the scale $s$ at which the noisy ANN is as accurate as the SNN. The measured std holds the error "
        "that earlier sites handed on, and noise everywhere hands it on once more: kappa below 1 is what to expect. "
        "*Local only* is the std that a constant input would leave.\n\n"
        "**Quantiles** of the gap lie on the line where a Gaussian stands for it; a step at 0 with heavier tails is "
        "usual.",
        (
            r"g_l = \frac{a_l - r_l(T)}{\theta_l}, \qquad r_l(T) = \frac{\theta_l}{T} \sum_{t \le T} s_l(t)",
            r"\tilde a_l = a_l - s\, m_l\, \mathrm{std}(g_l)\, \theta_l\, \varepsilon, \quad \varepsilon \sim N(0, 1)",
        ),
        "NQ: Huang et al., IEEE TNNLS 2025. The noise is independent in every element and drawn anew at every pass; "
        "it stands behind the quantizer and is not clipped again.",
    )


def measure(view: shell.View, run: sl.runs.Run, title: str) -> None:
    """The button that measures the gap, and the job behind it in place."""
    NOISE.offer(recipe_of(run, view.target), title)


def unmeasured(view: shell.View, run: sl.runs.Run) -> None:
    """What will be measured, where nothing was."""
    recipe = recipe_of(run, view.target)
    assert recipe.noise is not None, "recipe_of names it"
    noise, steps = recipe.noise, ", ".join(map(str, recipe.snapshots or (recipe.num_steps,)))
    few = label.count(noise.limit) if noise.limit else "all"
    st.info(
        "The gap of this conversion was not measured yet. Measured will be: the gap between ANN and SNN at every site "
        f"after t = {steps} steps, on the first {few} {noise.split} images; and the ANN under noise of that std for "
        f"T = {noise.targets[0]}, {noise.seeds} noise seeds on up to {label.count(recipe.data.limit or 0)} "
        f"{recipe.data.split} images.",
        icon=":material/straighten:",
    )
    measure(view, run, "Measure the gap")


def step_of(report: sl.analysis.NoiseReport, target: int) -> int:
    """T, or the last measured step up to it."""
    return max((step for step in report.steps if step <= target), default=report.steps[0])


def bench(view: shell.View, found: Found) -> None:
    """Title bar, view, table and exports: run again without the rest of the page when the profile changes."""
    run, report = found.run, found.report
    now = told.listen(run.id, report)
    step = step_of(report, view.target)
    measured = report.profile(step)
    bar = shell.title_bar(QUESTION)
    st.caption(PLAIN)
    if found.stale:
        conversion = f"{label.method(run.recipe)}, {label.parameters(run.recipe, None)}"
        st.warning(
            f"Measured with another conversion or on other images ({label.md(conversion, 90)}; "
            f"{run.recipe.data.dataset}, {run.recipe.data.split}, {report.images:,}): greyed until it is measured for "
            "the one in view.",
            icon=":material/history:",
        )
        assert view.run is not None, "a stale run belongs to one in view"
        measure(view, view.run, "Measure the gap again")
    if step != view.target:
        st.caption(f"The gap was not measured at T = {view.target}; T = {step} is shown.")
    given = told.give(run.id, now)
    known = asks.Known(None, None) if found.stale else asks.know(found, now.shape(measured), now.scale, step)
    profile = now.profile(measured)
    state = noise_view(
        packed(run.id, report),
        target=step,
        given=given.to_browser(),
        answer=known.answer,
        curve=known.curve,
        losses=None if found.stale else noise_sites.losses(found, profile),
        stale=found.stale,
        problem=told.problem(),
        key=told.KEY,
    )
    if state.paste:
        take_over(run.id, now, measured, state.paste)
    with st.container(horizontal=True, vertical_alignment="top", key="noise-below"):
        downloads.profile(profile)
        if not found.stale:
            st.page_link(
                "pages/train.py",
                label="Train with it, against a control",
                icon=":material/model_training:",
                width="content",
            )
            under_way(known)
    with st.expander("Exact values", icon=":material/table:"):
        exact.draw(
            run.id,
            step,
            now,
            measured,
            typed=lambda new: told.change(run.id, new),
            pasted=pasted(run.id),
            revision=told.revision(),
        )
    noise_sites.draw(found, profile, downloads.recipe_of(run.recipe, now, measured))
    with bar:
        explanation()
        show.export(
            downloads.figures(report, profile, step),
            {
                f"Profile and gap at T = {step}": downloads.sites(profile, measured),
                **tables(run.id, report),
            },
            downloads.recipe_of(run.recipe, now, measured),
            "noise",
        )
    explain.code(downloads.recipe_of(run.recipe, now, measured), "fit-noise")


def pasted(run_id: str) -> "Callable[[Drawn], None]":
    """What takes a whole vector: unlike a typed number it renews the table too."""

    def take(new: Drawn) -> None:
        told.change(run_id, new)
        told.renew_table()

    return take


def take_over(run_id: str, now: Drawn, measured: "sl.calibration.NoiseProfile", paste: Mapping[str, object]) -> None:
    """A vector that was pasted into the view; its problem is said there."""
    try:
        pasted(run_id)(exact.parse(str(paste.get("text", "")), now, measured))
    except VectorError as error:
        told.complain(str(error))
    st.rerun()


def under_way(known: asks.Known) -> None:
    """What is under way, in a place that is kept for it."""
    with st.container(height=PROGRESS_PIXELS, width=PROGRESS_WIDTH, border=False, key="noise-progress"):
        if known.job is not None:
            progress.follow(known.job)
        if known.again:
            st.button("Compute again", on_click=asks.again, args=(known.again,), key="noise-again")


view = shell.page()
if view.run is None:
    shell.title_bar(QUESTION)
    shell.empty(view)
elif (noise := find(view.run)) is not None:
    st.fragment(bench)(view, noise)
else:
    with shell.title_bar(QUESTION):
        explanation()
    unmeasured(view, view.run)
