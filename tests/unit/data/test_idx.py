import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from snnlab.core.errors import DataError
from snnlab.data import load_dataset

RAW = Path("MNIST/raw")
TRAIN_IMAGES, TEST_LABELS = RAW / "train-images-idx3-ubyte", RAW / "t10k-labels-idx1-ubyte"


def pack(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def test_raw_and_packed_files_give_the_same(idx_folder: Path) -> None:
    raw = load_dataset("mnist", idx_folder)
    test, dev, fingerprint = raw.split("test"), raw.split("dev"), raw.fingerprint
    stored = (idx_folder / RAW / "t10k-images-idx3-ubyte").read_bytes()[16:]
    assert test.pixels.tobytes() == stored
    for path in (idx_folder / RAW).iterdir():
        pack(path)
    packed = load_dataset("mnist", idx_folder)
    assert packed.image_shape == (1, 6, 5)
    assert np.array_equal(packed.split("test").pixels, test.pixels)
    assert np.array_equal(packed.split("dev").pixels, dev.pixels)
    assert packed.fingerprint == packed.sha256 == fingerprint


def test_splits_have_their_sizes_and_do_not_overlap(idx_folder: Path) -> None:
    dataset = load_dataset("mnist", idx_folder)
    assert dataset.sizes() == {"train": 320, "calibration": 320, "validation": 40, "dev": 40, "test": 100}
    parts = [set(dataset.split(name).indices) for name in ("train", "validation", "dev")]
    assert set.union(*parts) == set(range(400))
    assert sum(map(len, parts)) == 400
    assert {dataset.split(name).pool for name in ("train", "validation", "dev", "calibration")} == {"train"}


def test_pixels_belong_to_their_labels(idx_folder: Path) -> None:
    dev = load_dataset("mnist", idx_folder).split("dev")
    images = np.frombuffer((idx_folder / TRAIN_IMAGES).read_bytes()[16:], np.uint8).reshape(-1, 1, 6, 5)
    labels = np.frombuffer((idx_folder / RAW / "train-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
    assert np.array_equal(dev.pixels, images[dev.indices])
    assert np.array_equal(dev.labels, labels[dev.indices])


@pytest.mark.parametrize("place", ["MNIST", "raw", "."])
def test_files_are_found_in_other_places(idx_folder: Path, place: str) -> None:
    expected = load_dataset("mnist", idx_folder).split("test").labels
    other = idx_folder / "other"
    (other / place).mkdir(parents=True)
    for path in (idx_folder / RAW).iterdir():
        path.rename(other / place / path.name.replace("-idx", ".idx"))
    assert np.array_equal(load_dataset("mnist", other).split("test").labels, expected)


def test_other_data_in_the_same_files_have_another_fingerprint(idx_folder: Path) -> None:
    first = load_dataset("mnist", idx_folder).fingerprint
    content = bytearray((idx_folder / TEST_LABELS).read_bytes())
    content[8] = (content[8] + 1) % 10
    (idx_folder / TEST_LABELS).write_bytes(content)
    assert load_dataset("mnist", idx_folder).fingerprint != first


def test_missing_folder_names_files_and_the_way_to_get_them(tmp_path: Path, sentence) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", tmp_path / "nowhere")
    sentence(caught.value, "nowhere", "train-images-idx3-ubyte", "snnlab data fetch mnist")


def test_missing_file_is_named(idx_folder: Path, sentence) -> None:
    (idx_folder / TEST_LABELS).unlink()
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", idx_folder)
    sentence(caught.value, "lacks t10k-labels-idx1-ubyte", "snnlab data fetch mnist")


def test_truncated_raw_file_names_both_sizes(idx_folder: Path, sentence) -> None:
    path = idx_folder / TRAIN_IMAGES
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", idx_folder)
    sentence(caught.value, str(path), "truncated", "5,000 bytes", "12,016")


def test_truncated_archive_names_both_sizes(idx_folder: Path, sentence) -> None:
    path = idx_folder / TRAIN_IMAGES
    pack(path)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(packed.read_bytes()[:6000])
    dataset = load_dataset("mnist", idx_folder)
    with pytest.raises(DataError) as caught:
        dataset.split("train")
    sentence(caught.value, str(packed), "truncated", "12,016")


def test_file_longer_than_declared_is_refused(idx_folder: Path, sentence) -> None:
    path = idx_folder / TEST_LABELS
    path.write_bytes(path.read_bytes() + b"\0")
    pack(path)
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", idx_folder)
    sentence(caught.value, "too long", "108")


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\x80\x04 a pickle or whatever else", "not an IDX file"),
        (b"\0\0\x0d\x03" + struct.pack(">3I", 400, 6, 5), "not an IDX file"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 2**32 - 1, 2**32 - 1), "cannot be an image set"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 0, 6, 5), "cannot be an image set"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 50_000, 28, 28), "truncated"),
    ],
)
def test_hostile_header_is_one_sentence(idx_folder: Path, content: bytes, fragment: str, sentence) -> None:
    (idx_folder / TRAIN_IMAGES).write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", idx_folder)
    sentence(caught.value, str(idx_folder / TRAIN_IMAGES), fragment)


def test_not_an_archive_is_one_sentence(idx_folder: Path, sentence) -> None:
    path = idx_folder / TEST_LABELS
    path.with_name(path.name + ".gz").write_bytes(b"plain text")
    path.unlink()
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", idx_folder)
    sentence(caught.value, "cannot be read", "t10k-labels-idx1-ubyte.gz")


def test_numbers_of_images_and_labels_must_agree(idx_folder: Path, sentence) -> None:
    (idx_folder / TEST_LABELS).write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 99) + bytes(99))
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", idx_folder)
    sentence(caught.value, "100 images", "99 labels")


def test_train_and_test_must_have_one_size(idx_folder: Path, sentence) -> None:
    (idx_folder / RAW / "t10k-images-idx3-ubyte").write_bytes(
        b"\0\0\x08\x03" + struct.pack(">3I", 100, 7, 5) + bytes(3500)
    )
    with pytest.raises(DataError) as caught:
        load_dataset("mnist", idx_folder)
    sentence(caught.value, "6 x 5", "7 x 5")
