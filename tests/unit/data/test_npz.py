import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from snnlab.core.errors import DataError
from snnlab.data import PRESETS, load_dataset

LABELS = np.arange(200) % 10


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(**arrays: np.ndarray) -> Path:
        path = tmp_path / "own.npz"
        np.savez(path, **arrays)
        return path

    return write


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (200, *shape), dtype=np.uint8)


def test_splits_have_their_shares(save) -> None:
    dataset = load_dataset("npz", save(x=pixels(3, 8, 8), y=LABELS))
    assert dataset.sizes() == {"train": 120, "calibration": 120, "validation": 20, "dev": 20, "test": 40}
    parts = [set(dataset.split(name).indices) for name in ("train", "validation", "dev", "test")]
    assert set.union(*parts) == set(range(200))
    assert sum(map(len, parts)) == 200
    test = dataset.split("test")
    assert (np.diff(test.indices) > 0).all()
    assert np.bincount(test.labels).tolist() == [4] * 10


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ((3, 8, 9), (3, 8, 9)),
        ((8, 9), (1, 8, 9)),
        ((8, 9, 3), (3, 8, 9)),
        ((1, 8, 9), (1, 8, 9)),
        ((8, 9, 4), (4, 8, 9)),
    ],
)
def test_layouts_are_recognised(save, stored: tuple[int, ...], expected: tuple[int, int, int]) -> None:
    x = pixels(*stored)
    dataset = load_dataset("npz", save(x=x, y=LABELS))
    assert dataset.image_shape == expected
    test = dataset.split("test")
    restored = test.pixels if len(stored) == 3 and stored[0] < 5 else test.pixels.transpose(0, 2, 3, 1)
    assert np.array_equal(restored.reshape(40, *stored), x[test.indices])


def test_column_order_arrays_are_read(save) -> None:
    x = pixels(3, 8, 8)
    test = load_dataset("npz", save(x=np.asfortranarray(x), y=LABELS)).split("test")
    assert np.array_equal(test.pixels, x[test.indices])


def test_float_pixels_count_as_they_are(save) -> None:
    x = np.random.default_rng(1).random((200, 1, 4, 4))
    split = load_dataset("npz", save(x=x, y=LABELS)).split("dev")
    assert torch.equal(split.images(), torch.from_numpy(x[split.indices].astype(np.float32)))
    before = split.pixels.copy()
    split.images(normalization=PRESETS["half"])
    assert np.array_equal(split.pixels, before), "images() changed the stored pixels"
    standardised = load_dataset("npz", save(x=x * 6 - 3, y=LABELS)).split("dev")
    assert standardised.images().min() < -2


def test_sha256_is_that_of_the_file(save) -> None:
    path = save(x=pixels(8, 8), y=LABELS)
    dataset = load_dataset("npz", path)
    assert dataset.sha256 == dataset.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


def test_folder_stands_for_the_one_file_in_it(save, sentence) -> None:
    path = save(x=pixels(8, 8), y=LABELS)
    assert load_dataset("npz", path.parent).location == str(path)
    path.with_name("second.npz").write_bytes(path.read_bytes())
    with pytest.raises(DataError) as caught:
        load_dataset("npz", path.parent)
    sentence(caught.value, "2 .npz files")


