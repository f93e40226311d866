"""Max-pooling of what neurons send, exact in the mean at every time-step."""

import copy
from typing import Any, Self

import torch
from torch import Tensor, nn

from snnlab.core.errors import ShapeError

MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)


class RunningMaxPool(nn.Module):
    r"""Max-pooling over running sums: what goes out is by how much the largest sum of a window has grown.

    .. math:: o(t) = \max_j S_j(t) - \max_j S_j(t - 1),\quad S_j(t) = \sum_{s \le t} x_j(s),\quad S_j(0) = 0

    So the mean of o over steps 1..t is the maximum of the mean inputs, for every t, whatever the inputs are; the
    maximum of each step's spikes has a larger mean, at any number of steps. Behind neurons that fire once a step with
    one threshold a channel, o is 0 or the threshold again. In hardware it takes one counter an input.

    Args:
        pool: The ANN's max-pooling, without indices.

    Example:
        >>> pool = RunningMaxPool(nn.MaxPool1d(2))
        >>> steps = [torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0]]]), torch.tensor([[[0.0, 1.0]]])]
        >>> [pool(spikes).item() for spikes in steps]  # the rates are 1/3 and 2/3
        [1.0, 0.0, 1.0]
    """

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool
        self.sums: Tensor | None = None
        self.largest: Tensor | None = None

    def reset(self) -> None:
        """Forget the sums; the next input starts a new sequence."""
        self.sums = self.largest = None

    def forward(self, x: Tensor) -> Tensor:
        """One time-step.

        Args:
            x: Spikes or currents, (N, ...), activation units.

        Returns:
            Growth of the maximum, (N, ...), activation units.

        Raises:
            ShapeError: The shape differs from the previous step's.
        """
        if self.sums is not None and self.sums.shape != x.shape:
            raise ShapeError(
                f"The input changed from {tuple(self.sums.shape)} to {tuple(x.shape)} in mid-sequence; "
                "call reset() before a new sequence."
            )
        # Multiples of a float32 threshold are exact in float64, so an increment is one exactly.
        self.sums = x.double() if self.sums is None else self.sums + x
        before, self.largest = self.largest, self.pool(self.sums)
        return (self.largest if before is None else self.largest - before).to(x.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy without the state: sums that carry a graph cannot be copied."""
        new = type(self)(copy.deepcopy(self.pool, memo))
        memo[id(self)] = new
        return new.train(self.training)

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return "of running sums"


def pooled_over_time(pool: nn.Module, x: Tensor) -> Tensor:
    """What ``RunningMaxPool`` sends at every step of a sequence.

    Step by step: a cumulative sum over all steps leaves channels-last memory, and takes ten times as long.

    Args:
        pool: The ANN's max-pooling.
        x: Spikes or currents of all steps, (T, N, ...), activation units.

    Returns:
        (T, N, ...), activation units.
    """
    running = RunningMaxPool(pool)
    return torch.stack([running(step) for step in x])
