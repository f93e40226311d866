"""The images of one split, kept as stored and normalised slice by slice."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from snnlab.core.errors import DataError
from snnlab.data.normalization import PRESETS, Normalization


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """Images and labels of one split; an image source of the engine.

    Args:
        dataset: Dataset name.
        name: Split name; ``dev_from_test`` where a foreign checkpoint's dev is drawn from the test file.
        pixels: As stored, (N, C, H, W), uint8 or float32.
        labels: Classes, (N,) int64.
        classes: Class names.
        indices: Position of each image in its file set, (N,) int64.
        pool: That file set, ``train``, ``test``, or ``all`` where a dataset comes undivided.
        scale: Pixel value that stands for 1.
        normalization: Used by ``batch``, and by ``images`` unless it is given another.

    Raises:
        DataError: No image, or lengths that do not agree.
    """

    dataset: str
    name: str
    pixels: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    indices: np.ndarray
    pool: str
    scale: float = 255.0
    normalization: Normalization = PRESETS["unit"]

    def __post_init__(self) -> None:
        if len(self.labels) == 0:
            raise DataError(
                f"The {self.name} split of {self.dataset} holds no image; choose a split with at least one."
            )
        if not len(self.pixels) == len(self.labels) == len(self.indices):
            raise DataError(
                f"The {self.name} split of {self.dataset} has {len(self.pixels)} images, {len(self.labels)} labels and "
                f"{len(self.indices)} positions; they must be as many."
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def images(
        self,
        start: int = 0,
        stop: int | None = None,
        normalization: Normalization | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Normalised images start..stop, ``(pixels / scale - mean) / std``, (n, C, H, W).

        Raises:
            DataError: The normalisation is for another number of channels.
        """
        chosen = normalization or self.normalization
        chosen.check(self.pixels.shape[1])
        scaled = torch.from_numpy(np.array(self.pixels[start:stop])).to(dtype).div_(self.scale)
        mean, std = (torch.tensor(values, dtype=dtype).view(-1, 1, 1) for values in (chosen.mean, chosen.std))
        return scaled.sub_(mean).div_(std)

    def batch(self, start: int, stop: int) -> Tensor:
        """Images start..stop with this split's own normalisation, (n, C, H, W) float32."""
        return self.images(start, stop)

    def limit(self, count: int | None) -> "ImageSplit":
        """The first ``count`` images; all of them if the split has no more, or for None.

        Raises:
            DataError: ``count`` is not positive.
        """
        check_limit(count)
        if count is None or count >= len(self):
            return self
        return replace(self, pixels=self.pixels[:count], labels=self.labels[:count], indices=self.indices[:count])

    def drawn(self, count: int, *, seed: int) -> "ImageSplit":
        """So many different images in a random order.

        Raises:
            DataError: ``count`` is not positive, or the split has fewer.
        """
        check_limit(count)
        if count > len(self):
            raise DataError(
                f"The {self.name} split of {self.dataset} holds {len(self)} images, and {count} are to be drawn from "
                "it; draw fewer."
            )
        rows = np.random.default_rng(seed).permutation(len(self))[:count]
        return replace(self, pixels=self.pixels[rows], labels=self.labels[rows], indices=self.indices[rows])

    def normalized(self, normalization: Normalization) -> "ImageSplit":
        """The same images with another normalisation.

        Raises:
            DataError: It is for another number of channels.
        """
        normalization.check(self.pixels.shape[1])
        return replace(self, normalization=normalization)


def check_limit(count: int | None) -> None:
    """Refuse a limit that leaves no image.

    Raises:
        DataError: The limit is not positive.
    """
    if count is not None and count < 1:
        raise DataError(f"A limit of {count} leaves no image; give at least 1, or none for all.")
