"""Residuals: which neurons spent too much, which too little, and in which layer?"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import cached, explain, label, selected_residuals, selection, shell, show, sidebar
from pages._ui.residual_view import chosen, pack, place, reports, residual_view
from pages._ui.residual_view.shared import shared, told

KEY = "residuals-view"
SHARES = ("excess", "missing", "exact", "saturated", "silent", "right")

if not shell.inside():
    shell.run_app_instead()


@st.cache_resource(max_entries=12, show_spinner=False)
def packed(
    run_id: str,
    name: str,
    sites: tuple[str, ...],
    with_traces: bool,
    _run: sl.runs.Run,
    _report: sl.analysis.ResidualReport,
) -> str:
    """The run for the browser, made once, so that reruns send the same bytes; of a compared run the shared sites."""
    traces = reports.traces(_run) if with_traces else None
    return pack(_report, run_id=run_id, name=name, accuracy=reports.accuracy(_run), traces=traces)


@st.cache_resource(max_entries=12, show_spinner=False)
def table(run_id: str, _report: sl.analysis.ResidualReport) -> pd.DataFrame:
    """Every site at every stored t."""
    return _report.to_frame()


def run_name(run: sl.runs.Run) -> str:
    """As the sidebar calls it."""
    briefs = cached.briefs()
    return next((sidebar.run_label(brief, briefs) for brief in briefs if brief.id == run.id), run.title)


def comparable(
    run: sl.runs.Run, report: sl.analysis.ResidualReport, other: sl.runs.Run
) -> tuple[sl.analysis.ResidualReport | None, str]:
    """The compared run's residuals at the sites that both have, and sentences where there is something to say."""
    name, theirs = run_name(other), reports.residuals(other)
    if theirs is None:
        return None, f"{name} kept no residuals: nothing is compared here."
    common = shared(report, theirs)
    if common is None:
        return (
            None,
            f"{name} has other sites ({len(theirs.names)}, here {len(report.names)}): nothing is compared here.",
        )
    notes = told(report, theirs, name)
    data = other.recipe.data
    if (run.recipe.data.dataset, report.split, report.images) != (data.dataset, theirs.split, theirs.images):
        notes.append(f"{name} saw other images: {data.dataset}, {theirs.split}, {theirs.images:,}.")
    if missing := [str(t) for t in report.steps if t not in theirs.steps]:
        notes.append(f"{name} kept no residuals at t = {', '.join(missing)}.")
    return common, " ".join(notes)


class Drawn(Mapping[str, sl.figures.Figure]):
    """Figures by title, each drawn when it is asked for: of four only one is chosen for export."""

    def __init__(self, makers: Mapping[str, Callable[[], sl.figures.Figure]]) -> None:
        self._makers = makers

    def __getitem__(self, title: str) -> sl.figures.Figure:
        return self._makers[title]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def figures(
    report: sl.analysis.ResidualReport,
    t: int,
    site: str,
    compared: tuple[sl.analysis.ResidualReport, str] | None,
    *,
    all_neurons: bool,
    neuron: tuple[sl.analysis.NeuronTraces, int] | None,
) -> Drawn:
    """What the view shows, for paper."""
    theirs, name = compared if compared is not None and t in compared[0].steps else (None, "")
    base: Literal["all", "not_silent"] = "all" if all_neurons else "not_silent"
    options: dict[str, Any] = {"compare": theirs, "base": base, "compare_name": name}
    makers = {
        f"{label.name(site)}: potential left over": lambda: sl.figures.residual_site(report, site, t, **options),
        f"{label.name(site)}: count errors": lambda: sl.figures.spike_errors(report, site, t, **options),
        "All sites": lambda: sl.figures.residual_overview(report, t, **options),
    }
    if neuron is not None:
        traces, row = neuron
        makers["One neuron"] = lambda: sl.figures.neuron_trace(traces, row, step=t, report=report)
    return Drawn(makers)


def shown_neuron(
    traces: sl.analysis.NeuronTraces | None, asked: sl.analysis.NeuronTraces | None, told: Any
) -> tuple[sl.analysis.NeuronTraces, int] | None:
    """The neuron that the view shows: the one asked for, or a row of the run's."""
    if told == "asked":
        return None if asked is None else (asked, 0)
    if traces is None or not isinstance(told, int) or not 0 <= told < len(traces.currents):
        return None
    return traces, told


