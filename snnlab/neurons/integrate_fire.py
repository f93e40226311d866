"""Integrate-and-fire as an snnTorch neuron, without the base class's traps."""

import copy
from collections.abc import Callable
from typing import Any, Self

import snntorch
import torch
from torch import Tensor, nn

from snnlab.core.errors import ConversionError, ShapeError
from snnlab.neurons.functional import if_step
from snnlab.neurons.surrogate import atan


class IntegrateFire(snntorch.SpikingNeuron):
    r"""IF neuron with immediate soft reset; emits threshold x spikes.

    An snnTorch neuron: it carries ``threshold``, ``spike_grad``, ``reset_mechanism`` and its state ``mem``, so that
    snnTorch's losses, surrogates and spike plots work. Where ``snntorch.Leaky(beta=1)`` gives other numbers, this one
    is right for conversion: it fires at equality, resets in the same step, so that ``mem`` is the residual potential
    v(t), starts at v(0) = initial_fraction x threshold, and raises when the input changes shape in mid-sequence.

    Args:
        threshold: Firing threshold and spike amplitude, positive, () or broadcastable to one image's activation
            (for one threshold a channel: (channels, 1, 1)), activation units.
        initial_fraction: v(0) / threshold, () or shaped like ``threshold``.
        fires_at_equality: Fire on ``>=`` (True) or on ``>``.
        spike_grad: snnTorch surrogate; only its derivative is used, the step itself is ours.

    Raises:
        ConversionError: The threshold is not positive and finite, or v(0) is not finite.

    Example:
        >>> neuron = IntegrateFire(1.0, initial_fraction=0.5)
        >>> [neuron(torch.tensor([0.4])).item() for _ in range(3)]
        [0.0, 1.0, 0.0]
        >>> round(neuron.mem.item(), 4)
        0.7
    """

    mem: Tensor | None
    threshold: Tensor
    initial_fraction: Tensor

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        initial_fraction: float | Tensor = 0.0,
        fires_at_equality: bool = True,
        spike_grad: Callable[[Tensor], Tensor] = atan,
    ) -> None:
        # Detached, copied, floating: snnTorch would alias a Parameter and keep an int64 threshold.
        value = torch.as_tensor(threshold).detach().clone().to(torch.get_default_dtype())
        fraction = torch.as_tensor(initial_fraction).detach().clone().to(value.dtype)
        if not bool(torch.isfinite(value).all() and (value > 0).all()):
            raise ConversionError(f"A threshold must be positive and finite; found {value.flatten()[0].item():g}.")
        if not bool(torch.isfinite(fraction).all()):
            raise ConversionError("v(0) must be finite, as a fraction of the threshold.")
        super().__init__(threshold=value, spike_grad=spike_grad, reset_mechanism="subtract", init_hidden=True)
        # The class list would keep this neuron, and its model, for ever, and let one model reset another.
        snntorch.SpikingNeuron.instances.remove(self)
        self.fires_at_equality = fires_at_equality
        self.register_buffer("initial_fraction", fraction)
        self.register_buffer("mem", None, persistent=False)

    @property
    def initial_membrane(self) -> Tensor:
        """v(0), shaped like the threshold, activation units."""
        return self.initial_fraction * self.threshold

    def reset(self) -> None:
        """Forget the state; the next input starts a new sequence from v(0)."""
        self.mem = None

    def forward(self, current: Tensor) -> Tensor:
        """One time-step.

        Args:
            current: Weighted input, (N, ...), activation units.

        Returns:
            threshold x spikes, (N, ...).

        Raises:
            ShapeError: The shape differs from the previous step's.
        """
        if self.mem is None:
            self.mem = self.initial_membrane.expand_as(current).clone()
        elif self.mem.shape != current.shape:
            raise ShapeError(
                f"The input changed from {tuple(self.mem.shape)} to {tuple(current.shape)} in mid-sequence; "
                "call reset() before a new sequence."
            )
        hard, membrane = if_step(self.mem, current, self.threshold, fires_at_equality=self.fires_at_equality)
        if not torch.is_grad_enabled():
            self.mem = membrane
            return hard * self.threshold
        # Forward value: our step; derivative: the surrogate's (which may itself step at a strict >).
        soft = self.spike_grad(self.mem + current - self.threshold)
        spikes = soft + (hard - soft).detach()
        self.mem = self.mem + current - self.threshold * spikes.detach()
        return spikes * self.threshold

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy without the state: a ``mem`` that carries a graph cannot be copied."""
        mem, self.mem = self.mem, None
        try:
            new = self.__class__.__new__(self.__class__)
            memo[id(self)] = new
            nn.Module.__init__(new)
            new.__dict__ = copy.deepcopy(self.__dict__, memo)
            return new
        finally:
            self.mem = mem

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        shown = f"{self.threshold.item():g}" if self.threshold.numel() == 1 else f"{tuple(self.threshold.shape)}"
        return f"threshold={shown}, reset_mechanism='subtract'"
