"""Accuracy curves of several runs: which may stand beside each other, the chart, and the table by time-step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import cached, label, names, published, reports, show
from pages._ui.show import Column

ALWAYS_SHOWN = (1, 2, 4, 8, 16, 32)


def role(place: int) -> str:
    """Colour of the curve at that place."""
    series = sl.figures.style.SERIES
    return series[place % len(series)]


def offered(run_id: str, named: "Sequence[sl.runs.RunRow]" = ()) -> "list[sl.runs.RunRow]":
    """The runs that may stand beside this one.

    Args:
        run_id: The run.
        named: Such as the address names; they are offered however old they are.
    """
    rows = {row.id: row for row in (*cached.briefs(), *named)}
    return [row for row in rows.values() if row.id != run_id]


def other_images(recipe: sl.Recipe, other: sl.Recipe) -> str:
    """Where ``recipe`` takes its images from, if elsewhere than ``other``; "" for the same split."""
    one, two = recipe.data, other.data
    if (one.dataset, one.sha256) != (two.dataset, two.sha256):
        return one.dataset
    return "" if one.split == two.split else one.split


def menu(current: "sl.runs.RunRow", others: "Sequence[sl.runs.RunRow]") -> dict[str, str]:
    """Run id -> its name in a list to choose from; runs on other images than the current one say so."""
    found = names.beside(current, others)
    for row in others:
        if differs := other_images(row.recipe, current.recipe):
            found[row.id] += f" ({differs} images)"
    return found


def figure(
    titles: Mapping[str, str], *, log_steps: bool, within: float, noise: str = "", literature: Sequence[str] = ()
) -> "sl.figures.Figure":
    """The chart of these runs, made once for all: it depends neither on the target T nor on who asks.

    Args:
        titles: Run id -> name in the legend, the run in view first.
        log_steps: Logarithmic steps.
        within: Points that count as close to the ANN.
        noise: Id of the noise run whose noisy ANN is drawn at the T it was measured at; "" for none.
        literature: Series of published numbers.
    """
    return _figure(tuple(titles.items()), log_steps, within, noise, tuple(literature), cached.store().location)


@st.cache_resource(max_entries=48, show_spinner=False)
def _figure(
    titles: tuple[tuple[str, str], ...],
    log_steps: bool,
    within: float,
    noise: str,
    literature: tuple[str, ...],
    location: str,
) -> "sl.figures.Figure":
    curves = [replace(reports.accuracy(cached.run(run_id)), name=name) for run_id, name in titles]
    noisy = noise_report(noise) if noise else None
    rows = published.numbers(literature)
    return sl.figures.accuracy_vs_steps(curves, log_steps=log_steps, within=within, noisy=noisy, literature=rows)


def noise_of(run: "sl.runs.Run") -> str:
    """Id of the stored noise run of the same conversion and split, as measured; "" where there is none."""
    wanted = run.recipe

    def fits(row: "sl.runs.RunRow") -> bool:
        recipe = row.recipe
        if row.verb != "noise" or recipe.noise is None or other_images(recipe, wanted):
            return False
        by_hand = recipe.noise.std is not None or recipe.noise.multipliers or recipe.noise.scale != 1.0
        same = row.sha256 == run.card["sha256"] and recipe.converter == wanted.converter
        return same and not by_hand and recipe.data.normalize == wanted.data.normalize

    found = [row for row in cached.rows() if fits(row)]
    images = reports.accuracy(run).images
    return next((row.id for row in sorted(found, key=lambda row: row.images != images)), "")


def noise_report(run_id: str) -> "sl.analysis.NoiseReport":
    """The report of a noise run."""
    return cast("sl.analysis.NoiseReport", cached.run(run_id).reports["noise"])


def noisy_name(report: "sl.analysis.NoiseReport") -> str:
    """How the noisy ANN is called beside the curves."""
    return f"noisy ANN, {report.noise_seeds} seeds"


def by_step(curves: "Mapping[str, sl.analysis.AccuracyCurve]") -> pd.DataFrame:
    """Every conversion at every step that is worth a column, with intervals; fractions."""
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


def draw_steps(steps: pd.DataFrame, *, role_of: Callable[[str], str], primary: int | None = None) -> None:
    """Three lines a conversion: accuracy, its interval, the gap to the ANN; one column a step.

    Args:
        steps: As ``by_step`` gives it.
        role_of: Conversion -> role of its colour.
        primary: The T that was declared before; the other columns are then marked as exploratory.
    """
    found = {(row["conversion"], row["T"]): row for row in steps.to_dict("records")}
    conversions = list(dict.fromkeys(steps["conversion"]))
    remarks = {"interval": "95\u00a0%\u00a0interval", "gap": "gap,\u00a0points"}  # unbroken: the column keeps a width

    def cell(line: tuple[str, str], t: int) -> str:
        row = found.get((line[0], t))
        if row is None:
            return "–"
        if line[1] == "interval":
            return label.span(row["low"], row["high"]) if pd.notna(row["low"]) else "–"
        return f"{100 * row['accuracy']:.2f}" if line[1] == "accuracy" else label.points(row["gap"])

    def at(t: int) -> Column:
        optional = t not in ALWAYS_SHOWN and t != primary
        if primary is None:
            return Column(str(t), lambda line: cell(line, t), numeric=True, optional=optional)
        told = "Primary T, declared before the test set was opened" if t == primary else "Exploratory"
        title = f"{t}, primary" if t == primary else str(t)
        return Column(title, lambda line: cell(line, t), told, numeric=True, strong=t == primary, optional=optional)

    show.table(
        [(name, what) for name in conversions for what in ("accuracy", "interval", "gap")],
        [
            Column(
                "accuracy in percent at T =",
                lambda line: label.name(line[0], 80) if line[1] == "accuracy" else remarks[line[1]],
            ),
            *(at(t) for t in sorted(set(steps["T"]))),
        ],
        "Accuracy by time-step in percent, its 95 % interval, and the gap to the ANN in points",
        heads=lambda line: role_of(line[0]) if line[1] == "accuracy" else "",
    )
