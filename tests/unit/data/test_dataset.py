"""The digits stand for every dataset here: they are always at hand."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from snnlab.core.errors import DataError
from snnlab.data import DATASETS, PRESETS, SPLITS, Dataset, ImageSplit, load_dataset


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


def test_digits_are_those_of_scikit_learn(digits: Dataset) -> None:
    from sklearn.datasets import load_digits

    bundled = load_digits()
    for name in SPLITS:
        split = digits.split(name)
        assert np.array_equal(split.pixels[:, 0], bundled.images[split.indices])
        assert np.array_equal(split.labels, bundled.target[split.indices])


def test_digits_sizes(digits: Dataset) -> None:
    assert digits.sizes() == {"train": 942, "calibration": 512, "validation": 135, "dev": 270, "test": 450}
    assert digits.image_shape == (1, 8, 8)
    assert digits.num_classes == 10
    assert digits.sha256 is None


def test_splits_do_not_overlap(digits: Dataset) -> None:
    parts = {name: set(digits.split(name).indices) for name in SPLITS}
    assert parts.pop("calibration") <= parts["train"]
    assert set.union(*parts.values()) == set(range(1797))
    assert sum(map(len, parts.values())) == 1797


def test_splits_are_stratified(digits: Dataset) -> None:
    shares = np.bincount(digits.split("train").labels) / 942
    for name in SPLITS:
        split = digits.split(name)
        assert np.abs(np.bincount(split.labels) - shares * len(split)).max() <= 1.5


def test_splits_never_change(digits: Dataset) -> None:
    # Golden values: a change of them changes every published number, so it needs an entry in CORRECTIONS.
    golden = {
        "train": "aaa7793135925890",
        "calibration": "e4147fb66e3159d6",
        "validation": "651bed3c4cec3fdb",
        "dev": "d8f1da4a3387f9b4",
        "test": "aba607f603ef5da2",
        "dev_from_test": "e8789f655da57dac",
    }
    for name, expected in golden.items():
        assert hashlib.sha256(digits.split(name).indices.astype("<i8").tobytes()).hexdigest()[:16] == expected, name


def test_test_keeps_file_order_and_the_others_are_shuffled(digits: Dataset) -> None:
    for name in (*SPLITS, "dev_from_test"):
        assert (np.diff(digits.split(name).indices) > 0).all() == (name == "test")


def test_foreign_dev_comes_from_test(digits: Dataset) -> None:
    dev = digits.split("dev", foreign=True)
    assert dev.name == "dev_from_test"
    assert len(dev) == 225
    assert set(dev.indices) <= set(digits.split("test").indices)
    assert np.array_equal(dev.indices, digits.split("dev_from_test").indices)
    for name in ("train", "validation", "calibration", "test"):
        assert np.array_equal(digits.split(name, foreign=True).indices, digits.split(name).indices)
    assert digits.sizes(foreign=True)["dev"] == 225


def test_limit_takes_the_first_images(digits: Dataset) -> None:
    whole = digits.split("dev")
    for limited in (digits.split("dev", limit=7), whole.limit(7)):
        assert len(limited) == 7
        assert np.array_equal(limited.pixels, whole.pixels[:7])
        assert np.array_equal(limited.labels, whole.labels[:7])
        assert np.array_equal(limited.indices, whole.indices[:7])
    assert len(digits.split("dev", limit=10_000)) == len(whole.limit(10_000)) == len(whole.limit(None)) == 270


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_without_images_is_refused(digits: Dataset, limit: int, sentence) -> None:
    for call in (lambda: digits.split("dev", limit=limit), lambda: digits.split("dev").limit(limit)):
        with pytest.raises(DataError) as caught:
            call()
        sentence(caught.value, f"limit of {limit}")


def test_images_are_normalised(digits: Dataset) -> None:
    split = digits.split("dev")
    unit = torch.from_numpy(split.pixels).float() / 16
    assert torch.equal(split.images(), unit)
    assert split.images().max() == 1
    assert torch.equal(split.images(3, 9, PRESETS["half"]), (unit[3:9] - 0.5) / 0.5)
    assert torch.equal(split.normalized(PRESETS["half"]).batch(3, 9), (unit[3:9] - 0.5) / 0.5)
    double = split.images(0, 2, PRESETS["mnist"], torch.float64)
    assert double.dtype == torch.float64
    assert torch.allclose(double, (unit[:2].double() - 0.1307) / 0.3081, rtol=1e-14, atol=1e-14)
    assert split.pixels.max() == 16, "images() changed the stored pixels"


def test_channels_are_normalised_each_by_its_own() -> None:
    pixels = np.full((2, 3, 1, 1), 255, np.uint8)
    pixels[:, 1] = 0
    indices = np.arange(2)
    split = ImageSplit("cifar10", "dev", pixels, indices, ("a", "b"), indices, "train")
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225]
    assert torch.allclose(split.images(0, 1, PRESETS["imagenet"]).flatten(), torch.tensor(expected))


def test_normalization_for_colour_is_refused_on_grey(digits: Dataset, sentence) -> None:
    split = digits.split("dev", limit=1)
    for call in (lambda: split.images(normalization=PRESETS["cifar10"]), lambda: split.normalized(PRESETS["cifar10"])):
        with pytest.raises(DataError) as caught:
            call()
        sentence(caught.value, "'cifar10'", "images have 1")


def test_empty_split_is_refused(sentence) -> None:
    empty = np.zeros(0, np.int64)
    with pytest.raises(DataError) as caught:
        ImageSplit("npz", "dev", np.zeros((0, 1, 2, 2), np.uint8), empty, ("0",), empty, "all")
    sentence(caught.value, "dev split of npz", "no image")


def test_lengths_must_agree(sentence) -> None:
    three = np.arange(3)
    with pytest.raises(DataError) as caught:
        ImageSplit("npz", "dev", np.zeros((2, 1, 2, 2), np.uint8), three, ("0",), three, "all")
    sentence(caught.value, "2 images, 3 labels")


def test_a_split_is_an_image_source_of_the_engine(digits: Dataset) -> None:
    from snnlab.simulation.images import ImageSource, as_images

    split = digits.split("dev", limit=5)
    assert isinstance(split, ImageSource)
    assert as_images(split) is split


@pytest.mark.parametrize(("name", "fragment"), [("cifar", "did you mean 'cifar10'"), ("zzz", "known are digits")])
def test_unknown_dataset(name: str, fragment: str, sentence) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset(name)
    sentence(caught.value, fragment)


@pytest.mark.parametrize(("name", "fragment"), [("tets", "did you mean 'test'"), ("zzz", "known are train")])
def test_unknown_split(digits: Dataset, name: str, fragment: str, sentence) -> None:
    with pytest.raises(DataError) as caught:
        digits.split(name)
    sentence(caught.value, fragment)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_a_file_or_an_impossible_name_as_folder(tmp_path: Path, name: str, sentence) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "a\0b", tmp_path / ("x" * 5000)):
        with pytest.raises(DataError) as caught:
            load_dataset(name, folder)
        sentence(caught.value, "no folder", f"snnlab data fetch {name}")


def test_without_a_folder_the_fetched_files_are_used(monkeypatch: pytest.MonkeyPatch, idx_folder: Path) -> None:
    monkeypatch.setattr("snnlab.data.files.default_folder", lambda: idx_folder)
    assert load_dataset("mnist").image_shape == (1, 6, 5)


def test_every_dataset_has_a_fitting_normalization(digits: Dataset) -> None:
    assert digits.normalization.name == "unit"
    for info in DATASETS.values():
        assert info.normalization in PRESETS


def test_names_and_normalization_need_no_torch() -> None:
    code = (
        "import sys; import snnlab.data.normalization, snnlab.data.names, snnlab.data.downloads; from snnlab.data "
        "import PRESETS, fetch; assert callable(fetch); assert not {'torch', 'sklearn', 'pooch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
