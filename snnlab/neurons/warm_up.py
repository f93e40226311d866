"""Integrate-and-fire neurons that look at the first steps of an image before its sequence starts."""

from abc import abstractmethod
from typing import Any, Self

import torch
from torch import Tensor

from snnlab.core.errors import ConversionError, ShapeError, SimulationError
from snnlab.neurons.functional import if_step, offset_start, residual_mask
from snnlab.neurons.integrate_fire import IntegrateFire


class WarmUpIntegrateFire(IntegrateFire):
    r"""IF neuron whose sequence starts from what a warm-up of some steps has shown, image by image.

    ``warm_up`` decides, then the sequence runs like that of any other neuron; ``reset`` forgets both. A spiking network
    calls ``warm_up`` by itself, before the first step.

    Args:
        threshold: As in ``IntegrateFire``.
        warm_up_steps: Steps of the warm-up, at least 1.
        margin_fraction: Potential / threshold that counts as beyond rounding, 0 or above, () or broadcastable to one
            image's activation.
        **constants: As in ``IntegrateFire``.

    Raises:
        ConversionError: As ``IntegrateFire``, or no step, or a margin below 0.
    """

    margin_fraction: Tensor
    start: Tensor | None

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        warm_up_steps: int = 4,
        margin_fraction: float | Tensor = 1e-3,
        **constants: Any,
    ) -> None:
        super().__init__(threshold, **constants)
        if warm_up_steps < 1:
            raise ConversionError(f"A warm-up has at least 1 time-step; found {warm_up_steps}.")
        self._keep("margin_fraction", margin_fraction, "The margin must be finite, as a fraction of the threshold.")
        if bool((self.margin_fraction < 0).any()):
            lowest = self.margin_fraction.min().item()
            raise ConversionError(f"The margin must be 0 or above; found {lowest:g} x threshold.")
        self.warm_up_steps = int(warm_up_steps)
        self.register_buffer("start", None, persistent=False)

    def reset(self) -> None:
        """Forget the state and what the warm-up decided."""
        super().reset()
        self.start = None

    def warm_up(self, currents: Tensor) -> Tensor:
        """Decide what the sequence of these images starts from.

        Args:
            currents: Weighted input of the warm-up, (steps, N, ...), activation units.

        Returns:
            What goes out meanwhile, (steps, N, ...), activation units; no decision of this neuron has a part in it but
            that on v(0).
        """
        self.reset()
        added = self.added_current
        if added is not None:
            currents = currents + added
        initial = self.initial_membrane.expand_as(currents[0])
        return super().worth(self._decide(currents, initial) * self.threshold)

    def decide_as(self, other: Self) -> None:
        """Start the next sequence from what the warm-up of another neuron has decided."""
        self.start = other.start

    @abstractmethod
    def _decide(self, currents: Tensor, initial: Tensor) -> Tensor:
        """Set ``start``, given v(0), (N, ...); returns the spikes meanwhile, (steps, N, ...)."""

    def _watch(self, currents: Tensor, initial: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Spikes and potentials before reset, (steps, N, ...) each, and the last potential, (N, ...), from v(0)."""
        membrane, spikes, before = initial, [], []
        for current in currents:
            before.append(membrane + current)
            fired, membrane = if_step(membrane, current, self.threshold, fires_at_equality=self.fires_at_equality)
            spikes.append(fired)
        return torch.stack(spikes), torch.stack(before), membrane

    def _start(self, current: Tensor) -> Tensor:
        if self.start is None:
            raise SimulationError(
                f"This neuron decides in a warm-up of {self.warm_up_steps} time-steps how it starts; call warm_up() "
                "first, or step the whole network, which does."
            )
        if self.start.shape != current.shape:
            raise ShapeError(
                f"The warm-up saw input of {tuple(self.start.shape)}, the sequence has {tuple(current.shape)}; call "
                "reset() before a new sequence."
            )
        return self.start.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy without the state."""
        new = super().__deepcopy__(memo)
        new.start = None
        return new


class MaskedIntegrateFire(WarmUpIntegrateFire):
    r"""IF neuron that is silenced where the residual potential of a warm-up says that it fires too often.

    It integrates, fires and resets as ever; where masked, nothing goes out.

    Source: [Hao2023SRP].

    Example:
        >>> neuron = MaskedIntegrateFire(1.0, initial_fraction=0.5, warm_up_steps=2)
        >>> _ = neuron.warm_up(torch.tensor([[0.5, 1.0], [0.25, -2.0]]))
        >>> neuron.passes.tolist(), neuron(torch.tensor([0.75, 0.75])).tolist()
        ([True, False], [1.0, 0.0])
    """

    passes: Tensor | None

    def __init__(self, threshold: float | Tensor = 1.0, **constants: Any) -> None:
        super().__init__(threshold, **constants)
        self.register_buffer("passes", None, persistent=False)

    def reset(self) -> None:
        """Forget the state and the mask."""
        super().reset()
        self.passes = None

    def worth(self, fired: Tensor) -> Tensor:
        """What goes out for threshold x spikes, (..., N, ...): nothing where masked."""
        out = super().worth(fired)
        return out if self.passes is None else torch.where(self.passes, out, 0)

    def decide_as(self, other: Self) -> None:
        """As in the base class, mask and all."""
        super().decide_as(other)
        self.passes = other.passes

    def _decide(self, currents: Tensor, initial: Tensor) -> Tensor:
        spikes, _, membrane = self._watch(currents, initial)
        self.start = initial.clone()
        self.passes = residual_mask(membrane, self.threshold, self.margin_fraction)
        return spikes

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy without the state."""
        new = super().__deepcopy__(memo)
        new.passes = None
        return new


class OffsetIntegrateFire(WarmUpIntegrateFire):
    r"""IF neuron that starts a spike lower, or higher, where the first steps of its sequence show one too many, or few.

    The warm-up is the beginning of the sequence: these steps run again, from the corrected v(0), and the next layer's
    warm-up sees them corrected. So a sequence is at least as long.

    Source: [Hao2023COS].

    Example:
        >>> neuron = OffsetIntegrateFire(1.0, initial_fraction=0.5, warm_up_steps=2)
        >>> _ = neuron.warm_up(torch.tensor([[0.75], [-1.75]]))  # fires, and ends at -1.5
        >>> round(neuron.start.item(), 4), neuron(torch.tensor([0.75])).item()
        (-0.5, 0.0)
    """

    @property
    def least_steps(self) -> int:  # type: ignore[override]
        """As many as the warm-up has."""
        return self.warm_up_steps

    def _decide(self, currents: Tensor, initial: Tensor) -> Tensor:
        spikes, before, membrane = self._watch(currents, initial)
        self.start = offset_start(initial, before, spikes, membrane, self.threshold, self.margin_fraction)
        return self._watch(currents, self.start)[0]
