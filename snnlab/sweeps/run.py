"""A noise experiment as a run of the store."""

import time
from dataclasses import replace
from pathlib import Path

from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import analyse_prepared
from snnlab.runs.run import Run
from snnlab.sweeps.bench import open_bench
from snnlab.sweeps.experiment import Watch, run_bench, unwatched

VERB = "train"


def experiment_run(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    watch: Watch = unwatched,
    progress: ProgressCallback = silent,
) -> Run:
    """Run a noise experiment. Stores nothing but its trainings.

    Args:
        recipe: With ``experiment``; what it leaves open is filled in.
        folder: Where trainings are kept and found again; None for the user's data folder.
        watch: Called after every epoch.
        progress: Called with batches done and in all.

    Returns:
        A run with report ``gain``, and ``accuracy`` and ``conversion`` of the checkpoint before fine-tuning.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it; finished epochs are kept.
    """
    started = time.perf_counter()
    bench = open_bench(recipe, progress=progress)
    gain = run_bench(bench, folder=folder, watch=watch, progress=progress)
    read = replace(bench.prepared, recipe=bench.recipe.changed(snapshots=(), traces=0))
    base = analyse_prepared(read, started=started)
    return replace(base, recipe=bench.recipe, reports={**base.reports, "gain": gain}, verb=VERB)
