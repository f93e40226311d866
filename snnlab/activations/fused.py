"""An activation with noise in one pass over memory, for passes without gradient."""

import numpy as np
import torch
from torch import Tensor, nn

from snnlab.activations.one_pass import in_order, quantize_with_noise
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
    memory = in_order(z), in_order(noise)
    if not isinstance(activation, QCFS) or memory[0] is None or memory[1] is None or z.stride() != noise.stride():
        return torch.add(activation(z), noise, alpha=std)
    out = torch.empty_like(z)
    flat = in_order(out)
    assert flat is not None, "allocated in the order of z"
    threshold, levels = np.float32(activation.threshold.item()), np.float32(activation.levels)
    quantize_with_noise(memory[0], memory[1], threshold, levels, np.float32(std), flat)
    return out