def draw_table(rows: pd.DataFrame, t: int) -> None:
    """The shares at one t as a table."""

    def share(name: str) -> show.Column:
        return show.Column(f"{name} %", lambda row: f"{100 * row[name]:.1f}", numeric=True)

    with st.expander(f"All sites at t = {t} as a table, shares of all neurons", icon=":material/table:"):
        show.table(
            rows.to_dict("records"),
            [
                show.Column("site", lambda row: label.name(row["site"]), strong=True),
                *map(share, SHARES),
                show.Column("v, mean ± std", lambda row: spread(row["mean"], row["std"]), numeric=True, optional=True),
                show.Column(
                    "of those that fired",
                    lambda row: spread(row["fired_mean"], row["fired_std"]),
                    "Neurons with at least one spike and |v| below two thresholds",
                    numeric=True,
                    optional=True,
                ),
                show.Column("spikes a step", lambda row: f"{row['firing_rate']:.3f}", numeric=True, optional=True),
            ],
            f"Shares of the classes at every site, t = {t}",
        )


def spread(mean: float, std: float) -> str:
    """Mean and standard deviation."""
    number = sl.figures.tables.number
    return "–" if pd.isna(mean) else f"{number(mean)} ± {number(std)}"


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "A neuron's potential is an account: input pays in, each spike pays out one threshold. What is left after "
        "step $t$ tells whether it spent too much or too little.\n"
        "- left of 0: **excess**, more spikes than the charge pays for, $k > 0$\n"
        "- between 0 and $\\theta$: right, $k = 0$\n"
        "- from $\\theta$ on: **missing**, $k < 0$\n\n"
        "Two exceptions are no error: a **silent** neuron may lie below 0, a **saturated** one (a spike at every "
        "step) above $\\theta$. *Right* is exact, saturated and, among all neurons, silent.",
        (
            r"v(t) = v(0) + \sum_{s \le t} I(s) - \theta N",
            r"N^* = \mathrm{clip}\left(\left\lfloor \tfrac{v(0) + \sum I}{\theta} \right\rfloor, 0, t\right), "
            r"\qquad k = N - N^*",
        ),
        "The error that is left when z and T are the same on both sides, called unevenness: Bu et al., ICLR 2022.",
    )


def draw(run: sl.runs.Run, report: sl.analysis.ResidualReport, view: shell.View) -> None:
    """The view, its table and its export."""
    drawn = KEY in st.session_state
    shown = (st.session_state[KEY].get("view") if drawn else None) or {}
    t, site, problems = place.find(run.id, report, view.target, shown)
    for problem in problems:
        st.warning(label.md(problem, 600), icon=":material/link_off:")
    selected = selection.draw(run)
    other, theirs, note, other_name = view.compare, None, "", ""
    if other is not None:
        theirs, note = comparable(run, report, other)
        other_name = run_name(other)
    asked, asked_trace = chosen.asked(run)
    state = residual_view(
        packed(run.id, run_name(run), report.names, True, run, report),
        compare=packed(other.id, other_name, theirs.names, False, other, theirs)
        if other is not None and theirs is not None
        else None,
        note=note,
        first=place.first(run.id, t, site, drawn=drawn),
        target=view.target,
        asked=asked,
        key=KEY,
    )
    place.keep(t, site)
    if state.ask:
        chosen.ask(run, state.ask)
    chosen.follow()
    if selected is not None:
        selected_residuals.draw(run, report, selected, site, t)
    rows = table(run.id, report)
    now = rows[rows["step"] == t]
    draw_table(now, t)
    pictures = figures(
        report,
        t,
        site,
        None if theirs is None else (theirs, other_name),
        all_neurons=bool(shown.get("all")),
        neuron=shown_neuron(reports.traces(run), asked_trace, shown.get("neuron")),
    )
    with bar:
        explanation()
        show.export(
            pictures,
            {f"All sites at t = {t}": now[["site", "threshold", "mean", "std", *SHARES]], "All sites, every t": rows},
            run.recipe,
            "residuals",
        )
    explain.code(run.recipe, "residuals")


view = shell.page()
bar = shell.title_bar("Which neurons spent too much, which too little, and in which layer?")
if not shell.empty(view):
    assert view.run is not None, "shell.empty said so"
    residuals = reports.residuals(view.run)
    if residuals is not None:
        draw(view.run, residuals, view)
    else:
        st.info(
            "This run kept no residuals. Convert the checkpoint again on the Checkpoint page, or choose another "
            "conversion at the left.",
            icon=":material/inbox:",
        )
