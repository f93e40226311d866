"""Keep a run that the command line made, and say what must be said about it."""

from typing import TYPE_CHECKING

from snnlab.cli.console import warn
from snnlab.core.errors import StoreError

if TYPE_CHECKING:
    from snnlab.runs.run import Run


def keep(run: "Run") -> int | None:
    """Store a run, and print its notes and its look at a test set on stderr.

    Returns:
        Looks taken at its test images; None when they could not be counted.
    """
    from snnlab.runs.store import Store

    for note in run.notes:
        if run.card["foreign"] or note not in run.card["notes"]:  # provenance of our own files is no news
            warn(note)
    looks: int | None = None
    try:
        looks = Store().record(run)
    except StoreError as error:
        # The numbers are there; a full or read-only disk must not take them away.
        warn(f"the run was not stored: {error}")
    if looks:
        warn(f"look {looks} at the test images of {run.recipe.data.dataset} with this checkpoint")
    return looks
