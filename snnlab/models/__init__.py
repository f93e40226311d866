"""Networks built from a JSON-ready architecture: VGG, CIFAR ResNets, and layers declared one by one."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "architecture_name": "architecture",
    "architecture_names": "architecture",
    "check_architecture": "architecture",
    "input_shape": "architecture",
    "named_architecture": "architecture",
    "num_classes": "architecture",
    "build": "network",
    "expected_shapes": "network",
    "site_shapes": "network",
    "PadShortcut": "resnet",
    "ResNet": "resnet",
    "VGG": "vgg",
}

__all__ = [
    "VGG",
    "PadShortcut",
    "ResNet",
    "architecture_name",
    "architecture_names",
    "build",
    "check_architecture",
    "expected_shapes",
    "input_shape",
    "named_architecture",
    "num_classes",
    "site_shapes",
]

if TYPE_CHECKING:
    from snnlab.models.architecture import (
        architecture_name,
        architecture_names,
        check_architecture,
        input_shape,
        named_architecture,
        num_classes,
    )
    from snnlab.models.network import build, expected_shapes, site_shapes
    from snnlab.models.resnet import PadShortcut, ResNet
    from snnlab.models.vgg import VGG


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: architectures are read without torch."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
