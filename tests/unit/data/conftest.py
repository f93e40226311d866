"""Small files in the official formats, written byte by byte."""

import dataclasses
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.data.cifar import LAYOUTS, Layout


@pytest.fixture
def sentence() -> Callable[..., None]:
    """Check that an error is one sentence that names what it must."""

    def check(error: SnnlabError, *fragments: str) -> None:
        text = str(error)
        assert text.endswith((".", "?")), text
        assert "\n" not in text, text
        assert ". " not in text.replace("... ", ""), text
        for fragment in fragments:
            assert fragment in text, f"{fragment!r} is missing in: {text}"

    return check


@pytest.fixture
def small_layout() -> Layout:
    """CIFAR-10 with 40 images a training file and 20 test images."""
    return dataclasses.replace(LAYOUTS["cifar10"], train_records=40, test_records=20)


@pytest.fixture
def cifar_arrays(small_layout: Layout) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """File name -> (labels, pixels (n, 3072))."""
    generator = np.random.default_rng(3)
    return {
        name: (generator.permutation(np.arange(count) % 10), generator.integers(0, 256, (count, 3072), dtype=np.uint8))
        for name, count in small_layout.files("")
    }


@pytest.fixture
def binary_folder(tmp_path: Path, small_layout: Layout, cifar_arrays: dict) -> Path:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, (labels, pixels) in cifar_arrays.items():
        table = np.concatenate([labels[:, None].astype(np.uint8), pixels], axis=1)
        (folder / f"{name}.bin").write_bytes(table.tobytes())
    return tmp_path


def python2_pickle(labels: np.ndarray, pixels: np.ndarray) -> bytes:
    """A batch as Python 2 with numpy pickled it (protocol 2), opcode by opcode."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def binary(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    rows, columns = pixels.shape
    shape = b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|")
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    array += b"(K\x01" + shape + dtype + b"\x89" + binary(pixels.tobytes()) + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return (
        b"\x80\x02}q\x01("
        + text(b"batch_label")
        + text(b"training batch 1 of 5")
        + text(b"labels")
        + numbers
        + text(b"data")
        + array
        + b"u."
    )


@pytest.fixture
def python_folder(tmp_path: Path, cifar_arrays: dict) -> Path:
    root = tmp_path / "python"
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name, (labels, pixels) in cifar_arrays.items():
        (folder / name).write_bytes(python2_pickle(labels, pixels))
    return root


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def idx_folder(tmp_path: Path) -> Path:
    """400 training and 100 test images of 6 x 5 pixels, raw, in MNIST/raw."""
    generator = np.random.default_rng(4)
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for prefix, count in (("train", 400), ("t10k", 100)):
        images = generator.integers(0, 256, (count, 6, 5), dtype=np.uint8)
        labels = generator.permutation(np.arange(count) % 10).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    return tmp_path


@pytest.fixture
def real_data() -> Path:
    """The folder of real datasets that $SNNLAB_TEST_DATA names."""
    folder = os.environ.get("SNNLAB_TEST_DATA")
    if not folder:
        pytest.skip("SNNLAB_TEST_DATA names no folder of real datasets")
    return Path(folder)
