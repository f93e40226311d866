"""A noise experiment as a run of the store."""

import time
from dataclasses import replace
from pathlib import Path

from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import Recipe
from snnlab.runs.execute import analyse_prepared
from snnlab.runs.run import Run
from snnlab.simulation.devices import find_device
from snnlab.sweeps.bench import open_bench
from snnlab.sweeps.experiment import Watch, run_bench, unwatched
from snnlab.sweeps.places import VERB


def experiment_run(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    watch: Watch = unwatched,
    device: str = "cpu",
    devices: int = 1,
    progress: ProgressCallback = silent,
) -> Run:
    """Run a noise experiment. Stores nothing but its trainings.

    Args:
        recipe: With ``experiment``; what it leaves open is filled in.
        folder: Where trainings are kept and found again; None for the user's data folder.
        watch: Called after every epoch.
        device: ``"cpu"`` or ``"cuda"``, for training alone; it is no part of the recipe, and the run's environment
            names it.
        devices: Processes or GPUs that share each batch; see ``snnlab.training.fit``.
        progress: Called with batches done and in all.

    Returns:
        A run with report ``gain``, and ``accuracy`` and ``conversion`` of the checkpoint before fine-tuning.

    Raises:
        SnnlabError: Whatever is wrong with checkpoint, data or recipe, in one sentence.
        Cancelled: ``progress`` asked for it; finished epochs are kept.
    """
    started = time.perf_counter()
    find_device(device, devices)  # before minutes go into the rest
    bench = open_bench(recipe, progress=progress)
    gain = run_bench(bench, folder=folder, watch=watch, device=device, devices=devices, progress=progress)
    read = replace(bench.prepared, recipe=bench.recipe.changed(snapshots=(), traces=0))
    base = analyse_prepared(read, started=started)
    trained = base.environment | {"trained_on": f"{device} x {devices}" if devices > 1 else device}
    return replace(base, recipe=bench.recipe, reports={**base.reports, "gain": gain}, verb=VERB, environment=trained)
