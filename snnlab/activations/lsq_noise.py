"""Low-bit quantizer with a learned scale, and noise at the quantizer while it trains: the source network of NA."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from snnlab.activations.keyed import KeyedNoise, uniforms_like
from snnlab.activations.one_pass import QuantizeByScale, in_order
from snnlab.core.errors import ConversionError

NOISE_MODES = ("pre_round", "additive", "none")
"""What noise does: ``pre_round`` rounds at random, ``additive`` replaces the rounding, ``none`` only rounds."""

GRADIENT_SCALES = ("batch", "numel")
"""What the gradient of s is scaled by: 1 / sqrt(B p), or 1 / sqrt(numel p), B images a batch."""

MAX_BITS = 8
LEAST_SCALE = 1e-4
"""Activation units; s stays above it, as no threshold may reach 0."""


class LSQNoise(KeyedNoise, nn.Module):
    r"""Quantize to b bits with a learned scale s; in training with noise :math:`\epsilon` in units of s.

    .. math:: u' = z/s + \epsilon,\quad p = 2^b - 1,\quad
        a = s\,\mathrm{clip}(\lfloor u' + \tfrac12 \rfloor, 0, p)\ \text{or}\ s\,\mathrm{clip}(u', 0, p)

    The first form is ``pre_round``, whose mean over the noise is exactly z on [0, s p] (amplitude 1/2, probability 1);
    the second ``additive``, which does not round and is unbiased on [s/2, s p - s/2] only. ``none`` is the first
    without noise, and what all three are in evaluation. Each element has its own :math:`\epsilon`, uniform from
    -amplitude to amplitude, or 0 where it is spared. Rounding is half up, as the neuron's is.

    Gradients are straight-through: :math:`\partial a/\partial z = [0 < u' < p]`, and for s the sum of
    :math:`a/s - (z/s)[0 < u' < p]` times the gradient scale.

    Args:
        scale: Start value of s, positive, activation units.
        bits: b, 1 to 8.
        noise_mode: One of ``NOISE_MODES``.
        noise_amp: Amplitude of the noise, 0 or more, in units of s.
        noise_prob: Share of elements with noise, 0 to 1.
        gradient_scale: One of ``GRADIENT_SCALES``.
        seed: Seed of the noise.

    Raises:
        ConversionError: A value is not one of those.

    Source: [Li2024NA], noise; quantizer as in the code of [Li2023]. Deviation: an interpretation. The source we could
    read prints no rounding, no probability and no gradient; s is kept above ``LEAST_SCALE``.

    Example:
        >>> LSQNoise(scale=0.5, bits=2).eval()(torch.tensor([-1.0, 0.2, 0.6, 9.0])).tolist()
        [0.0, 0.0, 0.5, 1.5]
    """

    def __init__(
        self,
        scale: float = 1.0,
        bits: int = 2,
        *,
        noise_mode: str = "pre_round",
        noise_amp: float = 0.5,
        noise_prob: float = 1.0,
        gradient_scale: str = "batch",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if (problem := lsq_problem(bits, noise_mode, noise_amp, noise_prob, gradient_scale)) is not None:
            raise ConversionError(f"The quantizer lsq_noise cannot be made: {problem}.")
        self.scale = nn.Parameter(torch.tensor(float(scale)))
        self.bits, self.noise_mode, self.gradient_scale = int(bits), noise_mode, gradient_scale
        self.noise_amp, self.noise_prob = float(noise_amp), float(noise_prob)
        self._start_keyed(seed)

    @property
    def levels(self) -> int:
        """P = 2^b - 1."""
        return int(2**self.bits - 1)

    @property
    def threshold(self) -> Tensor:
        """S p, the largest activation, activation units."""
        return self.scale * self.levels

    @property
    def noise_std(self) -> float:
        """Std of the noise before rounding, activation units: s amplitude sqrt(probability / 3)."""
        if self.noise_mode == "none":
            return 0.0
        return float(self.scale.detach()) * self.noise_amp * math.sqrt(self.noise_prob / 3)

    def forward(self, z: Tensor) -> Tensor:
        """Quantize ``z``, (n, ...), activation units."""
        if self.training:
            with torch.no_grad():
                self.scale.clamp_(min=LEAST_SCALE)
        noisy = self.noise_is_on and self.noise_mode != "none"
        rounds, factor = not (noisy and self.noise_mode == "additive"), self._gradient_factor(z)
        uniforms = self.draw(z, uniforms_like) if noisy else None
        sparing = self.draw(z, uniforms_like) if noisy and self.noise_prob < 1 else None
        if in_order(z) is not None:
            noise = (uniforms, sparing, self.levels, self.noise_amp, self.noise_prob)
            return QuantizeByScale.apply(z, self.scale, *noise, rounds, factor)
        return _Quantize.apply(z, self.scale, self._epsilon(z, uniforms, sparing), self.levels, rounds, factor)

    def _epsilon(self, z: Tensor, uniforms: Tensor | None, sparing: Tensor | None) -> Tensor:
        if uniforms is None:
            return torch.zeros((), dtype=z.dtype, device=z.device)
        epsilon = (2 * uniforms - 1) * self.noise_amp
        return epsilon if sparing is None else epsilon * (sparing < self.noise_prob)

    def _gradient_factor(self, z: Tensor) -> float:
        counted = self.images_of(z) * (1 if self.gradient_scale == "batch" else math.prod(z.shape[1:]))
        return 1 / math.sqrt(max(counted, 1) * self.levels)

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return f"bits={self.bits}, noise_mode={self.noise_mode}"


class _Quantize(torch.autograd.Function):
    """The forward and backward rules of ``LSQNoise``."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, scale: Tensor, epsilon: Tensor, levels: int, rounds: bool, factor: float
    ) -> Tensor:
        u = z / scale
        moved = u + epsilon
        clipped = moved.clamp(0, levels)
        level = torch.floor(clipped + 0.5) if rounds else clipped
        inside = (moved > 0) & (moved < levels)
        ctx.save_for_backward(inside, level - torch.where(inside, u, 0))
        ctx.factor = factor
        return scale * level

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        inside, by_scale = ctx.saved_tensors
        return grads[0] * inside, (grads[0] * by_scale).sum() * ctx.factor, None, None, None, None


