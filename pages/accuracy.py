"""Accuracy against T: how many time-steps does the SNN need?"""

from dataclasses import asdict, dataclass, replace

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import cached, explain, label, reports, shell, show, sidebar
from pages._ui.show import Column

MOST_CURVES = 4
ALWAYS_SHOWN = (1, 2, 4, 8, 16, 32)

if not shell.inside():
    shell.run_app_instead()


@dataclass(frozen=True)
class Summary:
    """One conversion at the target T, accuracies as fractions."""

    conversion: str
    images: int
    ann: float
    ann_low: float
    ann_high: float
    step: int
    snn: float
    snn_low: float
    snn_high: float
    gap: float
    first_above_chance: int | None
    first_within: int | None
    num_steps: int


def chosen(run: sl.runs.Run, compare: sl.runs.Run | None) -> dict[str, sl.runs.Run]:
    """Legend name -> run: the one in view first, then the compared one and what the reader adds."""
    briefs = cached.briefs()
    names = {brief.id: sidebar.run_label(brief, briefs) for brief in briefs}
    others = [run_id for run_id in names if run_id != run.id]
    compared = [compare.id] if compare is not None and compare.id in others else []
    added = st.multiselect(
        "Further conversions",
        others,
        default=compared,
        key=f"accuracy-runs-{run.id}-{'-'.join(compared)}",
        format_func=lambda run_id: names[run_id],
        max_selections=MOST_CURVES - 1,
        placeholder="Add a stored run",
    )
    runs = [run, *(cached.run(run_id) for run_id in added)]
    return {names.get(one.id, one.title): one for one in runs}


def summary(name: str, run: sl.runs.Run, target: int, within: float) -> Summary:
    """A conversion at the target T, or at the last step that it has."""
    curve = reports.accuracy(run)
    t = min(target, curve.num_steps)
    low, high = curve.snn_interval
    snn = float(curve.snn_accuracy[t - 1])
    return Summary(
        conversion=name,
        images=curve.images,
        ann=curve.ann_accuracy,
        ann_low=curve.ann_interval[0],
        ann_high=curve.ann_interval[1],
        step=t,
        snn=snn,
        snn_low=float(low[t - 1]),
        snn_high=float(high[t - 1]),
        gap=snn - curve.ann_accuracy,
        first_above_chance=curve.first_step_above_chance(),
        first_within=curve.first_step_within(within),
        num_steps=curve.num_steps,
    )


def by_step(runs: dict[str, sl.runs.Run]) -> pd.DataFrame:
    """Every conversion at every step that is worth a column, with intervals."""
    curves = {name: reports.accuracy(run) for name, run in runs.items()}
    rows = []
    for t in sl.runs.default_snapshots(max(curve.num_steps for curve in curves.values())):
        for name, curve in curves.items():
            if t <= curve.num_steps:
                low, high = curve.snn_interval
                accuracy = float(curve.snn_accuracy[t - 1])
                bounds = {"low": float(low[t - 1]), "high": float(high[t - 1])}
                gap = accuracy - curve.ann_accuracy
                rows.append({"T": t, "conversion": name, "accuracy": accuracy, **bounds, "gap": gap})
    return pd.DataFrame(rows)


def number_of_points(value: float) -> str:
    """For sentences."""
    return f"{value:g} point{'s' * (value != 1)}"


def draw_summary(rows: list[Summary], within: float) -> None:
    """One line a conversion."""
    roles = dict(zip((row.conversion for row in rows), sl.figures.style.SERIES, strict=False))

    def step(value: int | None, row: Summary) -> str:
        return f"not up to {row.num_steps}" if value is None else str(value)

    show.table(
        rows,
        [
            Column("conversion", lambda r: r.conversion, swatch=lambda r: roles[r.conversion]),
            Column("images", lambda r: f"{r.images:,}", numeric=True, optional=True),
            Column(
                "ANN [95 % interval]",
                lambda r: f"{label.percent(r.ann)} [{label.span(r.ann_low, r.ann_high)}]",
                numeric=True,
                optional=True,
            ),
            Column("T", lambda r: str(r.step), numeric=True),
            Column(
                "SNN [95 % interval]",
                lambda r: f"{label.percent(r.snn)} [{label.span(r.snn_low, r.snn_high)}]",
                "Wilson interval over images",
                numeric=True,
            ),
            Column("gap, points", lambda r: label.points(r.gap), "SNN minus ANN, percentage points", numeric=True),
            Column(
                "above chance from",
                lambda r: step(r.first_above_chance, r),
                "First T whose interval lies above the share of the largest class",
                numeric=True,
                optional=True,
            ),
            Column(
                f"within {number_of_points(within)} from",
                lambda r: step(r.first_within, r),
                "First T from which on the SNN stays that close to its ANN",
                numeric=True,
            ),
        ],
        "Each conversion at the target T",
    )


