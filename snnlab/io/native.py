"""The native format: safetensors with one JSON header that holds all that is known but the weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from snnlab.activations.lsq_noise import bits_of, lsq_problem
from snnlab.activations.spec import LSQ_FIELDS
from snnlab.core.errors import CheckpointError
from snnlab.core.files import write_atomically

HEADER_KEY = "snnlab"
FORMAT = 1

MAX_HEADER_BYTES = 1024 * 1024
_TEXTS = ("name", "normalization", "dataset", "licence", "source", "origin_sha256")
_ANSWERS = ("yes", "no", "unknown")


def write_native(path: str | Path, state: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write a checkpoint to a temporary file beside ``path``, then put it in place; equal input gives equal bytes.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    path = Path(path)
    text = json.dumps({"format": FORMAT, **header}, sort_keys=True, allow_nan=False)
    content = save({key: value.detach().cpu().contiguous() for key, value in state.items()}, {HEADER_KEY: text})
    try:
        write_atomically(path, content)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}.") from None


def read_header(metadata: Mapping[str, str], name: str) -> dict[str, Any] | None:
    """The native header of a safetensors file; None where it has none.

    Raises:
        CheckpointError: It is damaged, of a newer format, or a field has the wrong type.
    """
    text = metadata.get(HEADER_KEY)
    if text is None:
        return None
    try:
        header = json.loads(text) if len(text) <= MAX_HEADER_BYTES else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise CheckpointError(f"The header of {name} is damaged; save the checkpoint again.")
    if header.get("format") != FORMAT:
        found = str(header.get("format"))[:20]
        raise CheckpointError(f"{name} is of format {found}, this version reads format {FORMAT}; update snnlab.")
    problem = _problem(header)
    if problem:
        raise CheckpointError(f"The header of {name} is damaged: {problem}.")
    return header


def float32(value: Tensor) -> Tensor:
    """Weights as the library computes with them; counters stay whole numbers."""
    return value.to(torch.float32) if value.is_floating_point() else value


def _problem(header: Mapping[str, Any]) -> str | None:
    levels = header.get("levels")
    activation, code = header.get("activation"), header.get("code")
    if not isinstance(activation, str) or len(activation) > 100:
        return "the activation is not a short text"
    if code is not None and (not isinstance(code, dict) or {*code} != {"file", "sha256"} or not _are_texts(code)):
        return "code is not a file with its sha256"
    if levels is not None and (isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= 256):
        return "levels is not a whole number from 1 to 256"
    if (problem := _quantizer_problem(header)) is not None:
        return problem
    for field in _TEXTS:
        value = header.get(field)
        if value is not None and (not isinstance(value, str) or len(value) > 500):
            return f"{field} is not a short text"
    for field in ("unknown", "notes"):
        value = header.get(field, [])
        if not isinstance(value, list) or len(value) > 50 or not all(isinstance(item, str) for item in value):
            return f"{field} is not a list of texts"
    seen, accuracies = header.get("seen", {}), header.get("accuracies", {})
    if not isinstance(seen, dict) or not all(answer in _ANSWERS for answer in seen.values()):
        return "seen is not a mapping to yes, no or unknown"
    if not isinstance(accuracies, dict) or not all(_is_share(value) for value in accuracies.values()):
        return "accuracies is not a mapping to fractions"
    if not isinstance(header.get("foreign", False), bool):
        return "foreign is neither true nor false"
    proposals = header.get("proposals", {})
    if not isinstance(proposals, dict) or not all(isinstance(values, list) for values in proposals.values()):
        return "proposals is not a mapping to lists"
    return None


def _are_texts(values: Mapping[str, Any]) -> bool:
    return all(isinstance(value, str) and 0 < len(value) <= 255 for value in values.values())


def _quantizer_problem(header: Mapping[str, Any]) -> str | None:
    """What is wrong with the fields that only ``lsq_noise`` has."""
    quantizer, is_lsq = header.get("quantizer", {}), header["activation"] == "lsq_noise"
    if not isinstance(quantizer, dict) or set(quantizer) != (set(LSQ_FIELDS) if is_lsq else set()):
        return f"quantizer does not hold {', '.join(LSQ_FIELDS)}" if is_lsq else "quantizer belongs to lsq_noise alone"
    if not is_lsq:
        return None
    bits = None if header.get("levels") is None else bits_of(header["levels"])
    if bits is None:
        return "the levels of lsq_noise are not 2^b - 1, b from 1 to 8"
    return lsq_problem(bits, *(quantizer[name] for name in LSQ_FIELDS))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
