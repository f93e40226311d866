"""The pickles of CIFAR's python distribution, decoded without running anything they name.

They hold dicts, lists, integers, byte strings and one array of bytes. The only globals in them are numpy's array and
dtype; those names are bound to inert stand-ins, because numpy's own unpickling trusts what a file says about memory.
"""

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from snnlab.core.errors import DataError
from snnlab.data.files import unreadable

LARGEST = 256 * 1024 * 1024
"""Bytes; the largest official file, CIFAR-100's train, has 155 million."""


class _Dtype:
    """Stand-in for ``numpy.dtype``: keeps the type code only."""

    def __init__(self, code: Any = None, *_: Any) -> None:
        self.code = _text(code)

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and flags: bytes have neither."""


class _Array:
    """Stand-in for ``numpy.ndarray``: keeps the pickled state, to be checked by ``as_array``."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def as_array(self) -> np.ndarray | None:
        """The array, (rows, columns) uint8, or None if the state describes anything else."""
        match self.state:
            case (_, (int() as rows, int() as columns), _Dtype(code="u1"), order, bytes() as raw):
                if rows >= 0 and columns >= 0 and len(raw) == rows * columns:
                    array = np.frombuffer(raw, dtype=np.uint8)
                    return array.reshape((rows, columns), order="F" if order else "C")
        return None


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    raw = bytes(buffer) if isinstance(buffer, bytes | bytearray | pickle.PickleBuffer) else buffer
    array.state = (1, shape, dtype, _text(order) == "F", raw)
    return array


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or _text(encoding) != "latin1":
        raise pickle.UnpicklingError("a byte string in an unknown encoding")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    # Bytes in a pickle that Python 3 wrote in a Python 2 protocol.
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


class _RefusedGlobal(Exception):
    pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _RefusedGlobal(f"{module}.{name}") from None


def read_pickle(path: Path) -> dict[str, Any]:
    """Decode one file of the python distribution.

    Returns:
        Its dict, keys as text, arrays as (rows, columns) uint8.

    Raises:
        DataError: The file names any other global (nothing is run), is damaged, or is no dict of such values.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError(f"{path} holds {size:,} bytes; no file of the python distribution is that large.")
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        _check_memo(content)
        values = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except _RefusedGlobal as refused:
        raise DataError(
            f"{path} is a pickle that asks for {str(refused)[:120]}, which CIFAR files never hold; nothing was run, "
            "get the official files with: snnlab data fetch."
        ) from None
    except Exception as error:  # a damaged pickle can raise almost anything
        reason = str(error).rstrip(".")[:120] or type(error).__name__
        raise DataError(
            f"{path} is not a readable pickle of the python distribution ({len(content):,} bytes: {reason}); get it "
            "again with: snnlab data fetch."
        ) from None
    if not isinstance(values, dict):
        raise DataError(f"{path} holds a {type(values).__name__} where the python distribution has a dict.")
    return {_text(key): _decoded(value) for key, value in values.items()}


def _check_memo(content: bytes) -> None:
    # Python's unpickler allocates its memo up to the highest index a file names, so a few bytes could ask for 32 GiB.
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > len(content):
            raise pickle.UnpicklingError("a memo index beyond the file")


def _decoded(value: Any) -> Any:
    return value.as_array() if isinstance(value, _Array) else value


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
