"""Two runs or more: accuracy with paired differences to the first one, and what differs site by site."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import snnlab as sl
from pages._ui import (
    cached,
    curves,
    label,
    names,
    runs_chosen,
    runs_detail,
    runs_group,
    runs_list,
    runs_open,
    show,
    state,
)
from pages._ui.show import Column
from pages._ui.state import View

_DIFFERENCES = ("difference", "bounds")
FIGURE_RUNS = len(sl.figures.style.SERIES)


@dataclass(frozen=True)
class Cell:
    """One run at one step: accuracies as fractions, differences to the first run where there are any."""

    name: str
    place: int
    step: int
    accuracy: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


def draw(view: View, bar: DeltaGenerator, rows: "Sequence[sl.runs.RunRow]") -> None:
    """Everything that can be said of several runs together.

    Raises:
        StoreError: One of them cannot be read.
    """
    usable = [row for row in rows if runs_chosen.conversion(row)]
    _say_left_out([row for row in rows if not runs_chosen.conversion(row)])
    if len(usable) < 2:
        st.info(
            "Only conversions are compared with each other; choose two of them, or one run alone to open it.",
            icon=":material/compare_arrows:",
        )
        with st.container(horizontal=True, gap="small"):
            for row in rows:
                st.button(
                    f"Open only the {runs_list.kind(row.verb)}, {row.id[:6]}",
                    key=f"runs-alone-{row.id[:12]}",
                    on_click=runs_chosen.choose,
                    args=([row],),
                )
        runs_detail.downloads(rows)
        return
    titles = names.among(usable)
    _roles(view, usable, titles)
    found = _comparison(tuple(titles.items()), cached.store().location)
    cells = _cells(found, view.target)
    st.header("Accuracy", anchor=False)
    if len(usable) == 2:
        st.markdown(verdict(found, cells, view.target))
    drawn = curves.figure(titles, log_steps=False, within=1.0)
    show.figure(drawn, "runs-accuracy")
    _draw_accuracy(cells)
    _say_unpaired(found)
    figures = {drawn.title: drawn}
    tables = {"Accuracy and paired differences": found.to_frame()}
    figures |= _sites(view, found, tables)
    figures |= runs_group.draw(usable, tables)
    with bar:
        show.export(figures, tables, usable[0].recipe, "runs")
    runs_detail.downloads(rows)
    _code(usable)


@st.cache_resource(max_entries=16, show_spinner="Comparing")
def _comparison(titles: tuple[tuple[str, str], ...], location: str) -> "sl.runs.Comparison":
    """The comparison, its runs called as the page calls them."""
    called = dict(titles)
    found = sl.runs.compare([cached.run(run_id) for run_id in called])
    return replace(found, runs=tuple({**row, "name": called[row["run"]]} for row in found.runs))


def _say_left_out(rows: "Sequence[sl.runs.RunRow]") -> None:
    if rows:
        told = ", ".join(f"{label.md(row.title, 60)} ({runs_list.kind(row.verb)})" for row in rows)
        st.caption(
            f":material/info: Not compared here, as it is no conversion on images that are explored: {told}. "
            "Chosen alone, it leads to the page that shows it."
        )


def _roles(view: View, rows: "Sequence[sl.runs.RunRow]", titles: dict[str, str]) -> None:
    """Who is A and who is B, and the way to have both on every page."""
    show.table(
        list(enumerate(rows)),
        [
            Column("as", lambda each: runs_chosen.letter(each[0]), strong=True, swatch=lambda each: _role(each[0])),
            Column("run", lambda each: titles[each[1].id]),
            Column("what it was", lambda each: label.name(names.whole(each[1]), 160), soft=True, optional=True),
            Column("pinned", lambda each: _pinned(each[1]), soft=True),
        ],
        "The runs that are compared",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="runs-roles"):
        if st.button("Open on Residuals", key="runs-both-residuals", icon=":material/arrow_forward:"):
            runs_open.show(view, rows[0], "Residuals", rows[1])
        if st.button("Open on Accuracy", key="runs-both-accuracy", icon=":material/arrow_forward:"):
            runs_open.show(view, rows[0], "Accuracy", rows[1])
        st.button(
            "Exchange A and B",
            key="runs-exchange",
            icon=":material/swap_vert:",
            on_click=runs_chosen.exchange,
            args=(rows[0].id, rows[1].id),
        )
        runs_detail.pin_button(rows[0])
    st.caption(
        "Opening a page brings A into view there and B beside it, in these colours. Differences are taken to A; the "
        "button pins A as the baseline."
    )


def _pinned(row: "sl.runs.RunRow") -> str:
    return "baseline" if state.pinned(row.id) else ""


def _role(place: int) -> str:
    return runs_chosen.role(place)


def _cells(found: "sl.runs.Comparison", target: int) -> list[Cell]:
    """Every run at the steps that are worth a column: 0 for the ANN, the usual ones, T, and the last."""
    places = {row["run"]: place for place, row in enumerate(found.runs)}
    steps = {0, *curves.ALWAYS_SHOWN, target, *(row["num_steps"] for row in found.runs)}
    fields = ("accuracy", "low", "high", "difference", "difference_low", "difference_high")
    return [
        Cell(row["name"], places[row["run"]], int(row["step"]), *(float(row[field]) for field in fields))
        for row in found.to_frame().to_dict("records")
        if row["step"] in steps
    ]


def verdict(found: "sl.runs.Comparison", cells: Sequence[Cell], target: int) -> str:
    """What the two are at T, in a sentence."""
    second = [cell for cell in cells if cell.place == 1 and cell.step > 0]
    at = max((cell.step for cell in second if cell.step <= target), default=second[0].step)
    cell = next(cell for cell in second if cell.step == at)
    first = next((each for each in cells if each.place == 0 and each.step == at), None)
    if math.isnan(cell.difference) or first is None:
        return (
            f"At T = {at} B is at {label.percent(cell.accuracy)}"
            + (f", A at {label.percent(first.accuracy)}" if first else "")
            + "; there is no paired difference."
        )
    interval = f"[{label.points(cell.difference_low)}, {label.points(cell.difference_high)}]"
    points = f"{label.points(cell.difference)} points {interval}"
    if cell.difference_low > 0:
        said = f"**B is more accurate than A** at T = {at}: {points}"
    elif cell.difference_high < 0:
        said = f"**A is more accurate than B** at T = {at}: B minus A is {points}"
    else:
        said = f"At T = {at} these images **do not tell A and B apart**: B minus A is {points}"
    return f"{said}, on the same {found.runs[0]['images']:,} images."


def _draw_accuracy(cells: Sequence[Cell]) -> None:
    """Accuracy, its interval, the paired difference to the first run and its interval; one column a step."""
    at = {(cell.place, cell.step): cell for cell in cells}
    called = {cell.place: cell.name for cell in cells}
    interval = "95\u00a0%\u00a0interval"  # unbroken: the column keeps a width
    remarks = {"interval": interval, "difference": "minus\u00a0A,\u00a0points", "bounds": interval}

    def text(line: tuple[int, str], step: int) -> str:
        cell = at.get((line[0], step))
        if cell is None:
            return "–"
        if line[1] == "accuracy":
            return f"{100 * cell.accuracy:.2f}"
        if line[1] == "interval":
            return label.span(cell.low, cell.high)
        if math.isnan(cell.difference):
            return "–"
        if line[1] == "difference":
            return label.points(cell.difference)
        return f"{label.points(cell.difference_low)} to {label.points(cell.difference_high)}"

    def column(step: int) -> Column:
        told = "" if step else "The ANN that was converted"
        return Column(f"T = {step}" if step else "ANN", lambda line: text(line, step), told, numeric=True)

    show.table(
        [(place, what) for place in called for what in ("accuracy", "interval", *(_DIFFERENCES if place else ()))],
        [
            Column(
                "accuracy, percent",
                lambda line: (
                    f"{runs_chosen.letter(line[0])}  {label.name(called[line[0]], 80)}"
                    if line[1] == "accuracy"
                    else remarks[line[1]]
                ),
            ),
            *(column(step) for step in sorted({cell.step for cell in cells})),
        ],
        "Accuracy by time-step in percent with its 95 % interval, and the paired difference to A in points",
        heads=lambda line: _role(line[0]) if line[1] == "accuracy" else "",
    )
    st.caption(
        "Accuracies with Wilson's interval, differences on the same images with Newcombe's interval for pairs. Both "
        "cover the choice of images, not of the training seed."
    )


def _say_unpaired(found: "sl.runs.Comparison") -> None:
    told = [f"{label.md(row['name'], 60)}: {label.md(row['why'], 200)}" for row in found.runs if row["why"]]
    if told:
        st.caption(f":material/info: No paired difference to A, {'; '.join(told)}.")


def _sites(view: View, found: "sl.runs.Comparison", tables: dict[str, pd.DataFrame]) -> "dict[str, sl.figures.Figure]":
    """The dumbbell over sites at a chosen t, and its numbers."""
    st.header("Site by site", anchor=False)
    if found.why_no_sites:
        st.info(label.md(found.why_no_sites, 400), icon=":material/info:")
        return {}
    steps = found.steps
    usual = max((step for step in steps if step <= view.target), default=steps[0])
    t = st.segmented_control(
        "t", steps, default=usual, required=True, key=f"runs-t-{'-'.join(map(str, steps))}-{usual}", wrap=True
    )
    frame = found.site_frame(t)
    tables[f"Sites at t = {t}"] = frame
    _say_unshared(found)
    if len(found.runs) > FIGURE_RUNS:
        st.caption(f"Sites are drawn for up to {FIGURE_RUNS} runs; the table in Export holds all.")
        return {}
    drawn = _site_figure(found, t)
    show.figure(drawn, "runs-sites")
    _site_table(found, frame, t)
    return {drawn.title: drawn}


def _site_figure(found: "sl.runs.Comparison", t: int) -> "sl.figures.Figure":
    key = tuple((row["run"], row["name"]) for row in found.runs)
    return _kept_site_figure(key, t, found)


@st.cache_resource(max_entries=48, show_spinner=False)
def _kept_site_figure(titles: tuple[tuple[str, str], ...], t: int, _found: "sl.runs.Comparison") -> "sl.figures.Figure":
    return sl.figures.comparison(_found, t)


def _say_unshared(found: "sl.runs.Comparison") -> None:
    for row in found.runs:
        sites = found.unshared.get(row["run"], [])
        if sites:
            shown = ", ".join(label.md(site, 40) for site in sites[:6]) + (" and more" if len(sites) > 6 else "")
            st.caption(f":material/info: Not shared by all: {label.md(row['name'], 60)} also has {shown}.")


def _site_table(found: "sl.runs.Comparison", frame: pd.DataFrame, t: int) -> None:
    """Site by site: of the first run the value, of the others how far from it."""
    places = {row["run"]: place for place, row in enumerate(found.runs)}
    lines = frame.assign(place=frame["run"].map(places)).to_dict("records")
    first = {line["site"]: line for line in lines if line["place"] == 0}

    def told(name: str, factor: float, decimals: int, line: dict[str, float]) -> str:
        number, value = sl.figures.tables.number, factor * line[name]
        if line["place"] == 0:
            return number(value, decimals)
        return f"{number(value, decimals)} ({number(value - factor * first[line['site']][name], decimals, sign=True)})"

    def column(title: str, name: str, factor: float, decimals: int, help: str, *, optional: bool = False) -> Column:
        return Column(title, lambda line: told(name, factor, decimals, line), help, numeric=True, optional=optional)

    with st.expander(f"All sites at t = {t} as a table", icon=":material/table:"):
        show.table(
            lines,
            [
                Column("site", lambda line: label.name(line["site"], 60) if line["place"] == 0 else ""),
                Column("run", lambda line: runs_chosen.letter(line["place"]), swatch=lambda line: _role(line["place"])),
                column("threshold", "threshold", 1, 3, "Mean over channels, activation units"),
                column("spikes a step", "firing_rate", 1, 3, "Per neuron"),
                column("mean v / θ", "mean", 1, 3, "Over all neurons and images"),
                column("mean |v| / θ", "mean_abs", 1, 3, "Over all neurons and images"),
                column("v at 0, %", "at_zero", 100, 1, "Share of neurons with |v| below 1/64 of θ", optional=True),
                column("excess, %", "excess", 100, 1, "Share of neurons that fired too often"),
                column("missing, %", "missing", 100, 1, "Share of neurons that fired too rarely"),
            ],
            f"Every site at t = {t}; in brackets the difference to A",
        )


def _code(rows: "Sequence[sl.runs.RunRow]") -> None:
    ids = [row.id[: state.ID_DIGITS] for row in rows]
    with st.expander("The same without the app", icon=":material/terminal:"):
        line, python = st.tabs(["Command line", "Python"])
        line.code(f"snnlab runs compare {' '.join(ids)}", language="bash", wrap_lines=True)
        python.code(
            "import snnlab as sl\n\n"
            "store = sl.runs.Store()\n"
            f"comparison = sl.runs.compare([store.get(run) for run in {ids!r}])\n"
            "print(comparison.to_frame())",
            language="python",
            wrap_lines=True,
        )
