"""Where pixels come from: a pool of images in one or more files, read only where a split needs them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Shard:
    """One file's images, read on demand.

    Args:
        labels: Returns the classes, (n,).
        pixels: Returns the images, (n, C, H, W), uint8 or float32; may be a memory map.
    """

    labels: Callable[[], np.ndarray]
    pixels: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Pool:
    """All images of an official train or test file set, or of a set that comes undivided.

    Args:
        name: ``train``, ``test`` or ``all``.
        title: How an error names it.
        shards: Its files, in order.
    """

    name: str
    title: str
    shards: Sequence[Shard] = field(repr=False)

    @cached_property
    def _labels_of_shards(self) -> list[np.ndarray]:
        return [np.array(shard.labels(), dtype=np.int64) for shard in self.shards]

    @cached_property
    def labels(self) -> np.ndarray:
        """Classes of all images, (N,) int64, in file order."""
        return np.concatenate(self._labels_of_shards)

    def pixels(self, positions: np.ndarray) -> np.ndarray:
        """Copy the images at these positions, (n, C, H, W); opens only the files that hold them."""
        chosen: np.ndarray | None = None
        first = 0
        for shard, labels in zip(self.shards, self._labels_of_shards, strict=True):
            here = np.flatnonzero((positions >= first) & (positions < first + len(labels)))
            if len(here):
                images = shard.pixels()
                if chosen is None:
                    chosen = np.empty((len(positions), *images.shape[1:]), dtype=images.dtype)
                chosen[here] = images[positions[here] - first]
            first += len(labels)
        assert chosen is not None, "no position was asked for"
        return chosen


@dataclass(frozen=True)
class Source:
    """What a reader found: everything about a dataset but its splits.

    Args:
        classes: Class names.
        image_shape: (C, H, W).
        pools: ``train`` and ``test``, or ``all``.
        scale: Pixel value that stands for 1.
        location: Folder or file.
        sha256: Hash of the file, where the dataset is one file of the user's own.
    """

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    pools: tuple[Pool, ...]
    scale: float
    location: str
    sha256: str | None = None
