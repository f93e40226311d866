"""What the diagnosis says about the conversion in view, and what its proposals bring once they were tried."""

import numpy as np
import streamlit as st

import snnlab as sl
from pages._ui import cached, explain, jobs, label, reports, show, state
from pages._ui.derived import Derived
from pages._ui.state import View

VERB = "diagnosis"
DIAGNOSIS = Derived(VERB, VERB, sl.analysis.Diagnosis)
QUESTION = "What is to blame, and what could be tried?"
_SEEN = {
    "checkpoint": ("pages/checkpoint.py", "Checkpoint"),
    "conversion": ("pages/conversion.py", "Conversion"),
    "noise": ("pages/noise.py", "Noise"),
    "residuals": ("pages/residuals.py", "Residuals"),
}
"""Evidence that is seen on another page."""


def draw(view: View, run: "sl.runs.Run") -> None:
    """The findings at the target T, or the button that looks for them.

    Args:
        view: What is in view.
        run: The run in view.

    Raises:
        StoreError: The store cannot be read.
    """
    recipe = sl.runs.diagnosis_recipe(run.recipe, view.target)
    made = cached.store().find(recipe, verb=VERB)
    report = None if made is None else made.reports.get(VERB)
    with st.container(horizontal=True, vertical_alignment="center", key="diagnosis-bar"):
        st.header(QUESTION, anchor=False)
        explanation()
        if isinstance(report, sl.analysis.Diagnosis):
            show.export({}, {f"Findings at T = {report.num_steps}": report.to_frame()}, recipe, VERB)
    if not isinstance(report, sl.analysis.Diagnosis):
        _offer(recipe)
        return
    if report.num_steps > view.target:
        st.caption(f"{label.method(recipe)} cannot be simulated to T = {view.target}: it looks at more time-steps.")
    ann, snn = label.percent(report.ann_correct.mean()), label.percent(report.snn_correct.mean())
    split = label.md(report.split.replace("_", " "))
    st.caption(f"T = {report.num_steps} · {split}, {report.images:,} images · ANN {ann}, SNN {snn}")
    if not report.findings:
        looked = ", ".join(report.considered).replace("_", " ")
        st.info(f"Nothing stands out. Looked for: {looked}.", icon=":material/check:")
    for place, finding in enumerate(report.found(), start=1):
        _finding(view, run, place, finding)
    explain.code(recipe, "diagnose", title="The diagnosis without the app")


def explanation() -> None:
    """How to read the findings."""
    explain.popover(
        "What am I seeing?",
        "Rules compare what stands at each site with what would fit it, and with the other sites. A finding says what "
        "it weighs; **it predicts no accuracy**: *Try it* runs the proposal on the same images and tells the "
        "difference with its interval.\n\n"
        "**Restoring a site** lets it emit the ANN's activation while the rest is simulated: what that regains is lost "
        "at the site or before it. The **own error** of a site is what it would add by itself, given the ANN's input:",
        r"e = q_T(z_A) - a, \qquad q_T(z) = \frac{\theta}{T}\,\mathrm{clip}\!\left(\left\lfloor"
        r"\frac{T z + v(0)}{\theta}\right\rfloor, 0, T\right)",
        "The rules and their limits are snnlab's own: they were set on the bundled networks, healthy and broken on "
        "purpose.",
    )


def _offer(recipe: sl.Recipe) -> None:
    few = label.count(recipe.data.limit or 0)
    split = label.md(recipe.data.split.replace("_", " "))
    st.markdown(
        f"Not looked for yet at T = {recipe.num_steps}: wrong normalisation, weights that are not the ANN's, "
        f"thresholds and v(0) that do not fit, uneven spikes, too few steps; on up to {few} {split} images."
    )
    DIAGNOSIS.offer(recipe, "Diagnose", icon=":material/stethoscope:", primary=False)


