"""What the app may open: roots, uploads, and foreign files in a process of limited memory."""

import io
import os
import pickle
import zipfile

import pytest
import torch

from snnlab.activations import ActivationSpec
from snnlab.core.errors import CheckpointError, DataError
from snnlab.io import load_checkpoint
from snnlab.io.key_maps import akamaster
from snnlab.models import build, named_architecture
from snnlab.runs import allowed_path, keep_upload
from snnlab.runs.intake import open_limited


class _Danger:
    def __reduce__(self):
        return os.system, ("touch /tmp/snnlab-was-here",)


def test_paths_outside_the_roots_and_missing_ones_read_the_same(tmp_path, monkeypatch):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.pt").write_bytes(b"x")
    (inside / "net.pt").write_bytes(b"x")
    (inside / "link.pt").symlink_to(outside / "secret.pt")
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(inside))

    assert allowed_path(f" {inside / 'net.pt'} ") == inside / "net.pt"
    messages = []
    for text in (outside / "secret.pt", outside / "nothing.pt", inside / "link.pt", inside / ".." / "outside"):
        with pytest.raises(DataError) as caught:
            allowed_path(str(text))
        messages.append(str(caught.value).replace(str(text), "PATH"))
    assert len(set(messages)) == 1
    with pytest.raises(DataError, match="No path is given"):
        allowed_path("  ")
    for odd in ("a\0b", "x" * 5000):
        with pytest.raises(DataError, match="not a readable path"):
            allowed_path(odd)


def test_uploads_are_kept_by_content():
    first = keep_upload("net[4].pt", b"some bytes")

    assert first.read_bytes() == b"some bytes"
    assert first.name == "net[4].pt"
    assert keep_upload("net[4].pt", b"some bytes") == first
    assert keep_upload("../../evil.pth.tar", b"others").parent.parent == first.parent.parent
    with pytest.raises(CheckpointError, match="is no checkpoint; give one of"):
        keep_upload("notes.txt", b"x")


def test_an_intaken_checkpoint_is_the_original(tmp_path):
    architecture = named_architecture("resnet20-A", 10)
    network = build(architecture, ActivationSpec("relu"))
    (table,) = akamaster.tables(architecture, {})
    foreign = table.to_foreign(network.state_dict())
    source = tmp_path / "net_L4.pth.tar"
    torch.save({"state_dict": {f"module.{key}": value for key, value in foreign.items()}, "epoch": 3}, source)
    direct, taken = load_checkpoint(source), load_checkpoint(open_limited(source))

    assert taken.card == direct.card
    assert all(torch.equal(direct.state_dict[key], value) for key, value in taken.state_dict.items())


def test_an_intaken_sequential_keeps_its_order(tmp_path):
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU(),
        torch.nn.Linear(16, 10),
    )  # fmt: skip
    torch.save(network.state_dict(), tmp_path / "mlp.pt")

    assert load_checkpoint(open_limited(tmp_path / "mlp.pt")).card == load_checkpoint(tmp_path / "mlp.pt").card


def _zip_bomb(path):
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(10)}, buffer)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb, zipfile.ZipFile(buffer) as genuine:
        for item in genuine.infolist():
            data = bytes(300 * 2**20) if item.filename.endswith("data/0") else genuine.read(item)
            bomb.writestr(item.filename, data)


def _huge_stride(path):
    torch.save({"w": torch.zeros(1).expand(2**40)}, path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("hello, I am text"), "not a checkpoint"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(pickle.dumps(_Danger())), r"posix\.system.*nothing was run"),
        (lambda path: torch.save({"w": _Danger()}, path), r"posix\.system.*nothing was run"),
        (_huge_stride, "declares"),
        (_zip_bomb, "unpacks to|more than twice"),
        (lambda path: path.write_bytes(b"\x80\x02" + b"(" * 100_000), "damaged|readable"),
    ],
    ids=["text", "empty", "pickle with code", "checkpoint with code", "stride 0", "zip bomb", "garbage"],
)
def test_hostile_files_end_in_one_sentence(make, reason, tmp_path):
    path = tmp_path / "net.pt"
    make(path)
    with pytest.raises(CheckpointError, match=reason) as caught:
        open_limited(path)
    assert "\n" not in str(caught.value)
    assert not os.path.exists("/tmp/snnlab-was-here")


def test_a_truncated_checkpoint(tmp_path):
    torch.save({"w": torch.zeros(1000)}, tmp_path / "whole.pt")
    (tmp_path / "part.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:-500])
    with pytest.raises(CheckpointError, match="damaged or truncated"):
        open_limited(tmp_path / "part.pt")
