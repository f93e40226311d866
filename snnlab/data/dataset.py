"""A dataset: its files and the splits of them that every result names."""

import difflib
import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np

from snnlab.core.errors import DataError
from snnlab.data.images import ImageSplit, check_limit
from snnlab.data.names import SPLITS, dataset_info
from snnlab.data.normalization import PRESETS, Normalization
from snnlab.data.pool import Pool, Source
from snnlab.data.sources import find_source
from snnlab.data.splits import carve, draw_stratified, hash_keys, shuffled

FROM_TEST = "dev_from_test"


class Dataset:
    """Images that are read when a split asks for them.

    Splits, all stratified with seed 0 and stored shuffled, except ``test``, which keeps file order:

    - digits: test 450, dev 270, validation 135, train 942.
    - files with their own test set: dev 2,000 and validation 3,000 of the train file (of a train file below 30,000
      images at most a tenth each), train the rest.
    - ``npz``: test, dev, validation 20, 10, 10 %, train the rest.
    - ``calibration``: 2,000 images of train (digits 512, of a smaller train all), for statistics only.
    - ``dev_from_test``: 2,000 test images (of a smaller test set half), for checkpoints whose training images are
      unknown.
    """

    def __init__(self, name: str, source: Source) -> None:
        self.name = name
        self._source = source
        self._pools = {pool.name: pool for pool in source.pools}

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {self.location!r})"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; class k is the k-th."""
        return self._source.classes

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self._source.image_shape

    @property
    def location(self) -> str:
        """Folder or file the images come from."""
        return self._source.location

    @property
    def normalization(self) -> Normalization:
        """Preset that is used unless user or checkpoint name another; ``unit`` where it does not fit."""
        preset = PRESETS[dataset_info(self.name).normalization]
        return preset if preset.fits(self.image_shape[0]) else PRESETS["unit"]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of an ``.npz`` file; of the others, over image shape and all labels in file order.

        Equal for the same data in another packing (gzipped or raw, binary or python distribution).
        """
        if self._source.sha256:
            return self._source.sha256
        digest = hashlib.sha256(f"{self.image_shape}".encode())
        for pool in self._source.pools:
            digest.update(f"{pool.name} {len(pool.labels)} ".encode())
            digest.update(pool.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    @property
    def sha256(self) -> str | None:
        """What a recipe must name beside the dataset's name: None for the official files, else ``fingerprint``."""
        return None if self.fingerprint == dataset_info(self.name).fingerprint else self.fingerprint

    def sizes(self, *, foreign: bool = False) -> dict[str, int]:
        """Number of images of every split.

        Raises:
            DataError: The images cannot be divided, as for ``split``.
        """
        return {name: len(self.positions(name, foreign=foreign)[1]) for name in SPLITS}

    def split(self, name: str, *, limit: int | None = None, foreign: bool = False) -> ImageSplit:
        """Read one split.

        Args:
            name: ``train``, ``calibration``, ``validation``, ``dev``, ``test`` or ``dev_from_test``.
            limit: First images only; None for all.
            foreign: The checkpoint's training images are unknown: ``dev`` is ``dev_from_test``.

        Raises:
            DataError: No such split, a limit below 1, too few images of a class, or damaged files.
        """
        check_limit(limit)
        name = self._resolved(name, foreign)
        pool_name, positions = self.positions(name)
        pool, positions = self._pools[pool_name], positions[:limit]
        return ImageSplit(
            dataset=self.name,
            name=name,
            pixels=pool.pixels(positions),
            labels=pool.labels[positions],
            classes=self.classes,
            indices=positions,
            pool=pool_name,
            scale=self._source.scale,
            normalization=self.normalization,
        )

    def positions(self, name: str, *, foreign: bool = False) -> tuple[str, np.ndarray]:
        """Which images a split holds, without reading them: (pool name, positions in its files, (N,) int64).

        Raises:
            DataError: No such split, or too few images of a class.
        """
        name = self._resolved(name, foreign)
        if name == FROM_TEST:
            return self._dev_from_test
        if name == "test" and "test" in self._pools:
            return "test", np.arange(len(self._pools["test"].labels))
        pool = self._pools.get("train") or self._pools["all"]
        return pool.name, self._carved[name]

    def _resolved(self, name: str, foreign: bool) -> str:
        if name == FROM_TEST or (name == "dev" and foreign):
            return FROM_TEST
        if name in SPLITS:
            return name
        near = difflib.get_close_matches(str(name), SPLITS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(SPLITS)}."
        raise DataError(f"There is no split {str(name)[:80]!r}; {hint}")

    @cached_property
    def _carved(self) -> dict[str, np.ndarray]:
        pool = self._pools.get("train") or self._pools["all"]
        count = len(pool.labels)
        keys = self._keys(pool)
        splits = carve(pool.labels, self._planned(count), keys, pool.title)
        draw, order = keys
        size = min(512 if self.name == "digits" else 2000, len(splits["train"]))
        calibration, _ = draw_stratified(pool.labels, splits["train"], size, draw)
        return {**splits, "calibration": shuffled(calibration, order)}

    @cached_property
    def _dev_from_test(self) -> tuple[str, np.ndarray]:
        pool_name, test = self.positions("test")
        pool = self._pools[pool_name]
        size = min(2000, len(test) // 2)
        classes = len(np.unique(pool.labels[test]))
        if size < classes:
            raise DataError(
                f"{pool.title} leaves {len(test)} test images of {classes} classes; half of them cannot hold one of "
                "each class, give more images."
            )
        draw, order = self._keys(pool)
        return pool_name, shuffled(draw_stratified(pool.labels, test, size, draw)[0], order)

    def _keys(self, pool: Pool) -> np.ndarray:
        return hash_keys(self.name, pool.name, len(pool.labels))

    def _planned(self, count: int) -> dict[str, int]:
        if self.name == "digits":
            return {"test": 450, "dev": 270, "validation": 135}
        if "all" in self._pools:
            return {"test": count // 5, "dev": count // 10, "validation": count // 10}
        return {"dev": min(2000, count // 10), "validation": min(3000, count // 10)}


def load_dataset(name: str, folder: str | Path | None = None) -> Dataset:
    """Find a dataset's files and check them; pixels are read by ``split``.

    Args:
        name: One of ``DATASETS``.
        folder: Folder that holds the files, or the ``.npz`` file; None for where ``fetch`` puts downloads.

    Raises:
        DataError: Unknown name, or files that are missing, truncated or damaged.
    """
    return Dataset(name, find_source(name, folder))
