"""The noise run that belongs to the conversion in view."""

from dataclasses import dataclass

import snnlab as sl
from pages._ui import cached, workspace

VERB = "noise"


@dataclass(frozen=True)
class Found:
    """A noise run and its report.

    Args:
        run: The run.
        report: What it measured.
        stale: It was measured with another conversion, or on other images, of the same checkpoint.
    """

    run: sl.runs.Run
    report: sl.analysis.NoiseReport
    stale: bool


def find(run: sl.runs.Run) -> Found | None:
    """The newest noise run of this conversion and these images, else of this checkpoint; None without any.

    Raises:
        StoreError: The store cannot be read.
    """
    if (own := _report(run)) is not None:
        return Found(run, own, False)
    rows = cached.store().list((workspace.current(), cached.LOCAL))
    rows = [row for row in rows if row.verb == VERB and row.sha256 == run.card["sha256"]]
    wanted = _choices(run.recipe)
    for row in sorted(rows, key=lambda row: _choices(row.recipe) != wanted):
        measured = cached.run(row.id)
        report = _report(measured)
        if report is not None:
            return Found(measured, report, _choices(row.recipe) != wanted)
    return None


def recipe_of(run: sl.runs.Run, target: int) -> sl.Recipe:
    """What is measured for a conversion that has no noise run: the gap at every stored t, the noisy ANN for one T."""
    return sl.runs.noise_recipe(run.recipe, targets=(min(target, run.recipe.num_steps),))


def _report(run: sl.runs.Run) -> "sl.analysis.NoiseReport | None":
    report = run.reports.get("noise")
    return report if isinstance(report, sl.analysis.NoiseReport) else None


def _choices(recipe: sl.Recipe) -> object:
    """What a gap depends on, and which images accuracies are of; how many of them, the view says."""
    data = recipe.data.model_dump(exclude={"folder", "limit"})
    checkpoint = recipe.checkpoint
    return (recipe.converter, data, checkpoint.architecture, checkpoint.levels, recipe.dtype, recipe.seed)
