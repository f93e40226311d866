import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnlab.core.errors import DataError
from snnlab.data.splits import allocate, carve, hash_keys


def test_keys_are_the_documented_hash() -> None:
    keys = hash_keys("digits", "all", 5, seed=0)
    digest = hashlib.sha256(b"digits/all/0/3").digest()
    assert keys.shape == (2, 5)
    assert int(keys[0, 3]) == int.from_bytes(digest[:8], "big")
    assert int(keys[1, 3]) == int.from_bytes(digest[8:16], "big")
    assert not np.array_equal(keys, hash_keys("digits", "all", 5, seed=1))


def test_allocation_is_by_largest_remainder() -> None:
    # 7 places over 5, 3, 2: exact shares 3.5, 2.1, 1.4.
    assert allocate(np.array([5, 3, 2]), 7).tolist() == [4, 2, 1]


def test_a_rare_class_still_gets_one_place() -> None:
    assert allocate(np.array([100, 100, 1]), 10).tolist() == [5, 4, 1]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.data())
def test_allocation_is_exact_and_possible(counts: list[int], data: st.DataObject) -> None:
    size = data.draw(st.integers(len(counts), sum(counts)))
    places = allocate(np.array(counts), size)
    assert places.sum() == size
    assert (places >= 1).all()
    assert (places <= np.array(counts)).all()


@given(st.lists(st.integers(4, 60), min_size=2, max_size=6), st.integers(0, 5))
def test_carved_splits_divide_the_file(counts: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    size = max(len(counts), len(labels) // 6)
    sizes = {"test": size, "dev": size, "validation": size}
    if 3 * size + len(counts) > len(labels):
        return
    splits = carve(labels, sizes, hash_keys("npz", "all", len(labels)), "x.npz")
    together = np.concatenate(list(splits.values()))
    assert sorted(together) == list(range(len(labels)))
    for name, expected in sizes.items():
        assert len(splits[name]) == expected
        assert set(labels[splits[name]]) == set(range(len(counts)))
    assert (np.diff(splits["test"]) > 0).all()


def test_splits_are_stratified_and_shuffled() -> None:
    labels = np.arange(10_000) // 1000
    splits = carve(labels, {"dev": 500, "validation": 1000}, hash_keys("cifar10", "train", 10_000), "CIFAR")
    assert np.bincount(labels[splits["dev"]]).tolist() == [50] * 10
    assert np.bincount(labels[splits["validation"]]).tolist() == [100] * 10
    # A prefix of a shuffled split is a fair sample: sorted by class or by file it would not be.
    assert np.bincount(labels[splits["train"][:1000]], minlength=10).min() > 60
    assert np.bincount(labels[splits["dev"][:250]], minlength=10).min() > 10
    assert abs(np.corrcoef(np.arange(8500), splits["train"])[0, 1]) < 0.05


def test_too_few_images_are_refused(sentence) -> None:
    labels = np.repeat(np.arange(10), 5)
    with pytest.raises(DataError) as caught:
        carve(labels, {"test": 10, "dev": 5, "validation": 5}, hash_keys("npz", "all", 50), "own.npz")
    sentence(caught.value, "own.npz", "50 images of 10 classes", "dev split of 5")


def test_a_class_with_too_few_images_is_named(sentence) -> None:
    labels = np.array([0] * 50 + [1] * 47 + [2] * 3)
    with pytest.raises(DataError) as caught:
        carve(labels, {"test": 20, "dev": 10, "validation": 10}, hash_keys("npz", "all", 100), "own.npz")
    sentence(caught.value, "own.npz", "3 images of class 2", "at least 4")