def lsq_problem(bits: Any, noise_mode: Any, noise_amp: Any, noise_prob: Any, gradient_scale: Any) -> str | None:
    """What is wrong with the quantizer's settings, which may come from a file; None where nothing is.

    Example:
        >>> lsq_problem(0, "none", 0.5, 1.0, "batch")
        'bits is 0; give a whole number from 1 to 8'
    """
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= MAX_BITS:
        return f"bits is {bits!r}; give a whole number from 1 to {MAX_BITS}"
    for name, value, known in (
        ("noise_mode", noise_mode, NOISE_MODES),
        ("gradient_scale", gradient_scale, GRADIENT_SCALES),
    ):
        if value not in known:
            return f"{name} is {str(value)[:40]!r}; give one of {', '.join(known)}"
    if not _is_number(noise_amp) or not 0 <= noise_amp < math.inf:
        return f"noise_amp is {str(noise_amp)[:40]}; give a finite number, 0 or more"
    if not _is_number(noise_prob) or not 0 <= noise_prob <= 1:
        return f"noise_prob is {str(noise_prob)[:40]}; give a number from 0 to 1"
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def bits_of(levels: int) -> int | None:
    """B of p = 2^b - 1 levels; None where there is no such b.

    Example:
        >>> [bits_of(levels) for levels in (1, 3, 4)]
        [1, 2, None]
    """
    bits = int(levels).bit_length()
    return bits if levels == 2**bits - 1 and 1 <= bits <= MAX_BITS else None
