"""Training batches: which images, in which order, augmented how.

Everything random is keyed by seed, epoch and batch, never by what ran before: a training that is resumed sees exactly
the batches that it would have seen.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from snnlab.core.errors import RecipeError
from snnlab.data import ImageSplit

if TYPE_CHECKING:
    from collections.abc import Callable

AUGMENTATIONS = ("crop", "flip", "autoaugment", "cutout")
"""What ``Batches`` knows, in the order of application."""


def derived_seed(*parts: object) -> int:
    """A seed below 2^63 from any parts, the same on every machine.

    Example:
        >>> derived_seed(0, "epoch", 1) == derived_seed(0, "epoch", 1) != derived_seed(0, "epoch", 2)
        True
    """
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True)
class Batches:
    """Batches of a training split.

    Args:
        images: Training images; their normalisation is applied after the augmentation of colours and places.
        batch_size: Images a batch; the last one of an epoch may be smaller.
        augment: Some of ``AUGMENTATIONS``. ``crop`` pads by an eighth of the side with zeros and cuts back, ``flip``
            mirrors, ``autoaugment`` is the CIFAR-10 policy, ``cutout`` blanks one square of half the side.
        seed: Seed of order and augmentation.
        limit: Images an epoch, a new random part of the split each time; None for all.

    Raises:
        RecipeError: An unknown augmentation, or no image a batch.
    """

    images: ImageSplit
    batch_size: int
    augment: tuple[str, ...] = ()
    seed: int = 0
    limit: int | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.augment if name not in AUGMENTATIONS]
        if unknown:
            raise RecipeError(f"There is no augmentation {unknown[0]!r}; known are {', '.join(AUGMENTATIONS)}.")
        if self.batch_size < 1:
            raise RecipeError(f"batch_size is {self.batch_size}; a batch holds at least 1 image.")

    def __len__(self) -> int:
        return math.ceil(self.images_per_epoch / self.batch_size)

    @property
    def images_per_epoch(self) -> int:
        """Images seen in one epoch."""
        return min(self.limit or len(self.images), len(self.images))

    def rows(self, epoch: int) -> np.ndarray:
        """Positions in the split in the order of an epoch, (images_per_epoch,)."""
        order = np.random.Generator(np.random.PCG64(derived_seed(self.seed, "order", epoch)))
        return order.permutation(len(self.images))[: self.images_per_epoch]

    def batch(self, rows: np.ndarray, epoch: int, index: int) -> tuple[Tensor, Tensor]:
        """Augmented, normalised images (n, C, H, W) and their classes (n,).

        Args:
            rows: What ``rows(epoch)`` gave.
            epoch: Epoch, from 0.
            index: Batch of the epoch, from 0.
        """
        chosen = rows[index * self.batch_size : (index + 1) * self.batch_size]
        pixels = torch.from_numpy(self.images.pixels[chosen]).float().div_(self.images.scale)
        normalization = self.images.normalization
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (normalization.mean, normalization.std))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(self.seed, "augment", epoch, index))
            moved = self._before(pixels) if self._before is not None else pixels
            x = (moved - mean) / std
            x = self._after(x) if self._after is not None else x
        return x, torch.from_numpy(self.images.labels[chosen])

    @cached_property
    def _before(self) -> "Callable[[Tensor], Tensor] | None":
        """What works on pixels in 0..1."""
        import kornia.augmentation as kornia

        _, height, width = self.images.image_shape
        parts: list[nn.Module] = []
        if "crop" in self.augment:
            parts.append(kornia.RandomCrop((height, width), padding=(height // 8, width // 8)))
        if "flip" in self.augment:
            parts.append(kornia.RandomHorizontalFlip())
        if "autoaugment" in self.augment:
            parts.append(kornia.auto.AutoAugment("cifar10"))
        return nn.Sequential(*parts) if parts else None

    @cached_property
    def _after(self) -> "Callable[[Tensor], Tensor] | None":
        """Cutout: zeros of the normalised image, as in the papers."""
        if "cutout" not in self.augment:
            return None
        import kornia.augmentation as kornia

        return kornia.RandomErasing(scale=(0.25, 0.25), ratio=(1.0, 1.0), value=0.0, p=1.0)
