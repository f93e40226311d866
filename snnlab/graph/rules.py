"""What the engine can do with each operation. An operation without a rule is refused by name, never passed through."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import fx, nn

from snnlab.activations import describe
from snnlab.models import PadShortcut
from snnlab.neurons import MAX_POOLS, IntegrateFire, RunningMaxPool

Verdict = Literal["exact", "refused"]


@dataclass(frozen=True)
class Rule:
    """How one operation is treated.

    Args:
        name: ``input``, ``output``, ``site``, ``affine``, ``max_pool`` or ``refused``.
        verdict: ``exact``: commutes with the mean over time-steps, or is a site; ``refused`` otherwise.
        note: What is done, or why it is refused and what to do.
    """

    name: str
    verdict: Verdict
    note: str


_AFFINE_MODULES: tuple[type[nn.Module], ...] = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.AvgPool1d,
    nn.AvgPool2d,
    nn.AvgPool3d,
    nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d,
    nn.ZeroPad2d,
    nn.Flatten,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    PadShortcut,
)
_AFFINE_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    operator.add,
    operator.iadd,
    torch.add,
    operator.sub,
    torch.sub,
    torch.cat,
    torch.flatten,
    F.avg_pool2d,
    F.adaptive_avg_pool2d,
)
_AFFINE_METHODS = ("flatten", "add", "add_", "sub", "contiguous")
MAX_POOL_FUNCTIONS: dict[Callable[..., Any], type[nn.Module]] = {
    F.max_pool1d: nn.MaxPool1d,
    F.max_pool2d: nn.MaxPool2d,
    torch.max_pool1d: nn.MaxPool1d,
    torch.max_pool2d: nn.MaxPool2d,
    F.adaptive_max_pool1d: nn.AdaptiveMaxPool1d,
    F.adaptive_max_pool2d: nn.AdaptiveMaxPool2d,
}
"""Functional max-pooling -> the module that does the same with the same arguments."""
_FUNCTIONAL_ACTIVATIONS = (F.relu, F.relu6, F.leaky_relu, F.gelu, F.silu, torch.relu, torch.clamp)

_AFFINE = Rule("affine", "exact", "applied at every time-step")
_MAX_POOL = Rule(
    "max_pool",
    "exact",
    "sends by how much the largest running sum has grown, so the mean is the maximum of the means at every t; takes a "
    "counter an input",
)
_POOL_WITH_INDICES = Rule("refused", "refused", "it also returns where the maximum was; pool without indices")
_POOL_OF_A_SIZE = Rule(
    "refused", "refused", "its window is taken from a tensor's size; write the number, or use nn.AdaptiveMaxPool2d(1)"
)
_USE_MODULES = "give each activation its own module (nn.ReLU, QCFS or ClippedReLU)"


def rule_for(node: fx.Node, modules: dict[str, nn.Module]) -> Rule:
    """The rule for one graph node.

    Args:
        node: A node of a traced network.
        modules: The network's modules by dotted name.
    """
    if node.op == "placeholder":
        return Rule("input", "exact", "the analog image, repeated at every time-step")
    if node.op == "output":
        return Rule("output", "exact", "read-out: mean over time-steps")
    if node.op == "call_module":
        return _module_rule(modules[str(node.target)])
    if node.op == "call_function":
        return _function_rule(node)
    if node.op == "call_method":
        if node.target in ("view", "reshape"):
            return _reshape_rule(node)
        if node.target == "size" or node.target in _AFFINE_METHODS:
            return _AFFINE
        if node.target == "mean" and _axes_spare_the_batch(node):
            return _AFFINE
        if node.target in ("relu", "relu_", "clamp"):
            return Rule("refused", "refused", f"a functional activation has no site; {_USE_MODULES}")
    return Rule("refused", "refused", "there is no rule for this operation; rewrite it with known layers")


def _module_rule(module: nn.Module) -> Rule:
    if isinstance(module, IntegrateFire):
        return Rule("site", "exact", "integrate-and-fire neuron")
    spec = describe(module)
    if spec is not None:
        return Rule("site", "exact", f"{spec.kind} becomes an integrate-and-fire neuron")
    if getattr(module, "running_mean", 0) is None:
        return Rule("refused", "refused", "it normalises by the batch at hand; train it with track_running_stats=True")
    if isinstance(module, _AFFINE_MODULES):
        return _AFFINE
    if isinstance(module, MAX_POOLS):
        return _POOL_WITH_INDICES if module.return_indices else _MAX_POOL
    if isinstance(module, RunningMaxPool):
        return _MAX_POOL
    kind = type(module).__name__
    if module.__module__.startswith("torch.nn.modules.activation"):
        return Rule("refused", "refused", f"an integrate-and-fire neuron cannot represent {kind}; retrain with ReLU")
    return Rule("refused", "refused", f"there is no rule for {kind}; rewrite it with known layers")


def _function_rule(node: fx.Node) -> Rule:
    if node.target in _FUNCTIONAL_ACTIVATIONS:
        return Rule("refused", "refused", f"a functional activation has no site; {_USE_MODULES}")
    if node.target in MAX_POOL_FUNCTIONS:
        return _POOL_OF_A_SIZE if len(node.all_input_nodes) > 1 else _MAX_POOL  # with indices it is another function
    if node.target is F.dropout:
        return Rule("affine", "exact", "dropout is off after training")
    if node.target is operator.getitem and _is_shape(node.args[0]):
        return _AFFINE
    if node.target is getattr and node.args[1] == "shape":
        return _AFFINE
    if node.target in _AFFINE_FUNCTIONS:
        return _AFFINE
    if node.target in (operator.mul, operator.truediv, torch.mul) and not isinstance(node.args[1], fx.Node):
        return _AFFINE
    if node.target is torch.mean and _axes_spare_the_batch(node):
        return _AFFINE
    return Rule("refused", "refused", "there is no rule for this operation; rewrite it with known layers")


def pool_arguments(node: fx.Node) -> dict[str, Any]:
    """Arguments of a functional max-pooling by the names that its module takes."""
    plain = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    adaptive = MAX_POOL_FUNCTIONS[node.target].__name__.startswith("Adaptive")  # type: ignore[index]
    names = ("output_size", "return_indices") if adaptive else plain
    given = {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}
    given.pop("input", None)
    if given.get("stride") in ((), []):
        given["stride"] = None  # how torch writes it where it is the window's
    return given


def _is_shape(argument: Any) -> bool:
    if not isinstance(argument, fx.Node):
        return False
    return argument.target == "size" or (argument.target is getattr and argument.args[1] == "shape")


def is_size(argument: Any) -> bool:
    """Whether a graph argument is ``x.size(0)``, ``x.shape[0]`` or ``x.size()``: a number, not a tensor."""
    if not isinstance(argument, fx.Node):
        return False
    return _is_shape(argument) or (argument.target is operator.getitem and _is_shape(argument.args[0]))


def _reshape_rule(node: fx.Node) -> Rule:
    # Time is folded into the batch, so only a reshape that leaves the batch axis alone keeps its meaning.
    first = node.args[1][0] if isinstance(node.args[1], tuple | list) else node.args[1]
    if is_size(first) or first == -1:
        return _AFFINE
    return Rule("refused", "refused", "it fixes the batch size; write x.flatten(1) instead")


def _axes_spare_the_batch(node: fx.Node) -> bool:
    axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    if axes is None:
        return False
    listed = axes if isinstance(axes, tuple | list) else (axes,)
    return all(isinstance(axis, int) and axis != 0 for axis in listed)
