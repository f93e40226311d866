"""CIFAR-10 and CIFAR-100, in the binary distribution or the python one, labels and pixels bit-identical in both.

Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009, and the distribution's own page: an
image is 3,072 bytes, red, green and blue plane; CIFAR-100 has a coarse label before the fine one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snnlab.core.errors import DataError
from snnlab.data.files import check_size, is_file, listed, missing_files
from snnlab.data.names import CIFAR10_CLASSES, CIFAR100_CLASSES
from snnlab.data.pickles import read_pickle
from snnlab.data.pool import Pool, Shard, Source

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Layout:
    """Where one dataset's files lie and what they hold.

    Args:
        name: Dataset name.
        title: How errors name it.
        classes: Class names.
        binary: Folder of the binary distribution.
        python: Folder of the python distribution.
        train: File names of the training set without suffix.
        test: File name of the test set without suffix.
        train_records: Images in each training file.
        test_records: Images in the test file.
        label_bytes: Label bytes before the pixels; the last one is the class.
        label_key: Key of the classes in the pickles.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    binary: str
    python: str
    train: tuple[str, ...]
    test: str
    train_records: int
    test_records: int
    label_bytes: int
    label_key: str

    def files(self, suffix: str) -> tuple[tuple[str, int], ...]:
        """(file name, images) of the training files, then of the test file."""
        return (*((name + suffix, self.train_records) for name in self.train), (self.test + suffix, self.test_records))


LAYOUTS = {
    "cifar10": Layout(
        name="cifar10",
        title="CIFAR-10",
        classes=CIFAR10_CLASSES,
        binary="cifar-10-batches-bin",
        python="cifar-10-batches-py",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test="test_batch",
        train_records=10_000,
        test_records=10_000,
        label_bytes=1,
        label_key="labels",
    ),
    "cifar100": Layout(
        name="cifar100",
        title="CIFAR-100",
        classes=CIFAR100_CLASSES,
        binary="cifar-100-binary",
        python="cifar-100-python",
        train=("train",),
        test="test",
        train_records=50_000,
        test_records=10_000,
        label_bytes=2,
        label_key="fine_labels",
    ),
}


def read_cifar(layout: Layout, folder: Path) -> Source:
    """Find and check the files; their pixels are read when a split needs them.

    Raises:
        DataError: Files are missing or truncated.
    """
    place, binary = find_cifar(layout, folder)
    if binary:
        for name, records in layout.files(".bin"):
            check_size(place / name, records * (layout.label_bytes + PIXELS), layout.name)
    shard = _binary_shard if binary else _python_shard
    shards = [shard(layout, place / name, records) for name, records in layout.files(".bin" if binary else "")]
    pools = (
        Pool("train", f"The train set in {place}", tuple(shards[:-1])),
        Pool("test", f"The test set in {place}", tuple(shards[-1:])),
    )
    return Source(layout.classes, SHAPE, pools, 255.0, str(place))


def find_cifar(layout: Layout, folder: Path) -> tuple[Path, bool]:
    """The folder that holds the complete files, and whether they are the binary distribution.

    Raises:
        DataError: Names the missing files and how to get them.
    """
    incomplete = ""
    for subfolder, suffix in ((layout.binary, ".bin"), (layout.python, "")):
        names = [name for name, _ in layout.files(suffix)]
        for place in (folder / subfolder, folder):
            missing = [name for name in names if not is_file(place / name)]
            if not missing:
                return place, suffix == ".bin"
            if len(missing) < len(names) and not incomplete:
                incomplete = f"{place} lacks {listed(missing)}"
    expected = listed(name for name, _ in layout.files(".bin"))
    raise missing_files(
        layout.name, layout.title, folder, f"{layout.binary}/{{{expected}}} or {layout.python}/", incomplete
    )


def _binary_shard(layout: Layout, path: Path, records: int) -> Shard:
    def table() -> np.ndarray:
        return np.memmap(path, dtype=np.uint8, mode="r", shape=(records, layout.label_bytes + PIXELS))

    def labels() -> np.ndarray:
        return _checked(np.array(table()[:, layout.label_bytes - 1]), layout, path)

    return Shard(labels, lambda: table()[:, layout.label_bytes :].reshape(-1, *SHAPE))


def _python_shard(layout: Layout, path: Path, records: int) -> Shard:
    def labels() -> np.ndarray:
        values = read_pickle(path).get(layout.label_key)
        if not isinstance(values, list) or not all(type(value) is int for value in values):
            raise DataError(
                f"{path} holds no list {layout.label_key!r} of classes; get it again with: snnlab data fetch."
            )
        if len(values) != records:
            raise DataError(f"{path} holds {len(values):,} labels and {records:,} are expected.")
        return _checked(np.array([min(max(value, -1), 255) for value in values]), layout, path)

    def pixels() -> np.ndarray:
        data = read_pickle(path).get("data")
        if not isinstance(data, np.ndarray) or data.shape != (records, PIXELS):
            found = f"an array of {data.shape[0]:,} x {data.shape[1]:,}" if isinstance(data, np.ndarray) else "no array"
            raise DataError(f"{path} holds {found} of bytes under 'data' and {records:,} x {PIXELS:,} are expected.")
        return data.reshape(-1, *SHAPE)

    return Shard(labels, pixels)


def _checked(labels: np.ndarray, layout: Layout, path: Path) -> np.ndarray:
    wrong = np.flatnonzero((labels < 0) | (labels >= len(layout.classes)))
    if len(wrong):
        raise DataError(
            f"{path} gives image {wrong[0]:,} the class {labels[wrong[0]]}, and {layout.title} has classes "
            f"0..{len(layout.classes) - 1}; the file is damaged, get it again with: snnlab data fetch {layout.name}."
        )
    return labels
