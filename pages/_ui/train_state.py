"""Which experiment is shown, and which others there are."""

from typing import cast

import snnlab as sl
from pages._ui import cached
from pages._ui.state import View
from pages._ui.stored import Stored

KIND, VERB = "experiment", "train"
PAGE = Stored(KIND, verb=VERB, what="experiment", otherwise="the form")


def report(run: "sl.runs.Run") -> "sl.analysis.NoiseGain":
    """The gains that a run of this kind holds."""
    return cast("sl.analysis.NoiseGain", run.reports["gain"])


def shown(view: View, problems: list[str]) -> "sl.runs.Run | None":
    """The experiment that is asked for, until another checkpoint comes into view; None for the form."""
    assert view.run is not None, "there is nothing to train in an empty store"
    return PAGE.shown(view.run.card["sha256"], problems)


def earlier(sha256: str) -> "list[sl.runs.RunRow]":
    """Stored experiments with a checkpoint, newest first."""
    rows = cached.store().list(cached.seen())
    return [row for row in rows if row.verb == VERB and row.sha256 == sha256]


def position(run: "sl.runs.Run") -> tuple[int, int]:
    """Which of the experiments on this checkpoint and split a run is, from 1, and how many there are."""
    rows = [row for row in earlier(run.card["sha256"]) if row.split == run.recipe.data.split]
    ids = [row.id for row in reversed(rows)]
    return (ids.index(run.id) + 1 if run.id in ids else len(ids) + 1), max(len(ids), 1)
