"""Runs: execute a recipe, keep what it gave, and do long work in a worker process. Imports without torch."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "Arm": "protocol",
    "Job": "jobs",
    "Pool": "pool",
    "Protocol": "protocol",
    "Run": "run",
    "RunRow": "store",
    "Store": "store",
    "VERBS": "verbs",
    "allowed_path": "paths",
    "analyse": "execute",
    "attribution_recipe": "defaults",
    "attribution_run": "attribution",
    "budget_recipe": "defaults",
    "budget_run": "budget",
    "restore_run": "budget",
    "as_cli": "snippets",
    "as_python": "snippets",
    "compare": "comparing",
    "command_for": "proposals",
    "default_recipe": "defaults",
    "default_snapshots": "defaults",
    "default_target": "defaults",
    "diagnosis_recipe": "defaults",
    "diagnosis_run": "diagnosis",
    "doubling_steps": "defaults",
    "energy_run": "energy",
    "early_exit_recipe": "defaults",
    "early_exit_run": "early_exit",
    "evaluate_final": "final",
    "experiment_sha": "protocol",
    "export_run": "export",
    "figures_of": "contents",
    "fit_noise_run": "execute",
    "flips_recipe": "defaults",
    "flips_run": "flips",
    "is_conversion": "verbs",
    "is_current": "protocol",
    "keep_picture": "storage",
    "keep_upload": "storage",
    "least_steps": "defaults",
    "line_of": "plain",
    "lineage_of": "protocol",
    "noise_recipe": "defaults",
    "offline_report": "offline",
    "offline_reports": "offline",
    "protocol_of": "protocol",
    "resolve": "execute",
    "why_unfit": "defaults",
    "tried": "proposals",
}
_REPORTS = ("Comparison", "SeedGroup")  # what is made of several runs, from below

_MODULES = ("storage",)

__all__ = [*_WHERE, *_REPORTS, *_MODULES]

if TYPE_CHECKING:
    from snnlab.analysis.reports import Comparison, SeedGroup
    from snnlab.runs import storage
    from snnlab.runs.attribution import attribution_run
    from snnlab.runs.budget import budget_run, restore_run
    from snnlab.runs.comparing import compare
    from snnlab.runs.contents import figures_of
    from snnlab.runs.defaults import (
        attribution_recipe,
        budget_recipe,
        default_recipe,
        default_snapshots,
        default_target,
        diagnosis_recipe,
        doubling_steps,
        early_exit_recipe,
        flips_recipe,
        least_steps,
        noise_recipe,
        why_unfit,
    )
    from snnlab.runs.diagnosis import diagnosis_run
    from snnlab.runs.early_exit import early_exit_run
    from snnlab.runs.energy import energy_run
    from snnlab.runs.execute import analyse, fit_noise_run, resolve
    from snnlab.runs.export import export_run
    from snnlab.runs.final import evaluate_final
    from snnlab.runs.flips import flips_run
    from snnlab.runs.jobs import Job
    from snnlab.runs.offline import offline_report, offline_reports
    from snnlab.runs.paths import allowed_path
    from snnlab.runs.plain import line_of
    from snnlab.runs.pool import Pool
    from snnlab.runs.proposals import command_for, tried
    from snnlab.runs.protocol import Arm, Protocol, experiment_sha, is_current, lineage_of, protocol_of
    from snnlab.runs.run import Run
    from snnlab.runs.snippets import as_cli, as_python
    from snnlab.runs.storage import keep_picture, keep_upload
    from snnlab.runs.store import RunRow, Store
    from snnlab.runs.verbs import VERBS, is_conversion


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    if name in _REPORTS:
        return getattr(importlib.import_module("snnlab.analysis.reports"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
