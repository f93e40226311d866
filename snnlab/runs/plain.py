"""A run in plain values, as JSON and readers get it."""

import math
from typing import Any

from snnlab.runs.run import Run
from snnlab.runs.snippets import as_cli
from snnlab.runs.verbs import VERBS, is_conversion


def described(run: Run) -> dict[str, Any]:
    """What a run is and where it was made, without its recipe and its numbers."""
    return {
        "run": run.id,
        "verb": run.verb,
        "title": run.title,
        "created": run.created,
        "state": run.state,
        "recipe_sha": run.recipe_sha,
        "reports": list(run.reports),
        "notes": list(run.notes),
        "environment": run.environment,
        "checkpoint": run.card,
    }


def command_of(run: Run) -> str:
    """The verb of the command line that gives the numbers of a run."""
    if is_conversion(run.verb):
        return "residuals" if run.residuals is not None else "evaluate"
    return VERBS[run.verb].command


def line_of(run: Run, recipe: str = "recipe.yaml") -> str:
    """The ``snnlab`` line that gives the numbers of a run again; of a final evaluation the one that shows it.

    Test images are not opened once more to read what is stored; the recipe of a final evaluation is its first arm's.

    Args:
        run: Of any kind.
        recipe: File that holds its recipe, for what options would be too many.
    """
    if run.verb == "final":
        return f"snnlab runs show {run.id[:12]}"
    if run.verb in ("train", "tournament") or run.recipe.calibration is not None:
        return f"snnlab {command_of(run)} --recipe {recipe}"
    return as_cli(run.recipe, verb=command_of(run))


def as_json(value: Any) -> Any:
    """The value with None in place of numbers that JSON has no word for."""
    if isinstance(value, dict):
        return {str(name): as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
