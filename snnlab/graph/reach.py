"""Which outputs an input reaches: the structure of affine operations, from which fan-outs are counted exactly.

Every operation that lies between two sites connects positions axis by axis: channels with channels, rows with rows,
columns with columns. So a connection is one boolean matrix an axis, and a chain of operations is their product.
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import fx, nn

from snnlab.core.errors import SimulationError
from snnlab.models import PadShortcut
from snnlab.neurons import RunningMaxPool

Axis = np.ndarray | None
"""Which of an axis' inputs reach which of its outputs, (inputs, outputs), bool; None where each reaches itself."""

_AVG_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d)
_ADAPTIVE_POOLS = (
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d,
)  # fmt: skip
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_SAME_PLACE = (nn.Identity, nn.Dropout, nn.Dropout2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_SUMS = (operator.add, torch.add, operator.sub, torch.sub)
_FACTORS = (operator.mul, operator.truediv, torch.mul)


@dataclass(frozen=True)
class Reach:
    """Which positions of a later value a value reaches.

    Args:
        shape: Of one image's earlier value.
        axes: One entry an axis of it.
        flat: The later value has lost its axes: all that is left of them is what got there.
    """

    shape: tuple[int, ...]
    axes: tuple[Axis, ...]
    flat: bool = False

    @classmethod
    def itself(cls, shape: tuple[int, ...]) -> "Reach":
        """Each position reaches itself."""
        return cls(shape, (None,) * len(shape))

    def then(self, axes: Sequence[Axis]) -> "Reach":
        """Through one more operation."""
        assert not self.flat, "axes are told apart until they are flattened"
        return replace(
            self, axes=tuple(_composed(first, second) for first, second in zip(self.axes, axes, strict=True))
        )

    @property
    def merges(self) -> bool:
        """Whether several positions end in one, as in a pool."""
        return any(axis is not None and bool((axis.sum(axis=0) > 1).any()) for axis in self.axes)

    def fan_out(self) -> np.ndarray:
        """How many positions of the later value each position reaches, shaped as the earlier value, int64."""
        rows = [
            np.ones(size, np.int64) if axis is None else axis.sum(axis=1, dtype=np.int64)
            for size, axis in zip(self.shape, self.axes, strict=True)
        ]
        return reduce(np.multiply.outer, rows, np.ones((), np.int64))

    def arrives(self) -> np.ndarray:
        """Whether a position reaches anything, shaped as the earlier value, bool."""
        return self.fan_out() > 0


def is_layer(module: Any) -> bool:
    """Whether a module has weights that spikes are accumulated with."""
    return isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)


def is_sum(node: fx.Node) -> bool:
    """Whether a node adds or subtracts two values of the network."""
    named = node.target in _SUMS if node.op == "call_function" else node.target in ("add", "add_", "sub")
    return node.op in ("call_function", "call_method") and named and len(node.all_input_nodes) == 2


