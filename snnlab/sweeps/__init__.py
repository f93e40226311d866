"""Experiments: many trainings or conversions that differ in one thing, cell by cell. Imports without torch."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "ADAPTED": "places",
    "CLIPPED": "places",
    "CONTROLS": "places",
    "LiveEpoch": "watched",
    "LiveExperiment": "watched",
    "LiveTournament": "contest",
    "as_tournament_cli": "contest",
    "as_train_cli": "snippets",
    "entrants": "contest",
    "experiment_run": "run",
    "live": "watched",
    "live_tournament": "contest",
    "pace_recipe": "cost",
    "seconds_left": "cost",
    "trained_arm": "places",
    "noise_experiment": "experiment",
    "tournament_pace_recipe": "cost",
    "tournament_run": "tournament",
    "tournament_seconds": "cost",
    "tuned_file": "watched",
}

__all__ = [*_WHERE]

if TYPE_CHECKING:
    from snnlab.sweeps.contest import LiveTournament, as_tournament_cli, entrants, live_tournament
    from snnlab.sweeps.cost import pace_recipe, seconds_left, tournament_pace_recipe, tournament_seconds
    from snnlab.sweeps.experiment import noise_experiment
    from snnlab.sweeps.places import ADAPTED, CLIPPED, CONTROLS, trained_arm
    from snnlab.sweeps.run import experiment_run
    from snnlab.sweeps.snippets import as_train_cli
    from snnlab.sweeps.tournament import tournament_run
    from snnlab.sweeps.watched import LiveEpoch, LiveExperiment, live, tuned_file


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
