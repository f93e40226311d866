"""The files of a dataset, found and checked, pixels unread. Imports no torch."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from snnlab.core.errors import DataError
from snnlab.data.cifar import LAYOUTS, read_cifar
from snnlab.data.digits import read_digits
from snnlab.data.files import resolve_folder
from snnlab.data.idx import read_idx
from snnlab.data.names import dataset_info
from snnlab.data.npz import read_npz
from snnlab.data.pool import Source

_READERS: dict[str, Callable[[Path], Source]] = {
    "digits": lambda _: read_digits(),
    "mnist": read_idx,
    "npz": read_npz,
    **{layout.name: partial(read_cifar, layout) for layout in LAYOUTS.values()},
}


def find_source(name: str, folder: str | Path | None = None) -> Source:
    """Find a dataset's files and check their sizes.

    Args:
        name: One of ``DATASETS``.
        folder: Folder that holds the files, or the ``.npz`` file; None for where ``fetch`` puts downloads.

    Raises:
        DataError: Unknown name, or files that are missing, truncated or damaged.
    """
    dataset_info(name)
    if name == "npz" and folder is None:
        raise DataError(
            "Own images need the path of their .npz file (images x, classes y); name it as the data folder."
        )
    return _READERS[name](resolve_folder(folder))


def why_missing(name: str, folder: str | Path | None = None) -> str:
    """Why a dataset of known files cannot be read from there, in a sentence; "" where it can.

    Quick, as only names and sizes are looked at. Own images are not looked for: that would be to read them.

    Args:
        name: One of ``DATASETS``.
        folder: As for ``find_source``.
    """
    if not dataset_info(name).needs_folder or name == "npz":
        return ""
    try:
        find_source(name, folder)
    except DataError as error:
        return str(error)
    return ""
