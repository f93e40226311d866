"""Tracing, rules and folding: what is converted keeps its function, what cannot be converted is named."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from snnlab.activations import QCFS
from snnlab.converters.apply import convert
from snnlab.core.errors import ConversionError
from snnlab.graph import inspect, prepare
from snnlab.simulation import simulate
from tests.conftest import Branched, on_grid


class Small(nn.Module):
    """A network around one operation under test."""

    def __init__(self, operation):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.act, self.act2 = nn.ReLU(), nn.ReLU()
        self.pool = nn.AvgPool2d(4)
        self.fc = nn.Linear(16, 3)
        self.operation = operation

    def forward(self, x):
        return self.operation(self, x)


def plain(net, x):
    return net.fc(net.pool(net.act(net.conv(x))).flatten(1))


REFUSED = {
    "F.relu": (lambda net, x: net.fc(net.pool(F.relu(net.act(net.conv(x)))).flatten(1)), "functional activation"),
    "torch.relu": (lambda net, x: net.fc(net.pool(torch.relu(net.act(net.conv(x)))).flatten(1)), "functional"),
    "x.relu()": (lambda net, x: net.fc(net.pool(net.act(net.conv(x)).relu()).flatten(1)), "functional activation"),
    "F.max_pool2d with indices": (
        lambda net, x: net.fc(F.max_pool2d(net.act(net.conv(x)), 4, return_indices=True)[0].flatten(1)),
        "no rule",
    ),
    "F.max_pool2d of a size": (
        lambda net, x: net.fc(F.max_pool2d(net.act(net.conv(x)), net.conv(x).size()[2:]).flatten(1)),
        "taken from a tensor's size",
    ),
    "sigmoid": (lambda net, x: net.fc(net.pool(torch.sigmoid(net.act(net.conv(x)))).flatten(1)), "no rule"),
    "product of two": (lambda net, x: net.fc(net.pool(net.act(net.conv(x)) * net.conv(x)).flatten(1)), "no rule"),
    "abs": (lambda net, x: net.fc(net.pool(net.act(net.conv(x)).abs()).flatten(1)), "no rule"),
    "fixed batch": (lambda net, x: net.fc(net.pool(net.act(net.conv(x))).view(2, 16)), "fixes the batch size"),
    "mean over batch": (lambda net, x: net.fc(net.pool(net.act(net.conv(x))).flatten(1).mean(0)), "no rule"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_operations_without_a_rule_are_refused_by_name(name):
    operation, reason = REFUSED[name]
    with pytest.raises(ConversionError, match=reason):
        prepare(Small(operation))


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (nn.MaxPool2d(2, return_indices=True), "pool without indices"),
        (nn.LeakyReLU(), "cannot represent LeakyReLU"),
        (nn.GELU(), "cannot represent GELU"),
        (nn.SiLU(), "cannot represent SiLU"),
        (nn.Softmax(dim=1), "cannot represent Softmax"),
        (nn.LayerNorm(3), "no rule for LayerNorm"),
        (nn.BatchNorm2d(1, track_running_stats=False), "normalises by the batch"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_modules_without_a_rule_are_refused_by_name(module, reason):
    with pytest.raises(ConversionError, match=f"^1 .*{reason}"):
        prepare(nn.Sequential(nn.Conv2d(1, 1, 3), module, nn.ReLU(), nn.Flatten(), nn.Linear(3, 2)))


ALLOWED = {
    "flatten": plain,
    "view with size": lambda net, x: (lambda y: net.fc(y.view(y.size(0), -1)))(net.pool(net.act(net.conv(x)))),
    "reshape with shape": lambda net, x: (lambda y: net.fc(y.reshape(y.shape[0], -1)))(net.pool(net.act(net.conv(x)))),
    "F.avg_pool2d": lambda net, x: net.fc(F.avg_pool2d(net.act(net.conv(x)), 4).flatten(1)),
    "F.max_pool2d": lambda net, x: net.fc(F.max_pool2d(net.act(net.conv(x)), 4).flatten(1)),
    "torch.max_pool2d": lambda net, x: net.fc(torch.max_pool2d(net.act(net.conv(x)), 3, 4, 0, 2, True).flatten(1)),
    "torch.max_pool2d, named": lambda net, x: net.fc(
        torch.max_pool2d(input=net.act(net.conv(x)), kernel_size=4, stride=[]).flatten(1)
    ),
    "F.adaptive_max_pool2d": lambda net, x: net.fc(F.adaptive_max_pool2d(net.act(net.conv(x)), (2, 2)).flatten(1)),
    "max-pool of currents": lambda net, x: net.fc(net.act(F.max_pool2d(net.conv(net.act2(x)), 4)).flatten(1)),
    "max-pool of the image": lambda net, x: net.fc(net.pool(net.act(net.conv(F.max_pool2d(x, 3, 1, 1)))).flatten(1)),
    "scaled": lambda net, x: net.fc(net.pool(net.act(net.conv(x)) * 0.5).flatten(1)),
    "skip from the input": lambda net, x: net.fc(net.pool(net.act(net.conv(x)) + x).flatten(1)),
    "in-place add": lambda net, x: net.fc(net.pool(_iadd(net.act(net.conv(x)), x)).flatten(1)),
}


def _iadd(y, x):
    y += x
    return y


@pytest.mark.parametrize("name", ALLOWED)
def test_affine_operations_give_the_step_by_step_result(name):
    network = on_grid(Small(ALLOWED[name]))
    images = torch.randint(-8, 9, (2, 1, 8, 8)) / 16
    snn = convert(network, "max_norm", data=images + 0.5)
    recording = simulate(snn, images, num_steps=5)
    with torch.no_grad():
        stepped = snn(images, num_steps=5).double().cumsum(0) / torch.arange(1, 6).reshape(-1, 1, 1)

    torch.testing.assert_close(torch.from_numpy(recording.logits).double(), stepped, atol=1e-5, rtol=1e-5)


def test_a_size_taken_before_the_first_site_is_refused_with_the_fix():
    network = Small(lambda net, x: net.fc(net.pool(net.act(net.conv(x))).view(x.size(0), -1)))
    snn = convert(network, "max_norm", data=torch.rand(2, 1, 8, 8))
    with pytest.raises(Exception, match=r"x\.flatten\(1\)"):
        simulate(snn, torch.rand(2, 1, 8, 8), num_steps=3)


def test_a_reused_activation_is_refused():
    network = Small(lambda net, x: net.fc(net.pool(net.act(net.act(net.conv(x)))).flatten(1)))
    with pytest.raises(ConversionError, match="act is used more than once"):
        prepare(network)


def test_nothing_to_convert_is_refused():
    with pytest.raises(ConversionError, match="no activation module"):
        prepare(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))


def test_control_flow_is_refused():
    network = Small(lambda net, x: plain(net, x) if x.sum() > 0 else plain(net, -x))
    with pytest.raises(ConversionError, match="no fixed graph"):
        prepare(network)


def test_damaged_weights_are_named():
    network = Small(plain)
    with torch.no_grad():
        network.fc.weight[0, 0] = float("nan")
    with pytest.raises(ConversionError, match=r"fc\.weight holds NaN"):
        prepare(network)


def test_batch_norm_is_folded_without_changing_the_function(resnet, images):
    prepared = prepare(resnet)
    kinds = [type(module) for module in prepared.graph.modules()]

    assert nn.BatchNorm2d not in kinds
    assert prepared.folded["stem.conv"] == "stem.bn"
    with torch.no_grad():
        torch.testing.assert_close(prepared.graph(images), resnet(images), atol=1e-5, rtol=1e-5)


def test_batch_norm_that_cannot_be_folded_stays_and_still_converts():
    network = nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3), QCFS(1.0, 4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2)
    ).eval()
    network[3].running_mean.fill_(0.25)
    images = torch.rand(3, 1, 4, 4)
    prepared = prepare(network)
    snn = convert(network, "qcfs")

    assert sum(isinstance(module, nn.BatchNorm2d) for module in prepared.graph.modules()) == 2
    with torch.no_grad():
        stepped = snn(images, num_steps=4).cumsum(0).argmax(-1).numpy()
    assert (simulate(snn, images, num_steps=4).predictions == stepped).all()


def test_grouped_and_dilated_convolutions_fold():
    network = nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=2, dilation=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()
    ).eval()
    network[1].running_var.fill_(3.0)
    network[1].running_mean.uniform_()
    images = torch.randn(2, 4, 6, 6)
    with torch.no_grad():
        torch.testing.assert_close(prepare(network).graph(images), network(images))


def test_preparing_leaves_the_network_alone():
    network = Branched().train()
    before = copy.deepcopy(network.state_dict())
    prepare(network)

    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_coverage_lists_every_operation():
    coverage = inspect(Branched())

    assert coverage.sites == ("act1", "act2", "act3")
    assert [row["rule"] for row in coverage.to_rows()].count("site") == 3
    assert set(coverage.to_frame()["verdict"]) == {"exact"}
