"""From an architecture to a network, and to its shapes without allocating it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from snnlab.activations import ActivationSpec, is_activation, is_quantized
from snnlab.models.architecture import check_architecture
from snnlab.models.resnet import ResNet
from snnlab.models.sequential import build_sequential
from snnlab.models.vgg import VGG

_FAMILIES: dict[str, Callable[..., nn.Module]] = {"vgg": VGG, "resnet": ResNet, "sequential": build_sequential}


def build(architecture: Mapping[str, Any], activation: ActivationSpec, *, seed: int = 0) -> nn.Module:
    """A new network with He-initialised weights [He2015], in training mode.

    Args:
        architecture: As ``check_architecture`` takes it.
        activation: The activation of every site.
        seed: Seed of the weights; the global random state is left alone.

    Raises:
        CheckpointError: The architecture is not valid.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _assemble(architecture, activation)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(
                    module.weight, mode="fan_out" if isinstance(module, nn.Conv2d) else "fan_in", nonlinearity="relu"
                )
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return network


def _assemble(architecture: Mapping[str, Any], activation: ActivationSpec) -> nn.Module:
    fields = check_architecture(architecture)
    return _FAMILIES[fields.pop("family")](**fields, activation=activation)


def build_on_meta(
    architecture: Mapping[str, Any], activation: str, levels: int | None = None, **quantizer: Any
) -> nn.Module:
    """The network without storage, for its names and shapes.

    Args:
        architecture: As ``check_architecture`` takes it.
        activation: Kind.
        levels: Quantization levels; 1 stands for those that are not known.
        quantizer: Fields that only ``lsq_noise`` has.
    """
    spec = ActivationSpec(activation, levels=(levels or 1) if is_quantized(activation) else None, **quantizer)
    with torch.device("meta"):
        return _assemble(architecture, spec)


def expected_shapes(
    architecture: Mapping[str, Any], activation: str, levels: int | None = None
) -> dict[str, tuple[int, ...]]:
    """The shape of every entry of the network's state_dict, without allocating it."""
    network = build_on_meta(architecture, activation, levels)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def site_shapes(network: nn.Module, image_shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Name and shape (channels, ...) of every site, input first, from one black image (1, *image_shape)."""
    shapes: dict[str, tuple[int, ...]] = {}
    handles = [
        module.register_forward_hook(partial(_note, shapes, name))
        for name, module in network.named_modules()
        if is_activation(module)
    ]
    try:
        with torch.inference_mode():
            network(torch.zeros(1, *image_shape))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _note(shapes: dict[str, tuple[int, ...]], name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
    shapes[name] = tuple(output.shape[1:])
