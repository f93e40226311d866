"""Site restoration against a literal loop, its two ends, and what it refuses."""

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.analysis.reports import Report, Restoration
from snnlab.analysis.restored import restored_logits
from snnlab.core.errors import DataError, SimulationError, SnnlabError
from snnlab.simulation import simulate
from tests.conftest import Branched, on_grid
from tests.reference.restoration import activations_of, literally, mean_at_every_step
from tests.reference.warm_up import cos_literally, srp_literally

STEPS = 5
SITES = ("act1", "act2", "act3")


@pytest.mark.parametrize("micro_batch", [1, 5, 12])
def test_equals_the_literal_loop(grid_network, grid_images, micro_batch):
    groups = [(), *((name,) for name in SITES), ("act1", "act3"), SITES]
    found, classes = restored_logits(
        sl.convert(grid_network, "qcfs"), grid_network, grid_images, groups,
        num_steps=STEPS, snapshots=range(1, STEPS + 1), micro_batch=micro_batch,
    )  # fmt: skip

    for logits, group in zip(found, groups, strict=True):
        np.testing.assert_allclose(logits, literally(grid_network, grid_images, group, STEPS), atol=1e-6)
    with torch.no_grad():
        np.testing.assert_array_equal(classes, grid_network(grid_images).argmax(1))


@pytest.mark.parametrize("micro_batch", [5, 12])
@pytest.mark.parametrize(("method", "reference"), [("srp", srp_literally), ("cos", cos_literally)])
def test_sites_behind_a_restored_one_decide_anew_in_the_warm_up(method, reference, grid_images, micro_batch):
    ann = on_grid(Branched(), seed=4)
    groups = [("act1",), (), ("act2",), SITES]  # whatever a question before it left behind
    found, _ = restored_logits(
        sl.convert(ann, method), ann, grid_images, groups, num_steps=STEPS, snapshots=range(1, STEPS + 1),
        micro_batch=micro_batch,
    )  # fmt: skip
    emitted = activations_of(ann, grid_images)
    decided = []
    for logits, group in zip(found, groups, strict=True):
        expected, at_start, _ = reference(ann, grid_images, STEPS, 4, {name: emitted[name] for name in group})
        np.testing.assert_allclose(logits, mean_at_every_step(expected), atol=1e-6)
        decided.append(at_start)
    # As it was decided for the network itself would have been another answer.
    assert any(not torch.equal(decided[0][name], decided[1][name]) for name in ("act2", "act3"))


@pytest.mark.parametrize("method", ["qcfs", "srp", "cos"])
def test_nothing_restored_is_the_snn_and_everything_the_ann(grid_network, grid_images, method):
    snn, labels = sl.convert(grid_network, method), np.arange(12) % 3
    report = sl.analysis.restoration(snn, grid_network, (grid_images, torch.tensor(labels)), num_steps=STEPS)
    recording = simulate(snn, grid_images, num_steps=STEPS)

    np.testing.assert_array_equal(report.snn_correct[0], recording.predictions[-1] == labels)
    assert report.stages == ("act",)
    np.testing.assert_array_equal(report.stage_correct[0, 0], report.ann_correct)
    np.testing.assert_array_equal(report.site_correct[-1, 0], report.ann_correct)  # behind the last site all is linear


def test_a_site_broken_on_purpose_is_the_one_from_which_accuracy_returns(ann, dev):
    broken = sl.convert(ann, "qcfs", sites={"stage2.act3": {"threshold": 0.2}})
    report = sl.analysis.restoration(broken, ann, dev, num_steps=8)
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
    with pytest.raises(SimulationError, match="corrects by what the first 4 time-steps"):
        restored_logits(sl.convert(grid_network, "cos"), grid_network, grid_images, [()], num_steps=2)
