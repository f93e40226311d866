"""Activations in one pass over memory, where torch would take one for each of its operations."""

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor


class Quantize(torch.autograd.Function):
    """QCFS of float32 numbers on a CPU, with its gradients; ``in_order`` says for which tensors."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, threshold: Tensor, levels: int) -> Tensor:
        """Quantize ``z``, any shape, activation units."""
        a = torch.empty_like(z)
        _quantize(in_order(z), np.float32(threshold.item()), np.float32(levels), in_order(a))
        ctx.save_for_backward(z, a, threshold)
        return a

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Gradients for ``z`` and for the threshold."""
        z, a, threshold = ctx.saved_tensors
        grad, grad_z = _laid_out_as(z, grads[0]), torch.empty_like(z)
        value = np.float32(threshold.item())
        total = _gradients(in_order(z), in_order(a), in_order(grad), value, in_order(grad_z)) / value
        of_z, of_threshold, _ = ctx.needs_input_grad
        return grad_z if of_z else None, threshold.new_tensor(total) if of_threshold else None, None


class Clip(torch.autograd.Function):
    """Clipping of float32 numbers to [0, threshold] on a CPU; ``in_order`` says for which tensors."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, threshold: Tensor) -> Tensor:
        """Clip ``z``, any shape, activation units."""
        a = torch.empty_like(z)
        _clip(in_order(z), np.float32(threshold.item()), in_order(a))
        ctx.save_for_backward(z, threshold)
        return a

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Gradients for ``z`` and for the threshold."""
        z, threshold = ctx.saved_tensors
        grad, grad_z = _laid_out_as(z, grads[0]), torch.empty_like(z)
        total = _clip_gradients(in_order(z), in_order(grad), np.float32(threshold.item()), in_order(grad_z))
        of_z, of_threshold = ctx.needs_input_grad
        return grad_z if of_z else None, threshold.new_tensor(total) if of_threshold else None


class QuantizeByScale(torch.autograd.Function):
    """``LSQNoise`` of float32 numbers on a CPU, with its gradients; ``in_order`` says for which tensors."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        scale: Tensor,
        uniforms: Tensor | None,
        sparing: Tensor | None,
        levels: int,
        amplitude: float,
        share: float,
        rounds: bool,
        factor: float,
    ) -> Tensor:
        """Quantize ``z``, any shape, activation units.

        Args:
            ctx: Keeps what the gradients need.
            z: Input.
            scale: s, activation units.
            uniforms: Uniform numbers from 0 to 1 that become the noise, shaped as ``z``; None for none.
            sparing: Likewise, that say who is spared: those at ``share`` or above; None for nobody.
            levels: p.
            amplitude: Of the noise, in units of s.
            share: Of elements with noise.
            rounds: Whether levels are whole.
            factor: On the gradient of s.
        """
        a, by_scale = torch.empty_like(z), torch.empty_like(z)
        inside = torch.empty(z.numel(), dtype=torch.bool)
        none = np.empty(0, np.float32)
        noise, spares = (
            none if numbers is None else in_order(_laid_out_as(z, numbers)) for numbers in (uniforms, sparing)
        )
        _quantize_by_scale(
            in_order(z), noise, spares, np.float32(scale.item()), np.float32(levels), np.float32(amplitude),
            np.float32(share), rounds, in_order(a), in_order(by_scale), inside.numpy(),
        )  # fmt: skip
        ctx.save_for_backward(by_scale, inside, scale)
        ctx.factor = factor
        return a

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients for ``z`` and for s."""
        by_scale, inside, scale = ctx.saved_tensors
        grad, grad_z = _laid_out_as(by_scale, grads[0]), torch.empty_like(by_scale)
        total = _scale_gradients(in_order(by_scale), inside.numpy(), in_order(grad), in_order(grad_z)) * ctx.factor
        of_z, of_scale, *_ = ctx.needs_input_grad
        rest = (None,) * 7
        return grad_z if of_z else None, scale.new_tensor(total) if of_scale else None, *rest


def _laid_out_as(z: Tensor, grad: Tensor) -> Tensor:
    return grad if grad.stride() == z.stride() else torch.empty_like(z).copy_(grad)


