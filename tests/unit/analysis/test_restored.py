"""Site restoration against a literal loop, its two ends, and what it refuses."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import is_activation
from snnlab.analysis.reports import Report, Restoration
from snnlab.analysis.restored import restored_logits
from snnlab.core.errors import DataError, SimulationError, SnnlabError
from snnlab.simulation import simulate
from tests.reference.literal import Neuron

STEPS = 5
SITES = ("act1", "act2", "act3")


class Emits(nn.Module):
    """A site that says the same at every step, whatever comes in."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, _):
        return self.value


def literally(ann, images, group):
    """Mean logits at t = 1..T, (T, N, classes): one step after the other, sites of the group emit the ANN's values."""
    network, kept = copy.deepcopy(ann).double().eval(), {}
    sites = {name: module for name, module in network.named_modules() if is_activation(module)}
    for name, module in sites.items():
        module.register_forward_hook(lambda _, __, output, name=name: kept.__setitem__(name, output))
    with torch.no_grad():
        network(images.double())
        for name, module in sites.items():
            threshold = float(module.threshold)
            network.set_submodule(name, Emits(kept[name]) if name in group else Neuron(threshold, threshold / 2))
        logits = torch.stack([network(images.double()) for _ in range(STEPS)])
    return (logits.cumsum(0) / torch.arange(1, STEPS + 1).reshape(-1, 1, 1)).numpy()


@pytest.mark.parametrize("micro_batch", [1, 5, 12])
def test_equals_the_literal_loop(grid_network, grid_images, micro_batch):
    groups = [(), *((name,) for name in SITES), ("act1", "act3"), SITES]
    found, classes = restored_logits(
        sl.convert(grid_network, "qcfs"), grid_network, grid_images, groups,
        num_steps=STEPS, snapshots=range(1, STEPS + 1), micro_batch=micro_batch,
    )  # fmt: skip

    for logits, group in zip(found, groups, strict=True):
        np.testing.assert_allclose(logits, literally(grid_network, grid_images, group), atol=1e-6)
    with torch.no_grad():
        np.testing.assert_array_equal(classes, grid_network(grid_images).argmax(1))


def test_nothing_restored_is_the_snn_and_everything_the_ann(grid_network, grid_images):
    snn, labels = sl.convert(grid_network, "qcfs"), np.arange(12) % 3
    report = sl.analysis.restoration(snn, grid_network, (grid_images, torch.tensor(labels)), num_steps=STEPS)
    recording = simulate(snn, grid_images, num_steps=STEPS)

    np.testing.assert_array_equal(report.snn_correct[0], recording.predictions[-1] == labels)
    assert report.stages == ("act",)
    np.testing.assert_array_equal(report.stage_correct[0, 0], report.ann_correct)
    np.testing.assert_array_equal(report.site_correct[-1, 0], report.ann_correct)  # behind the last site all is linear


def test_a_site_broken_on_purpose_is_the_one_from_which_accuracy_returns():
    checkpoint = sl.example("digits-vgg-qcfs-L8")
    ann, images = checkpoint.build(), checkpoint.data("dev", limit=96)
    broken = sl.convert(ann, "qcfs", sites={"stage2.act3": {"threshold": 0.2}})
    report = sl.analysis.restoration(broken, ann, images, num_steps=8)
    regained = [each.value for each in report.regained(8)]
    at = report.names.index("stage2.act3")

    assert max(regained[:at]) < 0.3 < regained[at] - 0.1
    assert report.regained(8)[at].low > 0
    assert report.turning_point(8) == ("stage2.act3", report.regained(8)[at])
    values, arrays = report.payload()
    again = Report.from_payload(values, arrays)
    assert isinstance(again, Restoration)
    assert again.to_frame().equals(report.to_frame())


def test_what_cannot_be_restored(grid_network, grid_images):
    snn = sl.convert(grid_network, "qcfs")
    with pytest.raises(DataError, match="labelled images only"):
        sl.analysis.restoration(snn, grid_network, grid_images, num_steps=2)
    with pytest.raises(SnnlabError, match="There is no site 'act9' to restore; sites are: act1"):
        restored_logits(snn, grid_network, grid_images, [("act9",)], num_steps=2)
    with pytest.raises(SimulationError, match="found T = 0"):
        restored_logits(snn, grid_network, grid_images, [()], num_steps=0)
    with pytest.raises(SimulationError, match="in a warm-up"):
        restored_logits(sl.convert(grid_network, "srp"), grid_network, grid_images, [()], num_steps=2)
