"""A group of integrate-and-fire neurons that share one potential: several spikes a step."""

from typing import Any

from torch import Tensor

from snnlab.core.errors import ConversionError
from snnlab.neurons.functional import group_step
from snnlab.neurons.integrate_fire import IntegrateFire


class GroupIntegrateFire(IntegrateFire):
    r"""m members, member i of which fires at i times the threshold; emits threshold x spikes, spikes in 0..m.

    One step of the group carries as much as m steps of a single neuron, and costs up to m spikes.

    Args:
        threshold: Of the first member, the worth of one spike; the whole group reaches ``members`` times that.
        members: m, at least 1.
        **constants: As in ``IntegrateFire``, as fractions of the first member's threshold.

    Raises:
        ConversionError: As ``IntegrateFire``, or no member.

    Example:
        >>> import torch
        >>> neuron = GroupIntegrateFire(0.25, members=4, initial_fraction=0.5)
        >>> neuron(torch.tensor([0.65])).item()
        0.75
    """

    def __init__(self, threshold: float | Tensor = 1.0, *, members: int = 1, **constants: Any) -> None:
        super().__init__(threshold, **constants)
        if members < 1:
            raise ConversionError(f"A group needs at least 1 member; found {members}.")
        self.most_spikes = int(members)

    @property
    def is_replayable(self) -> bool:
        """As in the base class."""
        return type(self) is GroupIntegrateFire and self._is_uncorrected

    def _step(self, membrane: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        return group_step(membrane, current, self.threshold, self.most_spikes, fires_at_equality=self.fires_at_equality)