def with_nan(value: float) -> np.ndarray:
    x = np.zeros((200, 4, 4))
    x[137, 2, 1] = value
    return x


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("x", "y", "fragment"),
    [
        (with_nan(np.nan), LABELS, "NaN or infinite pixels in image 137"),
        (with_nan(np.inf), LABELS, "image 137"),
        (with_nan(1e300), LABELS, "image 137"),
        (with_nan(255.0), LABELS, "from 0 to 255"),
        (np.zeros((200, 4, 4), np.int64), LABELS, "type int64"),
        (np.zeros((200, 4, 4), complex), LABELS, "type complex128"),
        (np.zeros((200, 4, 4), "S3"), LABELS, "type |S3"),
        (np.zeros((200, 16), np.uint8), LABELS, "shape (200, 16)"),
        (np.zeros((200, 9, 9, 9), np.uint8), LABELS, "shape (200, 9, 9, 9)"),
        (np.zeros((0, 3, 4, 4), np.uint8), np.zeros(0, int), "at least one image"),
        (pixels(4, 4)[:199], LABELS, "199 images in x and 200 labels"),
        (pixels(4, 4), LABELS.astype(float), "type float64"),
        (pixels(4, 4), LABELS[:, None], "shape (200, 1)"),
        (pixels(4, 4), LABELS + 1, "classes 1, 2, 3"),
        (pixels(4, 4), LABELS - 1, "classes -1, 0"),
        (pixels(4, 4), np.where(LABELS == 3, 2, LABELS), "every one present"),
        (pixels(4, 4), np.array(["a"] * 200), "expected are integers"),
    ],
)
def test_wrong_arrays_are_one_sentence(save, x: np.ndarray, y: np.ndarray, fragment: str, sentence) -> None:
    path = save(x=x, y=y)
    with pytest.raises(DataError) as caught:
        load_dataset("npz", path)
    sentence(caught.value, str(path), fragment)


def test_objects_are_not_unpickled(save, sentence) -> None:
    class Boom:
        def __reduce__(self) -> tuple:
            return os.abort, ()

    path = save(x=np.array([Boom()] * 200, dtype=object), y=LABELS)
    with pytest.raises(DataError) as caught:
        load_dataset("npz", path)
    sentence(caught.value, "Python objects")


@pytest.mark.parametrize("name", ["x", "y"])
def test_missing_array_is_named(save, name: str, sentence) -> None:
    arrays = {"x": pixels(4, 4), "y": LABELS}
    arrays[f"{name}_wrong"] = arrays.pop(name)
    with pytest.raises(DataError) as caught:
        load_dataset("npz", save(**arrays))
    sentence(caught.value, f"no array {name!r}", f"{name}_wrong.npy")


def member(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (member((2**40, 2**20)), "at most"),
        (member((200, 32, 32), bytes(100)), "204,800 bytes for x and holds 100"),
        (member((200, 4), bytes(801)), "800 bytes for x and holds 801"),
        (member((-1, 4)), "not a readable .npz"),
        (b"not an array", "not a readable .npz"),
        (b"", "not a readable .npz"),
        (b"\x93NUMPY\x01\x00\x05\x00{'de}", "not a readable .npz"),
    ],
)
def test_hostile_member_is_one_sentence(tmp_path: Path, content: bytes, fragment: str, sentence) -> None:
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", member((200,), bytes(200)))
    with pytest.raises(DataError) as caught:
        load_dataset("npz", path)
    sentence(caught.value, str(path), fragment)


def test_damaged_archive_is_one_sentence(save, sentence) -> None:
    path = save(x=pixels(8, 8), y=LABELS)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[5000] ^= 0xFF
    huge = whole.replace(struct.pack("<I", 12928), struct.pack("<I", 0x7FFFFFFF))
    for damaged in (whole[:3000], b"", b"plain text", bytes(flipped), huge):
        assert damaged != whole
        path.write_bytes(damaged)
        with pytest.raises(DataError) as caught:
            load_dataset("npz", path)
        sentence(caught.value, str(path))


@pytest.mark.parametrize("name", ["nowhere.npz", "a\0b", "x" * 5000])
def test_missing_file_is_one_sentence(tmp_path: Path, name: str, sentence) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("npz", tmp_path / name)
    sentence(caught.value, "no .npz file")


def test_path_must_be_named(sentence) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("npz")
    sentence(caught.value, "path")


def test_too_few_images_of_a_class(save, sentence) -> None:
    labels = np.array([0] * 100 + [1] * 98 + [2] * 2)
    dataset = load_dataset("npz", save(x=pixels(4, 4), y=labels))
    with pytest.raises(DataError) as caught:
        dataset.split("test")
    sentence(caught.value, "2 images of class 2")


def test_too_few_images_altogether(save, sentence) -> None:
    dataset = load_dataset("npz", save(x=pixels(4, 4)[:10], y=LABELS[:10]))
    with pytest.raises(DataError) as caught:
        dataset.split("dev")
    sentence(caught.value, "10 images of 10 classes")
