"""Several processes train as one, mixed precision leaves the quantizer alone, and what is not there is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from snnlab.activations import QCFS
from snnlab.cli.main import app
from snnlab.core.errors import RecipeError, SimulationError
from snnlab.data import load_dataset
from snnlab.runs import Store
from snnlab.training import Batches, devices, fit, trainer
from tests.unit.training.small import CHOICE, network, trained

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import torch
from tests.unit.training.small import trained
from snnlab.training.devices import helping

torch.set_num_threads(1)
folder, out, stop = sys.argv[1], sys.argv[2], int(sys.argv[3])

def progress(done, total, what):
    if done == stop:
        sys.exit(0)

fitted = trained(devices=2, folder=folder, progress=progress)
if not helping():
    torch.save([fitted.network.state_dict(), [epoch.loss for epoch in fitted.history]], out)
"""


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def in_two(tmp_path):
    """Run the training on two processes; the state dict and losses, or None where it was stopped."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    def run(folder, stop=-1):
        out = folder / "out.pt"
        words = [sys.executable, script, folder / "state", out, stop]
        done = subprocess.run(
            [str(word) for word in words], env=environment(), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return torch.load(out, weights_only=True) if out.exists() else None

    return run


def test_two_processes_train_as_one_and_go_on_where_they_were_stopped(in_two, tmp_path):
    assert in_two(tmp_path, stop=6) is None  # in the second epoch
    weights, losses = in_two(tmp_path)
    alone = trained()
    for name, value in alone.network.state_dict().items():
        torch.testing.assert_close(weights[name], value, rtol=1e-5, atol=1e-6)
    assert losses == pytest.approx([epoch.loss for epoch in alone.history], rel=1e-5)
    moved = float((weights["0.weight"] - network()[0].weight).detach().abs().max())
    assert moved > 1e-3, "or nothing would be said"


def test_the_command_line_on_two_processes_speaks_once(tmp_path):
    words = ["digits-vgg-qcfs-L8", "--seeds", "1", "--epochs", "1", "--images", "32", "--batch-size", "16"]
    words += ["--limit", "30", "--noise-limit", "20", "--num-steps", "2", "--arms", "control,nq", "--json"]
    words += ["--state", str(tmp_path / "state")]
    line = [sys.executable, "-m", "snnlab.cli.main", "train", *words, "--devices", "2"]
    done = subprocess.run(line, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == done.stderr.count("one seed") == 1, done.stderr
    alone = CliRunner().invoke(app, ["train", *words])
    assert json.loads(done.stdout) == json.loads(alone.stdout), "what two processes trained is found again by one"
    runs = [Store().get(row.id) for row in Store().list() if row.verb == "train" and not row.shipped]
    assert sorted(run.environment["trained_on"] for run in runs) == ["cpu", "cpu x 2"]
    assert len({run.recipe_sha for run in runs}) == 1, "devices are no part of the recipe"


def test_mixed_precision_leaves_quantizer_thresholds_and_loss_in_float32(monkeypatch):
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    monkeypatch.setattr(trainer, "opened", lambda device, devices: fabric)
    seen = []

    class Watching(QCFS):
        def forward(self, z):
            a = super().forward(z)
            seen.append((z.dtype, self.threshold.dtype, a.dtype))
            return a

    watched = network()
    watched[2] = Watching(4.0, 4)
    halves = []
    watched[3].register_forward_hook(lambda module, args, out: halves.append(out.dtype))
    losses = []
    plain = nn.functional.cross_entropy
    monkeypatch.setattr(nn.functional, "cross_entropy", lambda z, y, **kw: losses.append(z.dtype) or plain(z, y, **kw))
    batches = Batches(load_dataset("digits").split("train", limit=32), 16)
    fitted = fit(watched, batches, CHOICE.model_copy(update={"average": None, "images": None}))
    assert set(seen) == {(torch.float32,) * 3}
    assert set(losses) == {torch.float32}
    assert halves[0] == torch.bfloat16, "or nothing would be mixed"
    assert not fitted.network[5]._forward_pre_hooks
    assert all(torch.isfinite(value).all() for value in fitted.network.state_dict().values())


def test_devices_that_are_not_there_are_refused(monkeypatch):
    with pytest.raises(SimulationError, match="no device 'tpu'; choose one of cpu, cuda"):
        devices.find_device("tpu")
    with pytest.raises(SimulationError, match="devices is 0"):
        trained(devices=0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SimulationError, match="no CUDA device that torch can use"):
        trained(device="cuda")
    refused = CliRunner().invoke(app, ["train", "digits-vgg-qcfs-L8", "--device", "cuda"])
    assert refused.exit_code == 1
    assert "no CUDA device" in refused.stderr
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SimulationError, match="devices is 2, but this machine has 1 CUDA"):
        devices.find_device("cuda", 2)


def test_several_devices_need_something_that_can_be_run_again(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys, "argv", ["-c"])
    with pytest.raises(RecipeError, match="script in a file"):
        trained(devices=2)


def test_the_network_is_left_as_it_was():
    class Two:
        global_rank, world_size = 0, 2

    one = network()
    before = [type(module) for module in one.modules()]
    with devices.in_step(one, Two()) as share:
        assert isinstance(one[1], devices.SharedBatchNorm)
        assert one[2].part is share
    assert [type(module) for module in one.modules()] == before
    assert one[2].part is None
    assert not one[2]._forward_hooks
