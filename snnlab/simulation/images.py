"""Images for the engine: anything with labels or without, read batch by batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from snnlab.core.errors import DataError


@runtime_checkable
class ImageSource(Protocol):
    """Normalised images that are read in slices; ``snnlab.data.ImageSplit`` is one."""

    @property
    def name(self) -> str:
        """Name of the split; empty for plain tensors."""
        ...

    def __len__(self) -> int: ...

    def batch(self, start: int, stop: int) -> Tensor:
        """Normalised images start..stop, (n, C, H, W), float32."""
        ...

    @property
    def labels(self) -> np.ndarray | None:
        """True classes, (N,), or None."""
        ...


@dataclass(frozen=True)
class TensorImages:
    """Images already in memory, normalised by the caller."""

    tensor: Tensor
    labels: np.ndarray | None = None
    name: str = ""

    def __len__(self) -> int:
        return len(self.tensor)

    def batch(self, start: int, stop: int) -> Tensor:
        """A slice."""
        return self.tensor[start:stop]


def as_images(data: "ImageSource | Tensor | Sequence[Tensor]") -> ImageSource:
    """Accept an image source, a tensor (N, C, H, W), or a pair (images, labels).

    Raises:
        DataError: Nothing of the kind, no image at all, or another number of labels than images.
    """
    if isinstance(data, Tensor):
        source: ImageSource = TensorImages(data)
    elif isinstance(data, tuple | list) and len(data) == 2:
        source = TensorImages(data[0], np.asarray(data[1]))
    elif isinstance(data, ImageSource):
        source = data
    else:
        raise DataError(
            f"Images must be a data split, a tensor (N, C, H, W) or a pair (images, labels); "
            f"found {type(data).__name__}."
        )
    if len(source) == 0:
        raise DataError("There is no image to run; choose a split or limit with at least one.")
    if source.labels is not None and len(source.labels) != len(source):
        raise DataError(f"There are {len(source)} images but {len(source.labels)} labels; they must pair up.")
    return source


def check_finite(images: Tensor, start: int) -> None:
    """Raise if an image holds NaN or inf.

    Raises:
        DataError: Names the first such image.
    """
    bad = ~torch.isfinite(images).flatten(1).all(dim=1)
    if bool(bad.any()):
        raise DataError(f"Image {start + int(bad.nonzero()[0])} holds NaN or infinite pixels; remove or repair it.")
