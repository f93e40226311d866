"""The reports of a run, by what they are."""

from dataclasses import replace
from typing import cast

import snnlab as sl


def accuracy(run: sl.runs.Run) -> sl.analysis.AccuracyCurve:
    """Predictions of ANN and SNN; every run has them."""
    return cast("sl.analysis.AccuracyCurve", run.reports["accuracy"])


def conversion(run: sl.runs.Run) -> sl.analysis.ConversionReport:
    """What stands at every site; every run has it."""
    return cast("sl.analysis.ConversionReport", run.reports["conversion"])


def conversion_at(run: sl.runs.Run, target: int) -> sl.analysis.ConversionReport:
    """The conversion with its firing rates after ``target`` steps, or after all where it kept no residuals there."""
    stored, kept = conversion(run), residuals(run)
    if kept is None or target not in kept.steps:
        return stored
    frame = kept.to_frame()
    rates = frame[frame["step"] == target].set_index("site")["firing_rate"]
    sites = tuple({**site, "firing_rate": float(rates[site["name"]])} for site in stored.sites)
    return replace(stored, sites=sites, num_steps=target)


def residuals(run: sl.runs.Run) -> sl.analysis.ResidualReport | None:
    """Residuals, where the run kept any."""
    return cast("sl.analysis.ResidualReport | None", run.reports.get("residuals"))
