"""Accuracy against T: how many time-steps does the SNN need?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import cached, curves, exit_panel, explain, label, names, published, reports, shell, show, state
from pages._ui.show import Column

NOISY = "noisy_ann"

if not shell.inside():
    shell.run_app_instead()


@dataclass(frozen=True)
class Summary:
    """One line at the target T, accuracies as fractions: a conversion, or the noisy ANN that stands for it."""

    conversion: str
    role: str
    images: int
    split: str
    ann: float
    ann_low: float
    ann_high: float
    step: int
    network: str
    accuracy: float
    low: float
    high: float
    gap: float
    first_above_chance: int | None = None
    first_within: int | None = None
    num_steps: int = 0


def chosen(view: shell.View) -> "dict[str, sl.runs.RunRow]":
    """Run id -> row: the one in view first, then the compared one, the baseline, and what the reader adds."""
    current = view.row
    assert current is not None, "a run in view has its line"
    others = curves.offered(current.id, view.named)
    titles = names.marked(curves.menu(current, others), "baseline", state.pinned)
    beside = [run.id for run in (view.compare, view.baseline) if run is not None and run.id in titles]
    compared = list(dict.fromkeys(beside))
    added = st.multiselect(
        "Further conversions",
        list(titles),
        default=compared,
        key=f"accuracy-runs-{current.id}-{'-'.join(compared)}",
        format_func=lambda run_id: titles[run_id],
        placeholder="Add stored runs, as many as you like",
    )
    rows = {row.id: row for row in others}
    return {current.id: current, **{run_id: rows[run_id] for run_id in added if run_id in rows}}


def summary(name: str, role: str, run: "sl.runs.Run", target: int, within: float) -> Summary:
    """A conversion at the target T, or at the last step that it has."""
    curve = reports.accuracy(run)
    t = min(target, curve.num_steps)
    low, high = curve.snn_interval
    snn = float(curve.snn_accuracy[t - 1])
    return Summary(
        conversion=name,
        role=role,
        images=curve.images,
        split=curve.split,
        ann=curve.ann_accuracy,
        ann_low=curve.ann_interval[0],
        ann_high=curve.ann_interval[1],
        step=t,
        network="SNN",
        accuracy=snn,
        low=float(low[t - 1]),
        high=float(high[t - 1]),
        gap=snn - curve.ann_accuracy,
        first_above_chance=curve.first_step_above_chance(),
        first_within=curve.first_step_within(within),
        num_steps=curve.num_steps,
    )


def noisy_summary(report: "sl.analysis.NoiseReport", target: int) -> Summary | None:
    """The noisy ANN at the target T; None where it was not evaluated there."""
    if target not in report.targets:
        return None
    ann, noisy = report.ann, report.noisy(target)
    return Summary(
        conversion=f"{curves.noisy_name(report)}, std measured at t = {target}",
        role=NOISY,
        images=report.images,
        split=report.split,
        ann=ann.value,
        ann_low=ann.low,
        ann_high=ann.high,
        step=target,
        network="noisy ANN",
        accuracy=noisy.value,
        low=noisy.low,
        high=noisy.high,
        gap=noisy.value - ann.value,
    )


def noisy_steps(report: "sl.analysis.NoiseReport") -> pd.DataFrame:
    """The noisy ANN at every T it was evaluated at, as ``curves.by_step`` gives conversions."""
    rows = []
    for t in report.targets:
        found = report.noisy(t)
        told = {"T": t, "conversion": curves.noisy_name(report), "accuracy": found.value}
        rows.append({**told, "low": found.low, "high": found.high, "gap": found.value - report.ann.value})
    return pd.DataFrame(rows)


def number_of_points(value: float) -> str:
    """For sentences."""
    return f"{value:g} point{'s' * (value != 1)}"


def draw_summary(rows: Sequence[Summary], within: float) -> None:
    """One line a conversion."""

    def step(value: int | None, row: Summary) -> str:
        if row.role == NOISY:
            return "–"
        return f"not up to {row.num_steps}" if value is None else str(value)

    show.table(
        rows,
        [
            Column("conversion", lambda r: r.conversion, swatch=lambda r: r.role),
            Column("images", lambda r: f"{r.split.replace('_', ' ')}, {r.images:,}", numeric=True, optional=True),
            Column(
                "ANN [95 % interval]",
                lambda r: f"{label.percent(r.ann)} [{label.span(r.ann_low, r.ann_high)}]",
                numeric=True,
                optional=True,
            ),
            Column("T", lambda r: str(r.step), numeric=True),
            Column(
                "accuracy [95 % interval]" if any(row.role == NOISY for row in rows) else "SNN [95 % interval]",
                lambda r: f"{label.percent(r.accuracy)} [{label.span(r.low, r.high)}]",
                "Wilson interval over images; of the noisy ANN over images that carry all their noise seeds",
                numeric=True,
            ),
            Column("gap, points", lambda r: label.points(r.gap), "Minus its ANN, percentage points", numeric=True),
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


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "One simulation to the largest T gives every smaller one: the read-out after step t is the SNN run for T = t. "
        "The **dashed line** is the ANN that was converted, the band around each curve the 95 % interval over images. "
        "The diamond marks the T from which on the SNN **stays** close to its ANN. **Orange** is the noisy ANN: the "
        "ANN with Gaussian noise at every site, of the std that the gap to the SNN had there at that T. It predicts "
        "the SNN's accuracy; it is not one.",
        r"\frac{\hat p + \frac{z^2}{2n} \pm z\sqrt{\frac{\hat p(1-\hat p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}",
        "Wilson score interval of the share p of n images, z = 1.96: Wilson, JASA 1927. It covers the choice of "
        "images, not of the training seed.",
    )


def say_images(rows: "Mapping[str, sl.runs.RunRow]", titles: Mapping[str, str]) -> None:
    """Which of the runs lie on other images than the one in view."""
    first, *others = rows.values()
    differing = {row.id: curves.other_images(row.recipe, first.recipe) for row in others}
    told = [f"{label.md(titles[run_id], 60)} ({what})" for run_id, what in differing.items() if what]
    if told:
        st.caption(
            f":material/info: On other images than the run in view, so that differences to it mean little: "
            f"{', '.join(told)}."
        )


def draw_noise(run: "sl.runs.Run") -> str:
    """The noisy ANN's toggle, or the way to one; returns the id of the noise run to draw, "" for none."""
    noise = curves.noise_of(run)
    if noise:
        return noise if st.toggle("noisy ANN", True, key="accuracy-noisy") else ""
    st.page_link("pages/noise.py", label="Noisy ANN: measure the noise", icon=":material/tune:")
    return ""


