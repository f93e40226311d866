"""Plain ``nn.Sequential`` state_dicts (``0.weight``, ``features.3.bias``): weights in order, nothing between them.

An MLP tells its layers. A CNN leaves its pools, paddings and image size open: ``variants`` lists what fits.
"""

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snnlab.io.key_maps.resnet_layout import usual_dataset
from snnlab.io.key_maps.table import THRESHOLD_NAMES, Guess, KeyTable, Shapes, split, threshold_name
from snnlab.models import check_architecture
from snnlab.models.layers import layer_kind
from snnlab.models.sequential import layer_names

SOURCE = "sequential"
MAX_VARIANTS = 24

_SIZES = {1: (28, 32, 8), 3: (32, 28)}
_MAX_CONVOLUTIONS = 20
_MAX_HALVINGS = 5
_NORM = {"weight", "bias", "running_mean", "running_var"}


@dataclass(frozen=True)
class Item:
    """One module of the file that holds weights.

    Args:
        name: Its name in the file.
        kind: ``"conv"``, ``"linear"``, ``"batchnorm"`` or ``"activation"``.
        shape: Shape of its weight.
        bias: It has a bias.
        gap: Layers without weights between the one before and this, by their numbers; None where not numbered.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    bias: bool
    gap: int | None


@dataclass(frozen=True)
class Slot:
    """A place between an activation and the next layer, where a pool may be.

    Args:
        extras: Layers without weights that are not explained yet; None where the names do not tell.
    """

    extras: int | None


Skeleton = list[tuple[Any, str | None] | Slot]
"""Layers (as ``snnlab.models.layers`` writes them) with their foreign names, and the open places between them."""


def tables(architecture: dict[str, Any], shapes: Shapes) -> list[KeyTable]:
    """The table in which a layer's position in the declared list is its number in the file."""
    if architecture["family"] != "sequential":
        return []
    names = layer_names(architecture["layers"])
    prefixes = {split(split(key)[0])[0] for key in shapes}
    if len(prefixes) != 1 or not all(split(split(key)[0])[1].isdigit() for key in shapes):
        return []
    prefix = next(iter(prefixes))
    pairs = {f"{prefix}.{index}" if prefix else str(index): name for index, name in enumerate(names)}
    return [KeyTable(pairs, threshold_name(shapes) or "threshold")]


def guess(shapes: Shapes) -> Guess | None:
    """What the layout makes of a file; None when its modules are no plain sequence, or several networks would fit."""
    found = list(itertools.islice(variants(shapes), 2))
    return found[0] if len(found) == 1 else None


def variants(shapes: Shapes) -> Iterator[Guess]:
    """Every network that the weights fit in the order of the file, likeliest first, at most ``MAX_VARIANTS``."""
    items = read_items(shapes)
    if items is None:
        return
    skeleton = _skeleton(items, _activation(shapes))
    convolutions = [item for item in items if item.kind == "conv"]
    choices = _mlp(items) if not convolutions else _cnn(skeleton, convolutions, items)
    for choice in itertools.islice(choices, MAX_VARIANTS):
        yield _guess(skeleton, choice, shapes)


def read_items(shapes: Shapes) -> list[Item] | None:
    """The modules of a file in its order; None when one is of no known kind, or widths do not follow each other."""
    modules: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        module, parameter = split(key)
        modules.setdefault(module, {})[parameter] = shape
    items: list[Item] = []
    width: int | None = None
    for name, parameters in modules.items():
        kind = _kind(parameters)
        if kind is None:
            return None
        weight = parameters.get("weight", ())
        if kind in ("conv", "linear"):
            reaches = width is None or weight[1] == width or (kind == "linear" and weight[1] % max(width, 1) == 0)
            if not reaches or (kind == "conv" and weight[2] != weight[3]):
                return None
            width = weight[0]
        elif kind == "batchnorm" and weight != (width,):
            return None
        items.append(Item(name, kind, weight, "bias" in parameters, _gap(items[-1].name if items else None, name)))
    kinds = [item.kind for item in items]
    return (
        items if "linear" in kinds and kinds[-1] == "linear" and "conv" not in kinds[kinds.index("linear") :] else None
    )


