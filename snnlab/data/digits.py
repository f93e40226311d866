"""The 1,797 handwritten digits that ship with scikit-learn: 8 x 8 pixels of 0..16, one undivided set."""

import gzip
import importlib.util
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from snnlab.core.errors import DataError
from snnlab.data.files import unreadable
from snnlab.data.pool import Pool, Shard, Source

CLASSES = tuple(str(digit) for digit in range(10))


def read_digits() -> Source:
    """Find the digits; nothing is imported from scikit-learn, which would take seconds.

    Raises:
        DataError: scikit-learn, whose file it is, is not installed.
    """
    path = _bundled_file()
    shard = Shard(labels=lambda: _table(path)[:, 64], pixels=lambda: _table(path)[:, :64].reshape(-1, 1, 8, 8))
    return Source(CLASSES, (1, 8, 8), (Pool("all", "The digits", (shard,)),), 16.0, "scikit-learn")


def _bundled_file() -> Path:
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("The digits ship with scikit-learn, which is not installed here; install scikit-learn.")
    return Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"


@cache
def _table(path: Path) -> np.ndarray:
    try:
        with gzip.open(path, "rt") as lines:
            table = np.loadtxt(lines, delimiter=",")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise unreadable(path, error) from None
    return table.astype(np.uint8)
