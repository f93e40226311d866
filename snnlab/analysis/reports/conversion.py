"""What a converter put at every site."""

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

from snnlab.analysis.reports.base import Report


@dataclass(frozen=True)
class ConversionReport(Report):
    """One row per site: what the converter put there.

    Args:
        method: Method name.
        parameters: Parameters used.
        sites: Rows with name, shape, activation, threshold_low, threshold_high (equal for one threshold a layer),
            v0 (fraction of the threshold, mean over channels), firing_rate (mean N(T)/T), neurons, replaced
            (what was folded or replaced there), edited (set by hand).
        coverage: Rows with node, operation, rule, verdict (exact, approximate), of every graph node.
        num_steps: T of the firing rates.
        converted_for: T that the conversion depends on; None where it depends on none.
        findings: What the method measured to decide, by name; a ``note`` in it is a sentence for the reader.
        output: A row like those of ``sites`` for the last layer, where it spikes too; None where its input is read.
        changed_weights: Weights that are not the ANN's, by name; their effect counts as propagated error.
        warm_up_steps: Steps that the network runs before t = 1 counts.
        read_out_delay: Steps that the read-out leaves out, see ``snnlab.simulation.read_out``; None where it takes all.
    """

    kind: ClassVar[str] = "conversion"

    method: str
    parameters: dict[str, Any]
    sites: tuple[dict[str, Any], ...]
    coverage: tuple[dict[str, Any], ...]
    num_steps: int
    converted_for: int | None = None
    findings: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] | None = None
    changed_weights: tuple[str, ...] = ()
    warm_up_steps: int = 0
    read_out_delay: int | None = None

    def total_latency(self, step: int) -> int:
        """Time-steps until the prediction at t is there: the warm-up and t."""
        return self.warm_up_steps + step

    @property
    def told(self) -> tuple[str, ...]:
        """What the method chose, found and changed, one sentence each."""
        told = [str(found["note"]) for found in self.findings.values() if "note" in found]
        if self.output is not None:
            told.append("The last layer spikes too: the class with the most is predicted, of equal ones the first.")
        if self.changed_weights:
            told.append(
                f"{self.method} changed the weights of {len(self.changed_weights)} layers; what that does to a site "
                "counts as propagated error."
            )
        if self.warm_up_steps:
            told.append(
                f"{self.method} runs {self.warm_up_steps} time-steps before it counts: the total latency at t is "
                f"t + {self.warm_up_steps}."
            )
        return tuple(told)

    def chosen_on(self, split: str) -> tuple[str, ...]:
        """One sentence where the method chose something on this very split: accuracies read there flatter it."""
        if not any(found.get("split") == split for found in self.findings.values()):
            return ()
        other = "dev" if split != "dev" else "other images"
        return (
            f"{self.method} made its choice on {split}, and accuracies on the same images flatter it: read them on "
            f"{other}.",
        )

    def tuning(self) -> pd.DataFrame | None:
        """What a method that searches thresholds tried, one row a site; None where it searches none.

        Columns: ``name``; ``threshold``, the chosen one, ``lowest`` and ``highest`` of those that were tried, in
        activation units, and ``tried``, how many; then, divided by the threshold, ``error`` (root mean square), the
        mean magnitudes of its parts ``deviation``, ``quantization``, ``clipping``, ``activation`` and ``propagated``,
        and ``input_std``, the standard deviation of the input over time.
        """
        rows = self.findings.get("thresholds", {}).get("sites", ())
        return pd.DataFrame([_tuned(row) for row in rows]) if rows else None

    def to_frame(self) -> pd.DataFrame:
        """One row per site, columns as in ``sites``."""
        return pd.DataFrame(list(self.sites))


def _tuned(row: dict[str, Any]) -> dict[str, Any]:
    """One row of ``tuning``."""
    threshold, candidates = row["chosen"], row["candidates"]
    parts = ("deviation", "quantization", "clipping", "activation", "propagated")
    return {
        "name": row["site"],
        "threshold": threshold,
        "lowest": min(candidates),
        "highest": max(candidates),
        "tried": len(candidates),
        "error": math.sqrt(min(row["error"])) / threshold,
        **{part: row[part]["mean_abs"] / threshold for part in parts},
        "input_std": math.sqrt(row["input_variance"]) / threshold,
    }
