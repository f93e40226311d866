"""Quantization clip-floor-shift activation."""

import torch
from torch import Tensor, nn

from snnlab.activations.one_pass import Quantize, in_order


class _Floor(torch.autograd.Function):
    """floor with the straight-through derivative 1."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.floor()

    @staticmethod
    def backward(ctx: object, *grad: Tensor) -> Tensor:
        return grad[0]


class QCFS(nn.Module):
    r"""Quantize to ``levels`` steps between 0 and a learnable threshold.

    .. math:: a = \frac{\lambda}{L} \left\lfloor L\,\mathrm{clip}(z/\lambda, 0, 1) + \tfrac12 \right\rfloor

    Forward equals the published order (floor, then clip). Gradients are those of clip, then floor, with the
    straight-through rule: 1 for :math:`0 \le z \le \lambda`, and :math:`q - z/\lambda` inside, 1 above and 0 below
    for :math:`\lambda`, where q is the quantized z / threshold.

    Args:
        threshold: Start value of the threshold, positive, activation units.
        levels: Quantization levels L, at least 1.

    Source: [Bu2022], Eq. 15; order of clip and floor as in the authors' later code.

    Example:
        >>> QCFS(threshold=1.0, levels=4)(torch.tensor([-1.0, 0.2, 0.4, 2.0])).tolist()
        [0.0, 0.25, 0.5, 1.0]
    """

    def __init__(self, threshold: float = 8.0, levels: int = 8) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))
        self.levels = int(levels)

    def forward(self, z: Tensor) -> Tensor:
        """Quantize ``z``, any shape, activation units."""
        if in_order(z) is not None:
            return Quantize.apply(z, self.threshold, self.levels)
        clipped = torch.clamp(z / self.threshold, 0.0, 1.0)
        return _Floor.apply(clipped * self.levels + 0.5) / self.levels * self.threshold

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return f"levels={self.levels}"