def paper_table(
    titles: Mapping[str, str], runs: "Mapping[str, sl.runs.Run]", literature: Mapping[str, object]
) -> "sl.figures.PaperTable":
    """Methods x T of everything on the page, the best marked, published numbers apart."""
    measured = {titles[run_id]: reports.accuracy(one) for run_id, one in runs.items()}
    daggers = [titles[run_id] for run_id, one in runs.items() if label.method(one.recipe).endswith("†")]
    steps = sl.runs.doubling_steps(max(curve.num_steps for curve in measured.values()))
    return sl.figures.paper_table(measured, steps, literature=published.numbers(literature), interpretations=daggers)


def draw(view: shell.View, run: "sl.runs.Run") -> None:
    """Controls, answer, chart, tables."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        rows = chosen(view)
        within = st.number_input(
            "Close enough, points", 0.1, 20.0, 1.0, 0.5, key="accuracy-within", width=150, format="%.1f"
        )
        log_steps = st.toggle("log T", key="accuracy-log")
        noise = draw_noise(run)
    literature = published.choose(run.card, run.recipe.data.dataset)
    titles = names.among(list(rows.values()))
    runs = {run_id: cached.run(run_id) for run_id in rows}
    lines = [
        summary(titles[run_id], curves.role(place), one, view.target, within)
        for place, (run_id, one) in enumerate(runs.items())
    ]
    steps = curves.by_step({titles[run_id]: reports.accuracy(one) for run_id, one in runs.items()})
    roles = {line.conversion: line.role for line in lines}
    first = lines[0]
    near = f"within {number_of_points(within)}"
    reached = (
        f"is {near} of its ANN from **T = {first.first_within}** on"
        if first.first_within
        else f"is **not {near}** of its ANN up to T = {first.num_steps}"
    )
    said = (
        f"{label.md(first.conversion, 90)} {reached}; "
        f"at the target T = {first.step} the gap is **{label.points(first.gap)}** points."
    )
    if noise:
        report = curves.noise_report(noise)
        predicted = noisy_summary(report, first.step)
        steps = pd.concat([steps, noisy_steps(report)], ignore_index=True)
        roles[curves.noisy_name(report)] = NOISY
        lines = [first, *([predicted] if predicted else []), *lines[1:]]
        said += " The noisy ANN, a prediction of the SNN by the ANN with noise, " + (
            f"says **{label.points(predicted.gap)}**." if predicted else f"was not evaluated at T = {first.step}."
        )
    st.markdown(said)
    for sentence in reports.conversion(run).chosen_on(run.recipe.data.split):
        st.warning(label.md(sentence, 300), icon=":material/balance:")
    say_images(rows, titles)
    drawn = curves.figure(titles, log_steps=log_steps, within=within, noise=noise, literature=tuple(literature))
    show.figure(drawn, "accuracy-figure")
    draw_summary(lines, within)
    exit_panel.draw(run)
    st.header("By time-step", anchor=False)
    elsewhere = published.steps(literature, sorted(set(steps["T"])))
    shown = pd.concat([steps, elsewhere], ignore_index=True) if len(elsewhere) else steps
    curves.draw_steps(shown, role_of=lambda name: roles.get(name, "mute"))
    published.notes(literature)
    with bar:
        explanation()
        frame = pd.DataFrame([asdict(line) for line in lines]).drop(columns="role")
        tables: dict[str, pd.DataFrame | sl.figures.PaperTable] = {
            "Table for a paper": paper_table(titles, runs, literature),
            "Accuracy by time-step": steps,
            "Summary": frame,
        }
        show.export({drawn.title: drawn}, tables, run.recipe, "accuracy")
    explain.code(run.recipe, "evaluate")


view = shell.page()
bar = shell.title_bar("How many time-steps does the SNN need?")
if view.run is not None:
    draw(view, view.run)
else:
    shell.empty(view)
