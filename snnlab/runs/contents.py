"""What a run can show: the figures and tables of its reports, for exports and for the offline report."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from snnlab import figures
from snnlab.analysis.reports import (
    COSTS,
    AccuracyCurve,
    ActivityReport,
    AttributionReport,
    EarlyExit,
    EnergyReport,
    ErrorBudget,
    FinalEvaluation,
    FlipReport,
    NoiseGain,
    NoiseReport,
    ResidualReport,
    Restoration,
    SensitivityReport,
    Tournament,
)
from snnlab.figures import Figure, tables
from snnlab.runs.defaults import default_snapshots, default_target
from snnlab.runs.run import Run

_DECIMALS = dict.fromkeys(("threshold", "threshold_low", "threshold_high", "v0", "firing_rate"), 3) | dict.fromkeys(
    ("uneven", "quantization", "clipping", "activation", "propagated", "own", "total"), 4
)


@dataclass(frozen=True)
class Table:
    """A table of a run.

    Args:
        name: Short name for file names.
        title: What it shows, with T, images and split.
        frame: Its numbers.
        percents: Columns of fractions that are printed in percent.
    """

    name: str
    title: str
    frame: pd.DataFrame
    percents: tuple[str, ...] = ()

    def printed(self) -> pd.DataFrame:
        """Every cell as text: fractions in percent, with their interval, and true minus signs."""
        shown: dict[str, list[str]] = {}
        for column in self.frame.columns.difference(["low", "high"], sort=False):
            unit = " (%)" if column in self.percents else ""
            bounded = column == "accuracy" and "low" in self.frame
            head = column.replace("_", " ") + unit + " [95 % interval]" * bounded
            shown[head] = [_cell(value, column, unit) for value in self.frame[column].tolist()]
            if bounded:
                ends = zip(self.frame["low"], self.frame["high"], strict=True)
                spans = [f" [{tables.number(100 * low)}, {tables.number(100 * high)}]" for low, high in ends]
                shown[head] = [value + span for value, span in zip(shown[head], spans, strict=True)]
        return pd.DataFrame(shown)

    def to_latex(self) -> str:
        """The table with booktabs rules."""
        return tables.to_latex(self.frame, self.title, f"tab:{self.name}", percents=self.percents, decimals=_DECIMALS)


def figures_of(run: Run, *, residuals: bool = True) -> tuple[Figure, ...]:
    """The figures that the reports of a run give, stamped with recipe and run.

    Args:
        run: What to draw.
        residuals: Those of its residuals too, at the target T and the last snapshot.
    """
    found = [*_figures(run), *(_residual_figures(run.residuals, target_of(run)) if residuals else ())]
    drawn = [figure.stamped(recipe_sha=run.recipe_sha, run_id=run.id) for figure in found]
    names = [figure.name for figure in drawn]
    assert len(set(names)) == len(names), "figures of one run are told apart by name"
    return tuple(drawn)


def tables_of(run: Run) -> tuple[Table, ...]:
    """Every table that the reports of a run give."""
    return tuple(_tables(run))


def target_of(run: Run) -> int:
    """The T that views of a run start at."""
    return min(default_target(str(run.card["activation"])), run.recipe.num_steps)


def nearest(step: int, kept: tuple[int, ...]) -> int:
    """The kept step that lies nearest."""
    return min(kept, key=lambda each: (abs(each - step), each))


def _figures(run: Run) -> Iterator[Figure]:
    one = run.reports.get("attribution")
    if isinstance(one, AttributionReport):  # of a single image there is no accuracy
        yield from _attribution_figures(one)
        return
    target = target_of(run)
    final, tournament = run.reports.get("final"), run.reports.get("tournament")
    gain = run.reports.get("gain")
    if isinstance(gain, NoiseGain):
        yield from _gain_figures(gain)
    if isinstance(tournament, Tournament):
        yield from _tournament_figures(tournament)
    if isinstance(final, FinalEvaluation):
        yield figures.final_accuracy(final)
    else:
        yield figures.accuracy_vs_steps(replace(run.accuracy, name=run.title), noisy=run.noise)
    yield figures.site_profile(run.conversion)
    if run.noise is not None:
        step = nearest(target, run.noise.targets)
        yield figures.noise_profile(run.noise, step)
        yield figures.noise_scales(run.noise, step)
    exits = run.reports.get("early_exit")
    if isinstance(exits, EarlyExit):
        yield figures.early_exit(exits)
    flips = run.reports.get("flips")
    if isinstance(flips, FlipReport):
        yield from _flip_figures(flips, nearest(target, flips.steps))
    activity = run.reports.get("activity")
    if isinstance(activity, ActivityReport):
        yield figures.energy_vs_steps(EnergyReport.of(activity))
        yield figures.layer_activity(activity, target)
    losses = run.reports.get("sensitivity")
    if isinstance(losses, SensitivityReport):
        yield figures.sensitivity(losses)
    budget, restored = run.reports.get("budget"), run.reports.get("restoration")
    if isinstance(budget, ErrorBudget):
        step = nearest(target, budget.steps)
        yield figures.error_terms(budget, step)
        yield figures.error_waterfall(budget, step)
    if isinstance(restored, Restoration):
        yield figures.restoration(restored, nearest(target, restored.steps))


def _gain_figures(report: NoiseGain) -> Iterator[Figure]:
    """The gain over the control, which was asked for, and what it came from."""
    yield figures.noise_gain(report)
    yield figures.gap_over_depth(report)
    if report.looked_inside:  # earlier versions stored none
        yield figures.inside_change(report)
        yield figures.errors_over_depth(report)
    yield figures.training_curves(report)


def _flip_figures(report: FlipReport, step: int) -> Iterator[Figure]:
    """Flips over time and by class, and where they part, if that can be said."""
    yield figures.flips_over_steps(report, step)
    yield figures.flip_confusion(report, step)
    if report.usual(step) is not None:
        yield figures.flip_sites(report, step)


def _attribution_figures(report: AttributionReport) -> Iterator[Figure]:
    yield figures.attribution_maps(report)
    yield figures.attribution_curves(report)
    if report.steps:
        yield figures.attribution_convergence(report)
        yield figures.attribution_sites(report)
    if report.restored is not None:
        yield figures.attribution_restoration(report)


def _tournament_figures(report: Tournament) -> Iterator[Figure]:
    """Accuracy against every cost that was counted, and differences to the best at each T."""
    frame = report.to_frame()
    for cost in COSTS:
        if frame[cost].notna().any():
            yield figures.tournament_pareto(report, cost)
    for step in report.steps:
        if best := report.best(step):
            yield figures.tournament_paired(report, step, best[0])


def _residual_figures(report: ResidualReport | None, target: int) -> Iterator[Figure]:
    """All sites at the target T and at the last snapshot, and the site with most excess spikes."""
    if report is None:
        return
    step = nearest(target, report.steps)
    for each in sorted({step, report.steps[-1]}):
        yield replace(figures.residual_overview(report, each), name=f"residuals-t{each}")
    site, _ = report.worst(step, "excess")
    yield replace(figures.residual_site(report, site, step), name=f"residual-site-t{step}")
    yield replace(figures.spike_errors(report, site, step), name=f"spike-errors-t{step}")


def _tables(run: Run) -> Iterator[Table]:
    one = run.reports.get("attribution")
    if isinstance(one, AttributionReport):
        yield Table("attribution", f"{run.title}: {one.method_name} of {one.image_name}", one.to_frame())
        yield Table("attribution-sites", f"{run.title}: gradient × activation at every site", one.site_frame())
        if one.restored is not None:
            yield Table("attribution-restored", f"{run.title}: one site restored at a time", one.restored_frame())
        return
    target = target_of(run)
    final, gain = run.reports.get("final"), run.reports.get("gain")
    if isinstance(gain, NoiseGain):
        title = f"Gain of every arm over the control, {len(gain.seeds)} seeds, {gain.images:,} images of {gain.split}"
        yield Table("gain", title, figures.gain_table(gain))
    if isinstance(final, FinalEvaluation):
        frame = final.to_frame()
        kept = frame[frame["step"].isin([0, *default_snapshots(int(frame["step"].max()))])]
        columns = ["images", "arm", "network", "step", "accuracy", "low", "high"]
        yield Table("final", f"Accuracy on the test set of {final.dataset}", kept[columns], ("accuracy",))
    else:
        title = f"{run.title}: accuracy by time-step, {run.accuracy.images:,} images of {run.accuracy.split}"
        yield Table("accuracy", title, _by_step(run.accuracy), ("accuracy",))
    sites = run.conversion.to_frame()[["name", "threshold_low", "threshold_high", "v0", "firing_rate", "neurons"]]
    yield Table("sites", f"{run.title}: what stands at every site, rates over T = {run.conversion.num_steps}", sites)
    if run.residuals is not None:
        yield _residual_table(run.residuals, nearest(target, run.residuals.steps), run.title)
    flips = run.reports.get("flips")
    if isinstance(flips, FlipReport):
        yield _flip_table(flips, nearest(target, flips.steps), run.title)
    activity = run.reports.get("activity")
    if isinstance(activity, ActivityReport):
        yield from _energy_tables(activity, target, run.title)
    if run.noise is not None:
        yield _noise_table(run.noise, nearest(target, run.noise.steps), run.title)
    budget, restored = run.reports.get("budget"), run.reports.get("restoration")
    if isinstance(budget, ErrorBudget):
        yield _budget_table(budget, nearest(target, budget.steps), run.title)
    if isinstance(restored, Restoration):
        yield _restoration_table(restored, nearest(target, restored.steps), run.title)


def _cell(value: object, column: str, unit: str) -> str:
    if isinstance(value, float):
        return tables.number(100 * value) if unit else tables.number(value, _DECIMALS.get(column, 2))
    return str(value)


def _by_step(curve: AccuracyCurve) -> pd.DataFrame:
    frame = curve.to_frame()
    ann = float(frame["accuracy"].iloc[0])
    kept = frame[frame["step"].isin([0, *default_snapshots(curve.num_steps)])]
    return pd.DataFrame(
        {
            "network": np.where(kept["role"] == "ann", "ANN", "SNN"),
            "T": [step or "–" for step in kept["step"].tolist()],
            "accuracy": kept["accuracy"].to_numpy(),
            "low": kept["low"].to_numpy(),
            "high": kept["high"].to_numpy(),
            "points to the ANN": [tables.points(value - ann) if step else "–"
                                  for value, step in zip(kept["accuracy"], kept["step"], strict=True)],
        }
    )  # fmt: skip


def _residual_table(report: ResidualReport, step: int, title: str) -> Table:
    frame = report.to_frame()
    columns = ["site", "threshold", "firing_rate", "mean", "std", "right", "excess", "missing", "silent"]
    kept = frame[frame["step"] == step][columns]
    told = f"{title}: v / threshold after t = {step}, and shares of all neurons, {report.images:,} images"
    return Table(f"residuals-t{step}", told, kept, ("right", "excess", "missing", "silent"))


def _flip_table(report: FlipReport, step: int, title: str) -> Table:
    frame = report.to_frame()
    columns = ["image", "label", "ann", "snn", "kind", "ann_margin", "snn_margin", "agrees_from", "first_site"]
    told = f"{title}: images on which ANN and SNN disagree at T = {step}, {report.images:,} images of {report.split}"
    return Table(f"flips-t{step}", told, frame[frame["step"] == step][columns])


def _energy_tables(report: ActivityReport, step: int, title: str) -> Iterator[Table]:
    frame = report.to_frame()
    kept = frame[frame["step"] == step][["layer", "input", "firing_rate", "syn_ops", "ann_macs"]]
    told = f"{title}: operations of one image up to t = {step}, {report.images:,} images of {report.split}"
    yield Table(f"operations-t{step}", told, kept)
    summary = EnergyReport.of(report).summary(step)
    columns = ["costs", "mac_pj", "ac_pj", "ann_nj", "snn_nj", "ratio", "crossover"]
    told = f"{title}: energy of one image at t = {step} against the ANN, arithmetic alone"
    yield Table(f"energy-t{step}", told, summary[columns])


def _noise_table(report: NoiseReport, step: int, title: str) -> Table:
    frame = report.to_frame()
    kept = frame[frame["step"] == step][["site", "threshold", "std", "relative_std", "mean", "share_zero"]]
    told = f"{title}: gap between ANN and SNN at T = {step}, {report.fit_images:,} images of {report.fit_split}"
    return Table(f"noise-t{step}", told, kept, ("share_zero",))


def _budget_table(report: ErrorBudget, step: int, title: str) -> Table:
    frame = report.to_frame()
    columns = ["site", "threshold", "uneven", "quantization", "clipping", "activation", "propagated", "own", "total"]
    kept = frame[frame["step"] == step][columns]
    told = f"{title}: mean error at t = {step} in activation units, {report.images:,} images of {report.split}"
    return Table(f"budget-t{step}", told, kept)


def _restoration_table(report: Restoration, step: int, title: str) -> Table:
    frame = report.to_frame()
    kept = frame[frame["step"] == step][["part", "name", "regained", "low", "high"]]
    told = f"{title}: accuracy regained at t = {step} by restoring sites and stages, {report.images:,} images"
    return Table(f"restoration-t{step}", told, kept, ("regained", "low", "high"))
