"""The kinds of work a worker does for the app: each takes plain values and returns plain values.

A kind is named by module and function and imported when it is first asked for. It is called with its arguments and
with ``progress``; results go through a pipe as JSON, whatever is large goes into the run store.
"""

import importlib
from collections.abc import Callable
from typing import Any

KINDS = {
    "open": "checkpoint:open_checkpoint",
    "normalization": "checkpoint:rank_normalization",
    "candidates": "checkpoint:rank_candidates",
    "evaluate_ann": "checkpoint:evaluate_ann",
    "analyse": "analysis:run_analysis",
    "trace": "analysis:trace",
    "selected": "selected:residuals_of",
    "noise": "noise:run_noise",
    "noisy": "noise:evaluate_noisy",
    "sensitivity": "noise:lose_by_site",
    "largest_scale": "noise:scale_that_costs",
    "flips": "flips:run_flips",
    "energy": "energy:run_energy",
    "early-exit": "early_exit:run_early_exit",
    "budget": "budget:run_budget",
    "restore": "budget:run_restore",
    "diagnosis": "diagnosis:run_diagnosis",
    "final": "final:run_final",
    "probe": "probe:probe_edit",
    "experiment": "snnlab.sweeps.jobs:run_experiment",
    "tournament": "snnlab.sweeps.jobs:run_tournament",
    "tournament_pace": "snnlab.sweeps.jobs:time_simulation",
    "attribution": "attribution:run_attribution",
    "pace": "snnlab.sweeps.jobs:time_training",
}
"""Kind -> module of this package and function in it; a module of another layer by its whole dotted name."""


def find(kind: str) -> Callable[..., dict[str, Any]]:
    """The function that does this kind of work."""
    module, _, function = KINDS[kind].partition(":")
    path = module if "." in module else f"{__name__}.{module}"
    found: Callable[..., dict[str, Any]] = getattr(importlib.import_module(path), function)
    return found
