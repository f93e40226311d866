"""The official files, where $SNNLAB_TEST_DATA names a folder that holds them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from snnlab.data import load_dataset
from snnlab.data.downloads import DOWNLOADS

EXPECTED = {
    "mnist": (
        {"train": 55_000, "calibration": 2000, "validation": 3000, "dev": 2000, "test": 10_000},
        "81f5e992f8413577",
    ),
    "cifar10": (
        {"train": 45_000, "calibration": 2000, "validation": 3000, "dev": 2000, "test": 10_000},
        "89b8b533f34c6b54",
    ),
    "cifar100": (
        {"train": 45_000, "calibration": 2000, "validation": 3000, "dev": 2000, "test": 10_000},
        "bc0192df8cd56829",
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_official_files(real_data: Path, name: str) -> None:
    dataset = load_dataset(name, real_data)
    sizes, golden = EXPECTED[name]
    assert dataset.sizes() == sizes
    assert dataset.sizes(foreign=True)["dev"] == 2000
    assert dataset.sha256 is None, "the official files need no hash in a recipe"
    assert np.array_equal(dataset.positions("test")[1], np.arange(10_000))
    chosen = np.concatenate([dataset.positions(part)[1] for part in ("dev", "validation", "train", "dev_from_test")])
    # A change of the splits changes every published number, so it needs an entry in CORRECTIONS.
    assert hashlib.sha256(chosen.astype("<i8").tobytes()).hexdigest()[:16] == golden


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_classes_are_those_of_the_files(real_data: Path, name: str) -> None:
    file = {"cifar10": "cifar-10-batches-bin/batches.meta.txt", "cifar100": "cifar-100-binary/fine_label_names.txt"}
    assert load_dataset(name, real_data).classes == tuple((real_data / file[name]).read_text().split())


def test_mean_and_deviation_of_cifar10_are_the_true_ones(real_data: Path) -> None:
    images = load_dataset("cifar10", real_data).split("calibration").images().numpy()
    normalised_mean, normalised_std = images.mean(axis=(0, 2, 3)), images.std(axis=(0, 2, 3))
    assert np.abs(normalised_mean).max() < 0.1
    # The default deviation is the mean over images, smaller than that over all pixels.
    assert np.allclose(normalised_std, np.array([0.2470, 0.2435, 0.2616]) / [0.2023, 0.1994, 0.2010], atol=0.04)


def test_mnist_files_are_the_published_archives(real_data: Path) -> None:
    for download in DOWNLOADS["mnist"]:
        content = (real_data / download.target).read_bytes()
        assert f"md5:{hashlib.md5(content).hexdigest()}" == download.checksum
