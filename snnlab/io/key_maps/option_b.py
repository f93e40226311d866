"""ResNets with projected shortcuts: ``downsample``, ``fc`` as in IntelLabs/distiller, or ``shortcut``, ``linear``."""

from collections.abc import Iterable
from typing import Any

from snnlab.io.key_maps.resnet_layout import SIZE_NOTE, block_places, is_plain_resnet, read_resnet, usual_dataset
from snnlab.io.key_maps.table import Guess, KeyTable, Shapes

SOURCE = "option_b"
SHORTCUTS = ("downsample", "shortcut")
HEADS = ("fc", "linear")


def module_pairs(
    architecture: dict[str, Any], shortcut: str = "downsample", head: str = "fc"
) -> Iterable[tuple[str, str]]:
    """(foreign, native) module names."""
    yield "conv1", "stem.conv"
    yield "bn1", "stem.bn"
    for stage, block, projects in block_places(architecture):
        name = f"layer{stage}.{block}"
        for part in ("conv1", "bn1", "conv2", "bn2"):
            yield f"{name}.{part}", f"{name}.{part}"
        if projects:
            yield f"{name}.{shortcut}.0", f"{name}.shortcut.conv"
            yield f"{name}.{shortcut}.1", f"{name}.shortcut.bn"
    yield head, "fc"


def tables(architecture: dict[str, Any], shapes: Shapes) -> list[KeyTable]:
    """The layout's table for an architecture, where it has one."""
    if not is_plain_resnet(architecture, "B"):
        return []
    return [KeyTable(dict(module_pairs(architecture, *_spelling(shapes))))]


def guess(shapes: Shapes) -> Guess | None:
    """What the layout makes of a file; None when its names are others."""
    if not any(f".{shortcut}.0.weight" in key for key in shapes for shortcut in SHORTCUTS):
        return None
    pattern = r"layer(\d+)\.(\d+)\.conv1\.weight"
    head = f"{_spelling(shapes)[1]}.weight"
    architecture = read_resnet(shapes, stem="conv1.weight", first_conv=pattern, head=head, shortcut="B")
    if architecture is None:
        return None
    return Guess(
        source=SOURCE,
        architecture=architecture,
        activation="relu",
        table=tables(architecture, shapes)[0],
        notes=(SIZE_NOTE.format(size=architecture["input_size"]),),
        unknown=("input_size",),
        proposals={
            "normalization": ("half", "cifar10", "imagenet"),
            **usual_dataset(architecture["num_classes"], architecture["in_channels"]),
        },
    )


def _spelling(shapes: Shapes) -> tuple[str, str]:
    keys = [name for name in SHORTCUTS if any(f".{name}.0." in key for key in shapes)]
    heads = [name for name in HEADS if f"{name}.weight" in shapes]
    return next(iter(keys), SHORTCUTS[0]), next(iter(heads), HEADS[0])
