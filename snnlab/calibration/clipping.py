"""Thresholds learned with frozen weights: every site clips, and raises its thresholds by what it cut off."""

import copy
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, fx, nn

from snnlab.core.progress import ProgressCallback
from snnlab.simulation.images import ImageSource, check_finite


@dataclass(frozen=True)
class Clipping:
    """What was learned at one site.

    Args:
        thresholds: (channels,), float64, activation units; 0 where nothing positive came.
        mean: Mean over the images of ReLU of the input of every single neuron, under the learned thresholds, shaped
            like an activation, float64.
    """

    thresholds: np.ndarray
    mean: np.ndarray


class _Clip(nn.Module):
    r"""A site that clips at thresholds of its own.

    .. math:: \theta_c \leftarrow \theta_c + 2\,\mathrm{mean}_{N,H,W}(z - \theta_c)_+, \qquad
        a = \mathrm{clip}(z, 0, \theta_c)

    Args:
        highest: Where the source's own activation clips, and so z; infinity where it does not.
    """

    def __init__(self, highest: float) -> None:
        super().__init__()
        self.learns, self.highest = True, highest
        self.threshold = torch.zeros((), dtype=torch.float64)
        self.sums = torch.zeros((), dtype=torch.float64)

    def forward(self, z: Tensor) -> Tensor:
        """Clip (N, channels, ...); while it learns, raise the thresholds before."""
        shape = (1, -1, *[1] * (z.ndim - 2))
        z = z.clamp(max=self.highest)
        if self.learns:
            over = (z - self.threshold.reshape(shape).to(z.dtype)).relu()
            raised = self.threshold + 2 * over.double().mean([0, *range(2, z.ndim)])
            self.threshold = raised.clamp(max=self.highest)
        else:
            self.sums = self.sums + z.relu().double().sum(0)
        return torch.minimum(z.relu(), self.threshold.reshape(shape).to(z.dtype))


def learn_clipping(
    graph: fx.GraphModule,
    sites: Mapping[str, float | None],
    images: ImageSource,
    *,
    iterations: int,
    batch: int,
    progress: ProgressCallback,
) -> dict[str, Clipping]:
    """Learn clipping thresholds a channel by descent on the squared clipping error, weights frozen.

    Every iteration is one pass of the next batch, in the order of the images, from the start again at their end.

    Args:
        graph: Prepared ANN; left alone.
        sites: Name of each activation, which a clip replaces -> where it clips itself, None where it does not: no
            threshold rises above that.
        images: Calibration images.
        iterations: How many.
        batch: Images of one.
        progress: Called after each.

    Raises:
        DataError: NaN in an image.

    Source: [Bu2025], the authors' code, rate 1. Ours: what a source that clips would cut off raises nothing.
    """
    network = copy.deepcopy(graph)
    clips = {name: _Clip(math.inf if highest is None else highest) for name, highest in sites.items()}
    for name, clip in clips.items():
        network.set_submodule(name, clip)
    bounds = [(start, min(start + batch, len(images))) for start in range(0, len(images), batch)]
    with torch.inference_mode():
        for done, (start, stop) in enumerate(itertools.islice(itertools.cycle(bounds), iterations)):
            x = images.batch(start, stop)
            check_finite(x, start)
            network(x)
            progress(done + 1, iterations, "iterations of the thresholds")
        for clip in clips.values():
            clip.learns = False
        for start, stop in bounds:
            network(images.batch(start, stop))
    return {name: Clipping(clip.threshold.numpy(), (clip.sums / len(images)).numpy()) for name, clip in clips.items()}