def layer_axes(module: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> list[Axis]:
    """How a layer connects one image's input with its output."""
    if isinstance(module, nn.Linear):
        return [*(None for _ in before[:-1]), np.ones((module.in_features, module.out_features), bool)]
    assert isinstance(module, _CONVOLUTIONS), "is_layer said so"
    groups = np.kron(
        np.eye(module.groups, dtype=bool),
        np.ones((module.in_channels // module.groups, module.out_channels // module.groups), bool),
    )
    spatial = [
        windows(
            before[1 + axis],
            after[1 + axis],
            kernel=module.kernel_size[axis],
            stride=module.stride[axis],
            padding=_padding(module, axis),
            dilation=module.dilation[axis],
            mode=module.padding_mode,
        )
        for axis in range(len(before) - 1)
    ]
    return [groups, *spatial]


def layer_fan_out(module: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> np.ndarray:
    """How many outputs each input of a layer reaches, shaped as one image's input, int64."""
    return Reach.itself(before).then(layer_axes(module, before, after)).fan_out()


def nominal_macs(module: nn.Module, after: tuple[int, ...]) -> int:
    """Multiply-accumulates of one image as they are usually told: as if no input lay in the padding."""
    if isinstance(module, nn.Linear):
        return module.in_features * math.prod(after)
    assert isinstance(module, _CONVOLUTIONS), "is_layer said so"
    return math.prod(after) * module.in_channels // module.groups * math.prod(module.kernel_size)


def into_layer(reach: Reach, module: nn.Module, before: tuple[int, ...], after: tuple[int, ...]) -> np.ndarray:
    """How many outputs of a layer each position of an earlier value reaches, shaped as that value, int64."""
    if reach.flat:
        assert isinstance(module, nn.Linear), "only a linear layer takes flat input"
        return reach.arrives() * np.int64(module.out_features)
    return reach.then(layer_axes(module, before, after)).fan_out()


def passed_on(
    reach: Reach, node: fx.Node, source: fx.Node, modules: dict[str, Any], shapes: dict[fx.Node, tuple[int, ...]]
) -> Reach:
    """What a value reaches through an operation without weights of its own.

    Args:
        reach: What it reaches before.
        node: The operation.
        source: The input of it by which the value arrives.
        modules: Modules by name.
        shapes: Shape of one image's value at every node.

    Raises:
        SimulationError: Operations on this way cannot be followed; names the node.
    """
    before, after = shapes[source], shapes[node]
    axes = _axes_of(node, source, modules, shapes)
    if axes is None:
        if math.prod(before) == math.prod(after) and len(after) == 1:
            return replace(reach, flat=len(before) > 1 or reach.flat)
        raise SimulationError(
            f"{node.name} moves values to places that cannot be followed, so synaptic operations cannot be counted "
            "behind it; use x.flatten(1) and known layers."
        )
    if reach.flat:
        if all(axis is None for axis in axes) or node.target is torch.cat:
            return reach
        raise SimulationError(
            f"{node.name} works on flattened values, so synaptic operations cannot be counted behind it; flatten just "
            "before a linear layer."
        )
    gone = len(axes) > len(after)  # a mean over axes that are not kept
    if gone and len(after) > 1:
        raise SimulationError(
            f"{node.name} averages over some axes only, so synaptic operations cannot be counted behind it; keep its "
            "axes (keepdim=True)."
        )
    return replace(reach.then(axes), flat=gone)


def _axes_of(
    node: fx.Node, source: fx.Node, modules: dict[str, Any], shapes: dict[fx.Node, tuple[int, ...]]
) -> Sequence[Axis] | None:
    before, after = shapes[source], shapes[node]
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    target = node.target if node.op != "call_module" else None
    if isinstance(module, _SAME_PLACE) or target in _FACTORS or target in ("contiguous", F.dropout):
        return (None,) * len(before)
    if is_sum(node) or target in (*_SUMS, "add", "add_", "sub"):
        return (None,) * len(before) if before == after else None  # a broadcast sum cannot be followed
    if isinstance(module, RunningMaxPool):
        module = module.pool
    if isinstance(module, _MAX_POOLS):
        return _pool_axes(before, after, module.kernel_size, module.stride, module.padding, module.dilation)
    if isinstance(module, _AVG_POOLS):
        return _pool_axes(before, after, module.kernel_size, module.stride, module.padding)
    if target is F.avg_pool2d:
        given = {**dict(zip(("kernel_size", "stride", "padding"), node.args[1:], strict=False)), **node.kwargs}
        kernel = given["kernel_size"]
        return _pool_axes(before, after, kernel, given.get("stride") or kernel, given.get("padding", 0))
    if isinstance(module, _ADAPTIVE_POOLS) or target is F.adaptive_avg_pool2d:
        return [None, *(bins(size, parts) for size, parts in zip(before[1:], after[1:], strict=True))]
    if isinstance(module, nn.ZeroPad2d):
        left, _, top, _ = module.padding
        return [None, np.eye(before[1], after[1], k=top, dtype=bool), np.eye(before[2], after[2], k=left, dtype=bool)]
    if isinstance(module, PadShortcut):
        shift = (module.out_channels - module.in_channels) // 2
        picked = [
            windows(size, parts, kernel=1, stride=module.stride)
            for size, parts in zip(before[1:], after[1:], strict=True)
        ]
        return [np.eye(before[0], after[0], k=shift, dtype=bool), *picked]
    if target is torch.cat:
        return _cat_axes(node, source, shapes)
    if target in ("mean", torch.mean):
        return _mean_axes(node, before)
    return (None,) * len(before) if before == after else None


def _pool_axes(
    before: tuple[int, ...], after: tuple[int, ...], kernel: Any, stride: Any, padding: Any, dilation: Any = 1
) -> list[Axis]:
    def at(value: Any, axis: int) -> int:
        return int(value if isinstance(value, int) else value[axis if len(value) > 1 else 0])

    return [
        None,
        *(
            windows(
                before[1 + axis],
                after[1 + axis],
                kernel=at(kernel, axis),
                stride=at(stride, axis),
                padding=(at(padding, axis),) * 2,
                dilation=at(dilation, axis),
            )
            for axis in range(len(before) - 1)
        ),
    ]


def _cat_axes(node: fx.Node, source: fx.Node, shapes: dict[fx.Node, tuple[int, ...]]) -> list[Axis] | None:
    parts = list(node.args[0])  # type: ignore[arg-type]
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    ndim = len(shapes[node])
    assert isinstance(dim, int), "torch.cat takes one axis"
    axis = dim - 1 if dim > 0 else ndim + dim
    if parts.count(source) != 1 or not 0 <= axis < ndim:
        return None
    offset = sum(shapes[part][axis] for part in parts[: parts.index(source)])
    shifted = np.eye(shapes[source][axis], shapes[node][axis], k=offset, dtype=bool)
    return [shifted if each == axis else None for each in range(ndim)]


def _mean_axes(node: fx.Node, before: tuple[int, ...]) -> list[Axis]:
    given = node.args[1] if len(node.args) > 1 else node.kwargs["dim"]
    listed = given if isinstance(given, tuple | list) else (given,)
    gone = {axis - 1 if axis > 0 else len(before) + axis for axis in listed}
    return [np.ones((size, 1), bool) if axis in gone else None for axis, size in enumerate(before)]


def windows(
    size: int,
    outputs: int,
    *,
    kernel: int,
    stride: int,
    padding: tuple[int, int] = (0, 0),
    dilation: int = 1,
    mode: str = "zeros",
) -> np.ndarray:
    """Which of an axis' positions lie in which window of a convolution or pool, (size, outputs), bool.

    Args:
        size: Positions.
        outputs: Windows.
        kernel: Taps of a window.
        stride: Between windows.
        padding: Before and after, positions.
        dilation: Between taps.
        mode: What the padding repeats, as torch calls it; ``"zeros"`` for nothing.
    """
    tap = np.arange(outputs)[:, None] * stride + np.arange(kernel) * dilation  # (outputs, kernel), padded positions
    if mode == "zeros":
        place = tap - padding[0]
    else:
        repeat: Any = {"circular": "wrap", "replicate": "edge"}.get(mode, mode)
        padded = np.pad(np.arange(size), padding, mode=repeat)
        place = padded[tap]
    found = np.zeros((size, outputs), bool)
    inside = (place >= 0) & (place < size)  # a pool that rounds its size up may look beyond the end
    found[place[inside], np.broadcast_to(np.arange(outputs)[:, None], place.shape)[inside]] = True
    return found


def bins(size: int, parts: int) -> np.ndarray:
    """Which positions an adaptive pool puts in which of its parts, (size, parts), bool."""
    place, part = np.arange(size)[:, None], np.arange(parts)
    return (place >= part * size // parts) & (place < -(-(part + 1) * size // parts))


def _padding(module: nn.Module, axis: int) -> tuple[int, int]:
    assert isinstance(module, _CONVOLUTIONS)
    if module.padding == "valid":
        return 0, 0
    if module.padding == "same":
        total = module.dilation[axis] * (module.kernel_size[axis] - 1)
        return total // 2, total - total // 2
    each = module.padding[axis]
    assert isinstance(each, int)
    return each, each


def _composed(first: Axis, second: Axis) -> Axis:
    if first is None or second is None:
        return second if first is None else first
    return (first.astype(np.float32) @ second.astype(np.float32)) > 0  # sums of 0 and 1: no rounding below 2**24
