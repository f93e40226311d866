"""The view of the Error budget page: terms over depth, one site on demand, checks, restoration."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import snnlab as sl
from pages._ui import explain, label, reports, shell, show
from pages._ui.derived import Derived, Found
from pages._ui.show import Column

BUDGET = Derived("budget", "budget", sl.analysis.ErrorBudget)
RESTORE = Derived("restore", "restoration", sl.analysis.Restoration)
HEADLINE, TERMS = "uneven, resolution, propagated", "all five terms"
STACKED, WATERFALL = "stacked", "waterfall"


@st.cache_resource(max_entries=24, show_spinner=False)
def _figure(kind: str, run_id: str, step: int, view: Any, site: str, _report: Any) -> sl.figures.Figure:
    """A figure, made once: packing one takes longer than all else."""
    makers: Mapping[str, Callable[[], sl.figures.Figure]] = {
        STACKED: lambda: sl.figures.error_terms(_report, step, view=view),
        WATERFALL: lambda: sl.figures.error_waterfall(_report, step, view=view),
        "channels": lambda: sl.figures.error_channels(_report, site, step, view=view),
        "restoration": lambda: sl.figures.restoration(_report, step, part=view),
    }
    return makers[kind]()


def draw(
    view: "shell.View",
    found: "Found[sl.analysis.ErrorBudget]",
    bar: DeltaGenerator,
    explanation: Callable[[], None],
) -> None:
    """Everything below the title.

    Args:
        view: What the page looks at.
        found: The budget's run.
        bar: Place beside the title.
        explanation: Draws the popover.
    """
    run, report = found.run, found.report
    assert view.run is not None, "a budget belongs to a run in view"
    step = max((t for t in report.steps if t <= view.target), default=report.steps[0])
    recipe = sl.runs.budget_recipe(view.run.recipe)
    if found.stale:
        st.warning(
            f"Made with another conversion or on other images ({label.method(run.recipe)}; {run.recipe.data.dataset}, "
            f"{run.recipe.data.split}, {report.images:,}): make it for the one in view.",
            icon=":material/history:",
        )
        BUDGET.offer(recipe, "Make the error budget again")
    if step != view.target:
        st.caption(f"No budget was made at T = {view.target}; t = {step} is shown.")
    st.caption(f"t = {step} · {report.split}, {report.images:,} images · seed {run.recipe.seed}")
    st.markdown(verdict(report, step))
    if report.changed_weights:
        st.caption(
            f":material/info: {len(report.changed_weights)} weights are not the ANN's: what they change counts as "
            "propagated."
        )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        fitting = HEADLINE if report.is_quantized else TERMS
        shown = st.segmented_control("Terms", [HEADLINE, TERMS], default=fitting, key="budget-terms") or fitting
        how = st.segmented_control("Drawn as", [STACKED, WATERFALL], default=STACKED, key="budget-how") or STACKED
    kind = "headline" if shown == HEADLINE else "terms"
    overview = _figure(how, run.id, step, kind, "", report)
    show.figure(overview, "budget-overview")
    table(report, step)
    site = one_site(view.run, report, step, kind, run.id)
    restored = restoration(view, step, recipe)
    checks(report)
    figures = {
        "Terms over depth": _figure(STACKED, run.id, step, kind, "", report),
        "Waterfall": _figure(WATERFALL, run.id, step, kind, "", report),
        f"Channels of {site}": _figure("channels", run.id, step, kind, site, report),
    }
    frame = report.to_frame()
    columns = ["site", "threshold", "uneven", "quantization", "clipping", "activation", "propagated", "own", "total"]
    tables: dict[str, pd.DataFrame | sl.figures.PaperTable] = {
        f"Error budget at t = {step}": frame[frame["step"] == step][columns],
        "Error budget, every t": frame,
        f"Channels of {site}": report.channel_frame(site, step),
    }
    if restored is not None:
        back = restored.report
        tables["Restoration"] = back.to_frame()
        figures["Restoration"] = _figure("restoration", restored.run.id, _step(back, step), "site", "", back)
    with bar:
        explanation()
        show.export(figures, tables, run.recipe, "budget")
    explain.code(run.recipe, "budget", num_steps=step, title="The error budget without the app")


def verdict(report: "sl.analysis.ErrorBudget", step: int) -> str:
    """The site with the largest mean error, and the term that is largest in magnitude there."""
    total = report.values("total", step, thresholds=True)
    worst = int(abs(total).argmax())
    terms = ("uneven", "resolution", "propagated")
    sizes = {term: float(report.values(term, step, of="mean_absolute", thresholds=True)[worst]) for term in terms}
    largest = max(sizes, key=lambda term: sizes[term])
    number = sl.figures.tables.number
    low, high = (float(end[worst] / report.thresholds[worst]) for end in report.interval("total", step))
    return (
        f"The mean error is largest at **{label.md(report.names[worst], 60)}**: "
        f"**{number(float(total[worst]), 3, sign=True)}** thresholds [{number(low, 3)}, {number(high, 3)}]. In single "
        f"neurons there, *{largest}* is the largest term: {number(sizes[largest], 3)} thresholds in mean magnitude."
    )


def table(report: "sl.analysis.ErrorBudget", step: int) -> None:
    """Every site at one t, in thresholds."""
    terms = ("uneven", "resolution", "propagated", "total", "own", "inherited")
    means = {term: report.values(term, step, thresholds=True) for term in terms}
    sizes = {term: report.values(term, step, of="mean_absolute", thresholds=True) for term in terms[:4]}
    shares, variance = report.shares(step), report.values("input_variance", step)
    number = sl.figures.tables.number

    def mean(term: str, told: str = "", *, optional: bool = False) -> Column:
        return Column(
            term, lambda i: number(float(means[term][i]), 4, sign=True), told, numeric=True, optional=optional
        )

    def size(term: str) -> Column:
        return Column(
            f"|{term}|",
            lambda i: number(float(sizes[term][i]), 3),
            "Mean magnitude, thresholds: magnitudes do not add up",
            numeric=True,
            optional=True,
            soft=True,
        )

    with st.expander(f"All sites at t = {step} as a table, in thresholds", icon=":material/table:"):
        show.table(
            range(len(report.names)),
            [
                Column("site", lambda i: label.name(report.names[i]), staged=True),
                *(mean(term) for term in terms[:3]),
                Column("total", lambda i: number(float(means["total"][i]), 4, sign=True), numeric=True, strong=True),
                mean("own", "What the site adds given the ANN's input: closed form", optional=True),
                mean("inherited", "Total minus own: inherited, and timing", optional=True),
                *map(size, terms[:4]),
                Column(
                    "wrong k %",
                    lambda i: f"{100 * (shares[i, 2] + shares[i, 3]):.1f}",
                    "Neurons with excess or missing spikes",
                    numeric=True,
                ),
                Column(
                    "input variance",
                    lambda i: number(float(variance[i]), 3),
                    "Over the steps, in squares of the threshold; 0 where the input is constant",
                    numeric=True,
                    optional=True,
                ),
            ],
            f"Error budget of every site, t = {step}",
        )


def one_site(run: "sl.runs.Run", report: "sl.analysis.ErrorBudget", step: int, kind: str, run_id: str) -> str:
    """One site: its channels, and where its residuals lie; returns its name."""
    st.header("One site", anchor=False)
    total = abs(report.values("total", step, thresholds=True))
    site = st.selectbox(
        "Site",
        report.names,
        index=int(total.argmax()),
        format_func=label.name,
        key="budget-site",
        width=360,
    )
    channels, residual = st.columns(2, gap="large")
    with channels:
        drawn = _figure("channels", run_id, step, kind, site, report)
        st.subheader("Channel by channel", anchor=False)
        show.figure(drawn, "budget-channels")
    with residual:
        st.subheader("What the neurons are left with", anchor=False)
        kept = reports.residuals(run)
        if kept is not None and site in kept.names and step in kept.steps:
            show.figure(_residuals(run.id, site, step, kept), "budget-residuals")
        else:
            st.caption("The run in view kept no residuals at this t: the Residuals page shows those it kept.")
        spikes = report.spike_error_frame(site, step)
        spikes = spikes[spikes["elements"] > 0]
        pairs = zip(spikes["k"].tolist(), spikes["share"].tolist(), strict=True)
        told = ", ".join(f"{sl.figures.tables.number(k, 0, sign=bool(k))}: {100 * share:.1f} %" for k, share in pairs)
        st.caption(f"Spike-count error k = N − N*, share of neurons: {told}.")
    return str(site)


@st.cache_resource(max_entries=12, show_spinner=False)
def _residuals(run_id: str, site: str, step: int, _report: sl.analysis.ResidualReport) -> sl.figures.Figure:
    return sl.figures.residual_site(_report, site, step)


def restoration(view: "shell.View", step: int, recipe: "sl.Recipe") -> "Found[sl.analysis.Restoration] | None":
    """What restoring each site regains: the causal answer, as a job of its own."""
    st.header("Which layer is to blame?", anchor=False)
    assert view.run is not None, "the page has a run in view"
    found = RESTORE.find(view.run)
    if found is None or found.stale:
        st.caption(
            "The budget describes; restoration asks what would happen: one site emits the ANN's activation, the rest "
            "is simulated, and the accuracy that returns is counted, site by site and stage by stage."
        )
        RESTORE.offer(recipe, "Restore every site in turn")
    if found is None:
        return None
    report = found.report
    if found.stale:
        st.warning("Restored with another conversion or on other images than in view.", icon=":material/history:")
    at = _step(report, step)
    number = sl.figures.tables.number
    lost = 100 * float(report.ann_correct.mean() - report.snn_correct[report.snapshot(at)].mean())
    turn = report.turning_point(at)
    told = f"At t = {at} the conversion loses **{number(lost)}** points of accuracy. "
    if turn is not None:
        name, gain = turn
        told += (
            f"The first site that returns half of it is **{label.md(name, 60)}**: **{label.points(gain.value)}** "
            f"points [{number(100 * gain.low)}, {number(100 * gain.high)}]. "
        )
    st.markdown(told + "A restored site also mends what earlier sites handed on: look for where the curve jumps.")
    part = st.segmented_control("Restore", ["site", "stage"], default="site", key="budget-part") or "site"
    show.figure(_figure("restoration", found.run.id, at, part, "", report), "budget-restoration")
    explain.code(found.run.recipe, "restore", num_steps=at, title="The restoration without the app")
    return found


def checks(report: "sl.analysis.ErrorBudget") -> None:
    """What was asserted while the budget was made, and how far it was from failing."""
    with st.expander("Checks", icon=":material/verified:"):
        st.caption("Asserted in every neuron, image and snapshot of this run; a violation beyond rounding stops it.")
        rows = [
            (
                "The terms add up to the error counted from spikes",
                float(report.sum_error.max()),
                float(report.sum_ratio.max()),
            ),
            (
                "The charge pays for N*, and for no spike more",
                float(report.ideal_error.max()),
                float(report.ideal_ratio.max()),
            ),
            ("Charge balance: v(t) − v(0) = input − threshold · N", float(report.charge_error.max()), float("nan")),
        ]
        show.table(
            rows,
            [
                Column("check", lambda row: row[0]),
                Column("largest violation, thresholds", lambda row: _power(row[1]), numeric=True),
                Column("share of what rounding allows", lambda row: _power(row[2]), numeric=True),
            ],
            "Checks of the error budget",
            fit=True,
        )


def _power(value: float) -> str:
    return "–" if pd.isna(value) else "0" if value == 0 else f"{value:.1e}".replace("-", "−")


def _step(report: "sl.analysis.Restoration", step: int) -> int:
    return max((t for t in report.steps if t <= step), default=report.steps[0])
