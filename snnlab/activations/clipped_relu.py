"""ReLU with a learnable upper bound."""

import torch
from torch import Tensor, nn


class ClippedReLU(nn.Module):
    r"""Clip to [0, threshold], with a learnable threshold.

    .. math:: a = \mathrm{clip}(z, 0, \lambda)

    Autograd gives the derivatives :math:`\partial a/\partial z = [0 < z < \lambda]` and
    :math:`\partial a/\partial\lambda = [z \ge \lambda]`.

    Args:
        threshold: Start value of the clipping threshold, positive, activation units.

    Example:
        >>> ClippedReLU(threshold=2.0)(torch.tensor([-1.0, 1.0, 3.0])).tolist()
        [0.0, 1.0, 2.0]
    """

    def __init__(self, threshold: float = 8.0) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))

    def forward(self, z: Tensor) -> Tensor:
        """Clip ``z``, any shape, activation units."""
        return torch.minimum(torch.relu(z), self.threshold)