def _kind(parameters: dict[str, tuple[int, ...]]) -> str | None:
    names = set(parameters) - {"num_batches_tracked"}
    if names == _NORM:
        return "batchnorm"
    if len(names) == 1 and names <= set(THRESHOLD_NAMES):
        return "activation"
    if names <= {"weight", "bias"} and "weight" in names:
        return {4: "conv", 2: "linear"}.get(len(parameters["weight"]))
    return None


def _gap(before: str | None, name: str) -> int | None:
    last = re.fullmatch(r"(.*?)(\d+)", name)
    first = re.fullmatch(r"(.*?)(\d+)", before) if before is not None else None
    # "fc1", "fc2" are numbered by kind, not by position: only "0" or "features.0" count layers.
    if not last or not first or first[1] != last[1] or not (last[1] == "" or last[1].endswith(".")):
        return None
    return int(last[2]) - int(first[2]) - 1


def _activation(shapes: Shapes) -> str:
    return "qcfs" if threshold_name(shapes) else "relu"


def _skeleton(items: list[Item], activation: str) -> Skeleton:
    explicit = any(item.kind == "activation" for item in items)
    skeleton: Skeleton = []
    pending, extras = False, None
    for item in items:
        # Layers without weights since the last convolution or linear layer, less those that are explained.
        extras = None if item.gap is None or extras is None else extras + item.gap
        if item.kind in ("conv", "linear"):
            implied = pending and not explicit and item.gap != 0
            if implied:
                skeleton.append((activation, None))
            if any(not isinstance(entry, Slot) for entry in skeleton):
                skeleton.append(Slot(None if extras is None else max(0, extras - implied)))
            skeleton.append((_layer(item), item.name))
            pending, extras = True, 0
        elif item.kind == "batchnorm":
            if pending and not explicit and item.gap:
                skeleton.append((activation, None))
                pending, extras = False, None if extras is None else extras - 1
            skeleton.append(("batchnorm", item.name))
        else:
            skeleton.append((activation, item.name))
            pending = False
    return skeleton


def _layer(item: Item) -> dict[str, Any]:
    if item.kind == "conv":
        return {"conv": [item.shape[0], item.shape[2]], "bias": item.bias}
    return {"linear": item.shape[0], "bias": item.bias}


@dataclass(frozen=True)
class _Choice:
    """What the weights leave open, decided: image, and for each convolution its padding, stride and pool."""

    in_channels: int
    input_size: int
    padded: bool = False
    halved: frozenset[int] = frozenset()
    how: str = "avgpool"
    global_pool: bool = False


