"""What a finding of a diagnosis proposes, as a recipe and as a command line. Without torch."""

from collections.abc import Mapping
from typing import Any

from snnlab.analysis.reports import Finding
from snnlab.core.errors import RecipeError
from snnlab.core.recipe import Recipe
from snnlab.runs.snippets import as_cli


def tried(recipe: Recipe, finding: Finding) -> Recipe:
    """The recipe with what a finding proposes, and nothing else.

    Raises:
        RecipeError: It proposes nothing that a recipe could say.
    """
    if not finding.changes:
        raise RecipeError(f"{finding.rule}: nothing in a recipe would mend this.")
    values = recipe.to_dict()
    if "method" in finding.changes.get("converter", {}):
        values["converter"] = {}  # parameters and edits belong to the method they were made for
    return Recipe.parse(_merged(values, finding.changes))


def command_for(recipe: Recipe, finding: Finding) -> str:
    """The command line that measures what a finding's proposal brings; empty where it has none."""
    if not finding.changes:
        return ""
    changed = tried(recipe, finding)
    return as_cli(changed, verb="fit-noise" if "noise" in finding.changes else "evaluate")


def _merged(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values with changes put in, part by part."""
    out = dict(values)
    for name, change in changes.items():
        out[name] = _merged(out.get(name) or {}, change) if isinstance(change, Mapping) else change
    return out
