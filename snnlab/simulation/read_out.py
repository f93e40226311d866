"""From the logits of single steps to the prediction at every t."""

import torch
from torch import Tensor

SHORTEST_WINDOW = 4
"""Steps that a delayed read-out takes at least, where there are so many."""


def window_start(step: int, delay: int | None) -> int:
    r"""t0(t): the prediction at t is read from the steps t0 + 1 to t.

    .. math:: t_0(t) = d \text{ where } t > d + 4, \quad \max(t - 4, 0) \text{ before}

    Args:
        step: t.
        delay: d, 0 or above; None for a read-out that takes every step.

    Source: [Bu2025].
    """
    if delay is None:
        return 0
    return delay if step > delay + SHORTEST_WINDOW else max(step - SHORTEST_WINDOW, 0)


def mean_logits(logits: Tensor, delay: int | None) -> Tensor:
    """Mean over the window (t0(t), t] of every t.

    Args:
        logits: Of each step, (T, N, classes).
        delay: As in ``window_start``.

    Returns:
        (T, N, classes), float64: T float32 logits would lose the last digits of the running sum.
    """
    total = logits.double().cumsum(0)
    steps = torch.arange(1, len(logits) + 1, device=logits.device).reshape(-1, 1, 1)
    if delay is None:
        return total / steps
    first = torch.tensor([window_start(t, delay) for t in range(1, len(logits) + 1)], device=logits.device)
    before = torch.cat([torch.zeros_like(total[:1]), total])[first]
    return (total - before) / (steps - first.reshape(-1, 1, 1))
