"""Downloading public datasets from their homepages, with checksum and progress. Imports no torch."""

import gzip
import logging
import os
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from snnlab.core.errors import DataError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.data.cifar import LAYOUTS, find_cifar
from snnlab.data.files import resolve_folder
from snnlab.data.idx import find_idx
from snnlab.data.names import dataset_info

CHUNK = 256 * 1024


@dataclass(frozen=True)
class Download:
    """One file to get.

    Args:
        urls: Addresses, tried in order.
        checksum: ``"md5:..."`` or ``"sha256:..."``, as published.
        target: Where it lies in the data folder; for an archive, the one folder that it holds.
        unpack: Whether the file is a tar archive of ``target``.
    """

    urls: tuple[str, ...]
    checksum: str
    target: str
    unpack: bool = False


def _cifar(archive: str, md5: str, target: str) -> tuple[Download, ...]:
    # Homepage of the datasets' author; the checksums stand on that page.
    return (Download((f"https://www.cs.toronto.edu/~kriz/{archive}",), f"md5:{md5}", target, unpack=True),)


def _mnist(name: str, md5: str) -> Download:
    # Mirrors; the original homepage no longer serves the files reliably.
    mirrors = ("https://storage.googleapis.com/cvdf-datasets/mnist", "https://ossci-datasets.s3.amazonaws.com/mnist")
    return Download(tuple(f"{mirror}/{name}.gz" for mirror in mirrors), f"md5:{md5}", f"MNIST/raw/{name}.gz")


DOWNLOADS: dict[str, tuple[Download, ...]] = {
    "cifar10": _cifar("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", "cifar-10-batches-bin"),
    "cifar100": _cifar("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8", "cifar-100-binary"),
    "mnist": (
        _mnist("train-images-idx3-ubyte", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        _mnist("train-labels-idx1-ubyte", "d53e105ee54ea40749a09fcbcd1e9432"),
        _mnist("t10k-images-idx3-ubyte", "9fb629c4189551a2d022fa330f9573f3"),
        _mnist("t10k-labels-idx1-ubyte", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
}

_PRESENT: dict[str, Callable[[Path], object]] = {
    "mnist": find_idx,
    **{layout.name: partial(find_cifar, layout) for layout in LAYOUTS.values()},
}


def fetch(
    name: str,
    folder: str | Path | None = None,
    progress: ProgressCallback = silent,
    *,
    downloads: Mapping[str, tuple[Download, ...]] = DOWNLOADS,
) -> Path:
    """Download a dataset unless its files are there, and return the folder to load it from.

    Nothing appears under its final name before its checksum is right and it is unpacked whole.

    Args:
        name: Dataset name.
        folder: Where to put it; None for the platform's data folder.
        progress: Called with bytes done, bytes in all (0 if the server does not tell) and the file's name.
        downloads: What to get for each name.

    Raises:
        DataError: Nothing to fetch under that name, no connection, or another checksum than published.
    """
    dataset_info(name)
    if name not in downloads:
        reason = "ships with scikit-learn" if name == "digits" else "is your own file"
        raise DataError(f"There is nothing to fetch for {name!r}, which {reason}; fetched are {', '.join(downloads)}.")
    root = resolve_folder(folder)
    if _is_present(name, root):
        return root
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".snnlab-", dir=root) as scratch:
            for download in downloads[name]:
                _get(download, Path(scratch), root, progress)
    except OSError as error:
        raise DataError(f"{name} cannot be written to {root}: {error.strerror or error}.") from None
    return root


def _is_present(name: str, root: Path) -> bool:
    try:
        _PRESENT[name](root)
    except DataError:
        return False
    return True


def _get(download: Download, scratch: Path, root: Path, progress: ProgressCallback) -> None:
    target = root / download.target
    if not download.unpack and target.is_file() and _has_checksum(target, download.checksum):
        return
    file_name = download.urls[0].rpartition("/")[2]
    path = _download(download, file_name, scratch, progress)
    if download.unpack:
        path = _unpack(path, scratch / "unpacked", download)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        # A folder with files cannot be replaced in one step; what was there was incomplete.
        os.replace(target, scratch / f"replaced-{target.name}")
    os.replace(path, target)


def _has_checksum(path: Path, checksum: str) -> bool:
    import pooch

    algorithm, _, digest = checksum.partition(":")
    return bool(pooch.file_hash(str(path), alg=algorithm) == digest)


def _download(download: Download, file_name: str, scratch: Path, progress: ProgressCallback) -> Path:
    import pooch
    import requests

    problem = ""
    for url in download.urls:
        downloader = pooch.HTTPDownloader(
            progressbar=_Bar(progress, file_name),
            chunk_size=CHUNK,
            # Else a server may pack a .gz file once more, and the unpacked bytes would have another checksum.
            headers={"Accept-Encoding": "identity"},
        )
        try:
            with _quiet(pooch.get_logger()):
                return Path(pooch.retrieve(url, download.checksum, file_name, scratch, downloader=downloader))
        except requests.exceptions.RequestException as error:
            problem = f"could not be downloaded from {url} ({type(error).__name__})"
        except ValueError:
            problem = f"from {url} has another checksum than published, so it was thrown away"
    raise DataError(f"{file_name} {problem}; check the connection, or put {download.target} there by hand.")


def _unpack(archive: Path, place: Path, download: Download) -> Path:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(place, filter="data")
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        reason = str(error).partition("\n")[0].rstrip(".:")[:160] or type(error).__name__
        raise DataError(f"{archive.name} cannot be unpacked: {reason}.") from None
    unpacked = place / download.target
    if not unpacked.is_dir():
        raise DataError(f"{archive.name} does not hold the folder {download.target}; nothing was kept of it.")
    return unpacked


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Bar:
    """What pooch calls a progress bar, passed on to a callback (which may raise to cancel)."""

    def __init__(self, progress: ProgressCallback, what: str) -> None:
        self._progress, self._what = progress, what
        self.total: Any = 0
        self._done = 0

    def update(self, count: int) -> None:
        self._done += count
        self._progress(min(self._done, self.total) if self.total else self._done, self.total, self._what)

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Nothing to close."""
