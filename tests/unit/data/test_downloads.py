import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from snnlab.core.errors import Cancelled, DataError
from snnlab.data import downloads
from snnlab.data.cifar import Layout, find_cifar
from snnlab.data.downloads import DOWNLOADS, Download, fetch


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Path:
    folder = tmp_path / "served"
    folder.mkdir()
    return folder


@pytest.fixture
def address(served: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def md5(path: Path) -> str:
    return "md5:" + hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def archive(binary_folder: Path, served: Path, address: str) -> dict[str, tuple[Download, ...]]:
    path = served / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(binary_folder / "cifar-10-batches-bin", "cifar-10-batches-bin")
    return {"cifar10": (Download((f"{address}/{path.name}",), md5(path), "cifar-10-batches-bin", unpack=True),)}


@pytest.fixture
def mnist(idx_folder: Path, served: Path, address: str) -> dict[str, tuple[Download, ...]]:
    files = sorted((idx_folder / "MNIST" / "raw").iterdir())
    for path in files:
        (served / path.name).write_bytes(path.read_bytes())
    return {"mnist": tuple(Download((f"{address}/{p.name}",), md5(p), f"MNIST/raw/{p.name}") for p in files)}


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_archive_is_fetched_unpacked_and_complete(tmp_path: Path, archive: dict, small_layout: Layout) -> None:
    calls: list[tuple[int, int, str]] = []
    root = fetch("cifar10", tmp_path / "new" / "data", lambda *call: calls.append(call), downloads=archive)
    assert leftovers(root) == ["cifar-10-batches-bin"]
    assert find_cifar(small_layout, root) == (root / "cifar-10-batches-bin", True)
    size = (tmp_path / "served" / "cifar-10-binary.tar.gz").stat().st_size
    assert calls[-1] == (size, size, "cifar-10-binary.tar.gz")
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert len(calls) > 2


def test_present_files_are_not_fetched_again(tmp_path: Path, archive: dict, served: Path) -> None:
    root = fetch("cifar10", tmp_path / "data", downloads=archive)
    (served / "cifar-10-binary.tar.gz").unlink()
    assert fetch("cifar10", root, downloads=archive) == root


def test_incomplete_files_are_replaced(tmp_path: Path, archive: dict) -> None:
    broken = tmp_path / "data" / "cifar-10-batches-bin"
    broken.mkdir(parents=True)
    (broken / "test_batch.bin").write_bytes(b"half")
    root = fetch("cifar10", tmp_path / "data", downloads=archive)
    assert (broken / "test_batch.bin").stat().st_size == 20 * 3073
    assert leftovers(root) == ["cifar-10-batches-bin"]


def test_single_files_are_fetched_where_they_lack(tmp_path: Path, mnist: dict, served: Path) -> None:
    root = fetch("mnist", tmp_path / "data", downloads=mnist)
    raw = root / "MNIST" / "raw"
    assert {p.name: p.read_bytes() for p in raw.iterdir()} == {p.name: p.read_bytes() for p in served.iterdir()}
    (raw / "t10k-labels-idx1-ubyte").unlink()
    asked: list[str] = []
    fetch("mnist", root, lambda done, total, what: asked.append(what), downloads=mnist)
    assert set(asked) == {"t10k-labels-idx1-ubyte"}


def test_wrong_checksum_leaves_nothing(tmp_path: Path, archive: dict, sentence) -> None:
    (wrong,) = archive["cifar10"]
    table = {"cifar10": (replace(wrong, checksum="md5:" + "0" * 32),)}
    with pytest.raises(DataError) as caught:
        fetch("cifar10", tmp_path / "data", downloads=table)
    sentence(caught.value, "cifar-10-binary.tar.gz", "another checksum")
    assert leftovers(tmp_path / "data") == []


def test_second_address_is_tried(tmp_path: Path, archive: dict, address: str) -> None:
    (entry,) = archive["cifar10"]
    table = {"cifar10": (replace(entry, urls=(f"{address}/gone.tar.gz", *entry.urls)),)}
    assert leftovers(fetch("cifar10", tmp_path / "data", downloads=table)) == ["cifar-10-batches-bin"]


def test_no_connection_is_one_sentence(tmp_path: Path, archive: dict, address: str, sentence) -> None:
    (entry,) = archive["cifar10"]
    for url in (f"{address}/gone.tar.gz", "http://127.0.0.1:1/cifar-10-binary.tar.gz"):
        with pytest.raises(DataError) as caught:
            fetch("cifar10", tmp_path / "data", downloads={"cifar10": (replace(entry, urls=(url,)),)})
        sentence(caught.value, "could not be downloaded", url, "by hand")
    assert leftovers(tmp_path / "data") == []


def test_cancelling_leaves_nothing(tmp_path: Path, archive: dict) -> None:
    def cancel(done: int, total: int, what: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        fetch("cifar10", tmp_path / "data", cancel, downloads=archive)
    assert leftovers(tmp_path / "data") == []


@pytest.mark.parametrize("kind", ["escape", "absolute", "link", "device", "not_tar", "other_folder", "truncated"])
def test_hostile_archive_is_refused(tmp_path: Path, served: Path, address: str, kind: str, sentence) -> None:
    path = served / "bad.tar.gz"
    if kind == "not_tar":
        path.write_bytes(b"plain text")
    else:
        names = {"escape": "../evil", "absolute": str(tmp_path / "evil"), "other_folder": "something/else"}
        info = tarfile.TarInfo(names.get(kind, "cifar-10-batches-bin/x"))
        if kind == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        if kind == "device":
            info.type = tarfile.CHRTYPE
        with tarfile.open(path, "w:gz") as tar:
            if info.isreg():
                info.size = 40_000
                tar.addfile(info, io.BytesIO(bytes(range(250)) * 160))
            else:
                tar.addfile(info)
        if kind == "truncated":
            path.write_bytes(path.read_bytes()[:200])
    table = {"cifar10": (Download((f"{address}/bad.tar.gz",), md5(path), "cifar-10-batches-bin", unpack=True),)}
    data = tmp_path / "data"
    with pytest.raises(DataError) as caught:
        fetch("cifar10", data, downloads=table)
    sentence(caught.value, "bad.tar.gz")
    assert leftovers(data) == []
    assert not list(tmp_path.glob("evil*"))


@pytest.mark.parametrize(
    ("name", "fragment"),
    [("digits", "ships with scikit-learn"), ("npz", "your own file"), ("cifar11", "did you mean 'cifar10'")],
)
def test_what_cannot_be_fetched(tmp_path: Path, name: str, fragment: str, sentence) -> None:
    with pytest.raises(DataError) as caught:
        fetch(name, tmp_path)
    sentence(caught.value, fragment)


def test_folder_that_cannot_be_written(tmp_path: Path, archive: dict, sentence) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError) as caught:
        fetch("cifar10", tmp_path / "file", downloads=archive)
    sentence(caught.value, "cannot be written")


def test_table_names_secure_addresses_and_checksums() -> None:
    assert set(DOWNLOADS) == set(downloads._PRESENT)
    for entry in (entry for entries in DOWNLOADS.values() for entry in entries):
        assert all(url.startswith("https://") for url in entry.urls)
        algorithm, _, digest = entry.checksum.partition(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
