"""The layers that a sequential architecture may list, as data. No torch."""

import re
from collections.abc import Sequence
from typing import Any

from snnlab.core.errors import CheckpointError

MAX_WIDTH = 65_536
ACTIVATIONS = ("relu", "clipped_relu", "qcfs")

_PLAIN = (*ACTIVATIONS, "batchnorm", "flatten", "dropout", "global_avgpool")
_OPTIONS: dict[str, dict[str, Any]] = {
    "conv": {"bias": True, "stride": 1, "padding": 0},
    "linear": {"bias": True},
    "avgpool": {"stride": None, "padding": 0},
    "maxpool": {"stride": None, "padding": 0},
}
_TEXT = re.compile(
    r"(?P<kind>conv|linear|avgpool|maxpool) (?P<number>\d{1,9})(x(?P<kernel>\d{1,9})x(?P=kernel))?"
    r"(?P<options>( (stride|padding) \d{1,9})*( no bias)?)"
)


def layer_kind(layer: Any) -> str:
    """``"conv"``, ``"relu"``, ...: the word of a checked layer."""
    return layer if isinstance(layer, str) else next(iter(layer))


def check_layers(layers: Sequence[Any], limit: int = MAX_WIDTH) -> list[Any]:
    """Check each layer and write out its options.

    A layer is a word (``relu``, ``clipped_relu``, ``qcfs``, ``batchnorm``, ``flatten``, ``dropout``,
    ``global_avgpool``) or a mapping that begins with its kind: ``{"conv": [channels, kernel], "bias", "stride",
    "padding"}``, ``{"linear": features, "bias"}``, ``{"avgpool": kernel, "stride", "padding"}``, ``{"maxpool": ...}``.
    The same as text: ``"conv 20x5x5 stride 2 no bias"``, ``"linear 500"``, ``"avgpool 2"``.

    Raises:
        CheckpointError: An unknown layer or a bad number, by position; or two kinds of activation in one network.
    """
    checked = [_check_layer(f"layer {index}", layer, limit) for index, layer in enumerate(layers)]
    kinds = sorted({layer for layer in checked if isinstance(layer, str) and layer in ACTIVATIONS})
    if len(kinds) > 1:
        raise CheckpointError(f"sequential: one network has one kind of activation, but the list has {kinds}.")
    return checked


def _check_layer(where: str, layer: Any, limit: int) -> Any:
    if isinstance(layer, str):
        if layer in _PLAIN:
            return layer
        layer = _from_text(layer)
    kinds = [kind for kind in _OPTIONS if kind in layer] if isinstance(layer, dict) else []
    if len(kinds) != 1:
        raise CheckpointError(f"{where} {_unknown(layer)}")
    kind, options = kinds[0], _OPTIONS[kinds[0]]
    for name in layer:
        if name != kind and name not in options:
            raise CheckpointError(f"{where}: {kind} has no option {str(name)[:80]!r}; it has {', '.join(options)}.")
    given = layer[kind]
    if kind == "conv":
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise CheckpointError(f"{where}: conv takes [channels, kernel], not {str(given)[:80]!r}.")
        checked: dict[str, Any] = {kind: [_number(where, kind, value, 1, limit) for value in given]}
        default_stride = 1
    else:
        checked = {kind: _number(where, kind, given, 1, limit)}
        default_stride = checked[kind]
    for name, default in options.items():
        value = layer.get(name, default)
        if name == "bias":
            if not isinstance(value, bool):
                raise CheckpointError(f"{where}: bias is true or false, not {str(value)[:80]!r}.")
            checked[name] = value
        elif name == "stride":
            checked[name] = _number(where, name, default_stride if value is None else value, 1, limit)
        else:
            checked[name] = _number(where, name, value, 0, limit)
    return checked


def _from_text(text: str) -> Any:
    """The mapping that a text means; the text itself where it means none."""
    match = _TEXT.fullmatch(text.strip().lower())
    if match is None or (match["kind"] == "conv") != bool(match["kernel"]):
        return text
    number, kernel = int(match["number"]), match["kernel"]
    layer: dict[str, Any] = {match["kind"]: [number, int(kernel)] if kernel else number}
    for option, value in re.findall(r"(stride|padding) (\d+)", match["options"]):
        layer[option] = int(value)
    if match["options"].endswith("no bias"):
        layer["bias"] = False
    return layer


def _number(where: str, what: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise CheckpointError(f"{where}: {what} {str(value)[:80]!r} is not a whole number from {low} to {high}.")
    return value


def _unknown(layer: Any) -> str:
    return f"is {str(layer)[:80]!r}; known layers are {', '.join((*_OPTIONS, *_PLAIN))}."
