"""Opening files that others wrote: nothing in them is executed, and what they declare is checked before use."""

import hashlib
import json
import os
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from snnlab.core.errors import CheckpointError

MAX_FILE_BYTES = 4 * 2**30
"""Largest file opened; ``SNNLAB_MAX_CHECKPOINT_BYTES`` sets another."""

MAX_DEPTH = 8

INTAKE_KEY = "snnlab_intake"
"""Header of a safetensors file that holds what another file held: that file's name, SHA-256, key order and notes."""

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "model_state", "weights", "params")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_SAFE_GLOBALS = re.compile(
    r"collections\.(OrderedDict|Counter|defaultdict)|_codecs\.encode|(builtins|__builtin__)\.(set|complex)|torch\.(\w+Storage|Tensor|Size|device|float\w*|int\w*)|torch\.storage\.\w+Storage|"
    r"torch\._utils\._rebuild_(tensor|tensor_v2|parameter|parameter_with_state)|torch\.nn\.parameter\.Parameter"
)
_LOOKS_LIKE = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 (Keras) file",
    b"\x1f\x8b": "a gzip archive",
}


@dataclass(frozen=True)
class OpenedFile:
    """What a file holds, checked.

    Args:
        tensors: state_dict without wrappers and prefixes, on the CPU.
        header: Metadata of a safetensors file.
        notes: What was repaired, one sentence each.
        ordered: The keys are in the order in which the modules were made.
        name: Name of the file that the user gave.
        sha256: Its hash.
    """

    tensors: dict[str, Tensor]
    header: dict[str, str]
    notes: tuple[str, ...]
    ordered: bool
    name: str
    sha256: str


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        CheckpointError: It cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{Path(path).name} cannot be read: {error.strerror}.") from None


def open_foreign(path: str | Path) -> dict[str, Tensor]:
    """Read the state_dict of a ``.safetensors`` file or of anything that ``torch.save`` wrote.

    Wrappers (``state_dict``, ``model``, ...) and prefixes (``module.``, ...) are taken off; an optimizer beside the
    weights is ignored.

    Raises:
        CheckpointError: Not a checkpoint, truncated, too large, or it holds more than tensors (named, never executed).
    """
    return read_file(path).tensors


