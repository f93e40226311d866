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
    r"""IF neuron with immediate soft reset; emits threshold x spikes, or another worth of a spike.

    An snnTorch neuron: it carries ``threshold``, ``spike_grad``, ``reset_mechanism`` and its state ``mem``, so that
    snnTorch's losses, surrogates and spike plots work. Where ``snntorch.Leaky(beta=1)`` gives other numbers, this one
    is right for conversion: it fires at equality, resets in the same step, so that ``mem`` is the residual potential
    v(t), starts at v(0) = initial_fraction x threshold, and raises when the input changes shape in mid-sequence.

    Args:
        threshold: Firing threshold and spike amplitude, positive, () or broadcastable to one image's activation
            (for one threshold a channel: (channels, 1, 1)), activation units.
        initial_fraction: v(0) / threshold, any value, () or broadcastable to one image's activation.
        added_fraction: Constant current added at every step / threshold, shaped likewise; None for none.
        reference_fraction: The v(0) / threshold that the ideal spike count starts from, shaped likewise, where a
            method corrects v(0) itself or adds a current; None for ``initial_fraction``.
        output_fraction: What a spike is worth to the next layer / threshold, 0 or above, shaped likewise; None for 1.
            The reset takes the threshold in any case.
        fires_at_equality: Fire on ``>=`` (True) or on ``>``.
        spike_grad: snnTorch surrogate; only its derivative is used, the step itself is ours.

    Raises:
        ConversionError: The threshold is not positive and finite, or another constant is not finite.

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
    added_fraction: Tensor | None
    reference_fraction: Tensor | None
    output_fraction: Tensor | None

    most_spikes = 1
    """Spikes that one step can bring."""

    detaches_reset = True
    """Whether the derivative leaves the reset out, as in snnTorch; then it does not keep the charge in balance."""

    warm_up_steps = 0
    """Steps that it looks at before its sequence starts."""

    least_steps = 1
    """Steps that a sequence must have."""

    def __init__(
        self,
        threshold: float | Tensor = 1.0,
        *,
        initial_fraction: float | Tensor = 0.0,
        added_fraction: float | Tensor | None = None,
        reference_fraction: float | Tensor | None = None,
        output_fraction: float | Tensor | None = None,
        fires_at_equality: bool = True,
        spike_grad: Callable[[Tensor], Tensor] = atan,
    ) -> None:
        # Detached, copied, floating: snnTorch would alias a Parameter and keep an int64 threshold.
        value = torch.as_tensor(threshold).detach().clone().to(torch.get_default_dtype())
        if not bool(torch.isfinite(value).all() and (value > 0).all()):
            raise ConversionError(f"A threshold must be positive and finite; found {value.flatten()[0].item():g}.")
        super().__init__(threshold=value, spike_grad=spike_grad, reset_mechanism="subtract", init_hidden=True)
        # The class list would keep this neuron, and its model, for ever, and let one model reset another.
        snntorch.SpikingNeuron.instances.remove(self)
        self.fires_at_equality = fires_at_equality
        self._keep("initial_fraction", initial_fraction, "v(0) must be finite, as a fraction of the threshold.")
        self._keep("added_fraction", added_fraction, "The current added at every step must be finite.")
        self._keep("reference_fraction", reference_fraction, "The reference for v(0) must be finite.")
        self._keep("output_fraction", output_fraction, "The worth of a spike must be finite.")
        if self.output_fraction is not None and bool((self.output_fraction < 0).any()):
            lowest = self.output_fraction.min().item()
            raise ConversionError(f"A spike is worth 0 or more; found {lowest:g} x threshold.")
        self.register_buffer("mem", None, persistent=False)

    def _keep(self, name: str, value: float | Tensor | None, otherwise: str) -> None:
        """Register a constant, copied like the threshold; raises ConversionError(otherwise) where it is not finite."""
        kept = None if value is None else torch.as_tensor(value).detach().clone().to(self.threshold.dtype)
        if kept is not None and not bool(torch.isfinite(kept).all()):
            raise ConversionError(otherwise)
        self.register_buffer(name, kept)

    @property
    def initial_membrane(self) -> Tensor:
        """v(0), broadcastable to one image's activation, activation units."""
        return self.initial_fraction * self.threshold

    @property
    def added_current(self) -> Tensor | None:
        """Current added at every step, broadcastable to one image's activation, activation units; None for none."""
        return None if self.added_fraction is None else self.added_fraction * self.threshold

    @property
    def reference_membrane(self) -> Tensor:
        """The v(0) that the ideal spike count starts from, activation units."""
        fraction = self.initial_fraction if self.reference_fraction is None else self.reference_fraction
        return fraction * self.threshold

    @property
    def is_replayable(self) -> bool:
        """Whether potential and spikes follow from the input by the equations of ``snnlab.analysis.replay``."""
        return type(self) is IntegrateFire and self._is_uncorrected

    @property
    def _is_uncorrected(self) -> bool:
        corrected = self.added_fraction is not None or self.reference_fraction is not None
        return self.fires_at_equality and not corrected

    def reset(self) -> None:
        """Forget the state; the next input starts a new sequence from v(0)."""
        self.mem = None

    def forward(self, current: Tensor) -> Tensor:
        """One time-step.

        Args:
            current: Weighted input, (N, ...), activation units.

        Returns:
            threshold x spikes, or what these are worth, (N, ...).

        Raises:
            ShapeError: The shape differs from the previous step's.
        """
        if self.mem is None:
            self.mem = self._start(current)
        elif self.mem.shape != current.shape:
            raise ShapeError(
                f"The input changed from {tuple(self.mem.shape)} to {tuple(current.shape)} in mid-sequence; "
                "call reset() before a new sequence."
            )
        added = self.added_current
        if added is not None:
            current = current + added
        hard, membrane = self._step(self.mem, current)
        if not torch.is_grad_enabled():
            self.mem = membrane
            return self.worth(hard * self.threshold)
        # Forward value: our step; derivative: the surrogate's (which may itself step at a strict >).
        soft = self.spike_grad(self.mem + current - self.threshold)
        spikes = soft + (hard - soft).detach()
        self.mem = self.mem + current - self.threshold * (spikes.detach() if self.detaches_reset else spikes)
        return self.worth(spikes * self.threshold)

    def worth(self, fired: Tensor) -> Tensor:
        """What goes out for threshold x spikes, (..., N, ...)."""
        return fired if self.output_fraction is None else fired * self.output_fraction

    def warm_up(self, currents: Tensor) -> Tensor:
        """Look at the steps before a sequence, and decide what the sequence starts from; this neuron decides nothing.

        Args:
            currents: Weighted input, (steps, N, ...), activation units.

        Returns:
            What goes out meanwhile, (steps, N, ...), activation units.
        """
        self.reset()
        emitted = torch.stack([self(current) for current in currents])
        self.reset()
        return emitted

    def _start(self, current: Tensor) -> Tensor:
        """v(0) of a sequence whose first input this is, (N, ...)."""
        return self.initial_membrane.expand_as(current).clone()

    def _step(self, membrane: Tensor, current: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes and potential after one step, (N, ...) each."""
        return if_step(membrane, current, self.threshold, fires_at_equality=self.fires_at_equality)

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
