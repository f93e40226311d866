"""The QCFS code family: thresholds are ``.up`` (old QCFS, SRP, COS), ``.thresh`` (new QCFS) or ``.v_threshold`` (GN).

VGG: ``layer{stage}.{i}`` holds convolution, batch-norm, activation and dropout in turn, then the pool; the classifier
is ``classifier.{1,4,7}``. ResNet: ``conv1.{0,1,2}``, ``conv{2..}_x.{block}.residual_function.{0..4}``. The activation
after the addition is ``relu`` in the old spelling and ``act`` in the new. L is stored in no layout.
"""

import math
import re
from collections.abc import Iterable
from typing import Any

from snnlab.core.errors import CheckpointError
from snnlab.io.key_maps.resnet_layout import SIZE_NOTE, block_places, is_plain_resnet, read_resnet, usual_dataset
from snnlab.io.key_maps.table import Guess, KeyTable, Shapes, split, threshold_name
from snnlab.models import check_architecture

SOURCE = "qcfs_family"
SPELLINGS: dict[str, tuple[str, tuple[int, ...]]] = {
    "up": ("relu", (1,)),
    "thresh": ("act", (1,)),
    "v_threshold": ("relu", ()),
}
"""Threshold name -> (name of the activation after an addition, shape of a threshold)."""


def vgg_pairs(architecture: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """(foreign, native) module names of a VGG."""
    norm = architecture["batch_norm"]
    stage, index, position = 1, 1, 0
    for entry in architecture["plan"]:
        if isinstance(entry, str):
            stage, index, position = stage + 1, 1, 0
            continue
        yield f"layer{stage}.{position}", f"stage{stage}.conv{index}"
        if norm:
            yield f"layer{stage}.{position + 1}", f"stage{stage}.bn{index}"
        yield f"layer{stage}.{position + 1 + norm}", f"stage{stage}.act{index}"
        index, position = index + 1, position + 3 + norm
    hidden = len(architecture["classifier"])
    for number in range(1, hidden + 2):
        yield f"classifier.{3 * number - 2}", f"classifier.fc{number}"
        if number <= hidden:
            yield f"classifier.{3 * number - 1}", f"classifier.act{number}"


def resnet_pairs(architecture: dict[str, Any], post_add: str) -> Iterable[tuple[str, str]]:
    """(foreign, native) module names of a ResNet; ``post_add`` names the activation after an addition."""
    yield from (("conv1.0", "stem.conv"), ("conv1.1", "stem.bn"), ("conv1.2", "stem.act"))
    for stage, block, projects in block_places(architecture):
        theirs, ours = f"conv{stage + 1}_x.{block}", f"layer{stage}.{block}"
        for position, part in enumerate(("conv1", "bn1", "act1", "conv2", "bn2")):
            yield f"{theirs}.residual_function.{position}", f"{ours}.{part}"
        if projects:
            yield f"{theirs}.shortcut.0", f"{ours}.shortcut.conv"
            yield f"{theirs}.shortcut.1", f"{ours}.shortcut.bn"
        yield f"{theirs}.{post_add}", f"{ours}.act2"
    yield "fc", "fc"


def table(architecture: dict[str, Any], spelling: str, post_add: str | None = None) -> KeyTable:
    """The table of one architecture in one spelling, a key of ``SPELLINGS``."""
    usual, shape = SPELLINGS[spelling]
    vgg = architecture["family"] == "vgg"
    pairs = vgg_pairs(architecture) if vgg else resnet_pairs(architecture, post_add or usual)
    return KeyTable(dict(pairs), spelling, shape)


def tables(architecture: dict[str, Any], shapes: Shapes) -> list[KeyTable]:
    """The layout's table for an architecture, in the spelling that the file uses; none for other families."""
    if architecture["family"] != "vgg" and not is_plain_resnet(architecture, "B"):
        return []
    return [table(architecture, _spelling(shapes), _post_add(shapes))]


def guess(shapes: Shapes) -> Guess | None:
    """What the layout makes of a file; None when its names are others."""
    pattern = r"conv(\d+)_x\.(\d+)\.residual_function\.0\.weight"
    architecture = read_resnet(shapes, stem="conv1.0.weight", first_conv=pattern, head="fc.weight", shortcut="B")
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ("input_size",)
    if architecture is None:
        architecture = _read_vgg(shapes)
        if architecture is None:
            return None
        pool = "average" if "A" in architecture["plan"] else "maximum"
        notes, unknown = (f"Pools hold no weights; {pool} pools are assumed, as in the authors' code.",), ()
    else:
        notes = (SIZE_NOTE.format(size=architecture["input_size"]),)
    classes = architecture["num_classes"]
    usual = {10: "cifar10", 100: "cifar100"}.get(classes, "imagenet")
    return Guess(
        source=SOURCE,
        architecture=architecture,
        activation="qcfs" if threshold_name(shapes) else "relu",
        table=table(architecture, _spelling(shapes), _post_add(shapes)),
        notes=notes,
        unknown=unknown,
        proposals={"normalization": (usual,), **usual_dataset(classes, architecture["in_channels"])},
    )


def _read_vgg(shapes: Shapes) -> dict[str, Any] | None:
    stages: dict[int, dict[int, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        if (match := re.fullmatch(r"layer(\d+)\.(\d+)\.weight", key)) and len(shape) == 4:
            stages.setdefault(int(match[1]), {})[int(match[2])] = shape
    heads = {int(split(key)[0][11:]): shape for key, shape in shapes.items() if _is_head(key, shape)}
    if not stages or not heads:
        return None
    batch_norm = "layer1.1.running_mean" in shapes
    plan: list[int | str] = []
    for stage in sorted(stages):
        plan += [stages[stage][position][0] for position in sorted(stages[stage])]
        plan.append("A" if batch_norm else "M")
    widths = [heads[position] for position in sorted(heads)]
    channels = next(entry for entry in reversed(plan) if isinstance(entry, int))
    size = math.isqrt(widths[0][1] // max(channels, 1))
    values = {
        "family": "vgg",
        "plan": plan,
        "classifier": [width[0] for width in widths[:-1]],
        "num_classes": widths[-1][0],
        "in_channels": stages[min(stages)][min(stages[min(stages)])][1],
        "input_size": size * 2 ** len(stages),
        "conv_bias": "layer1.0.bias" in shapes,
        "batch_norm": batch_norm,
    }
    try:
        return check_architecture(values)
    except CheckpointError:
        return None


def _is_head(key: str, shape: tuple[int, ...]) -> bool:
    return re.fullmatch(r"classifier\.\d+\.weight", key) is not None and len(shape) == 2


def _spelling(shapes: Shapes) -> str:
    name = threshold_name(shapes)
    return name if name in SPELLINGS else "thresh"


def _post_add(shapes: Shapes) -> str | None:
    names = {split(split(key)[0])[1] for key in shapes if key.endswith(f".{threshold_name(shapes)}")}
    return next((name for name in ("relu", "act") if name in names), None)
