"""Runs: execute a recipe, keep what it gave, and do long work in a worker process. Imports without torch."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "Job": "client",
    "Run": "run",
    "RunRow": "store",
    "Store": "store",
    "Worker": "client",
    "allowed_path": "paths",
    "analyse": "execute",
    "as_cli": "snippets",
    "as_python": "snippets",
    "default_recipe": "defaults",
    "default_snapshots": "defaults",
    "default_target": "defaults",
    "keep_upload": "paths",
    "resolve": "execute",
}

__all__ = [*_WHERE]

if TYPE_CHECKING:
    from snnlab.runs.client import Job, Worker
    from snnlab.runs.defaults import default_recipe, default_snapshots, default_target
    from snnlab.runs.execute import analyse, resolve
    from snnlab.runs.paths import allowed_path, keep_upload
    from snnlab.runs.run import Run
    from snnlab.runs.snippets import as_cli, as_python
    from snnlab.runs.store import RunRow, Store


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
