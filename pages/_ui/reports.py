"""The reports of a run, by what they are."""

from typing import cast

import snnlab as sl


def accuracy(run: sl.runs.Run) -> sl.analysis.AccuracyCurve:
    """Predictions of ANN and SNN; every run has them."""
    return cast("sl.analysis.AccuracyCurve", run.reports["accuracy"])


def conversion(run: sl.runs.Run) -> sl.analysis.ConversionReport:
    """What stands at every site; every run has it."""
    return cast("sl.analysis.ConversionReport", run.reports["conversion"])


def residuals(run: sl.runs.Run) -> sl.analysis.ResidualReport | None:
    """Residuals, where the run kept any."""
    return cast("sl.analysis.ResidualReport | None", run.reports.get("residuals"))
