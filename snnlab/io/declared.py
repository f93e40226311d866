"""What the user declares because a file cannot tell: an architecture by name, by YAML file, or as plain values."""

import difflib
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from snnlab.core.errors import CheckpointError
from snnlab.io.key_maps.table import Shapes
from snnlab.models import architecture_names, check_architecture, expected_shapes, named_architecture
from snnlab.models.layers import check_layers, layer_kind

MAX_YAML_BYTES = 64 * 1024
MAX_NESTING = 16
_SIZES = (28, 32, 8, 16, 64, 96, 128, 224)

Declaration = str | Path | list[Any] | dict[str, Any]


def read_declaration(declared: Declaration, shapes: Shapes) -> dict[str, Any]:
    """A complete architecture from what was declared; classes, channels and image size may come from the file.

    Args:
        declared: A known name, the path of a YAML file, a list of layers (or its text, ``"flatten, linear 10"``), or a
            mapping with a ``family``.
        shapes: Foreign key -> shape of the file.

    Raises:
        CheckpointError: An unknown name, an unreadable file, or not a valid architecture.
    """
    if isinstance(declared, str | Path):
        values = _named_or_file(declared, shapes)
        if isinstance(values, str | Path):
            raise CheckpointError(f"{declared} holds only the text {str(values)[:40]!r}, not an architecture.")
        return read_declaration(values, shapes)
    if isinstance(declared, list):
        declared = {"family": "sequential", "layers": declared}
    if not isinstance(declared, dict):
        raise CheckpointError("An architecture is a name, a YAML file, a list of layers or a mapping with a family.")
    values = dict(declared)
    if "layers" in values and "family" not in values:
        values["family"] = "sequential"
    if values.get("family") != "sequential":
        return check_architecture(values)
    given = values.get("layers")
    if isinstance(given, list) and given:
        layers = check_layers(given)
        values["layers"] = _with_biases(layers, given, shapes)
        values.setdefault("in_channels", _first_channels(shapes, layers))
    if "input_size" in values:
        return check_architecture(values)
    return _sized(values, shapes)


def _named_or_file(declared: str | Path, shapes: Shapes) -> Any:
    if declared in (names := architecture_names()):
        return named_architecture(str(declared), _classes(shapes))
    if isinstance(declared, str) and "," in declared:
        return [layer.strip() for layer in declared.split(",")]
    path = Path(declared)
    if not path.suffix and not path.exists():
        if str(declared).startswith("resnet"):
            return named_architecture(str(declared), _classes(shapes))
        near = difflib.get_close_matches(str(declared), names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(names)}, or a YAML file."
        raise CheckpointError(f"There is no architecture {str(declared)[:80]!r}; {hint}")
    return read_yaml(path)


def read_yaml(path: str | Path) -> Any:
    """Plain values of an architecture file.

    Raises:
        CheckpointError: Unreadable, too large, aliases, or not YAML.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_YAML_BYTES:
            raise CheckpointError(f"{path.name} is larger than {MAX_YAML_BYTES // 1024} kB; an architecture is short.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise CheckpointError(f"The architecture file {path.name} cannot be read: {reason}.") from None
    # The YAML scanner needs quadratic time for nested brackets; ours are at most three deep.
    if max(itertools.accumulate((char in "[{") - (char in "]}") for char in text), default=0) > MAX_NESTING:
        raise CheckpointError(f"{path.name} is not valid YAML of an architecture: its brackets nest too deeply.")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise CheckpointError(f"{path.name} uses YAML aliases (*name), which are not read; write the values out.")
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise CheckpointError(f"{path.name} is not valid YAML{where}.") from None


def _classes(shapes: Shapes) -> int:
    matrices = [shape for shape in shapes.values() if len(shape) == 2]
    # The read-out is the last matrix in the file's order; a file without one fails the comparison that follows.
    return max(1, matrices[-1][0]) if matrices else 1


def _first_channels(shapes: Shapes, layers: list[Any]) -> int:
    if any(layer_kind(layer) == "conv" for layer in layers):
        return next((shape[1] for shape in shapes.values() if len(shape) == 4), 1)
    features = next((shape[1] for shape in shapes.values() if len(shape) == 2), 1)
    return 3 if features % 3 == 0 and math.isqrt(features // 3) ** 2 * 3 == features else 1


def _with_biases(layers: list[Any], given: list[Any], shapes: Shapes) -> list[Any]:
    """Take from the file whether a layer has a bias, where the declaration does not say."""
    weighted = [key.rpartition(".")[0] for key, shape in shapes.items() if len(shape) in (2, 4)]
    places = [index for index, layer in enumerate(layers) if layer_kind(layer) in ("conv", "linear")]
    if len(weighted) != len(places):
        return layers
    told = dict(zip(places, (f"{module}.bias" in shapes for module in weighted), strict=True))
    return [
        {**layer, "bias": told[index]} if index in told and "bias" not in given[index] else layer
        for index, layer in enumerate(layers)
    ]


def _sized(values: dict[str, Any], shapes: Shapes) -> dict[str, Any]:
    """The first usual image size at which the first linear layer gets what the file holds."""
    matrix = next((shape for shape in shapes.values() if len(shape) == 2), None)
    errors: list[CheckpointError] = []
    built = 0
    for size in _candidates(values, matrix):
        complete = check_architecture({**values, "input_size": size})
        try:
            expected = expected_shapes(complete, "relu")
        except CheckpointError as problem:
            errors.append(problem)
            continue
        built += 1
        first = next(shape for shape in expected.values() if len(shape) == 2)
        if matrix is None or first == matrix:
            return complete
    if not built:
        raise errors[-1]
    raise CheckpointError(
        "The declared layers fit the weights at no usual image size; correct the layers, or add input_size to them."
    )


def _candidates(values: dict[str, Any], matrix: tuple[int, ...] | None) -> Iterator[int]:
    kinds = [layer_kind(layer) for layer in check_architecture({**values, "input_size": 32})["layers"]]
    if "conv" not in kinds and matrix is not None:
        side = math.isqrt(matrix[1] // values["in_channels"])
        if side**2 * values["in_channels"] == matrix[1]:
            yield side
    yield from sorted(_SIZES, key=lambda size: size == 28 and values["in_channels"] == 3)
