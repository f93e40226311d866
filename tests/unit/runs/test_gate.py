"""The gate: what a job from the app may open, and what stands for a foreign file."""

import numpy as np
import pytest
import torch

from snnlab.core.errors import CheckpointError, DataError, SnnlabError
from snnlab.io import load_checkpoint
from snnlab.runs import default_recipe, keep_upload
from snnlab.runs.kinds.gate import gate, gate_arguments
from snnlab.runs.paths import kept_folder


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A small checkpoint under the only allowed folder."""
    (tmp_path / "roots").mkdir()
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path / "roots"))
    path = tmp_path / "roots" / "mlp.pt"
    torch.save(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)).state_dict(), path)
    return path


def recipe(source, **data):
    return default_recipe(str(source), activation="relu", num_steps=2, **data)


def test_bundled_names_pass():
    chosen = recipe("digits-vgg-relu")
    assert gate(chosen) == chosen


def test_a_foreign_file_is_replaced_by_what_was_kept(net):
    gated = gate(recipe(net))

    assert gated.checkpoint.source.startswith(str(kept_folder()))
    assert gate(gated) == gated
    uploaded = keep_upload("mlp.pt", net.read_bytes())
    assert gate(recipe(uploaded)).checkpoint.source == gated.checkpoint.source


def test_what_was_kept_is_found_by_its_hash_and_its_loss_is_said(net):
    gated = gate(recipe(net))
    digits = gated.checkpoint.source.split("/")[-2]
    net.unlink()
    by_hash = recipe(net).changed(checkpoint={"sha256": digits + "0" * 32})
    assert gate(by_hash).checkpoint.source == gated.checkpoint.source
    kept = next(kept_folder().rglob("*.safetensors"))
    kept.unlink()
    with pytest.raises(CheckpointError, match=r"mlp\.pt is no longer kept here"):
        gate(gated)


def test_paths_outside_read_the_same_whether_there_is_something_or_not(net, tmp_path):
    (tmp_path / "secret.pt").write_bytes(b"x")
    messages = set()
    for name in ("secret.pt", "nothing.pt"):
        for chosen in (recipe(tmp_path / name), recipe("digits-vgg-relu", folder=str(tmp_path / name))):
            with pytest.raises(DataError) as caught:
                gate(chosen)
            messages.add(str(caught.value).replace(name, "NAME"))
    assert len(messages) == 1


@pytest.mark.parametrize("declared", ["/etc/passwd", "secret.yaml", "../x"])
def test_a_declared_architecture_is_no_file(net, declared):
    with pytest.raises(CheckpointError, match="not the name of an architecture"):
        gate(recipe("digits-vgg-relu").changed(checkpoint={"architecture": declared}))
    with pytest.raises(CheckpointError, match="not the name of an architecture"):
        gate_arguments({"path": "digits-vgg-relu", "architecture": declared})


def test_recipes_are_found_wherever_they_stand(net):
    values = recipe(net).to_dict()
    gated = gate_arguments({"recipe": values, "arms": [{"recipe": values, "sites": {"path": 1.0}}], "target": 2})

    assert gated["recipe"]["checkpoint"]["source"].startswith(str(kept_folder()))
    assert gated["arms"][0]["recipe"] == gated["recipe"]
    assert (gated["arms"][0]["sites"], gated["target"]) == ({"path": 1.0}, 2)


def test_a_huge_declared_architecture_is_refused(net):
    layers = [{"linear": 10**9}]
    source = gate(recipe(net)).checkpoint.source
    with pytest.raises(SnnlabError) as caught:
        load_checkpoint(source, architecture={"layers": layers, "in_channels": 1})
    assert "\n" not in str(caught.value)


def test_a_picture_bomb_is_refused_before_it_is_unpacked(net):
    zeros = np.zeros((150, 1, 1024, 1024), np.uint8)
    np.savez_compressed(net.with_name("bomb.npz"), x=zeros, y=np.zeros(150, int))
    np.savez_compressed(net.with_name("own.npz"), x=zeros[:2, :, :8, :8], y=np.zeros(2, int))
    for folder in (net.with_name("bomb.npz"), net.parent):
        with pytest.raises(DataError, match=r"bomb\.npz unpacks to 157,\d+,\d+ bytes, over 100 times"):
            gate(recipe("digits-vgg-relu", dataset="npz", folder=str(folder)))
    own = recipe("digits-vgg-relu", dataset="npz", folder=str(net.with_name("own.npz")))
    assert gate(own) == own
