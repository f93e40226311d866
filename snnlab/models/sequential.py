"""Networks declared layer by layer."""

from collections import Counter, OrderedDict
from typing import Any

from torch import nn

from snnlab.activations import ActivationSpec
from snnlab.core.errors import CheckpointError
from snnlab.models.layers import ACTIVATIONS, layer_kind

_PREFIX = {"linear": "fc", "batchnorm": "bn", "avgpool": "pool", "maxpool": "pool", "global_avgpool": "pool"}


def layer_names(layers: list[Any]) -> list[str]:
    """The module name of each layer, numbered by kind: ``conv1``, ``act1``, ``pool1``, ``conv2``, ..., ``fc1``."""
    counts: Counter[str] = Counter()
    names = []
    for layer in layers:
        kind = layer_kind(layer)
        prefix = "act" if kind in ACTIVATIONS else _PREFIX.get(kind, kind)
        counts[prefix] += 1
        names.append(f"{prefix}{counts[prefix]}")
    return names


def build_sequential(
    *, layers: list[Any], in_channels: int, input_size: int, activation: ActivationSpec
) -> nn.Sequential:
    """An ``nn.Sequential`` of the listed layers, named by ``layer_names``; sites are ``act1``, ``act2``, ... .

    Args:
        layers: As ``snnlab.models.layers`` describes them; every activation in it is a site.
        in_channels: Channels of the image.
        input_size: Height and width of the image, pixels.
        activation: The activation of every site.

    Raises:
        CheckpointError: A layer does not fit the one before it; the message names its position.
    """
    modules = OrderedDict[str, nn.Module]()
    shape: tuple[int, ...] = (in_channels, input_size, input_size)
    for index, (name, layer) in enumerate(zip(layer_names(layers), layers, strict=True)):
        modules[name], shape = _make(f"layer {index} ({layer_kind(layer)})", layer, shape, activation)
    return nn.Sequential(modules)


def _make(
    where: str, layer: Any, shape: tuple[int, ...], activation: ActivationSpec
) -> tuple[nn.Module, tuple[int, ...]]:
    kind = layer_kind(layer)
    if kind in ACTIVATIONS:
        return activation.make(), shape
    if kind == "dropout":
        # The rate is not kept: it acts in training only, and conversion starts from a trained network.
        return nn.Dropout(), shape
    if kind == "flatten":
        features = 1
        for extent in shape:
            features *= extent
        return nn.Flatten(), (features,)
    if kind == "batchnorm":
        return (nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d)(shape[0]), shape
    if kind == "linear":
        if len(shape) != 1:
            raise CheckpointError(f"{where} follows an image of shape {shape}; put 'flatten' before it.")
        return nn.Linear(shape[0], layer[kind], bias=layer["bias"]), (layer[kind],)
    if len(shape) != 3:
        raise CheckpointError(f"{where} needs an image, but 'flatten' came before it.")
    channels, size = shape[0], shape[1]
    if kind == "global_avgpool":
        return nn.AdaptiveAvgPool2d(1), (channels, 1, 1)
    out_channels, kernel = layer[kind] if kind == "conv" else (channels, layer[kind])
    stride, padding = layer["stride"], layer["padding"]
    if kind != "conv" and 2 * padding > kernel:
        raise CheckpointError(f"{where} has padding {padding}, more than half of its kernel {kernel}.")
    size = (size + 2 * padding - kernel) // stride + 1
    if size < 1:
        raise CheckpointError(f"{where} has kernel {kernel}, larger than the image {shape[1]} x {shape[2]} it gets.")
    image = (out_channels, size, size)
    if kind == "conv":
        return nn.Conv2d(channels, out_channels, kernel, stride=stride, padding=padding, bias=layer["bias"]), image
    return (nn.AvgPool2d if kind == "avgpool" else nn.MaxPool2d)(kernel, stride=stride, padding=padding), image
