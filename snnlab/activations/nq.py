"""Activations that add Gaussian noise to their output, so that training meets the error of a conversion."""

import copy
import functools
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from snnlab.activations.base import Activation
from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.qcfs import QCFS

if TYPE_CHECKING:
    _Activation = nn.Module
else:
    _Activation = object

_MIX = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio


class GaussianNoise(_Activation):
    r"""Mixin of an activation h: :math:`a = h(z) + \sigma \epsilon`, :math:`\epsilon \sim N(0, 1)` per element.

    The result is not clipped again. The std is one number a site, a buffer, without gradient. Noise follows the mode
    of the module, on in training and off in evaluation, unless ``noise`` says otherwise. It comes from a generator of
    its own: the global random state is left alone, and a std of 0 gives h bitwise.
    """

    std: Tensor
    noise: bool | None
    seed: int
    drawn: int

    def _start_noise(self, std: float, seed: int) -> None:
        self.register_buffer("std", torch.tensor(float(std)))
        self.noise = None
        self.reseed(seed)

    def reseed(self, *key: int) -> None:
        """Start the noise anew; equal keys, such as (seed, epoch, batch, site), give equal noise."""
        self.seed = mixed_seed(*key)
        self.drawn = 0

    def forward(self, z: Tensor) -> Tensor:
        """The activation of ``z``, any shape, with noise where it is on; activation units."""
        quiet: Tensor = super().forward(z)
        if not (self.training if self.noise is None else self.noise):
            return quiet
        generator = torch.Generator(device=z.device).manual_seed(mixed_seed(self.seed, self.drawn))
        self.drawn += 1
        return quiet + self.std * normals_like(quiet, generator)


class NQ(GaussianNoise, QCFS):
    r"""QCFS with additive Gaussian noise of the size that the conversion error has at this site.

    .. math:: a = \frac{\lambda}{L} \left\lfloor L\,\mathrm{clip}(z/\lambda, 0, 1) + \tfrac12 \right\rfloor
        + \sigma \epsilon

    Noise comes after floor and rescaling, so the std is in activation units; gradients are those of QCFS.

    Args:
        threshold: Start value of the threshold, positive, activation units.
        levels: Quantization levels L, at least 1.
        std: Std of the noise, 0 or more, activation units.
        seed: Seed of the noise.

    Source: [Huang2024], the authors' code. Deviation: off in evaluation until switched on; theirs is on when the ANN
    is evaluated.

    Example:
        >>> nq = NQ(threshold=1.0, levels=4, std=0.1).eval()
        >>> nq(torch.tensor([0.2, 0.4])).tolist()
        [0.25, 0.5]
        >>> nq.noise = True
        >>> bool((nq(torch.tensor([0.2, 0.4])) == torch.tensor([0.25, 0.5])).any())
        False
    """

    def __init__(self, threshold: float = 8.0, levels: int = 8, std: float = 0.0, *, seed: int = 0) -> None:
        super().__init__(threshold, levels)
        self._start_noise(std, seed)


class NoisyReLU(GaussianNoise, nn.ReLU):
    """ReLU with additive Gaussian noise."""

    def __init__(self, std: float = 0.0, *, seed: int = 0) -> None:
        super().__init__()
        self._start_noise(std, seed)


class NoisyClippedReLU(GaussianNoise, ClippedReLU):
    """Clipped ReLU with additive Gaussian noise."""

    def __init__(self, threshold: float = 8.0, std: float = 0.0, *, seed: int = 0) -> None:
        super().__init__(threshold)
        self._start_noise(std, seed)


def with_noise(activation: nn.Module, std: float, *, seed: int = 0) -> nn.Module:
    """A noisy activation in place of ``activation``, whose threshold it copies; off in evaluation.

    Args:
        activation: ReLU, ReLU6, clipped ReLU, QCFS, one of a user's file, or a noisy one of them.
        std: Std of the noise, activation units.
        seed: Seed of the noise.
    """
    threshold: Tensor | None = getattr(activation, "threshold", None)
    noisy: GaussianNoise
    if isinstance(activation, Activation):
        noisy = cast(GaussianNoise, copy.deepcopy(activation))
        noisy.__class__ = _noisy_class(type(activation))
        noisy._start_noise(std, seed)
    elif isinstance(activation, QCFS):
        noisy = NQ(levels=activation.levels, std=std, seed=seed)
    elif isinstance(activation, ClippedReLU):
        noisy = NoisyClippedReLU(std=std, seed=seed)
    elif isinstance(activation, nn.ReLU6):
        noisy = NoisyClippedReLU(6.0, std, seed=seed)
    else:
        assert isinstance(activation, nn.ReLU), "the activations that a neuron can replace"
        noisy = NoisyReLU(std, seed=seed)
    if threshold is not None:
        noisy.threshold = nn.Parameter(threshold.detach().clone(), requires_grad=threshold.requires_grad)
        noisy.std = noisy.std.to(threshold)
    noisy.train(activation.training)
    return noisy


@functools.cache
def _noisy_class(kind: type) -> type:
    """An activation of the user's with the mixin."""
    return kind if issubclass(kind, GaussianNoise) else type(f"Noisy{kind.__name__}", (GaussianNoise, kind), {})


def switch_noise(network: nn.Module, on: bool | None) -> nn.Module:
    """Switch the noise of every activation on or off; None lets it follow training and evaluation mode.

    Returns:
        The network itself.
    """
    for module in network.modules():
        if isinstance(module, GaussianNoise):
            module.noise = on
    return network


def normals_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers shaped as ``values``, and in its memory order where that is channels-last."""
    # Drawn into a flat buffer: filling channels-last memory element by element is six times slower.
    flat = torch.empty(values.numel(), dtype=values.dtype, device=values.device).normal_(generator=generator)
    if values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last):
        images, channels, height, width = values.shape
        return flat.view(images, height, width, channels).permute(0, 3, 1, 2)
    return flat.view(values.shape)


def mixed_seed(*key: int) -> int:
    """One seed from several numbers; keys that differ in any of them give seeds without relation (splitmix64)."""
    state = 0
    for part in key:
        state = (state + int(part) + _MIX) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    # torch's generator on a CPU uses the lower 32 bits of a seed.
    return state & 0x7FFFFFFFFFFFFFFF
