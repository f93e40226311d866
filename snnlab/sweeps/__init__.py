"""Experiments: many trainings or conversions that differ in one thing, cell by cell. Imports without torch."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "ADAPTED": "places",
    "CONTROLS": "places",
    "LiveEpoch": "watched",
    "LiveExperiment": "watched",
    "as_train_cli": "snippets",
    "experiment_run": "run",
    "live": "watched",
    "pace_recipe": "cost",
    "seconds_left": "cost",
    "noise_experiment": "experiment",
    "tuned_file": "watched",
}

__all__ = [*_WHERE]

if TYPE_CHECKING:
    from snnlab.sweeps.cost import pace_recipe, seconds_left
    from snnlab.sweeps.experiment import noise_experiment
    from snnlab.sweeps.places import ADAPTED, CONTROLS
    from snnlab.sweeps.run import experiment_run
    from snnlab.sweeps.snippets import as_train_cli
    from snnlab.sweeps.watched import LiveEpoch, LiveExperiment, live, tuned_file


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
