"""Two stored conversions of one network, site by site: the compared run and the one in view."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import cached, edit_effect, label, names, reports, show
from pages._ui.show import Column


@dataclass(frozen=True)
class Pair:
    """Two conversions with the same sites.

    Args:
        run: In view, blue.
        other: Compared, green.
        name: How the one in view is called.
        other_name: How the compared one is called.
        target: T of accuracies and firing rates.
    """

    run: "sl.runs.Run"
    other: "sl.runs.Run"
    name: str
    other_name: str
    target: int

    @property
    def after(self) -> "sl.analysis.ConversionReport":
        """The one in view, at T or at its last step."""
        return reports.conversion_at(self.run, self.target)

    @property
    def before(self) -> "sl.analysis.ConversionReport":
        """The compared one, at T or at its last step."""
        return reports.conversion_at(self.other, self.target)

    @property
    def figure(self) -> "sl.figures.Figure":
        """Threshold ratio, v(0) and firing rates over depth."""
        return sl.figures.conversion_change(self.after, self.before, name=self.name, before_name=self.other_name)

    @property
    def sites(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Every site, compared and in view."""
        return list(zip(self.before.sites, self.after.sites, strict=True))

    def to_frame(self) -> pd.DataFrame:
        """One row a site, for export."""
        columns = ("threshold_low", "threshold_high", "v0", "firing_rate")
        return pd.DataFrame(
            {"site": b["name"]}
            | {
                f"{column}_{which}": site[column]
                for column in columns
                for which, site in (("compared", a), ("in_view", b))
            }
            for a, b in self.sites
        )


def pair(run: "sl.runs.Run", other: "sl.runs.Run", target: int) -> Pair | str:
    """The two conversions, or the sentence that says why they cannot stand side by side."""
    called = names.among([row for row in cached.rows() if row.id in (run.id, other.id)])
    name, other_name = (called.get(one.id, one.title) for one in (run, other))
    here, there = ([site["name"] for site in reports.conversion(one).sites] for one in (run, other))
    if here != there:
        return (
            f"{other_name} has other sites ({len(there)}, here {len(here)}), so there is nothing to set side by side; "
            "compare with a conversion of the same network."
        )
    return Pair(run, other, name, other_name, target)


def draw(both: Pair) -> None:
    """Accuracies on common images, the table and the chart."""
    steps, other_steps = both.after.num_steps, both.before.num_steps
    told = f"T = {steps}" if steps == other_steps else f"T = {other_steps} compared, {steps} in view"
    st.header(f"Two conversions side by side, {told}", anchor=False)
    numbers, called = st.container(key="edit-both").columns([1, 1], gap="large")
    with called:
        st.markdown(f"**compared**: {label.md(both.other_name, 90)}  \n**in view**: {label.md(both.name, 90)}")
    with numbers:
        _accuracies(both)
    show.figure(both.figure, "compare-figure")
    _table(both)


def _accuracies(both: Pair) -> None:
    mine, theirs = reports.accuracy(both.run), reports.accuracy(both.other)
    common = min(mine.images, theirs.images)
    t = min(both.target, mine.num_steps, theirs.num_steps)
    data, other_data = both.run.recipe.data, both.other.recipe.data
    same = (data.dataset, mine.split) == (other_data.dataset, theirs.split)
    if not same or not np.array_equal(mine.labels[:common], theirs.labels[:common]):
        st.caption(
            f"Their accuracies stand on different images ({label.md(data.dataset)} {label.md(mine.split)}, "
            f"{label.md(other_data.dataset)} {label.md(theirs.split)}), so there is no paired difference."
        )
        return
    before, after = (curve.snn_predictions[t - 1, :common] == curve.labels[:common] for curve in (theirs, mine))
    lines = []
    for name, role, correct in (("compared", "compared", before), ("in view", "snn", after)):
        low, high = sl.analysis.wilson_interval(int(correct.sum()), common)
        lines.append((name, role, float(correct.mean()), float(low), float(high)))
    edit_effect.draw_accuracies(lines, "Accuracy of the two conversions on common images")
    where = f"the {common:,} images of {mine.split.replace('_', ' ')} that both saw, T = {t}"
    edit_effect.draw_difference(sl.analysis.paired_difference(before, after), where, "in view − compared")


def _table(both: Pair) -> None:
    sites = both.sites
    fastest = max((site["firing_rate"] for pair_of in sites for site in pair_of), default=0.0) or 1.0
    show.table(
        sites,
        [
            Column("site", lambda ab: label.name(ab[1]["name"], 80), staged=True),
            Column("threshold, compared", lambda ab: _threshold(ab[0]), "In activation units", numeric=True),
            Column("threshold, in view", lambda ab: _threshold(ab[1]), "In activation units", numeric=True),
            Column("ratio", lambda ab: f"{_middle(ab[1]) / _middle(ab[0]):.3f}", numeric=True, strong=True),
            Column(
                "v(0), compared", lambda ab: label.fraction(ab[0]["v0"]), "As a fraction of the threshold", numeric=True
            ),
            Column(
                "v(0), in view", lambda ab: label.fraction(ab[1]["v0"]), "As a fraction of the threshold", numeric=True
            ),
            Column(
                "rate, compared",
                lambda ab: f"{ab[0]['firing_rate']:.3f}",
                f"Spikes per neuron and time-step, T = {both.before.num_steps}",
                numeric=True,
                bar=lambda ab: ab[0]["firing_rate"] / fastest,
                bar_role="compared",
                optional=True,
            ),
            Column(
                "rate, in view",
                lambda ab: f"{ab[1]['firing_rate']:.3f}",
                f"Spikes per neuron and time-step, T = {both.after.num_steps}",
                numeric=True,
                bar=lambda ab: ab[1]["firing_rate"] / fastest,
                optional=True,
            ),
        ],
        "Threshold, v(0) and firing rate of both conversions, one row a site",
        on=lambda ab: _middle(ab[0]) != _middle(ab[1]) or ab[0]["v0"] != ab[1]["v0"],
    )


def _middle(site: dict[str, Any]) -> float:
    return float(site["threshold_low"] + site["threshold_high"]) / 2


def _threshold(site: dict[str, Any]) -> str:
    low, high = site["threshold_low"], site["threshold_high"]
    return f"{low:.3f}" if low == high else f"{low:.3f} to {high:.3f}"