def _mlp(items: list[Item]) -> Iterator[_Choice]:
    features = items[0].shape[1]
    for channels in (1, 3):
        size = math.isqrt(features // channels)
        if channels * size**2 == features and size > 1:
            yield _Choice(channels, size)
            return
    yield _Choice(features, 1)


def _cnn(skeleton: Skeleton, convolutions: list[Item], items: list[Item]) -> Iterator[_Choice]:
    """Choices for which the first linear layer gets what it expects, likeliest first."""
    if len(convolutions) > _MAX_CONVOLUTIONS:
        return
    linear = next(item for item in items if item.kind == "linear")
    in_channels, kernels = convolutions[0].shape[1], [item.shape[2] for item in convolutions]
    wanted = linear.shape[1] / convolutions[-1].shape[0]
    room = _room(skeleton)
    scored: list[tuple[tuple[Any, ...], _Choice]] = []
    places = range(len(kernels))
    subsets = [frozenset(s) for count in range(_MAX_HALVINGS + 1) for s in itertools.combinations(places, count)]
    for order, size in enumerate(_SIZES.get(in_channels, (32, 28))):
        for padded, halved in itertools.product((False, True), subsets):
            for pools in (True, False) if halved else (True,):
                sides = _side(size, kernels, padded, halved, pools)
                if sides is None or (pools and any(room[place] == 0 for place in halved)):
                    continue
                global_pool = wanted == 1 and sides > 1 and room[-1] != 0
                if sides**2 != wanted and not global_pool:
                    continue
                idle = sum(bool(free) and not (pools and place in halved) for place, free in enumerate(room))
                for how in ("avgpool", "maxpool") if pools and halved else ("stride",) if halved else ("avgpool",):
                    score = (not pools, global_pool, idle, order, how != "avgpool", padded, sorted(halved))
                    scored.append((score, _Choice(in_channels, size, padded, halved, how, global_pool)))
    yield from (choice for _, choice in sorted(scored, key=lambda entry: entry[0]))


def _room(skeleton: Skeleton) -> list[int | None]:
    """For each convolution, the unexplained layers after it; the flatten before the first linear layer is explained."""
    room: list[int | None] = []
    for position, entry in enumerate(skeleton):
        if isinstance(entry, Slot) and len(room) < _count_convolutions(skeleton):
            following = skeleton[position + 1]
            assert not isinstance(following, Slot)
            flatten = layer_kind(following[0]) == "linear"
            room.append(None if entry.extras is None else max(0, entry.extras - flatten))
    return room


def _count_convolutions(skeleton: Skeleton) -> int:
    return sum(not isinstance(entry, Slot) and layer_kind(entry[0]) == "conv" for entry in skeleton)


def _side(size: int, kernels: list[int], padded: bool, halved: frozenset[int], pools: bool) -> int | None:
    for place, kernel in enumerate(kernels):
        stride = 2 if place in halved and not pools else 1
        size = (size + (kernel // 2 * 2 if padded else 0) - kernel) // stride + 1
        size = size // 2 if place in halved and pools else size
        if size < 1:
            return None
    return size


def _guess(skeleton: Skeleton, choice: _Choice, shapes: Shapes) -> Guess:
    layers: list[Any] = []
    foreign: list[str | None] = []

    def add(layer: Any, name: str | None = None) -> None:
        layers.append(layer)
        foreign.append(name)

    place, flat = -1, False
    for entry in skeleton:
        if isinstance(entry, Slot):
            if not flat and place in choice.halved and choice.how != "stride":
                add({choice.how: 2})
            continue
        layer, name = entry
        if layer_kind(layer) == "conv":
            place += 1
            strided = place in choice.halved and choice.how == "stride"
            padding = layer["conv"][1] // 2 if choice.padded else 0
            layer = {**layer, "stride": 2 if strided else 1, "padding": padding}
        elif layer_kind(layer) == "linear" and not flat:
            if choice.global_pool:
                add("global_avgpool")
            add("flatten")
            flat = True
        add(layer, name)
    fields = {"layers": layers, "in_channels": choice.in_channels, "input_size": choice.input_size}
    architecture = check_architecture({"family": "sequential", **fields})
    pairs = zip(foreign, layer_names(architecture["layers"]), strict=True)
    table = KeyTable({theirs: ours for theirs, ours in pairs if theirs}, threshold_name(shapes) or "threshold")
    activation = _activation(shapes)
    return Guess(
        source=SOURCE,
        architecture=architecture,
        activation=activation,
        table=table,
        notes=() if activation == "qcfs" else ("The file holds no activations; ReLU is assumed between its layers.",),
        unknown=() if activation == "qcfs" else ("activation",),
        proposals={
            "normalization": ("unit", "mnist") if choice.in_channels == 1 else ("cifar10", "unit"),
            **usual_dataset(architecture["layers"][-1]["linear"], choice.in_channels),
        },
    )


def open_facts(shapes: Shapes) -> str | None:
    """What a sequential file leaves open, as the end of a sentence; None when the file is no sequence."""
    if read_items(shapes) is None:
        return None
    return "its weights are a plain sequence, and pools, paddings and image size are not in it"
