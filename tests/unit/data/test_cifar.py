import io
import os
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snnlab.core.errors import DataError
from snnlab.data import load_dataset
from snnlab.data.cifar import LAYOUTS, Layout, read_cifar
from snnlab.data.dataset import Dataset
from snnlab.data.pickles import read_pickle


def load(layout: Layout, folder: Path) -> Dataset:
    return Dataset("cifar10", read_cifar(layout, folder))


def test_binary_files_are_read_exactly(small_layout: Layout, binary_folder: Path, cifar_arrays: dict) -> None:
    dataset = load(small_layout, binary_folder)
    test = dataset.split("test")
    labels, pixels = cifar_arrays["test_batch"]
    assert np.array_equal(test.labels, labels)
    assert np.array_equal(test.pixels.reshape(20, 3072), pixels)
    assert test.pixels.dtype == np.uint8
    assert test.classes[3] == "cat"
    assert dataset.sizes() == {"train": 160, "calibration": 160, "validation": 20, "dev": 20, "test": 20}


def test_images_of_several_files_keep_their_labels(
    small_layout: Layout, binary_folder: Path, cifar_arrays: dict
) -> None:
    all_labels = np.concatenate([cifar_arrays[name][0] for name in small_layout.train])
    all_pixels = np.concatenate([cifar_arrays[name][1] for name in small_layout.train])
    for name in ("train", "dev", "validation", "calibration"):
        split = load(small_layout, binary_folder).split(name)
        assert np.array_equal(split.labels, all_labels[split.indices])
        assert np.array_equal(split.pixels.reshape(len(split), -1), all_pixels[split.indices])


def test_python_distribution_gives_the_same(small_layout: Layout, binary_folder: Path, python_folder: Path) -> None:
    binary, python = load(small_layout, binary_folder), load(small_layout, python_folder)
    assert binary.fingerprint == python.fingerprint
    for name in ("train", "dev", "test"):
        assert np.array_equal(binary.split(name).pixels, python.split(name).pixels)
        assert np.array_equal(binary.split(name).labels, python.split(name).labels)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_that_python_3_wrote_are_read(tmp_path: Path, protocol: int) -> None:
    data = np.arange(2 * 3072, dtype=np.int64).astype(np.uint8).reshape(2, 3072)
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({b"data": data, b"labels": [3, 4]}, protocol=protocol))
    values = read_pickle(path)
    assert np.array_equal(values["data"], data)
    assert values["labels"] == [3, 4]


def test_files_directly_in_the_folder(small_layout: Layout, binary_folder: Path, python_folder: Path) -> None:
    expected = load(small_layout, binary_folder).split("dev").pixels
    for folder in (binary_folder / "cifar-10-batches-bin", python_folder / "cifar-10-batches-py"):
        assert np.array_equal(load(small_layout, folder).split("dev").pixels, expected)


def test_complete_python_files_beside_incomplete_binary_ones(
    small_layout: Layout, binary_folder: Path, python_folder: Path
) -> None:
    (binary_folder / "cifar-10-batches-bin" / "data_batch_2.bin").unlink()
    (python_folder / "cifar-10-batches-py").rename(binary_folder / "cifar-10-batches-py")
    assert load(small_layout, binary_folder).location.endswith("cifar-10-batches-py")


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    layout = replace(LAYOUTS["cifar100"], train_records=10, test_records=4)
    for name, count in layout.files(".bin"):
        table = np.zeros((count, 3074), np.uint8)
        table[:, 0], table[:, 1], table[:, 2] = 7, 99 - np.arange(count), 200
        (tmp_path / name).write_bytes(table.tobytes())
    test = Dataset("cifar100", read_cifar(layout, tmp_path)).split("test")
    assert test.labels.tolist() == [99, 98, 97, 96]
    assert (test.pixels[:, 0, 0, 0] == 200).all()
    assert test.classes[99] == "worm"


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_missing_folder_names_files_and_the_way_to_get_them(tmp_path: Path, name: str, sentence) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DataError) as caught:
            load_dataset(name, folder)
        sentence(caught.value, str(folder), LAYOUTS[name].binary, LAYOUTS[name].python, f"snnlab data fetch {name}")


def test_missing_file_is_named(small_layout: Layout, binary_folder: Path, sentence) -> None:
    (binary_folder / "cifar-10-batches-bin" / "data_batch_3.bin").unlink()
    with pytest.raises(DataError) as caught:
        load(small_layout, binary_folder)
    sentence(caught.value, "lacks data_batch_3.bin", "snnlab data fetch cifar10")


