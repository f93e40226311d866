"""Fixtures of all tests: small networks, a private store, and real data where it is unpacked."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from snnlab.activations import QCFS, ActivationSpec
from snnlab.models import build

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _private_places(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's own store, cache or data folder."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SNNLAB_STORE", str(home / "runs.sqlite"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real CIFAR and MNIST files and the foreign checkpoints."""
    folder = os.environ.get("SNNLAB_TEST_DATA")
    if not folder:
        pytest.skip("SNNLAB_TEST_DATA does not name the real data")
    return Path(folder)


def on_grid(network: nn.Module, seed: int = 0) -> nn.Module:
    """Put weights on multiples of 1/16 and thresholds on powers of two, where float32 sums are exact."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("threshold"):
                parameter.fill_(2.0 if torch.rand((), generator=generator) < 0.5 else 1.0)
            else:
                parameter.copy_(torch.randint(-10, 11, parameter.shape, generator=generator) / 16)
    return network.eval()


class Branched(nn.Module):
    """A small network with everything a conversion meets: strided and padded convolutions, a skip, average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.act1 = QCFS(1.0, 4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.act2 = QCFS(1.0, 4)
        self.pool = nn.AvgPool2d(2)
        self.fc1 = nn.Linear(16, 8)
        self.act3 = QCFS(1.0, 4)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x):
        x = self.act1(self.conv1(x))
        x = self.act2(self.conv2(x) + x)
        return self.fc2(self.act3(self.fc1(self.pool(x).flatten(1))))


class MaxPooled(Branched):
    """The same with max-pooling: one module used twice, on spikes and on a sum of spikes, and once as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2, stride=1, padding=1)

    def forward(self, x):
        x = self.pool(self.act1(self.conv1(x)))
        x = F.max_pool2d(self.pool(self.act2(self.conv2(x)) + x), 3)
        return self.fc2(self.act3(self.fc1(x.flatten(1))))


@pytest.fixture
def grid_network() -> nn.Module:
    return on_grid(Branched())


@pytest.fixture
def grid_images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randint(-16, 17, (12, 2, 4, 4), generator=generator) / 16


@pytest.fixture(scope="session")
def resnet() -> nn.Module:
    """A digits-size residual network with batch-norm, random weights."""
    architecture = {
        "family": "resnet", "widths": [4, 8], "blocks": [1, 1], "shortcut": "B", "num_classes": 10, "in_channels": 1,
        "input_size": 8,
    }  # fmt: skip
    network = build(architecture, ActivationSpec("qcfs", 4, 2.0), seed=3)
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.2)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return network.eval()


@pytest.fixture(scope="session")
def images() -> torch.Tensor:
    return torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(1))
