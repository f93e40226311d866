"""What a converter put at every site."""

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

    def to_frame(self) -> pd.DataFrame:
        """One row per site, columns as in ``sites``."""
        return pd.DataFrame(list(self.sites))
