"""The MNIST family: four IDX files, raw or gzipped (MNIST, Fashion-MNIST, KMNIST and others name them alike).

Source: LeCun, Cortes, Burges, the MNIST database: big-endian magic number, one 32-bit count a dimension, bytes.
"""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from snnlab.core.errors import DataError
from snnlab.data.files import check_size, is_file, listed, missing_files, unreadable, wrong_size
from snnlab.data.pool import Pool, Shard, Source

TITLE = "MNIST"
PREFIXES = {"train": "train", "test": "t10k"}
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
LARGEST = 4 * 1024**3
"""Bytes an image file may declare; a header is not to make us allocate more."""


def read_idx(folder: Path) -> Source:
    """Find and check the four files; their pixels are read when a split needs them.

    Raises:
        DataError: Files are missing, are not IDX, have another size than they declare, or do not pair up.
    """
    files = find_idx(folder)
    shapes = {}
    for pool in PREFIXES:
        images, labels = read_header(files[pool, IMAGES], 3), read_header(files[pool, LABELS], 1)
        if images[0] != labels[0]:
            raise DataError(
                f"{files[pool, IMAGES]} holds {images[0]:,} images and {files[pool, LABELS].name} {labels[0]:,} "
                "labels; they must be as many."
            )
        shapes[pool] = images[1:]
    if shapes["train"] != shapes["test"]:
        raise DataError(
            f"The images in {files['train', IMAGES].parent} are {shapes['train'][0]} x {shapes['train'][1]} pixels "
            f"for training and {shapes['test'][0]} x {shapes['test'][1]} for test; they must have one size."
        )
    pools = tuple(_pool(pool, files[pool, IMAGES], files[pool, LABELS]) for pool in PREFIXES)
    highest = max(9, *(int(pool.labels.max()) for pool in pools))
    height, width = shapes["train"]
    classes = tuple(str(index) for index in range(highest + 1))
    return Source(classes, (1, height, width), pools, 255.0, str(files["train", IMAGES].parent))


def find_idx(folder: Path) -> dict[tuple[str, str], Path]:
    """The four files, by (pool, kind), in ``MNIST/raw/``, ``MNIST/``, ``raw/`` or the folder itself.

    Raises:
        DataError: Names the missing files and how to get them.
    """
    expected = [f"{prefix}-{kind}" for prefix in PREFIXES.values() for kind in (IMAGES, LABELS)]
    incomplete = ""
    for place in (folder / "MNIST" / "raw", folder / "MNIST", folder / "raw", folder):
        found = {
            (pool, kind): path
            for pool, prefix in PREFIXES.items()
            for kind in (IMAGES, LABELS)
            if (path := _variant(place, f"{prefix}-{kind}"))
        }
        if len(found) == len(expected):
            return found
        if found and not incomplete:
            names = [f"{PREFIXES[pool]}-{kind}" for pool in PREFIXES for kind in (IMAGES, LABELS)]
            present = {f"{PREFIXES[pool]}-{kind}" for pool, kind in found}
            incomplete = f"{place} lacks {listed(name for name in names if name not in present)}"
    raise missing_files("mnist", TITLE, folder, f"MNIST/raw/{{{listed(expected)}}}, raw or .gz", incomplete)


def read_header(path: Path, dimensions: int) -> tuple[int, ...]:
    """Read and check the header of an IDX file of bytes; a raw file's size is checked too.

    Raises:
        DataError: Not such a file, empty, or a size that contradicts the header.
    """
    with _open(path) as stream:
        start = _read(stream, path, 4 + 4 * dimensions)
    if len(start) < 4 + 4 * dimensions or start[:4] != bytes((0, 0, 8, dimensions)):
        kind = "images" if dimensions == 3 else "labels"
        raise DataError(
            f"{path} is not an IDX file of {kind} (it should begin with 00 00 08 {dimensions:02x}); get it again with: "
            "snnlab data fetch mnist."
        )
    shape: tuple[int, ...] = struct.unpack(f">{dimensions}I", start[4:])
    if not 0 < math.prod(shape) <= LARGEST:
        raise DataError(f"{path} declares {' x '.join(map(str, shape))} bytes; such a file cannot be an image set.")
    if path.suffix != ".gz":
        check_size(path, len(start) + math.prod(shape), "mnist")
    return shape


def _read_array(path: Path, dimensions: int) -> np.ndarray:
    shape = read_header(path, dimensions)
    expected = 4 + 4 * dimensions + math.prod(shape)
    with _open(path) as stream:
        content = _read(stream, path, expected + 1)
    if len(content) != expected:
        raise wrong_size(path, len(content), expected, "mnist")
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _pool(name: str, images: Path, labels: Path) -> Pool:
    shard = Shard(labels=lambda: _read_array(labels, 1), pixels=lambda: _read_array(images, 3)[:, None])
    return Pool(name, f"The {name} set in {images.parent}", (shard,))


def _variant(place: Path, name: str) -> Path | None:
    dotted = name.replace("-idx", ".idx")  # how some unpackers name them
    candidates = (place / spelling for spelling in (name, f"{name}.gz", dotted, f"{dotted}.gz"))
    return next((path for path in candidates if is_file(path)), None)


def _open(path: Path) -> gzip.GzipFile | io.BufferedReader:
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from None


def _read(stream: gzip.GzipFile | io.BufferedReader, path: Path, count: int) -> bytes:
    # read1 hands out what a truncated archive still gives, so that the error can name both sizes.
    parts: list[bytes] = []
    left = count
    try:
        while left and (part := stream.read1(left)):
            parts.append(part)
            left -= len(part)
    except EOFError:
        pass
    except (OSError, zlib.error) as error:
        raise unreadable(path, error) from None
    return b"".join(parts)