@pytest.mark.parametrize("change", [-1, 1, -3073])
def test_wrong_size_names_both_sizes(small_layout: Layout, binary_folder: Path, change: int, sentence) -> None:
    path = binary_folder / "cifar-10-batches-bin" / "data_batch_3.bin"
    path.write_bytes((path.read_bytes() + b"\0")[: 40 * 3073 + change])
    with pytest.raises(DataError) as caught:
        load(small_layout, binary_folder)
    sentence(caught.value, str(path), f"{40 * 3073 + change:,} bytes", "122,920")


def test_official_size_is_demanded(binary_folder: Path, sentence) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("cifar10", binary_folder)
    sentence(caught.value, "truncated", "30,730,000")


def test_label_outside_the_classes_is_named(small_layout: Layout, binary_folder: Path, sentence) -> None:
    path = binary_folder / "cifar-10-batches-bin" / "test_batch.bin"
    content = bytearray(path.read_bytes())
    content[2 * 3073] = 11
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(small_layout, binary_folder).split("test")
    sentence(caught.value, "image 2 the class 11", "0..9")


class Boom:
    def __reduce__(self) -> tuple:
        return os.system, ("touch ran",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_code_is_named_and_not_run(
    tmp_path: Path, protocol: int, sentence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps({"data": Boom(), "labels": []}, protocol=protocol))
    with pytest.raises(DataError) as caught:
        read_pickle(path)
    sentence(caught.value, str(path), f"{os.system.__module__}.system", "nothing was run")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "builtins.getattr", "numpy.load", "numpy.core.multiarray.array", "pickle.loads"]
)
def test_every_other_global_is_refused(tmp_path: Path, name: str, sentence) -> None:
    module, _, attribute = name.rpartition(".")
    path = tmp_path / "batch"
    path.write_bytes(f"c{module}\n{attribute}\n(S'x'\ntR.".encode())
    with pytest.raises(DataError) as caught:
        read_pickle(path)
    sentence(caught.value, name, "nothing was run")


def array_pickle(dtype: np.dtype, shape: tuple[int, ...] = (2, 3072)) -> bytes:
    return pickle.dumps({"data": np.zeros(shape, dtype), "labels": [1, 2]}, protocol=2)


@pytest.mark.parametrize(
    "content",
    [
        array_pickle(np.dtype("f4")),
        array_pickle(np.dtype("i1")),
        array_pickle(np.dtype("O")),
        array_pickle(np.dtype("u1"), (2, 3, 32, 32)),
        array_pickle(np.dtype("u1"), (3, 3072)),
        pickle.dumps({"data": "text", "labels": [1, 2]}),
        pickle.dumps({"labels": [1, 2]}),
    ],
)
def test_anything_but_the_array_of_bytes_is_refused(
    small_layout: Layout, python_folder: Path, content: bytes, sentence
) -> None:
    for name, _ in small_layout.files(""):
        (python_folder / "cifar-10-batches-py" / name).write_bytes(content)
    dataset = load(replace(small_layout, train_records=2, test_records=2), python_folder)
    with pytest.raises(DataError) as caught:
        dataset.split("test")
    sentence(caught.value, "test_batch", "under 'data'", "2 x 3,072")


def test_declared_shape_must_fit_the_bytes(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    pickle.dump({"data": np.zeros((2, 3072), np.uint8)}, buffer, protocol=2)
    lying = buffer.getvalue().replace(b"M\x00\x0c", b"J\x00\x00\x00\x7f", 1)
    assert lying != buffer.getvalue()
    path = tmp_path / "batch"
    path.write_bytes(lying)
    assert read_pickle(path)["data"] is None


@pytest.mark.parametrize(
    "labels", [[1] * 19, [1] * 19 + [10], [1] * 19 + [-1], [1] * 19 + ["1"], [1] * 19 + [1 << 80], None, [True] * 20]
)
def test_wrong_labels_are_refused(small_layout: Layout, python_folder: Path, labels: object, sentence) -> None:
    path = python_folder / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(pickle.dumps({"data": np.zeros((20, 3072), np.uint8), "labels": labels}))
    with pytest.raises(DataError) as caught:
        load(small_layout, python_folder).split("test")
    sentence(caught.value, str(path))


MEMO_BOMB = b"\x80\x02Nr" + struct.pack("<I", 0xFFFFFFF0) + b"."


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", b"not a pickle", MEMO_BOMB, pickle.dumps({"a": b"x" * 1000})[:-200], b"\x80\x04\x8e" + b"\xff" * 8],
)
def test_damaged_pickle_is_one_sentence(tmp_path: Path, content: bytes, sentence) -> None:
    path = tmp_path / "batch"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_pickle(path)
    sentence(caught.value, str(path), f"{len(content):,} bytes")


def test_a_pickle_of_something_else_is_refused(tmp_path: Path, sentence) -> None:
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError) as caught:
        read_pickle(path)
    sentence(caught.value, "a list where")
