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
def quantize_with_noise(z, noise, threshold, levels, std, out):  # type: ignore[no-untyped-def]
    """QCFS of ``z`` plus ``std`` times ``noise`` into ``out``, all (n,) float32."""
    zero, one, half = z.dtype.type(0), z.dtype.type(1), z.dtype.type(0.5)
    for j in range(len(z)):
        clipped = min(max(z[j] / threshold, zero), one)
        out[j] = np.floor(clipped * levels + half) / levels * threshold + std * noise[j]


@njit(nogil=True, cache=True, error_model="numpy")
def _quantize(z, threshold, levels, out):  # type: ignore[no-untyped-def]
    """As ``QCFS.forward``, operation by operation."""
    zero, one, half = z.dtype.type(0), z.dtype.type(1), z.dtype.type(0.5)
    for j in range(len(z)):
        ratio = z[j] / threshold
        clipped = min(max(ratio, zero), one) if ratio == ratio else ratio
        out[j] = np.floor(clipped * levels + half) / levels * threshold


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
