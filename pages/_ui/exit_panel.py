"""Early exit on the Accuracy page: what is saved when each image stops as soon as its margin passes a limit."""

import math

import streamlit as st

import snnlab as sl
from pages._ui import derived, explain, label, show
from pages._ui.show import Column

EXIT = derived.Derived("early-exit", "early_exit", sl.analysis.EarlyExit)


def draw(run: "sl.runs.Run") -> None:
    """The expander.

    Args:
        run: In view.
    """
    with st.expander("Early exit: stop each image when its margin passes a limit", icon=":material/timer:"):
        recipe = sl.runs.early_exit_recipe(run.recipe)
        found = EXIT.find(run)
        if found is None:
            st.markdown(
                "Most images are clear after a few steps. The job simulates this split and validation once; the limit "
                "of the margin is chosen on validation alone."
            )
            EXIT.offer(recipe, "Find what early exit saves")
        else:
            if found.stale:
                st.caption(":material/history: Of another conversion of this checkpoint, or of other images.")
                EXIT.offer(recipe, "Find it for the run in view")
            steps = sl.runs.default_snapshots(found.report.num_steps)
            last = st.selectbox(
                "Stop at the latest after T",
                steps,
                index=len(steps) - 1,
                key=f"accuracy-exit-last-{found.run.id}",
                width=210,
                help="The limit is chosen anew for each",
            )
            _draw(found.run, _up_to(found.run.id, last, found.report))
        st.code(sl.runs.as_cli(recipe, verb="early-exit"), language="bash", wrap_lines=True)


@st.cache_resource(max_entries=16, show_spinner=False)
def _up_to(run_id: str, last: int, _report: "sl.analysis.EarlyExit") -> "sl.analysis.EarlyExit":
    return _report.up_to(last)


@st.cache_resource(max_entries=16, show_spinner=False)
def _figure(run_id: str, last: int, _report: "sl.analysis.EarlyExit") -> "sl.figures.Figure":
    return sl.figures.early_exit(_report)


def _draw(run: "sl.runs.Run", report: "sl.analysis.EarlyExit") -> None:
    st.markdown(f"{_verdict(report)} {report.warm_up_told}")
    seen = run.card.get("seen", {}).get(report.choosing_split, "unknown")
    if seen != "no":
        st.caption(
            f":material/info: The network's training may have seen the {report.choosing_split} images (seen: {seen}): "
            "their margins are then larger than those of new images, and the limit costs more."
        )
    drawn = _figure(run.id, report.num_steps, report)
    show.figure(drawn, "accuracy-exit")
    _table(report)
    with st.container(horizontal=True, gap="small"):
        explain.popover(
            "How is it measured?",
            "The **margin** is the largest minus the second largest mean logit up to t. Image i stops at the first "
            "step at which it is at least the limit, at the latest after T steps. The limit is the smallest one from "
            f"which on every larger one is as accurate as T steps on {report.choosing_split}; on the images shown "
            "here it is only applied.",
            r"\tau(i) = \min\{\, t : m(i,t) \ge \mu \,\}, \quad \overline{T} = \tfrac1n \textstyle\sum_i \tau(i)",
            "Intervals: bootstrap over images, 2,000 samples; differences in pairs.",
        )
        show.export({drawn.title: drawn}, {"Early exit": report.to_frame()}, run.recipe, "early-exit")


def _verdict(report: "sl.analysis.EarlyExit") -> str:
    found, split = report.found, label.md(report.split.replace("_", " "))
    if math.isinf(found.limit):
        return (
            f"No limit keeps the accuracy of T = {report.num_steps} on {report.choosing_split}: every image runs to T."
        )
    number = sl.figures.tables.number
    same = report.fixed_steps(found.accuracy)
    fixed = f" With one T for all, T = {same} is the first as accurate." if same else ""
    return (
        f"At the limit {number(found.limit)}, chosen on {report.choosing_images:,} images of {report.choosing_split}, "
        f"images of {split} stop after **{number(found.steps)} steps on average** [{number(found.steps_low)}, "
        f"{number(found.steps_high)}] instead of {report.num_steps}: **{label.points(found.difference)} points** "
        f"[{label.points(found.difference_low)}, {label.points(found.difference_high)}].{fixed}"
    )


def _table(report: "sl.analysis.EarlyExit") -> None:
    number = sl.figures.tables.number
    curve = report.curve
    rows = [curve[i] for i in sorted({round(k * (len(curve) - 1) / 10) for k in range(11)})]
    rows = sorted({each.limit: each for each in (*rows, report.found)}.values(), key=lambda each: each.limit)
    show.table(
        rows,
        [
            Column("limit", lambda e: "none" if math.isinf(e.limit) else number(e.limit), "Logits", numeric=True),
            Column("mean T [95 %]", lambda e: f"{number(e.steps)} [{number(e.steps_low)}, {number(e.steps_high)}]",
                   numeric=True),
            Column("accuracy [95 %]", lambda e: f"{label.percent(e.accuracy)} [{label.span(e.low, e.high)}]",
                   numeric=True),
            Column("to T, points", lambda e: label.points(e.difference), f"Minus T = {report.num_steps} for all",
                   numeric=True, optional=True),
            Column("", lambda e: "chosen" if e.limit == report.chosen else "", soft=True),
        ],
        "Early exit at some limits",
        on=lambda e: e.limit == report.chosen,
    )  # fmt: skip
