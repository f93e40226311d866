"""Open the sealed test set for one experiment: evaluate all its arms, store the result and count the look."""

from typing import Any

from snnlab.core.progress import ProgressCallback
from snnlab.runs.final import evaluate_final
from snnlab.runs.kinds import context
from snnlab.runs.protocol import Arm


def run_final(*, progress: ProgressCallback, arms: list[dict[str, Any]], target: int) -> dict[str, Any]:
    """Evaluate the arms on the test set: ``{"final": id, "looks"}``.

    Result and look are stored in one transaction: a job that is cancelled or fails before counts nothing, as nobody has
    seen a figure. The answer has no ``"run"``: a final evaluation comes into view on no other page.
    """
    run = evaluate_final([Arm.from_dict(arm) for arm in arms], target=target, progress=progress)
    return {"final": run.id, "looks": context.record(run)}
