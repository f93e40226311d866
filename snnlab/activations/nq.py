"""Activations that add Gaussian noise to their output, so that training meets the error of a conversion."""

import copy
import functools
from typing import cast

import torch
from torch import Tensor, nn

from snnlab.activations.base import Activation
from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.keyed import KeyedNoise, normals_like
from snnlab.activations.lsq_noise import LSQNoise
from snnlab.activations.qcfs import QCFS


class GaussianNoise(KeyedNoise):
    r"""Mixin of an activation h: :math:`a = h(z) + \sigma \epsilon`, :math:`\epsilon \sim N(0, 1)` per element.

    The result is not clipped again. The std is one number a site, a buffer, without gradient; 0 gives h bitwise.
    """

    std: Tensor

    def _start_noise(self, std: float, seed: int) -> None:
        self.register_buffer("std", torch.tensor(float(std)))
        self._start_keyed(seed)

    def forward(self, z: Tensor) -> Tensor:
        """The activation of ``z``, any shape, with noise where it is on; activation units."""
        quiet: Tensor = super().forward(z)
        return quiet + self.std * self.draw(quiet, normals_like) if self.noise_is_on else quiet


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


class NoisyLSQ(GaussianNoise, LSQNoise):
    """The quantizer of Noise Adaptor with additive Gaussian noise, and none of its own."""

    def __init__(self, scale: float = 1.0, bits: int = 2, std: float = 0.0, *, seed: int = 0) -> None:
        super().__init__(scale, bits, noise_mode="none")
        self._start_noise(std, seed)


def with_noise(activation: nn.Module, std: float, *, seed: int = 0) -> nn.Module:
    """A noisy activation in place of ``activation``, whose threshold it copies; off in evaluation.

    Args:
        activation: ReLU, ReLU6, clipped ReLU, QCFS, ``LSQNoise``, one of a user's file, or a noisy one of them.
        std: Std of the noise, activation units.
        seed: Seed of the noise.
    """
    learned = "scale" if isinstance(activation, LSQNoise) else "threshold"
    value: Tensor | None = getattr(activation, learned, None)
    noisy: GaussianNoise
    if isinstance(activation, Activation):
        noisy = cast(GaussianNoise, copy.deepcopy(activation))
        noisy.__class__ = _noisy_class(type(activation))
        noisy._start_noise(std, seed)
    elif isinstance(activation, LSQNoise):
        noisy = NoisyLSQ(bits=activation.bits, std=std, seed=seed)
    elif isinstance(activation, QCFS):
        noisy = NQ(levels=activation.levels, std=std, seed=seed)
    elif isinstance(activation, ClippedReLU):
        noisy = NoisyClippedReLU(std=std, seed=seed)
    elif isinstance(activation, nn.ReLU6):
        noisy = NoisyClippedReLU(6.0, std, seed=seed)
    else:
        assert isinstance(activation, nn.ReLU), "the activations that a neuron can replace"
        noisy = NoisyReLU(std, seed=seed)
    if value is not None:
        setattr(noisy, learned, nn.Parameter(value.detach().clone(), requires_grad=value.requires_grad))
        noisy.std = noisy.std.to(value)
    noisy.train(activation.training)
    return noisy


@functools.cache
def _noisy_class(kind: type) -> type:
    """An activation of the user's with the mixin."""
    return kind if issubclass(kind, GaussianNoise) else type(f"Noisy{kind.__name__}", (GaussianNoise, kind), {})
