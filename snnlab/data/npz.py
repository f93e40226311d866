"""The user's own images: one ``.npz`` with ``x`` and ``y``, one undivided set. Pickled objects are never read."""

import hashlib
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from snnlab.core.errors import DataError
from snnlab.data.files import is_file, unreadable
from snnlab.data.pool import Pool, Shard, Source

LARGEST = 8 * 1024**3
"""Bytes an array may declare."""
MOST_CHANNELS = 4


def read_npz(path: Path) -> Source:
    """Read ``x``, images (N, C, H, W), (N, H, W) or (N, H, W, C), and ``y``, classes 0..K-1, (N,).

    ``x`` is uint8, or float between 0 and 1; floats with negative values are taken as they are (already normalised).
    A folder stands for the one ``.npz`` file in it.

    Raises:
        DataError: No such file, not an archive of these two arrays, damaged, NaN, or classes that are not 0..K-1.
    """
    path = _find(path)
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        with zipfile.ZipFile(path) as archive:
            images, labels = (_member(archive, name, path) for name in ("x", "y"))
    except OSError as error:
        raise unreadable(path, error) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} is not a readable .npz archive; save it again with np.savez(path, x=x, y=y)."
        ) from None
    images, classes = _images(images, path), _classes(labels, path)
    if len(images) != len(labels):
        raise DataError(f"{path} holds {len(images):,} images in x and {len(labels):,} labels in y; they must pair up.")
    labels = labels.astype(np.int64)
    pool = Pool("all", str(path), (Shard(lambda: labels, lambda: images),))
    _, channels, height, width = images.shape
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    return Source(classes, (channels, height, width), (pool,), scale, str(path), sha256)


def _find(path: Path) -> Path:
    if is_file(path):
        return path
    try:
        inside = sorted(path.glob("*.npz"))
    except (OSError, ValueError):
        inside = []
    if len(inside) == 1:
        return inside[0]
    found = f"{path} holds {len(inside)} .npz files" if inside else f"There is no .npz file at {path}"
    raise DataError(f"{found}; name one file with images x and classes y.")


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        held = ", ".join(sorted(archive.namelist())[:5])[:120] or "nothing"
        raise DataError(
            f"{path} holds no array {name!r} (it holds {held}); save it with np.savez(path, x=x, y=y)."
        ) from None
    with archive.open(info) as stream:
        shape, fortran, dtype = _header(stream)
        header = stream.tell()
        if dtype.hasobject:
            raise DataError(
                f"{path} stores {name} as Python objects, which are not read; save it as an array of numbers."
            )
        declared = math.prod(shape) * dtype.itemsize
        if declared > LARGEST:
            raise DataError(f"{path} declares {declared:,} bytes for {name}; at most {LARGEST:,} are read.")
        if declared != info.file_size - header:
            raise DataError(
                f"{path} declares {declared:,} bytes for {name} and holds {info.file_size - header:,}; it is damaged."
            )
        content = stream.read(declared)
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if any(size < 0 for size in shape):
        raise ValueError("a negative size")
    return shape, fortran, dtype


def _images(images: np.ndarray, path: Path) -> np.ndarray:
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] > MOST_CHANNELS and images.shape[3] <= MOST_CHANNELS:
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or not 1 <= images.shape[1] <= MOST_CHANNELS or images.size == 0:
        raise DataError(
            f"{path} holds x of shape {images.shape}; expected are images (N, C, H, W), (N, H, W) or (N, H, W, C) with "
            f"1 to {MOST_CHANNELS} channels and at least one image."
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise DataError(f"{path} holds x of type {images.dtype}; save it as uint8 (0..255) or as float (0..1).")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        images = images.astype(np.float32)
    # One pass in slices: a mask of the whole array would double its memory.
    for start in range(0, len(images), 1024):
        bad = ~np.isfinite(images[start : start + 1024]).all(axis=(1, 2, 3))
        if bad.any():
            raise DataError(
                f"{path} holds NaN or infinite pixels in image {start + int(np.argmax(bad))}; repair or drop it."
            )
    if images.min() >= 0 and images.max() > 1:
        raise DataError(
            f"{path} holds float pixels from {images.min():g} to {images.max():g}; divide them to 0..1, or save uint8."
        )
    return images


def _classes(labels: np.ndarray, path: Path) -> tuple[str, ...]:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{path} holds y of shape {labels.shape} and type {labels.dtype}; expected are integers (N,).")
    present = np.unique(labels)
    if not len(present) or int(present[0]) != 0 or int(present[-1]) != len(present) - 1:
        shown = ", ".join(str(value) for value in present[:6]) + (", ..." if len(present) > 6 else "")
        raise DataError(f"{path} holds the classes {shown or 'none'}; they must be 0..K-1, every one present.")
    return tuple(str(index) for index in range(len(present)))
