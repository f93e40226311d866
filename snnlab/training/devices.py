"""Devices: which there are, and what several processes share so that they train as one would.

Processes are started by Lightning Fabric, which runs the same command once more for each; they train in step, and the
first one alone writes and speaks.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from snnlab.activations import KeyedNoise, is_activation
from snnlab.core.errors import RecipeError
from snnlab.simulation.devices import find_device


def helping() -> bool:
    """Whether this process was started to help another one train: it writes nothing and says nothing."""
    return int(os.environ.get("LOCAL_RANK", "0")) > 0


@lru_cache(maxsize=4)
def opened(device: str = "cpu", devices: int = 1) -> Any:
    """The Fabric of these devices; the first call for several of them starts the other processes.

    Raises:
        SimulationError: This machine has not the device, or fewer of them.
        RecipeError: Nothing that could be run once more started this process.
    """
    from lightning_fabric import Fabric

    find_device(device, devices)
    fabric = Fabric(accelerator=device, devices=devices, precision="bf16-mixed" if device == "cuda" else "32-true")
    if devices > 1:
        if getattr(sys.modules["__main__"], "__spec__", None) is None and not Path(sys.argv[0]).is_file():
            raise RecipeError(
                "Several devices need a command that can be run once for each: use `snnlab train --devices N`, or a "
                "script in a file."
            )
        if device == "cpu" and sys.platform == "linux":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the processes of one machine need no network
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces every process
        fabric.launch()
    return fabric


@dataclass
class Share:
    """This process's part of every batch: images rank, rank + world, ...

    Args:
        rank: Number of the process, from 0.
        world: Number of processes.
        images: Images of the batch that all of them share.
    """

    rank: int = 0
    world: int = 1
    images: int = 0

    def of(self, batch: Tensor) -> Tensor:
        """This process's images of a whole batch."""
        return batch if self.world == 1 else batch[self.rank :: self.world]


@contextmanager
def in_step(network: nn.Module, fabric: Any) -> Iterator[Share]:
    """Train a network as one process in float32 would where it matters; it leaves the network as it was.

    Activations get float32 inputs, so that mixed precision leaves quantizer and thresholds alone. Of several processes,
    each one draws the noise of the whole batch and takes its own images' part, and batch-norm takes its statistics over
    all images.

    Args:
        network: The network; its modules are changed in place for the while.
        fabric: What ``opened`` gave.
    """
    share = Share(fabric.global_rank, fabric.world_size)
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    noisy = [module for module in network.modules() if isinstance(module, KeyedNoise)]
    sites = [module for module in network.modules() if is_activation(module)]
    undo: list[Any] = [site.register_forward_pre_hook(_in_float32) for site in sites]
    kinds = {module: type(module) for module in norms}
    try:
        if share.world > 1:
            for module in norms:
                module.__class__ = SharedBatchNorm
            for site in noisy:
                site.part = share
        yield share
    finally:
        for hook in undo:
            hook.remove()
        for module, kind in kinds.items():
            module.__class__ = kind
        for site in noisy:
            site.part = None


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch-norm whose statistics are those of the images of all processes; torch's own needs a GPU."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions, the second of them channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, C, ...); in training with the statistics of all processes."""
        if not self.training:
            return super().forward(x)
        over, shape = [0, *range(2, x.ndim)], (1, -1, *(1,) * (x.ndim - 2))
        wide = x.float()
        channels = x.shape[1]
        # The number of images comes along: the last batch of an epoch is not shared evenly.
        count = wide.new_full((1,), wide.numel() / channels)
        sums = _Sum.apply(torch.cat([wide.sum(over), count]))
        number = sums[-1].detach()
        mean = sums[:-1] / number
        centred = wide - mean.view(shape)
        variance = _Sum.apply((centred**2).sum(over)) / number
        if self.track_running_stats:
            assert self.momentum is not None, "our networks average exponentially"
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                self.running_mean.lerp_(mean.detach(), self.momentum)
                self.running_var.lerp_(variance.detach() * number / (number - 1), self.momentum)
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)


class _Sum(torch.autograd.Function):
    """Sum over processes, whose losses are summed too."""

    @staticmethod
    def forward(ctx: object, part: Tensor) -> Tensor:
        whole = part.clone()
        torch.distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: object, *grad: Tensor) -> Tensor:
        whole = grad[0].contiguous().clone()
        torch.distributed.all_reduce(whole)
        return whole


def _in_float32(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(value.float() for value in args)
