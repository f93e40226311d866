"""Neuron equations, one function each, without state."""

import torch
from torch import Tensor

from snnlab.core.errors import ShapeError


def if_step(
    membrane: Tensor, current: Tensor, threshold: Tensor, *, fires_at_equality: bool = True
) -> tuple[Tensor, Tensor]:
    r"""Advance integrate-and-fire neurons one time-step with soft reset.

    .. math:: s_t = [v_{t-1} + I_t \ge \theta],\quad v_t = v_{t-1} + I_t - \theta s_t

    Args:
        membrane: Potential before the step, (N, ...), activation units.
        current: Weighted input of this step, (N, ...), activation units.
        threshold: Positive, broadcastable to ``membrane``, activation units.
        fires_at_equality: Fire on ``>=`` (True) or on ``>``.

    Returns:
        ``(spikes, membrane)``: 0/1, and potential after reset; both (N, ...).

    Raises:
        ShapeError: ``membrane`` and ``current`` differ in shape.

    Source: [Rueckauer2017], Eq. 3 and 4. Deviation: fires at equality, as the floor in QCFS requires.

    Example:
        >>> if_step(torch.tensor([0.5]), torch.tensor([0.75]), torch.tensor(1.0))
        (tensor([1.]), tensor([0.2500]))
    """
    if membrane.shape != current.shape:
        raise ShapeError(f"membrane is {tuple(membrane.shape)} but current is {tuple(current.shape)}; make them equal.")
    potential = membrane + current
    fires = potential >= threshold if fires_at_equality else potential > threshold
    # A select, not `threshold * spikes`: v - 0 is exactly v, and the fused kernel does the same.
    return fires.to(current.dtype), torch.where(fires, potential - threshold, potential)