def read_file(path: str | Path) -> OpenedFile:
    """As ``open_foreign``, with the header and what was repaired."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise CheckpointError(f"{path.name} is not a file; name a .safetensors, .pt, .pth or .th file.")
        limit = int(os.environ.get("SNNLAB_MAX_CHECKPOINT_BYTES", MAX_FILE_BYTES))
        if size > limit:
            raise CheckpointError(
                f"{path.name} has {size:,} bytes, more than the limit of {limit:,}; "
                "set SNNLAB_MAX_CHECKPOINT_BYTES to open it."
            )
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error.strerror}.") from None
    if not head:
        raise CheckpointError(f"{path.name} is empty.")
    header: dict[str, str] = {}
    # A length below 4 GiB, little-endian, then JSON. Asked first: the length may begin like a pickle.
    safetensors = head[4:9] == b"\0\0\0\0{"
    if safetensors:
        content, header = _read_safetensors(path)
    elif head.startswith(b"PK"):
        content = _read_zip(path, size)
    elif head.startswith(b"\x80") or _is_pickle(path):
        content = _read_pickle(path)
    else:
        kind = next((kind for magic, kind in _LOOKS_LIKE.items() if head.startswith(magic)), None)
        printable = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
        kind = kind or ("text" if printable else "of no known format")
        raise CheckpointError(
            f"{path.name} is not a checkpoint: it is {kind}; .safetensors, .pt, .pth and .th are read."
        )
    _check_storages(content, path.name, 2 * size)
    tensors, notes = _unwrap(content, path.name)
    if INTAKE_KEY in header:
        return _as_taken_in(tensors, header, path.name)
    return OpenedFile(tensors, header, tuple(notes), not safetensors, path.name, file_sha256(path))


def _as_taken_in(tensors: dict[str, Tensor], header: dict[str, str], name: str) -> OpenedFile:
    """The file as it was before it was rewritten for safe keeping."""
    intake = json.loads(header.pop(INTAKE_KEY))
    try:
        ordered = {key: tensors[key] for key in intake["order"]}
        return OpenedFile(
            ordered, header, tuple(intake["notes"]), bool(intake["ordered"]), intake["name"], intake["sha256"]
        )
    except KeyError as error:
        raise CheckpointError(f"{name} was damaged while kept: {error} is missing; open the original again.") from None


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            keys = sorted(file.keys(), key=_natural)
            return {key: file.get_tensor(key) for key in keys}, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"{path.name} is a damaged or truncated safetensors file: {_line(error)}.") from None


def _natural(key: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in key.split(".")]


def _read_zip(path: Path, size: int) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {Path(info.filename).name: info.file_size for info in archive.infolist()}
            total = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise CheckpointError(f"{path.name} is a damaged or truncated archive; copy or download it again.") from None
    if "data.pkl" not in entries:
        raise CheckpointError(f"{path.name} is not a checkpoint: it is a zip archive without a pickle of torch.save.")
    if "constants.pkl" in entries:
        raise CheckpointError(f"{path.name} is a TorchScript program, which is code; save its state_dict() instead.")
    if total > 2 * size:
        raise CheckpointError(f"{path.name} unpacks to {total:,} bytes, more than twice its size; it is not opened.")
    try:
        unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:
        raise CheckpointError(f"{path.name} is damaged: the pickle in it cannot be read.") from None
    _refuse(unsafe, path.name)
    return _load(path)


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        names = list(dict.fromkeys(_globals(file)))
    _refuse([name for name in names if not _SAFE_GLOBALS.fullmatch(name)], path.name)
    return _load(path)


def _is_pickle(path: Path) -> bool:
    """The file is a pickle of the first, printable protocol from its beginning to a STOP."""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in pickletools.genops(file)) > 1
    except (ValueError, OverflowError, MemoryError):
        return False


def _globals(file: BinaryIO) -> Iterator[str]:
    """Every global that the pickles at the head of a file name; opcodes are read, none is executed."""
    strings: list[str] = []
    memo: dict[Any, str] = {}
    try:
        # The format of PyTorch before 1.6: magic number, version, system, the object, storage keys; then raw storages.
        for _ in range(5):
            for opcode, argument, _position in pickletools.genops(file):
                if opcode.name in ("GLOBAL", "INST"):
                    yield str(argument).replace(" ", ".", 1)
                elif opcode.name == "STACK_GLOBAL":
                    yield ".".join(strings[-2:])
                elif opcode.name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT") and strings:
                    memo[len(memo) if argument is None else argument] = strings[-1]
                elif opcode.name in ("GET", "BINGET", "LONG_BINGET") and argument in memo:
                    strings.append(memo[argument])
                elif isinstance(argument, str):
                    strings.append(argument)
    except (ValueError, pickle.UnpicklingError, OverflowError, MemoryError):
        return  # a length larger than the memory, or damage: the unpickler refuses both


def _refuse(unsafe: list[str], name: str) -> None:
    if unsafe:
        shown = ", ".join(item[:80] for item in sorted(unsafe)[:3]) + (", ..." if len(unsafe) > 3 else "")
        raise CheckpointError(
            f"{name} is refused: its pickle calls {shown}, which could run code (nothing was run); "
            "save model.state_dict() alone, or convert it to safetensors."
        )


def _load(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of storage types that PyTorch deprecates
            return torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        if found:
            _refuse([found[1]], path.name)
        raise CheckpointError(
            f"{path.name} is not a readable checkpoint: its pickle is damaged or truncated."
        ) from None
    except MemoryError:
        raise CheckpointError(f"{path.name} declares more than fits the memory; it is not opened.") from None
    except Exception as error:
        # Hostile bytes reach every branch of the unpickler; whatever it raises, the file is not readable.
        raise CheckpointError(f"{path.name} is a damaged or truncated checkpoint: {_line(error)}.") from None


def _check_storages(content: Any, name: str, limit: int) -> None:
    """Refuse tensors larger than their storage, not dense, or in sum larger than ``limit`` bytes."""
    total = 0
    for key, tensor in _tensors(content, name):
        if tensor.device.type != "cpu" or tensor.layout != torch.strided or tensor.is_quantized:
            raise CheckpointError(f"{name}: {key} is not a plain dense tensor; save ordinary float weights.")
        needed, held = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
        if needed > held:
            raise CheckpointError(f"{name}: {key} declares {needed:,} bytes but holds {held:,}; the file is refused.")
        total += needed
    if total > limit:
        raise CheckpointError(f"{name} declares {total:,} bytes of tensors, more than twice its size; it is refused.")


def _tensors(content: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    # Containers are visited once each: a pickle can nest one list in itself a thousandfold.
    seen: set[int] = set()
    stack: list[tuple[str, Any, int]] = [("", content, 0)]
    while stack:
        key, value, depth = stack.pop()
        if isinstance(value, Tensor):
            yield key, value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            if depth > MAX_DEPTH:
                raise CheckpointError(f"{name} nests its contents deeper than {MAX_DEPTH} levels; it is refused.")
            seen.add(id(value))
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            stack += [(f"{key}.{part}".lstrip("."), item, depth + 1) for part, item in items]


def _unwrap(content: Any, name: str) -> tuple[dict[str, Tensor], list[str]]:
    for _ in range(MAX_DEPTH):
        if not isinstance(content, Mapping):
            raise CheckpointError(f"{name} holds a {type(content).__name__}, not a state_dict.")
        inner = next((content[key] for key in _WRAPPERS if _holds_tensors(content.get(key))), None)
        if inner is None and not _holds_tensors(content):
            holders = [key for key, value in content.items() if _holds_tensors(value)]
            if len(holders) != 1:
                listed = ", ".join(str(key)[:40] for key in list(content)[:8]) or "nothing"
                raise CheckpointError(f"{name} holds no state_dict that can be told from the rest; it has: {listed}.")
            inner = content[holders[0]]
        if inner is None:
            break
        content = inner
    notes = []
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if dropped := [str(key)[:40] for key, value in content.items() if not isinstance(value, Tensor)]:
        notes.append(f"Entries that are no tensors were ignored: {', '.join(dropped[:5])}.")
    tensors.pop("n_averaged", None)  # the counter that torch.optim.swa_utils.AveragedModel keeps beside its module
    while tensors and (prefix := next((p for p in _PREFIXES if all(key.startswith(p) for key in tensors)), None)):
        tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors, notes


def _holds_tensors(value: Any, depth: int = 0) -> bool:
    """A state_dict, or a wrapper around one."""
    if not isinstance(value, Mapping) or depth > MAX_DEPTH:
        return False
    if any(isinstance(item, Tensor) and isinstance(key, str) for key, item in value.items()):
        return True
    return any(_holds_tensors(value[key], depth + 1) for key in _WRAPPERS if key in value)


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")[:160] or type(error).__name__
