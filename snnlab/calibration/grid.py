"""The threshold at which T spikes represent an activation with the least squared error."""

from collections.abc import Sequence

import torch
from torch import Tensor

CANDIDATES = 95


def least_squares_threshold(activations: Sequence[Tensor], num_steps: int) -> float:
    r"""The best of 95 thresholds :math:`\theta = (1 - 0.01\,i)\max a`.

    .. math:: \min_\theta \sum \left(a - \frac{\theta}{T} \lfloor \mathrm{clip}(a T/\theta, 0, T) \rfloor\right)^2

    Args:
        activations: Activations of one site, any shape, one tensor a batch, activation units.
        num_steps: T.

    Returns:
        The threshold, 0 where every activation is 0; of equal ones the largest.

    Source: [Li2021], the authors' code. Deviation: all images at once, where the code takes a moving average over
    batches.

    Example:
        >>> round(least_squares_threshold([torch.tensor([0.5, 0.5, 0.5, 0.51])], 1), 3)
        0.5
    """
    values = torch.cat([batch.flatten() for batch in activations]).double()
    largest = values.max()
    if largest <= 0:
        return 0.0
    thresholds = largest * (1 - 0.01 * torch.arange(CANDIDATES, dtype=torch.float64))
    errors = torch.stack([_squared_error(values, threshold, num_steps) for threshold in thresholds])
    return float(thresholds[errors.argmin()])


def _squared_error(values: Tensor, threshold: Tensor, num_steps: int) -> Tensor:
    count = (values * num_steps / threshold).clamp(0, num_steps).floor()
    return ((values - threshold / num_steps * count) ** 2).sum()