def draw_steps(steps: pd.DataFrame) -> None:
    """Three lines a conversion: accuracy, its interval, the gap to the ANN; one column a step."""
    found = {(row["conversion"], row["T"]): row for row in steps.to_dict("records")}
    names = list(dict.fromkeys(steps["conversion"]))
    titles = {"interval": "95 % interval", "gap": "gap, points"}

    def cell(line: tuple[str, str], t: int) -> str:
        row = found.get((line[0], t))
        if row is None:
            return "–"
        if line[1] == "interval":
            return label.span(row["low"], row["high"])
        return f"{100 * row['accuracy']:.2f}" if line[1] == "accuracy" else label.points(row["gap"])

    def at(t: int) -> Column:
        return Column(str(t), lambda line: cell(line, t), numeric=True, optional=t not in ALWAYS_SHOWN)

    show.table(
        [(name, what) for name in names for what in ("accuracy", "interval", "gap")],
        [
            Column("accuracy in percent at T =", lambda line: line[0] if line[1] == "accuracy" else titles[line[1]]),
            *(at(t) for t in sorted(set(steps["T"]))),
        ],
        "Accuracy by time-step in percent, its 95 % interval, and the gap to the ANN in points",
        heads=lambda line: sl.figures.style.SERIES[names.index(line[0])] if line[1] == "accuracy" else "",
    )


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "One simulation to the largest T gives every smaller one: the read-out after step t is the SNN run for T = t. "
        "The **dashed line** is the ANN that was converted, the band around each curve the 95 % interval over images. "
        "The diamond marks the T from which on the SNN **stays** close to its ANN.",
        r"\frac{\hat p + \frac{z^2}{2n} \pm z\sqrt{\frac{\hat p(1-\hat p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}",
        "Wilson score interval of the share p of n images, z = 1.96: Wilson, JASA 1927. It covers the choice of "
        "images, not of the training seed.",
    )


def draw(view: shell.View, run: sl.runs.Run) -> None:
    """Controls, answer, chart, tables."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        runs = chosen(run, view.compare)
        within = st.number_input(
            "Close enough, points", 0.1, 20.0, 1.0, 0.5, key="accuracy-within", width=150, format="%.1f"
        )
        log_steps = st.toggle("log T", key="accuracy-log")
    curves = [replace(reports.accuracy(one), name=name) for name, one in runs.items()]
    drawn = sl.figures.accuracy_vs_steps(curves, log_steps=log_steps, within=within)
    rows = [summary(name, one, view.target, within) for name, one in runs.items()]
    steps = by_step(runs)
    first = rows[0].first_within
    near = f"within {number_of_points(within)}"
    reached = (
        f"is {near} of its ANN from **T = {first}** on"
        if first
        else f"is **not {near}** of its ANN up to T = {rows[0].num_steps}"
    )
    st.markdown(
        f"{label.md(rows[0].conversion, 90)} {reached}; "
        f"at the target T = {rows[0].step} the gap is **{label.points(rows[0].gap)}** points."
    )
    show.figure(drawn, "accuracy-figure")
    draw_summary(rows, within)
    st.header("By time-step", anchor=False)
    draw_steps(steps)
    with bar:
        explanation()
        tables = {"Accuracy by time-step": steps, "Summary": pd.DataFrame([asdict(row) for row in rows])}
        show.export({drawn.title: drawn}, tables, run.recipe, "accuracy")
    explain.code(run.recipe, "evaluate")


view = shell.page()
bar = shell.title_bar("How many time-steps does the SNN need?")
if view.run is not None:
    draw(view, view.run)
else:
    shell.empty(view)
