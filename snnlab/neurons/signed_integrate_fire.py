"""Integrate-and-fire with a negative threshold, whose spikes take back what was fired too often."""

from typing import Any, Self

import torch
from torch import Tensor

from snnlab.core.errors import ConversionError
from snnlab.neurons.functional import signed_if_step
from snnlab.neurons.integrate_fire import IntegrateFire


class SignedIntegrateFire(IntegrateFire):
    r"""IF neuron that also fires negatively, with soft reset; emits threshold x spikes, spikes in -1, 0, 1.

    One class for the published signed neurons, which differ in the negative threshold and in how it is met:

    ========= ==================== ======================== =====
    neuron    negative threshold   negative_at_equality     v(0)
    ========= ==================== ======================== =====
    [Wang2022] -threshold          yes                      0
    [Hu2023]   -0.001 (absolute)   yes                      1/2
    [Li2022]   0                   no                       1/2
    ========= ==================== ======================== =====

    All three are gated, which keeps the count at 0 or above, as ReLU keeps the activation. Where they test for the
    negative spike, before or after the positive reset, makes no difference (``signed_if_step``).

    Args:
        threshold: As in ``IntegrateFire``.
        negative_fraction: Negative threshold / threshold, 0 or below.
        gated: Only a neuron with a positive count fires negatively.
        negative_at_equality: Negative spike on ``<=`` (True) or on ``<``.
        **constants: As in ``IntegrateFire``.

    Raises:
        ConversionError: As ``IntegrateFire``, or the negative threshold lies above 0.

    Example:
        >>> neuron = SignedIntegrateFire(1.0, negative_fraction=-0.5)
        >>> [neuron(torch.tensor([current])).item() for current in (1.0, -0.75, -0.75)]
        [1.0, -1.0, 0.0]
    """

    negative_fraction: Tensor
    count: Tensor | None

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        negative_fraction: float | Tensor = -1e-3,
        gated: bool = True,
        negative_at_equality: bool = True,
        **constants: Any,
    ) -> None:
        super().__init__(threshold, **constants)
        self._keep("negative_fraction", negative_fraction, "The negative threshold must be finite.")
        if bool((self.negative_fraction > 0).any()):
            highest = self.negative_fraction.max().item()
            raise ConversionError(f"A negative threshold must be 0 or below; found {highest:g} x threshold.")
        self.gated, self.negative_at_equality = gated, negative_at_equality
        self.register_buffer("count", None, persistent=False)

    @property
    def negative_threshold(self) -> Tensor:
        """Broadcastable to one image's activation, activation units."""
        return self.negative_fraction * self.threshold

    @property
    def is_replayable(self) -> bool:
        """As in the base class; without the gate the count may fall below 0, which no trace shows."""
        return type(self) is SignedIntegrateFire and self.gated and self._is_uncorrected

    def reset(self) -> None:
        """Forget potential and count; the next input starts a new sequence from v(0)."""
        super().reset()
        self.count = None

    def _step(self, membrane: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        count = torch.zeros_like(membrane) if self.count is None else self.count
        spikes, membrane = signed_if_step(
            membrane,
            current,
            count,
            self.threshold,
            self.negative_threshold,
            gated=self.gated,
            fires_at_equality=self.fires_at_equality,
            negative_at_equality=self.negative_at_equality,
        )
        self.count = count + spikes.detach()
        return spikes, membrane

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy without the state."""
        new = super().__deepcopy__(memo)
        new.count = None
        return new
