"""Architectures as data: checked, completed with defaults, named. No torch."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from snnlab.core.errors import CheckpointError
from snnlab.models.layers import ACTIVATIONS, MAX_WIDTH, check_layers, layer_kind

MAX_LAYERS = 4_096
MAX_IMAGE = 512

_VGG_PLANS: dict[str, list[int | str]] = {
    "vgg11": [64, "A", 128, "A", 256, 256, "A", 512, 512, "A", 512, 512, "A"],
    "vgg13": [64, 64, "A", 128, 128, "A", 256, 256, "A", 512, 512, "A", 512, 512, "A"],
    "vgg16": [64, 64, "A", 128, 128, "A", 256, 256, 256, "A", 512, 512, 512, "A", 512, 512, 512, "A"],
    "vgg19": [64, 64, "A", 128, 128, "A", *[256] * 4, "A", *[512] * 4, "A", *[512] * 4, "A"],
}
_WIDE_RESNETS = {"resnet18": [2, 2, 2, 2], "resnet34": [3, 4, 6, 3]}
_CIFAR_DEPTHS = (20, 32, 44, 56, 110, 1202)
_WIDE = [64, 128, 256, 512]
_NARROW = [16, 32, 64]
BLOCKS = ("post_act", "pre_act", "dual_neuron")
"""Where a residual block has its activations; see ``ResNet``."""


def architecture_names() -> tuple[str, ...]:
    """Names that ``named_architecture`` knows; ``resnetN-A`` and ``-B`` also exist for any other N = 6n + 2.

    Every ``resnet`` name may end in ``-pre_act`` or ``-dual_neuron``.
    """
    cifar = [f"resnet{depth}-{option}" for option in "AB" for depth in _CIFAR_DEPTHS]
    return (*_VGG_PLANS, *_WIDE_RESNETS, "resnet20", *cifar)


def named_architecture(name: str, num_classes: int) -> dict[str, Any]:
    """The architecture of a name, for 32 x 32 colour images.

    ``vgg*``, ``resnet18``, ``resnet20`` and ``resnet34`` are those of the QCFS code; ``-A`` and ``-B`` are the CIFAR
    ResNets of [He2016] with zero-padded and with projected shortcuts. Blocks of another form are named at the end:
    ``resnet20-B-pre_act``, ``resnet18-dual_neuron``.

    Raises:
        CheckpointError: No such name; the nearest is proposed.
    """
    known, block = _split_block(name)
    if known != name:
        return check_architecture({**named_architecture(known, num_classes), "block": block})
    if name in _VGG_PLANS:
        values: dict[str, Any] = {"family": "vgg", "plan": _VGG_PLANS[name], "classifier": [4096, 4096]}
        return check_architecture({**values, "conv_bias": True, "num_classes": num_classes})
    if name in _WIDE_RESNETS:
        return _resnet(_WIDE, _WIDE_RESNETS[name], "B", num_classes)
    match = re.fullmatch(r"resnet(\d{1,4})-([AB])", "resnet20-B" if name == "resnet20" else name)
    if match and int(match[1]) % 6 == 2 and 8 <= int(match[1]) <= max(_CIFAR_DEPTHS):
        return _resnet(_NARROW, [int(match[1]) // 6] * 3, match[2], num_classes)
    near = difflib.get_close_matches(name, architecture_names(), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(architecture_names())}."
    raise CheckpointError(f"There is no architecture {name[:80]!r}; {hint}")


def architecture_name(architecture: Mapping[str, Any]) -> str:
    """A short name of any architecture: the known one where there is one, else family and depth."""
    family = architecture["family"]
    if family == "resnet":
        blocks, widths = list(architecture["blocks"]), list(architecture["widths"])
        block = architecture.get("block", BLOCKS[0])  # files of earlier versions do not name it
        form = "" if block == BLOCKS[0] else f"-{block}"
        for name, known in _WIDE_RESNETS.items():
            if (widths, blocks, architecture["shortcut"]) == (_WIDE, known, "B"):
                return name + form
        shape = "" if widths == _NARROW and len(set(blocks)) == 1 else f" ({'-'.join(map(str, widths))})"
        return f"resnet{2 * sum(blocks) + 2}-{architecture['shortcut']}{form}{shape}"
    if family == "vgg":
        for name, plan in _VGG_PLANS.items():
            same_head = list(architecture["classifier"]) == [4096, 4096]
            if same_head and architecture["batch_norm"] and plan == list(architecture["plan"]):
                return name
        convolutions = sum(isinstance(entry, int) for entry in architecture["plan"])
        return f"vgg ({convolutions} conv, {len(architecture['classifier']) + 1} linear)"
    kinds = [layer_kind(layer) for layer in architecture["layers"]]
    counts = [f"{kinds.count(kind)} {kind}" for kind in ("conv", "linear") if kind in kinds]
    return f"sequential ({', '.join(counts)})"


def num_classes(architecture: Mapping[str, Any]) -> int:
    """Outputs of the network."""
    if architecture["family"] != "sequential":
        return int(architecture["num_classes"])
    return int(architecture["layers"][-1]["linear"])


def input_shape(architecture: Mapping[str, Any]) -> tuple[int, int, int]:
    """(channels, height, width) of one image."""
    size = int(architecture["input_size"])
    return int(architecture["in_channels"]), size, size


def declared_activation(architecture: Mapping[str, Any]) -> str | None:
    """The activation that a layer list names (``"relu"``, ``"clipped_relu"``, ``"qcfs"``); None where it names none."""
    if architecture["family"] != "sequential":
        return None
    return next((layer for layer in architecture["layers"] if layer in ACTIVATIONS), None)


def check_architecture(values: Any) -> dict[str, Any]:
    """Check an architecture and complete it with defaults.

    Args:
        values: ``{"family": "vgg" | "resnet" | "sequential", ...}``; the fields of each family are in its module.

    Returns:
        A new JSON-ready dict that holds every field.

    Raises:
        CheckpointError: A field is missing, unknown or out of range; the message names it.
    """
    if not isinstance(values, Mapping):
        raise CheckpointError(f"An architecture is a mapping with a family, not {type(values).__name__}.")
    family = values.get("family")
    if not isinstance(family, str) or family not in _CHECKS:
        raise CheckpointError(f"There is no architecture family {family!r}; known are {', '.join(_CHECKS)}.")
    checked: dict[str, Any] = _CHECKS[family](values)
    return checked


def _split_block(name: str) -> tuple[str, str]:
    """A name without the form of its blocks, and that form; the name itself where it ends in none."""
    known, _, block = name.rpartition("-")
    return (known, block) if known.startswith("resnet") and block not in ("A", "B") else (name, BLOCKS[0])


def _resnet(widths: Sequence[int], blocks: Sequence[int], shortcut: str, classes: int) -> dict[str, Any]:
    values = {"family": "resnet", "widths": widths, "blocks": blocks, "shortcut": shortcut, "num_classes": classes}
    return check_architecture(values)


def _check_vgg(values: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {"classifier": [], "in_channels": 3, "input_size": 32, "conv_bias": False, "batch_norm": True}
    fields = _fields("vgg", values, required=("plan", "num_classes"), defaults=defaults)
    plan = _entries("vgg: plan", fields["plan"])
    checked = [entry if entry in ("A", "M") else _count("vgg: plan", entry) for entry in plan]
    size = fields["input_size"]
    for position, entry in enumerate(checked):
        if isinstance(entry, int):
            continue
        if position == 0 or isinstance(checked[position - 1], str):
            raise CheckpointError(
                f"vgg: plan has the pool {entry!r} at position {position} with no convolution before."
            )
        size //= 2
    if size < 1:
        raise CheckpointError(f"vgg: input_size {fields['input_size']} is too small for the plan's pools.")
    classifier = [_count("vgg: classifier", width) for width in _entries("vgg: classifier", fields["classifier"], 0)]
    return {**fields, "plan": checked, "classifier": classifier}


def _check_resnet(values: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {"block": BLOCKS[0], "stem_stride": 1, "in_channels": 3, "input_size": 32}
    fields = _fields("resnet", values, required=("widths", "blocks", "shortcut", "num_classes"), defaults=defaults)
    widths = [_count("resnet: widths", width) for width in _entries("resnet: widths", fields["widths"])]
    blocks = [_count("resnet: blocks", count, MAX_LAYERS) for count in _entries("resnet: blocks", fields["blocks"])]
    if len(widths) != len(blocks) or sum(blocks) > MAX_LAYERS:
        found = f"widths {widths} and blocks {blocks}"
        raise CheckpointError(f"resnet: {found} must have one entry a stage, at most {MAX_LAYERS} blocks in all.")
    if fields["shortcut"] not in ("A", "B"):
        raise CheckpointError(f"resnet: shortcut is 'A' (zero-padded) or 'B' (projected), not {fields['shortcut']!r}.")
    if fields["block"] not in BLOCKS:
        raise CheckpointError(f"resnet: block is one of {', '.join(BLOCKS)}, not {str(fields['block'])[:80]!r}.")
    if fields["shortcut"] == "A" and widths != sorted(widths):
        raise CheckpointError(f"resnet: option-A shortcuts cannot shrink, but the widths are {widths}.")
    return {**fields, "widths": widths, "blocks": blocks}


def _check_sequential(values: Mapping[str, Any]) -> dict[str, Any]:
    fields = _fields("sequential", values, required=("layers", "in_channels", "input_size"), defaults={})
    layers = check_layers(_entries("sequential: layers", fields["layers"]))
    if layer_kind(layers[-1]) != "linear":
        raise CheckpointError("sequential: the last layer must be linear; its outputs are the classes.")
    return {**fields, "layers": layers}


def _fields(
    family: str, values: Mapping[str, Any], *, required: tuple[str, ...], defaults: dict[str, Any]
) -> dict[str, Any]:
    for name in values:
        if name != "family" and name not in required and name not in defaults:
            known = ", ".join((*required, *defaults))
            raise CheckpointError(f"{family}: there is no field {str(name)[:80]!r}; its fields are {known}.")
    for name in required:
        if name not in values:
            raise CheckpointError(f"{family}: the field {name!r} is missing.")
    fields = {"family": family, **defaults, **values}
    limits = {"num_classes": MAX_WIDTH, "in_channels": MAX_WIDTH, "input_size": MAX_IMAGE, "stem_stride": 4}
    for name, limit in limits.items():
        if name in fields:
            fields[name] = _count(f"{family}: {name}", fields[name], limit)
    for name in ("conv_bias", "batch_norm"):
        if name in fields and not isinstance(fields[name], bool):
            raise CheckpointError(f"{family}: {name} is true or false, not {fields[name]!r}.")
    return fields


def _entries(where: str, value: Any, least: int = 1) -> list[Any]:
    if not isinstance(value, list | tuple) or not least <= len(value) <= MAX_LAYERS:
        raise CheckpointError(f"{where} must be a list of {least} to {MAX_LAYERS} entries.")
    return list(value)


def _count(where: str, value: Any, limit: int = MAX_WIDTH) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
        raise CheckpointError(f"{where} holds {str(value)[:80]!r}; a whole number from 1 to {limit} is needed.")
    return value


_CHECKS = {"vgg": _check_vgg, "resnet": _check_resnet, "sequential": _check_sequential}
