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

    def reset(self) -> None:
        """Forget the sums; the next input starts a new sequence."""
        self.sums = None

    def forward(self, x: Tensor) -> Tensor:
        """One time-step.

        Args:
            x: Spikes or currents, (N, ...), activation units.

        Returns:
            Growth of the maximum, (N, ...), activation units.

        Raises:
            ShapeError: The shape differs from the previous step's.
        """
        if self.sums is None:
            self.sums = x.double()
            return self.pool(x)
        if self.sums.shape != x.shape:
            raise ShapeError(
                f"The input changed from {tuple(self.sums.shape)} to {tuple(x.shape)} in mid-sequence; "
                "call reset() before a new sequence."
            )
        before, self.sums = self.sums, self.sums + x
        return (self.pool(self.sums) - self.pool(before)).to(x.dtype)

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

    Sums are kept in float64: multiples of a float32 threshold are exact there, so an increment is one exactly.

    Args:
        pool: The ANN's max-pooling.
        x: Spikes or currents of all steps, (T, N, ...), activation units.

    Returns:
        (T, N, ...), activation units.
    """
    # Step by step: a cumulative sum over all of them leaves channels-last memory, and takes ten times as long.
    sums, before, sent = torch.zeros_like(x[0], dtype=torch.float64), torch.zeros(()), []
    for step in x:
        sums = sums + step
        largest: Tensor = pool(sums)
        sent.append((largest - before).to(x.dtype))
        before = largest
    return torch.stack(sent)
