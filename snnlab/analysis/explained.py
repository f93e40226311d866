"""A network as an attribution method sees it: images in, one row of logits out, and what its sites emit."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from snnlab.activations import switch_noise
from snnlab.core.progress import ProgressCallback
from snnlab.neurons import IntegrateFire
from snnlab.simulation.spiking_model import SpikingModel


class Meter:
    """Counts images x time-steps that went through a network; ``progress`` hears of them and may cancel."""

    def __init__(self, progress: ProgressCallback) -> None:
        self.progress, self.total, self.done = progress, 1, 0

    def add(self, count: int) -> None:
        """So many more."""
        self.done = min(self.done + count, self.total)
        self.progress(self.done, self.total, "images × steps explained")


class _InThresholds:
    """The surrogate of a neuron with its argument in thresholds."""

    def __init__(self, neuron: IntegrateFire) -> None:
        self.threshold, self.surrogate = neuron.threshold, neuron.spike_grad

    def __call__(self, distance: Tensor) -> Tensor:
        return self.surrogate(distance / self.threshold)


class Explained(nn.Module):
    r"""A private copy of an ANN, or of an SNN for one T, whose ``forward`` gives logits (N, classes).

    The copy is never shared: attribution methods hang hooks on modules, and neurons keep a state. An SNN starts every
    pass from v(0), whatever batch the method makes of the image, and gives the logits that are read out after T steps.

    The derivative of a neuron is that of the arctan surrogate at :math:`u = (v - \theta)/\theta`, reset included:

    .. math::
        k_t = \frac{1}{1 + (\pi u_t)^2}, \quad \frac{\partial v_t}{\partial v_{t-1}} = 1 - k_t, \quad
        \sum_{t \ge s} \frac{\partial\, \theta s_t}{\partial I_s} = 1 - \prod_{t \ge s} (1 - k_t) \le 1

    so a unit of charge that comes in lets at most one go out, as charge balance says. With a detached reset each layer
    would multiply the derivative by up to T. Parameters have no gradient.

    Args:
        network: ANN or SNN; left alone.
        sites: Names of the activations or neurons, input first.
        num_steps: T; None for an ANN.
        meter: Hears of every pass.
    """

    def __init__(self, network: nn.Module, sites: Sequence[str], num_steps: int | None, meter: Meter) -> None:
        super().__init__()
        own = switch_noise(copy.deepcopy(network), False).eval().requires_grad_(False)
        self.network = own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.num_steps, self.meter = num_steps, meter
        inner = own.graph if isinstance(own, SpikingModel) else own
        self.sites = {name: dict(inner.named_modules())[name] for name in sites}
        for module in own.modules():
            if isinstance(module, IntegrateFire) and not isinstance(module.spike_grad, _InThresholds):
                module.spike_grad, module.detaches_reset = _InThresholds(module), False

    @property
    def passes(self) -> int:
        """Passes through the network that one image costs."""
        return self.num_steps or 1

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalised images (N, C, H, W), (N, classes)."""
        logits: Tensor = self.network(images) if self.num_steps is None else self._read_out(images, self.num_steps)
        self.meter.add(len(images) * self.passes)
        return logits

    def _read_out(self, images: Tensor, num_steps: int) -> Tensor:
        snn = self.network
        assert isinstance(snn, SpikingModel), "an ANN has no T"
        return snn.read_out(snn(images, num_steps))[-1].to(images.dtype)

    def shuffled(self, seed: int) -> "Explained":
        """The same network with the entries of every weight tensor in random order; biases and norms stay."""
        other = Explained(self.network, tuple(self.sites), self.num_steps, self.meter)
        generator = torch.Generator().manual_seed(seed)
        for parameter in other.network.parameters():
            if parameter.ndim >= 2:
                order = torch.randperm(parameter.numel(), generator=generator)
                parameter.copy_(parameter.flatten()[order].view(parameter.shape))
        return other

    @contextmanager
    def tapped(self) -> Iterator[dict[str, list[Tensor]]]:
        """What every site emits in the passes inside of the block: of an SNN one tensor a step, (N, ...) each."""
        emitted: dict[str, list[Tensor]] = {name: [] for name in self.sites}
        handles = [
            module.register_forward_hook(lambda _module, _inputs, output, kept=emitted[name]: kept.append(output))
            for name, module in self.sites.items()
        ]
        try:
            yield emitted
        finally:
            for handle in handles:
                handle.remove()
