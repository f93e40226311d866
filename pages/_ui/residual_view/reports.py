"""A run's reports by their type."""

import snnlab as sl


def residuals(run: sl.runs.Run) -> sl.analysis.ResidualReport | None:
    """Residuals; None where the run kept no snapshots."""
    report = run.reports.get("residuals")
    return report if isinstance(report, sl.analysis.ResidualReport) else None


def accuracy(run: sl.runs.Run) -> sl.analysis.AccuracyCurve | None:
    """Accuracy at every t."""
    report = run.reports.get("accuracy")
    return report if isinstance(report, sl.analysis.AccuracyCurve) else None


def traces(run: sl.runs.Run) -> sl.analysis.NeuronTraces | None:
    """Single neurons; None where the run kept none."""
    report = run.reports.get("traces")
    return report if isinstance(report, sl.analysis.NeuronTraces) else None
