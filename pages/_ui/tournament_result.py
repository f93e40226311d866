"""What a tournament found: the table, the Pareto plots, paired differences, what was not run, export."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import snnlab as sl
from pages._ui import explain, label, published, show, state, tournament_state
from pages._ui.show import Column

COSTS = {"total_latency": "time-steps", "syn_ops": "synaptic operations", "calibration_seconds": "calibration time"}


@dataclass(frozen=True)
class _Line:
    """One line of the table."""

    title: str
    role: str = "mute"
    cells: dict[int, str] = field(default_factory=dict)
    operations: str = "–"
    seconds: str = "–"
    networks: str = "–"


def draw(bar: DeltaGenerator, run: "sl.runs.Run") -> None:
    """Everything that a stored tournament tells."""
    report = tournament_state.report(run)
    _say(run, report)
    chosen = published.choose(run.card, run.recipe.data.dataset)
    numbers = published.numbers(chosen)
    _table(report, numbers)
    published.notes(chosen)
    figures: dict[str, sl.figures.Figure] = {}
    pareto = _pareto(run, report, numbers)
    if pareto is not None:
        figures[pareto.title] = pareto
    paired = _paired(run, report)
    if paired is not None:
        figures[paired.title] = paired
    _not_run(report)
    with bar:
        if st.button("New tournament", key="tournament-close", icon=":material/add:", type="tertiary"):
            tournament_state.to_form(state.view())
            st.rerun()
        explanation()
        tables: dict[str, object] = {}
        if report.standings:
            tables["Accuracy by T: the table of a paper"] = sl.figures.tournament_table(report, numbers)
            tables["Every number: all methods and T"] = report.to_frame()
            tables["Paired differences: every two methods"] = report.paired_frame()
        show.export(figures, tables, run.recipe, "tournament")  # type: ignore[arg-type]  # frames and a PaperTable
    _code(run)


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "Every method converts the same network and is read on the same images; those that calibrate get the same "
        "draws of calibration images. A method that is converted for one T is converted anew for each T in the table. "
        "\n"
        "- *Interval in the table*: over draws of calibration images where a method has several (Student's t), else "
        "over images (Wilson).\n"
        "- *Pareto front*: no other network is as accurate for less.\n"
        "- *Paired difference*: the same images and the same resamples for both, so that what they have in common "
        "cancels. McNemar's exact p is given between two single networks only.\n\n"
        "The best of many methods on dev looks better than it is: *Final evaluation* is for the one that was chosen.",
        (
            r"\bar a \pm t_{n-1} \frac{\mathrm{std}(a_s)}{\sqrt n}, \qquad "
            r"d = \frac{1}{N} \sum_i \left(\bar c^A_i - \bar c^B_i\right)",
            r"p = \min\left(1,\; 2 \sum_{k \le \min(b, c)} \binom{b+c}{k} 2^{-(b+c)}\right)",
        ),
        "McNemar, Psychometrika 1947; Wilson, JASA 1927; bootstrap over images with 2,000 resamples.",
    )


def _say(run: "sl.runs.Run", report: "sl.analysis.Tournament") -> None:
    st.markdown(verdict(report))
    steps = ", ".join(map(str, report.steps))
    draws = (
        f"{report.most_seeds} draw{'s' * (report.most_seeds != 1)} of {report.calibration_images} calibration images"
    )
    st.caption(
        f"T = {steps} · {label.md(report.split.replace('_', ' '))}, {report.images:,} images · {draws} · ANN "
        f"{label.percent(report.ann_accuracy)} · run {run.id[:12]}"
    )
    for note in run.notes:
        if note not in run.card["notes"]:
            st.caption(label.md(note, 300))
    if not sl.runs.is_current(run):
        st.warning(
            "An earlier version of snnlab made these numbers, and later versions give others: CORRECTIONS says why.",
            icon=":material/history:",
        )


def verdict(report: "sl.analysis.Tournament") -> str:
    """Who is best at each T, and who cannot be told apart from it."""
    told = []
    for step in report.steps:
        best = report.best(step)
        if not best:
            continue
        first = report.standing(best[0], step)
        assert first is not None, "the best was run"
        rest = [place for place in range(len(report.entrants)) if place not in best and report.whole(place, step)]
        near = [place for place in rest if report.paired(best[0], place, step).low <= 0]
        names = " and ".join(f"**{label.md(_title(report, place))}**" for place in best)
        line = f"T = {step}: {names} {label.percent(first.accuracy)}"
        if near:
            line += ", not told apart from " + ", ".join(label.md(_title(report, place)) for place in near)
        told.append(line)
    if not told:
        return "Fewer than two methods were run at any T: there is nothing to compare."
    return "Most accurate at each T:\n" + "\n".join(f"- {line}" for line in told)


def _title(report: "sl.analysis.Tournament", place: int) -> str:
    return str(report.entrants[place]["title"])


def _table(report: "sl.analysis.Tournament", literature: "Sequence[sl.PublishedNumber]") -> None:
    st.header("Accuracy by method and T", anchor=False)
    last = report.steps[-1]
    lines = []
    for place, about in enumerate(report.entrants):
        found = {step: one for step in report.steps if (one := report.standing(place, step)) is not None}
        if not found:
            continue
        longest = found[max(found)]
        cells = {
            step: f"{'★ ' * (place in report.best(step))}{100 * one.accuracy:.2f} "
            f"[{100 * one.low:.1f}, {100 * one.high:.1f}]"
            for step, one in found.items()
        }
        operations = "–" if longest.syn_ops != longest.syn_ops else f"{longest.syn_ops / 1e6:,.3g} M"
        lines.append(
            _Line(
                str(about["title"]), sl.figures.tournament_role(place), cells, operations,
                f"{longest.calibration_seconds:,.2f} s", str(longest.seeds),
            )
        )  # fmt: skip
    series: dict[str, dict[int, str]] = {}
    for row in literature:
        if row.num_steps in report.steps:
            series.setdefault(row.name + published.MARK, {})[row.num_steps] = f"{100 * row.snn_accuracy:.2f}"
    lines += [_Line(name, cells=cells) for name, cells in series.items()]
    show.table(
        lines,
        [
            Column("method", lambda line: line.title, swatch=lambda line: line.role),
            *(_accuracy_column(step) for step in report.steps),
            Column(f"operations, T = {last}", lambda line: line.operations, "Synaptic operations per image up to T",
                   numeric=True, optional=True, soft=True),
            Column("to convert", lambda line: line.seconds, "Wall time of one conversion, calibration included",
                   numeric=True, optional=True, soft=True),
            Column("networks", lambda line: line.networks, "Draws of calibration images; one without calibration",
                   numeric=True, optional=True, soft=True),
        ],
        "Accuracy of every method at every T, in percent with 95 % intervals",
    )  # fmt: skip
    st.caption(
        "Percent with 95 % intervals: over draws of calibration images where a method has several networks, else over "
        "images. ★ best at that T. † interpretation: the source does not settle every detail."
    )


def _accuracy_column(step: int) -> Column:
    return Column(f"T = {step} (%)", lambda line: line.cells.get(step, "–"), numeric=True)


def _pareto(
    run: "sl.runs.Run", report: "sl.analysis.Tournament", literature: "Sequence[sl.PublishedNumber]"
) -> "sl.figures.Figure | None":
    if not report.standings:
        return None
    frame = report.to_frame()
    offered = [cost for cost in COSTS if frame[cost].notna().any()]
    st.header("What does accuracy cost?", anchor=False)
    cost = st.segmented_control(
        "Cost",
        offered,
        default=offered[0],
        required=True,
        key=f"tournament-cost-{run.id[:12]}",
        format_func=lambda name: COSTS[name],
        label_visibility="collapsed",
    )
    named = ".".join(sorted({row.series for row in literature}))
    drawn = _drawn(run.id, f"{cost} {named}", report, literature).stamped(run_id=run.id, recipe_sha=run.recipe_sha)
    show.figure(drawn, "tournament-pareto")
    return drawn


@st.cache_resource(max_entries=32, show_spinner=False)
def _drawn(
    run_id: str, what: str, _report: "sl.analysis.Tournament", _literature: "Sequence[sl.PublishedNumber]"
) -> "sl.figures.Figure":
    return sl.figures.tournament_pareto(_report, what.split(" ")[0], literature=_literature)


def _paired(run: "sl.runs.Run", report: "sl.analysis.Tournament") -> "sl.figures.Figure | None":
    comparable = [
        step for step in report.steps if sum(report.whole(place, step) for place in range(len(report.entrants))) > 1
    ]
    if not comparable:
        return None
    st.header("Is the difference real?", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        step = st.selectbox("T", comparable, len(comparable) - 1, key=f"tournament-t-{run.id[:12]}", width=110)
        those = [place for place in range(len(report.entrants)) if report.whole(place, step)]
        best = report.best(step)
        zero = st.selectbox(
            "Compared with",
            those,
            those.index(best[0]) if best else 0,
            key=f"tournament-zero-{run.id[:12]}-{step}",
            format_func=lambda place: _title(report, place),
            width=280,
        )
    drawn = _forest(run.id, step, zero, report).stamped(run_id=run.id, recipe_sha=run.recipe_sha)
    show.figure(drawn, "tournament-paired")
    singles = [pair for place in those if place != zero and (pair := report.paired(place, zero, step)).p is not None]
    if singles:
        told = "; ".join(f"{label.md(_title(report, pair.a))} p = {pair.p:.2g}" for pair in singles)
        st.caption(f"McNemar's exact test against {label.md(_title(report, zero))}, single networks only: {told}.")
    return drawn


@st.cache_resource(max_entries=32, show_spinner=False)
def _forest(run_id: str, step: int, zero: int, _report: "sl.analysis.Tournament") -> "sl.figures.Figure":
    return sl.figures.tournament_paired(_report, step, zero)


def _not_run(report: "sl.analysis.Tournament") -> None:
    lines = [(str(row["title"]), str(row["why"])) for row in report.entrants if row["why"]]
    for row in report.refused:
        steps = ", ".join(map(str, row["steps"]))
        lines.append((f"{_title(report, row['entrant'])} at T = {steps}", str(row["why"])))
    if lines:
        with st.expander(f"Not run: {len(lines)}", icon=":material/block:"):
            st.markdown("\n".join(f"- **{label.md(name)}**: {label.md(why, 400)}" for name, why in lines))


def _code(run: "sl.runs.Run") -> None:
    with st.expander("The same numbers without the app", icon=":material/terminal:"):
        line, recipe_yaml, python = st.tabs(["Command line", "Recipe (YAML)", "Python"])
        line.code(sl.sweeps.as_tournament_cli(run.recipe), language="bash", wrap_lines=True)
        recipe_yaml.code(run.recipe.to_yaml(), language="yaml")
        python.code(
            "import snnlab as sl\n\n"
            'recipe = sl.Recipe.from_file("recipe.yaml")\n'
            'report = sl.sweeps.tournament_run(recipe).reports["tournament"]\n'
            "print(report.to_frame())\n"
            'sl.figures.tournament_pareto(report).save("pareto.pdf", preset="neurips")\n'
            "print(sl.figures.tournament_table(report).to_latex())",
            language="python",
        )