def in_order(values: Tensor) -> np.ndarray | None:
    """The numbers as they lie in memory, (numel,), shared; None where no such view exists."""
    if values.dtype != torch.float32 or values.device.type != "cpu":
        return None
    if values.is_contiguous():
        return np.asarray(values.detach().view(-1).numpy())
    if values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last):
        return np.asarray(values.detach().permute(0, 2, 3, 1).reshape(-1).numpy())
    return None


@njit(nogil=True, cache=True, error_model="numpy")
def _quantized(z, threshold, levels):  # type: ignore[no-untyped-def]
    """As ``QCFS.forward``, operation by operation, of one number; what is none stays so."""
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    ratio = z / threshold
    clipped = min(max(ratio, zero), one) if ratio == ratio else ratio
    return np.floor(clipped * levels + half) / levels * threshold


@njit(nogil=True, cache=True, error_model="numpy")
def quantize_with_noise(z, noise, threshold, levels, std, out):  # type: ignore[no-untyped-def]
    """QCFS of ``z`` plus ``std`` times ``noise`` into ``out``, all (n,) float32."""
    for j in range(len(z)):
        out[j] = _quantized(z[j], threshold, levels) + std * noise[j]


@njit(nogil=True, cache=True, error_model="numpy")
def _quantize(z, threshold, levels, out):  # type: ignore[no-untyped-def]
    """QCFS of ``z`` into ``out``, (n,) float32."""
    for j in range(len(z)):
        out[j] = _quantized(z[j], threshold, levels)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc"})
def _gradients(z, a, grad, threshold, grad_z):  # type: ignore[no-untyped-def]
    """Fill the gradient of z; the gradient of the threshold, times the threshold, in float64."""
    zero, one = z.dtype.type(0), z.dtype.type(1)
    total = 0.0
    for j in range(len(z)):
        ratio = z[j] / threshold
        inside = (ratio >= zero) & (ratio <= one)
        grad_z[j] = grad[j] if inside else zero
        total += np.float64(grad[j]) * np.float64(a[j] - (z[j] if inside else zero))
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _clip(z, threshold, out):  # type: ignore[no-untyped-def]
    """As ``ClippedReLU.forward``; what is not a number stays so."""
    zero = z.dtype.type(0)
    for j in range(len(z)):
        positive = zero if z[j] < zero else z[j]
        out[j] = threshold if positive > threshold else positive


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc"})
def _clip_gradients(z, grad, threshold, grad_z):  # type: ignore[no-untyped-def]
    """Fill the gradient of z; the gradient of the threshold, in float64."""
    zero = z.dtype.type(0)
    total = 0.0
    for j in range(len(z)):
        above = max(z[j], zero) > threshold
        grad_z[j] = zero if above | (z[j] < zero) else grad[j]
        total += np.float64(grad[j]) if above else 0.0
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _quantize_by_scale(  # type: ignore[no-untyped-def]
    z, uniforms, sparing, scale, levels, amplitude, share, rounds, out, by_scale, inside
):
    """As ``LSQNoise.forward``, operation by operation; what is not a number stays so.

    Args:
        z: (n,) float32.
        uniforms: Become the noise, (n,), or none.
        sparing: Say who is spared, (n,), or none.
        scale: s.
        levels: p.
        amplitude: Of the noise.
        share: Of elements with noise.
        rounds: Whether levels are whole.
        out: Receives s times the level, (n,).
        by_scale: Receives the derivative by s, (n,).
        inside: Receives the derivative by z, (n,) bool.
    """
    zero, half, one, two = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
    noisy, spares = len(uniforms) > 0, len(sparing) > 0
    for j in range(len(z)):
        ratio = z[j] / scale
        moved = ratio
        if noisy:
            epsilon = (two * uniforms[j] - one) * amplitude
            moved += zero if spares and sparing[j] >= share else epsilon
        clipped = min(max(moved, zero), levels) if moved == moved else moved
        level = np.floor(clipped + half) if rounds else clipped
        within = (moved > zero) & (moved < levels)
        out[j] = scale * level
        by_scale[j] = level - (ratio if within else zero)
        inside[j] = within


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc"})
def _scale_gradients(by_scale, inside, grad, grad_z):  # type: ignore[no-untyped-def]
    """Fill the gradient of z; the gradient of s, in float64."""
    zero = np.float32(0)
    total = 0.0
    for j in range(len(grad)):
        grad_z[j] = grad[j] if inside[j] else zero
        total += np.float64(grad[j]) * np.float64(by_scale[j])
    return total
