"""The figures of a final evaluation: the table, paired differences, the curves, other T, export."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import snnlab as sl
from pages._ui import cached, curves, explain, final_protocol, final_state, label, show
from pages._ui.show import Column

FRESH = "fresh"


@dataclass(frozen=True)
class Line:
    """One arm on one image set at the primary T."""

    arm: int
    name: str
    ann: "sl.analysis.Estimate"
    snn: "sl.analysis.Estimate"
    gap: "sl.analysis.PairedDifference"


@dataclass(frozen=True)
class Versus:
    """One arm against the first."""

    name: str
    against: str
    found: "sl.analysis.PairedDifference"


def draw(bar: DeltaGenerator, run: "sl.runs.Run") -> None:
    """Everything that a stored evaluation tells."""
    report = final_state.report(run)
    _say(run, report)
    for which in report.sets:
        if len(report.sets) > 1:
            st.header(set_title(report, which), anchor=False)
        _table(report, which)
    if any(arm["interpretation"] for arm in report.arms):
        st.caption("† Our reading of a source that does not settle every detail; no reproduction.")
    if len(report.arms) > 1:
        st.header(f"Differences at T = {report.target}", anchor=False)
        _differences(report)
    log_steps = st.toggle("log T", key="final-log")
    drawn = _figure(run.id, log_steps)
    show.figure(drawn, "final-figure")
    st.header("Other T, exploratory", anchor=False)
    steps = _by_step(report, report.sets[0])
    places = {arm["name"]: place for place, arm in enumerate(report.arms)}
    curves.draw_steps(steps, role_of=lambda name: curves.role(places[name]), primary=report.target)
    with bar:
        if st.button("Back to the protocol", key="final-close", icon=":material/arrow_back:", type="tertiary"):
            final_state.PAGE.close()
            st.rerun()
        explanation()
        frames = {caption(report): paper_frame(report)}
        if len(report.arms) > 1:
            frames["Paired differences"] = report.differences()
        show.export(
            {drawn.title: drawn}, {**frames, "Every arm, T and image set": report.to_frame()}, run.recipe, "final"
        )
    _code(report)


def set_title(report: "sl.analysis.FinalEvaluation", which: str) -> str:
    """What an image set is."""
    count, explored = int(report.mask(which).sum()), int(report.explored.sum())
    if which == FRESH:
        return f"{count:,} test images that no page ever showed"
    return f"All {count:,} test images, {explored:,} of them explored"


def caption(report: "sl.analysis.FinalEvaluation") -> str:
    """Caption of the table in a paper."""
    images = f"{int(report.mask(report.sets[0]).sum()):,} test images"
    return f"Accuracy on {images} of {report.dataset}, T = {report.target}, {sl.figures.ordinal(report.look)} look"


def paper_frame(report: "sl.analysis.FinalEvaluation") -> pd.DataFrame:
    """The table as it is printed: percent and points, with 95 % intervals."""
    rows = []
    for which in report.sets:
        for line in _lines(report, which):
            explored = "" if which != report.sets[-1] or len(report.sets) == 1 else ", some explored"
            rows.append(
                {
                    "conversion": line.name,
                    "images": f"{int(report.mask(which).sum())}{explored}",
                    "ANN (%)": _bounded(line.ann),
                    f"SNN at T = {report.target} (%)": _bounded(line.snn),
                    "gap (points)": _signed(line.gap),
                }
            )
    return pd.DataFrame(rows)


def _bounded(found: "sl.analysis.Estimate") -> str:
    return f"{100 * found.value:.2f} [{100 * found.low:.2f}, {100 * found.high:.2f}]"


def _in_percent(found: "sl.analysis.Estimate") -> str:
    return f"{100 * found.value:.2f} [{label.span(found.low, found.high)}]"


def _signed(found: "sl.analysis.PairedDifference") -> str:
    return f"{label.points(found.value)} [{label.points(found.low)}, {label.points(found.high)}]"


def _say(run: "sl.runs.Run", report: "sl.analysis.FinalEvaluation") -> None:
    names = {arm["lineage"]: label.md(arm["checkpoint"], 60) for arm in report.arms}
    counts = set(report.looks.values())
    if len(counts) == 1 and len(names) > 1:
        looks = f"**{sl.figures.ordinal(report.look)} look** with each of {', '.join(names.values())}"
    else:
        each = (f"**{sl.figures.ordinal(count)} look** with {names[lin]}" for lin, count in report.looks.items())
        looks = ", ".join(each)
    data = label.md(final_protocol.dataset_title(report.dataset), 60)
    st.markdown(
        f"{looks}, at the test images of {data}, {run.created[:10]}. "
        f"Primary **T = {report.target}**, declared before the test set was opened."
    )
    if not sl.runs.is_current(run):
        st.warning(
            "An earlier version of snnlab made these numbers, and later versions give others: CORRECTIONS says why. "
            "Evaluating the arms again is another look.",
            icon=":material/history:",
        )


def _lines(report: "sl.analysis.FinalEvaluation", which: str) -> list[Line]:
    t = report.target
    return [
        Line(arm, row["name"], report.ann(arm, which), report.snn(arm, t, which), report.gap(arm, t, which))
        for arm, row in enumerate(report.arms)
    ]


def _table(report: "sl.analysis.FinalEvaluation", which: str) -> None:
    count = int(report.mask(which).sum())
    show.table(
        _lines(report, which),
        [
            Column("conversion", lambda line: label.name(line.name, 90), swatch=lambda line: curves.role(line.arm)),
            Column("images", lambda _: f"{count:,}", numeric=True, optional=True),
            Column(
                "ANN, % [95 % interval]",
                lambda line: _in_percent(line.ann),
                "Wilson interval over images",
                numeric=True,
            ),
            Column(
                f"SNN at T = {report.target}, % [95 % interval]",
                lambda line: _in_percent(line.snn),
                "Wilson interval over images",
                numeric=True,
                strong=True,
            ),
            Column(
                "gap, points [95 % interval]",
                lambda line: _signed(line.gap),
                "SNN minus ANN on the same images, percentage points; Newcombe's interval for pairs",
                numeric=True,
            ),
        ],
        f"Each arm on {set_title(report, which) if len(report.sets) > 1 else 'the test set'}",
    )


def _differences(report: "sl.analysis.FinalEvaluation") -> None:
    which, first = report.sets[0], report.arms[0]["name"]
    rows = [
        Versus(report.arms[arm]["name"], first, report.difference(arm, 0, report.target, which))
        for arm in range(1, len(report.arms))
    ]

    def images(count: int) -> str:
        return f"{count:,}"

    show.table(
        rows,
        [
            Column("conversion", lambda row: label.name(row.name, 90)),
            Column("minus", lambda row: label.name(row.against, 90), optional=True, soft=True),
            Column(
                "difference, points [95 % interval]",
                lambda row: _signed(row.found),
                "Accuracy of the SNN minus that of the first arm's, on the same images; Newcombe's interval for pairs",
                numeric=True,
                strong=True,
            ),
            Column("only this is right", lambda row: images(row.found.gained), "Images", numeric=True, optional=True),
            Column(
                "only the first is right", lambda row: images(row.found.lost), "Images", numeric=True, optional=True
            ),
        ],
        "Each arm against the first, paired over images",
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _figure(run_id: str, log_steps: bool) -> "sl.figures.Figure":
    return sl.figures.final_accuracy(final_state.report(cached.run(run_id)), log_steps=log_steps)


def _by_step(report: "sl.analysis.FinalEvaluation", which: str) -> pd.DataFrame:
    steps = curves.by_step({arm["name"]: report.curve(i, which) for i, arm in enumerate(report.arms)})
    if report.target in set(steps["T"]):
        return steps
    rows = [
        {
            "T": report.target,
            "conversion": line.name,
            "accuracy": line.snn.value,
            "low": line.snn.low,
            "high": line.snn.high,
            "gap": line.gap.value,
        }
        for line in _lines(report, which)
    ]
    return pd.concat([steps, pd.DataFrame(rows)], ignore_index=True)


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "Everything that was chosen, was chosen on dev. The test set then says once how good the choice is: all arms "
        "in one go, at the T declared before. **Each further look makes the next figure a little less honest**, so "
        "looks are counted and printed. Differences are taken over the same images, which makes them more certain "
        "than two intervals side by side suggest.",
        (
            r"\frac{\hat p + \frac{z^2}{2n} \pm z\sqrt{\frac{\hat p(1-\hat p)}{n} + \frac{z^2}{4n^2}}}"
            r"{1+\frac{z^2}{n}}",
            r"(p_1-p_2) \mp \sqrt{(p_1-l_1)^2 - 2\varphi(p_1-l_1)(u_2-p_2) + (u_2-p_2)^2}",
        ),
        "Interval of one share: Wilson, JASA 1927. Of a difference on the same images, with Wilson's limits l and u "
        "and the correlation φ: Newcombe, Statistics in Medicine 1998. They cover the choice of images, not of the "
        "training seed.",
    )


def _code(report: "sl.analysis.FinalEvaluation") -> None:
    recipes = [sl.Recipe.parse(arm["recipe"]) for arm in report.arms]
    with st.expander("The same numbers without the app", icon=":material/terminal:"):
        line, recipe_yaml, python = st.tabs(["Command line", "Recipes (YAML)", "Python"])
        line.code("\n".join(sl.runs.as_cli(recipe) for recipe in recipes), language="bash", wrap_lines=True)
        recipe_yaml.code("---\n".join(recipe.to_yaml() for recipe in recipes), language="yaml")
        python.code("\n\n".join(sl.runs.as_python(recipe) for recipe in recipes), language="python", wrap_lines=True)
        said = "The command line gives the whole test set and counts a look of its own for every line."
        if len(report.sets) > 1:
            said += f" The division into explored and {FRESH} images belongs to the app."
        st.caption(said)