def _finding(view: View, run: "sl.runs.Run", place: int, finding: "sl.analysis.Finding") -> None:
    with st.container(border=True, key=f"finding-{place}"):
        words, tried = st.columns([2.2, 1], gap="large", vertical_alignment="center")
        with words:
            st.markdown(f"**{place}.** {label.md(finding.words, 600)}")
            if finding.regained is not None:
                span = f"[{label.points(finding.low or 0.0)}, {label.points(finding.high or 0.0)}]"
                st.caption(
                    f"Restoring this site regains {label.points(finding.regained)} points {span}: lost at it or "
                    "before it."
                )
            if finding.evidence in _SEEN:
                page, title = _SEEN[finding.evidence]
                st.page_link(page, label=f"See it on {title}", icon=":material/arrow_forward:", width="content")
        with tried:
            _proposal(view, run, place, finding)


def _proposal(view: View, run: "sl.runs.Run", place: int, finding: "sl.analysis.Finding") -> None:
    """What could be tried: a job, or another T, which the run in view has simulated already."""
    if not finding.changes:
        st.caption("Nothing in a recipe would mend this: convert the checkpoint anew.")
        return
    st.markdown(label.md(finding.experiment, 200))
    if set(finding.changes) == {"num_steps"}:
        _other_steps(view, run, place, finding.changes["num_steps"])
        return
    if "noise" in finding.changes:
        return  # drawn on the Noise page, which the finding leads to
    recipe = sl.runs.tried(_base(run, finding, view.target), finding)
    made = cached.store().find(recipe, verb="analyse")
    if made is not None:
        _measured(view, run, made)
    elif st.button("Try it", key=f"finding-try-{place}", icon=":material/science:", disabled=jobs.busy("analyse")):
        jobs.start("analyse", {"recipe": recipe.to_dict()}, title="Try a proposal", bring=False)
        st.rerun()


def _base(run: "sl.runs.Run", finding: "sl.analysis.Finding", target: int) -> sl.Recipe:
    """What a proposal changes: the run in view; where it is another method, at the target T, for which some convert."""
    if "method" not in finding.changes.get("converter", {}):
        return run.recipe
    kept = [step for step in run.recipe.snapshots if step <= target]
    return run.recipe.changed(snapshots=kept).changed(num_steps=target)


def _other_steps(view: View, run: "sl.runs.Run", place: int, steps: int) -> None:
    curve = reports.accuracy(run)
    if steps > curve.num_steps:
        st.caption(f"This run ends at T = {curve.num_steps}; convert it for more on the Conversion page.")
        return
    _difference(curve, view.target, curve, steps)
    if st.button(f"Set T = {steps}", key=f"finding-steps-{place}", icon=":material/timer:"):
        state.put(state.Address.TARGET, str(steps))
        state.renew_choices()
        st.rerun()


def _measured(view: View, run: "sl.runs.Run", made: "sl.runs.Run") -> None:
    _difference(reports.accuracy(run), view.target, reports.accuracy(made), view.target)
    st.caption(f"Tried: run `{made.id[:12]}`, on Runs.")


def _difference(
    before: "sl.analysis.AccuracyCurve", step: int, after: "sl.analysis.AccuracyCurve", other_step: int
) -> None:
    """The gain on the images that both saw."""
    common = min(before.images, after.images)
    if before.split != after.split or not np.array_equal(before.labels[:common], after.labels[:common]):
        st.caption("It was tried on other images, so there is no paired difference.")
        return
    first = before.snn_predictions[step - 1, :common] == before.labels[:common]
    second = after.snn_predictions[other_step - 1, :common] == after.labels[:common]
    found = sl.analysis.paired_difference(first, second)
    st.markdown(
        f"**{label.points(found.value)} points** [{label.points(found.low)}, {label.points(found.high)}]  \n"
        f":small[SNN {label.percent(float(first.mean()))} → {label.percent(float(second.mean()))}, {common:,} images]"
    )
