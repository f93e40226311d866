"""Which final evaluation is shown. Nothing here opens a test set."""

from typing import cast

import snnlab as sl
from pages._ui.state import View
from pages._ui.stored import Stored

PAGE = Stored("final", verb="final", what="final evaluation", otherwise="the protocol")


def report(run: "sl.runs.Run") -> "sl.analysis.FinalEvaluation":
    """The evaluation that a run of this kind holds."""
    return cast("sl.analysis.FinalEvaluation", run.reports["final"])


def shown(view: View, problems: list[str]) -> "sl.runs.Run | None":
    """The evaluation that is asked for, until another run comes into view; None for the protocol."""
    assert view.run is not None, "there is nothing to evaluate in an empty store"
    return PAGE.shown(view.run.id, problems)
