"""Max-pooling of spikes: the mean of what goes out is the maximum of the means, at every t."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import QCFS, ActivationSpec
from snnlab.core.errors import ShapeError
from snnlab.io import Checkpoint
from snnlab.models import build
from snnlab.neurons import RunningMaxPool, pooled_over_time
from tests.conftest import MaxPooled, on_grid
from tests.reference.operations import count_literally

POOLS = {
    "plain": nn.MaxPool2d(2),
    "overlapping and padded": nn.MaxPool2d(3, stride=2, padding=1),
    "dilated": nn.MaxPool2d(2, stride=1, dilation=2),
    "rounded up": nn.MaxPool2d(2, ceil_mode=True),
    "adaptive": nn.AdaptiveMaxPool2d((2, 3)),
}
ARCHITECTURE = {
    "family": "vgg", "plan": [4, "M", 6, "M"], "classifier": [8], "num_classes": 3, "in_channels": 1, "input_size": 8,
}  # fmt: skip


def spikes_of(*shape, values=(0.0, 0.3), seed=0):
    """Random spikes of one threshold, or of others."""
    chosen = torch.randint(len(values), shape, generator=torch.Generator().manual_seed(seed))
    return torch.tensor(values)[chosen]


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("values", [(0.0, 0.3), (-0.3, 0.0, 0.3), (0.0, 0.3, 0.6)], ids=["plain", "signed", "group"])
def test_the_mean_is_the_maximum_of_the_means_at_every_step(pool, values):
    spikes = spikes_of(7, 3, 2, 5, 7, values=values)
    sent = pooled_over_time(pool, spikes)
    means = sent.double().cumsum(0) / torch.arange(1, 8).reshape(-1, 1, 1, 1, 1)
    for t in range(1, 8):
        torch.testing.assert_close(means[t - 1], pool(spikes[:t].double().mean(0)), rtol=0, atol=1e-7)


def test_behind_neurons_that_fire_once_a_step_it_sends_such_spikes_again():
    spikes = spikes_of(50, 3, 2, 6, 6)
    sent = pooled_over_time(nn.MaxPool2d(3, 2, 1), spikes)
    assert set(sent.unique().tolist()) == set(spikes.unique().tolist())
    naive = nn.MaxPool2d(3, 2, 1)(spikes.flatten(0, 1))
    assert naive.mean() > 1.2 * sent.mean()  # the maximum of each step's spikes is another thing


def test_literal_windows():
    spikes = spikes_of(6, 1, 1, 4, 4)
    sent = pooled_over_time(nn.MaxPool2d(2), spikes)
    for row in range(2):
        for column in range(2):
            counts, before = np.zeros((2, 2), int), 0
            for t in range(6):
                window = spikes[t, 0, 0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].numpy()
                counts += window > 0
                assert sent[t, 0, 0, row, column] == np.float32(0.3) * (counts.max() - before)
                before = counts.max()


def test_steps_equal_the_sequence_and_a_reset_starts_another():
    spikes = spikes_of(5, 2, 3, 4, 4, values=(-0.3, 0.0, 0.3))
    pool = RunningMaxPool(nn.MaxPool2d(2))
    together = pooled_over_time(pool.pool, spikes)
    for _ in range(2):
        pool.reset()
        assert torch.equal(torch.stack([pool(step) for step in spikes]), together)
    with pytest.raises(ShapeError, match=r"reset\(\) before a new sequence"):
        pool(spikes[0, :1])


def test_a_copy_has_no_state():
    pool = RunningMaxPool(nn.MaxPool2d(2))
    pool(torch.ones(1, 1, 2, 2, requires_grad=True) * 2)
    assert copy.deepcopy(pool).sums is None
    assert pool.sums is not None


def test_a_network_with_max_pools_is_converted_saved_and_simulated(tmp_path):
    spec = ActivationSpec("qcfs", 4, 1.0)
    network = build(ARCHITECTURE, spec, seed=2).eval()
    checkpoint = Checkpoint.from_network(network, ARCHITECTURE, spec)
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    snn = sl.convert(checkpoint.build(), "qcfs")
    sl.save_snn(snn, tmp_path / "snn.safetensors", checkpoint=checkpoint)
    again = sl.load_snn(tmp_path / "snn.safetensors")
    assert sum(isinstance(module, RunningMaxPool) for module in again.graph.modules()) == 2
    one, two = (sl.simulate(each, images, num_steps=6) for each in (snn, again))
    np.testing.assert_array_equal(one.logits, two.logits)


def test_many_steps_reach_the_ann(grid_images):
    network = on_grid(MaxPooled(), seed=4)
    snn = sl.convert(network, "max_norm", data=grid_images, initial_fraction=0.5)
    clipped = copy.deepcopy(network)
    for name, neuron in snn.sites.items():
        clipped.set_submodule(name, nn.Hardtanh(0.0, float(neuron.threshold)))
    recording = sl.simulate(snn, grid_images, num_steps=512, dtype=torch.float64)
    with torch.no_grad():
        np.testing.assert_allclose(recording.logits[-1], clipped(grid_images).numpy(), atol=0.05)


def test_the_error_budget_holds_behind_max_pools(grid_images):
    network = on_grid(MaxPooled(), seed=4)
    report = sl.analysis.error_budget(sl.convert(network, "qcfs"), network, grid_images, num_steps=8)
    assert report.largest_sum_error < 1e-6


def test_operations_behind_a_max_pool_are_those_of_what_it_sends(grid_images):
    snn = sl.convert(on_grid(MaxPooled(), seed=4), "qcfs")
    report = sl.analysis.synaptic_operations(snn, grid_images[:5], num_steps=4)
    literal = count_literally(snn, grid_images[:5], 4)
    for layer in ("conv2", "fc1"):
        at = report.names.index(layer)
        assert report.inputs[at] == "spikes"
        assert report.syn_ops[at].tolist() == literal[layer]
    assert report.sources[report.names.index("conv2")] == "act1"
    assert report.sources[report.names.index("fc1")] == "act2 + act1"


class PooledShortcut(nn.Module):
    """A sum that is read twice: by a max-pool, and by a later sum."""

    def __init__(self, pool):
        super().__init__()
        self.conv, self.act, self.pool, self.last = nn.Conv2d(4, 4, 1), nn.ReLU(), pool, nn.Conv2d(4, 3, 1)

    def forward(self, x):
        g = self.act(self.conv(x)) + x
        return self.last(self.pool(g) + g)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(1), nn.Identity()], ids=["max-pool", "identity"])
def test_an_addition_that_two_operations_read_is_counted_once(pool):
    images = torch.rand(2, 4, 4, 4)
    snn = sl.convert(PooledShortcut(pool).eval(), "max_norm", data=images)
    assert sl.analysis.synaptic_operations(snn, images, num_steps=1).ann_adds.sum() == 2 * 4 * 16


@pytest.mark.parametrize("method", ["qcfs", "group_neuron", "snm"])
def test_a_window_of_one_changes_no_operation_of_the_layer_behind(method):
    images = torch.rand(3, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    found = []
    for pool in (nn.MaxPool2d(1), nn.Identity()):
        torch.manual_seed(1)
        network = nn.Sequential(nn.Conv2d(1, 4, 3), QCFS(0.2, 4), pool, nn.Conv2d(4, 3, 2)).eval()
        snn = sl.convert(network, method, data=images, num_steps=4)
        report = sl.analysis.synaptic_operations(snn, images, num_steps=4)
        found.append(report.syn_ops[report.names.index("3")].tolist())
    assert found[0] == found[1]


def test_counters_of_a_max_pool_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU(), nn.MaxPool2d(2, stride=1), nn.Conv2d(1, 3, 2)).eval()
    nn.init.ones_(network[0].weight)
    snn = sl.convert(network, "max_norm", data=torch.rand(2, 1, 3, 3))
    counter = sl.analysis.ActivityCounter(snn, torch.zeros(1, 1, 3, 3), num_steps=1)
    centre = torch.zeros(1, 1, 1, 3, 3)
    centre[..., 1, 1] = 1
    counter("1", centre, 0)
    counter("2", torch.ones(1, 1, 1, 2, 2), 0)
    report = counter.report()
    assert report.syn_ops[report.names.index("2 (max-pool)")].tolist() == [4]  # the centre lies in all four windows
    assert report.syn_ops[report.names.index("3")].tolist() == [12]  # four values into three outputs
