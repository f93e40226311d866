"""CIFAR ResNets with zero-padded shortcuts, as in akamaster/pytorch_resnet_cifar10 (option A, any depth 6n + 2)."""

from collections.abc import Iterable
from typing import Any

from snnlab.io.key_maps.resnet_layout import SIZE_NOTE, block_places, is_plain_resnet, read_resnet, usual_dataset
from snnlab.io.key_maps.table import Guess, KeyTable, Shapes

SOURCE = "akamaster"
HEADS = ("linear", "fc")


def module_pairs(architecture: dict[str, Any], head: str = "linear") -> Iterable[tuple[str, str]]:
    """(foreign, native) module names."""
    yield "conv1", "stem.conv"
    yield "bn1", "stem.bn"
    for stage, block, _ in block_places(architecture):
        for part in ("conv1", "bn1", "conv2", "bn2"):
            yield f"layer{stage}.{block}.{part}", f"layer{stage}.{block}.{part}"
    yield head, "fc"


def tables(architecture: dict[str, Any], shapes: Shapes) -> list[KeyTable]:
    """The layout's table for an architecture, where it has one."""
    if not is_plain_resnet(architecture, "A"):
        return []
    return [KeyTable(dict(module_pairs(architecture, _head(shapes))))]


def guess(shapes: Shapes) -> Guess | None:
    """What the layout makes of a file; None when its names are others."""
    if any(".downsample." in key or ".shortcut." in key for key in shapes):
        return None
    pattern = r"layer(\d+)\.(\d+)\.conv1\.weight"
    head = f"{_head(shapes)}.weight"
    architecture = read_resnet(shapes, stem="conv1.weight", first_conv=pattern, head=head, shortcut="A")
    if architecture is None or len(architecture["widths"]) < 2:
        return None
    return Guess(
        source=SOURCE,
        architecture=architecture,
        activation="relu",
        table=tables(architecture, shapes)[0],
        notes=(SIZE_NOTE.format(size=architecture["input_size"]),),
        unknown=("input_size",),
        proposals={
            "normalization": ("imagenet", "cifar10"),
            **usual_dataset(architecture["num_classes"], architecture["in_channels"]),
        },
    )


def _head(shapes: Shapes) -> str:
    return next((head for head in HEADS if f"{head}.weight" in shapes), HEADS[0])
