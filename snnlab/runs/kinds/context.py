"""Whose job this worker does just now, and storing what it gives: only while the job's lease holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from snnlab.core.progress import ProgressCallback
from snnlab.core.recipe import Recipe
from snnlab.runs.jobs import LOCAL
from snnlab.runs.run import Run
from snnlab.runs.store import Store


@dataclass(frozen=True)
class Context:
    """The job in hand.

    Args:
        workspace: Whose it is.
        lease: Its lease; None for a question that stores nothing.
    """

    workspace: str = LOCAL
    lease: str | None = None


_current = [Context()]  # a worker does one job at a time


def current() -> Context:
    """The job in hand."""
    return _current[-1]


@contextmanager
def job(workspace: str, lease: str | None) -> Iterator[None]:
    """Make a job the one in hand."""
    _current.append(Context(workspace, lease))
    try:
        yield
    finally:
        _current.pop()


def save(run: Run) -> str:
    """As ``Store.save``, for the job in hand."""
    return Store().save(run, workspace=current().workspace, lease=current().lease)


def record(run: Run) -> int:
    """As ``Store.record``, for the job in hand."""
    return Store().record(run, workspace=current().workspace, lease=current().lease)


def stored(analysis: Callable[..., Run]) -> Callable[..., dict[str, Any]]:
    """A kind of job from ``analysis(recipe, progress=...)``: runs it, stores the run, names it.

    The job is called with a recipe's plain values, and returns ``{"run": id, "notes", "looks"}``.
    """

    def work(*, progress: ProgressCallback, recipe: dict[str, Any]) -> dict[str, Any]:
        run = analysis(Recipe.parse(recipe), progress=progress)
        looks = record(run)
        return {"run": run.id, "notes": list(run.notes), "looks": looks}

    return work


def look(*, dataset: str, lineage: str, recipe_sha: str) -> int:
    """As ``Store.look``, for the job in hand."""
    return Store().look(dataset=dataset, lineage=lineage, recipe_sha=recipe_sha, lease=current().lease)
