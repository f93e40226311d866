"""What the ResNet layouts have in common: counting stages, blocks and widths from names and shapes."""

import re
from collections.abc import Iterable
from typing import Any

from snnlab.core.errors import CheckpointError
from snnlab.io.key_maps.table import Shapes
from snnlab.models import check_architecture


def read_resnet(
    shapes: Shapes, *, stem: str, first_conv: str, head: str, shortcut: str, input_size: int | None = None
) -> dict[str, Any] | None:
    """The ResNet architecture that a file's shapes describe; None when they describe none.

    Args:
        shapes: Key -> shape.
        stem: Key of the first convolution's weight.
        first_conv: Pattern of the first convolution in a block; its groups are stage and block.
        head: Key of the last linear layer's weight.
        shortcut: ``"A"`` or ``"B"``.
        input_size: Height and width of the images; None for what is usual with so many classes.
    """
    found = [(match, shape) for key, shape in shapes.items() if (match := re.fullmatch(first_conv, key))]
    places = {(int(match[1]), int(match[2])): shape for match, shape in found}
    if not places or len(shapes.get(stem, ())) != 4 or len(shapes.get(head, ())) != 2:
        return None
    stages = sorted({stage for stage, _ in places})
    if any(len(shape) != 4 for shape in places.values()) or not all((stage, 0) in places for stage in stages):
        return None
    in_channels, classes = shapes[stem][1], shapes[head][0]
    values = {
        "family": "resnet",
        "widths": [places[stage, 0][0] for stage in stages],
        "blocks": [1 + max(block for found, block in places if found == stage) for stage in stages],
        "shortcut": shortcut,
        "num_classes": classes,
        "in_channels": in_channels,
        "input_size": input_size or usual_size(classes, in_channels),
    }
    try:
        return check_architecture(values)
    except CheckpointError:
        return None


def is_plain_resnet(architecture: dict[str, Any], shortcut: str) -> bool:
    """Whether an architecture is a ResNet with that shortcut and the usual blocks: files of others hold no other."""
    if architecture["family"] != "resnet":
        return False
    return bool(architecture["shortcut"] == shortcut and architecture["block"] == "post_act")


def block_places(architecture: dict[str, Any]) -> Iterable[tuple[int, int, bool]]:
    """(stage from 1, block from 0, the shortcut changes the shape) of every block."""
    for stage, count in enumerate(architecture["blocks"], start=1):
        for block in range(count):
            yield stage, block, block == 0 and stage > 1


def usual_size(classes: int, in_channels: int) -> int:
    """Height and width of the images of the dataset that has so many classes and channels, pixels."""
    if in_channels == 1:
        return 28
    return {200: 64, 1000: 224}.get(classes, 32)


def usual_dataset(classes: int, in_channels: int) -> dict[str, tuple[str, ...]]:
    """Proposal of a dataset for so many classes and channels."""
    known = {(10, 3): "cifar10", (100, 3): "cifar100", (10, 1): "mnist"}
    return {"dataset": (known[classes, in_channels],)} if (classes, in_channels) in known else {}


SIZE_NOTE = "The weights fit images of any size; {size} x {size} pixels are assumed."
