"""ReLU with a learnable upper bound."""

import torch
from torch import Tensor, nn

from snnlab.activations.one_pass import Clip, in_order


class ClippedReLU(nn.Module):
    r"""Clip to [0, threshold], with a learnable threshold.

    .. math:: a = \mathrm{clip}(z, 0, \lambda)

    The derivatives are :math:`\partial a/\partial z = [0 \le z \le \lambda]` and
    :math:`\partial a/\partial\lambda = [z > \lambda]`: the ends belong to the inside, as in QCFS.

    Args:
        threshold: Start value of the clipping threshold, positive, activation units.

    Source: [Deng2021], whose code has the gradient 1 on the closed interval; there the threshold is not learned.

    Example:
        >>> ClippedReLU(threshold=2.0)(torch.tensor([-1.0, 1.0, 3.0])).tolist()
        [0.0, 1.0, 2.0]
    """

    def __init__(self, threshold: float = 8.0) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))

    def forward(self, z: Tensor) -> Tensor:
        """Clip ``z``, any shape, activation units."""
        if in_order(z) is not None:
            return Clip.apply(z, self.threshold)
        positive = z.clamp(min=0)
        return torch.where(positive > self.threshold, self.threshold, positive)
