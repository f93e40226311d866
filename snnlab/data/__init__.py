"""Datasets and their splits, image normalisation, downloads. Torch is imported with the first dataset, not before."""

import importlib
from typing import TYPE_CHECKING, Any

from snnlab.data.names import DATASETS, SPLITS
from snnlab.data.normalization import PRESETS, Normalization, parse_normalization
from snnlab.data.picture import Picture, read_picture

if TYPE_CHECKING:
    from snnlab.data.dataset import Dataset, load_dataset
    from snnlab.data.downloads import fetch
    from snnlab.data.images import ImageSplit
    from snnlab.data.sources import why_missing

_LAZY = {
    "Dataset": "dataset",
    "ImageSplit": "images",
    "fetch": "downloads",
    "load_dataset": "dataset",
    "why_missing": "sources",
}

__all__ = [
    "DATASETS",
    "PRESETS",
    "SPLITS",
    "Dataset",
    "ImageSplit",
    "Normalization",
    "Picture",
    "fetch",
    "load_dataset",
    "parse_normalization",
    "read_picture",
    "why_missing",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
