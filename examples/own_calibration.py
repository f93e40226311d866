"""A calibration of one's own, for ``--load``: a threshold some standard deviations above the mean activation."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

import snnlab as sl


@sl.register
@dataclass(frozen=True)
class MeanPlus(sl.Calibration):
    """Threshold = mean + factor x std of the activations at a site."""

    card: ClassVar[sl.MethodCard] = sl.MethodCard(
        name="mean_plus",
        kind="calibration",
        title="Mean plus",
        summary="The mean activation plus a number of standard deviations.",
        citation="",
        year=2026,
        evidence="official_code",
        needs=("calibration_data",),
        parameters=(sl.Parameter("factor", 3.0, "Standard deviations above the mean.", low=0.0, high=20.0),),
        equation=r"\theta = \mathrm{mean}(a) + k\,\mathrm{std}(a),\quad v(0) = 0",
    )

    factor: float = 3.0

    def update(self, state: Any, activations: torch.Tensor) -> Any:
        """Count, sum and sum of squares so far."""
        count, total, squares = state or (0, 0.0, 0.0)
        a = activations.double()
        return count + a.shape[1], total + a.sum(1), squares + (a * a).sum(1)

    def finish(self, state: Any) -> torch.Tensor:
        """Mean + factor x std."""
        count, total, squares = state
        mean = total / count
        return mean + self.factor * (squares / count - mean**2).clamp(min=0).sqrt()
