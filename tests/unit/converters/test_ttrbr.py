"""TTRBR's tuned thresholds against the search written out, its terms, its limits, and networks of a hundred layers."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import ActivationSpec, ClippedReLU
from snnlab.calibration.site_error import TERMS
from snnlab.core.errors import CheckpointError, ConversionError
from snnlab.graph import prepare
from snnlab.io import Checkpoint
from snnlab.models import build
from snnlab.simulation.lockstep import Lockstep
from tests.conftest import Branched, on_grid
from tests.reference.ttrbr import tune_literally

STEPS = 6


@pytest.fixture
def network():
    return on_grid(Branched(), seed=4)


def clipped(network):
    copied = copy.deepcopy(network)
    for name, threshold in (("act1", 1.0), ("act2", 1.37), ("act3", 0.83)):  # no ties between sites
        copied.set_submodule(name, ClippedReLU(threshold).requires_grad_(False))
    return copied


@pytest.mark.parametrize("source", ["qcfs", "clipped_relu"])
def test_the_search_equals_the_whole_network_run_anew(network, grid_images, source):
    ann = clipped(network) if source == "clipped_relu" else network
    snn = sl.convert(ann, "ttrbr", data=grid_images, num_steps=STEPS)
    rows = {row["site"]: row for row in snn.findings["thresholds"]["sites"]}
    literal = tune_literally(ann, grid_images, STEPS)
    assert list(rows) == list(literal)
    for name, (threshold, candidates, errors, terms, variance) in literal.items():
        row = rows[name]
        assert float(snn.sites[name].threshold) == row["chosen"] == pytest.approx(threshold, abs=1e-6)
        np.testing.assert_allclose(row["candidates"], candidates, atol=1e-6)
        np.testing.assert_allclose(row["error"], errors, atol=1e-6)
        assert row["chosen"] == row["candidates"][int(np.argmin(row["error"]))]
        for term, values in terms.items():
            assert row[term]["mean"] == pytest.approx(values.mean().item(), abs=1e-6), term
            assert row[term]["mean_abs"] == pytest.approx(values.abs().mean().item(), abs=1e-6), term
        assert row["input_variance"] == pytest.approx(variance, abs=1e-6)
    neuron = snn.sites["act2"]
    assert float(neuron.initial_membrane) == pytest.approx(float(neuron.threshold) / 2)


def test_the_terms_add_up_and_constant_input_has_no_deviation(network, grid_images):
    found = sl.convert(network, "ttrbr", data=grid_images, num_steps=STEPS, images=5).findings["thresholds"]
    assert (found["num_steps"], found["split"], found["images"]) == (STEPS, "calibration", 5)
    json.dumps(found, allow_nan=False)
    for row in found["sites"]:
        assert sum(row[term]["mean"] for term in TERMS) == pytest.approx(row["total"]["mean"], abs=1e-9)
        assert row["total"]["mean"] ** 2 <= min(row["error"]) + 1e-9
        assert row["clipping"]["mean"] == -row["clipping"]["mean_abs"]
    first, *others = found["sites"]
    assert first["deviation"]["mean_abs"] == first["input_variance"] == 0
    assert all(row["deviation"]["mean_abs"] > 0 and row["input_variance"] > 0 for row in others)


def test_it_is_tuned_for_one_t_and_for_its_images(network, grid_images):
    def thresholds(**changed):
        snn = sl.convert(network, "ttrbr", **{"data": grid_images, "num_steps": STEPS} | changed)
        return [float(neuron.threshold) for neuron in snn.sites.values()]

    assert thresholds() == thresholds()
    assert thresholds() != thresholds(num_steps=2)
    assert thresholds(images=2) == thresholds(data=grid_images[:2])
    assert len(thresholds(data=grid_images[:1])) == 3, "one image is little, and enough to run"
    with pytest.raises(ConversionError, match="ttrbr converts for one number of time-steps"):
        thresholds(num_steps=None)
    with pytest.raises(ConversionError, match="ttrbr needs calibration images"):
        thresholds(data=None)


def test_a_dead_site_on_the_images_of_the_walk_is_named():
    """The statistics see all images and find the site alive; the walk sees the first one alone."""
    ann = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2))
    nn.init.ones_(ann[0].weight)
    nn.init.zeros_(ann[0].bias)
    with pytest.raises(ConversionError, match=r"^1: every activation is 0 on the calibration images"):
        sl.convert(ann, "ttrbr", data=torch.tensor([[-1.0], [1.0]]), num_steps=2, images=1)


def small(blocks, **changed):
    return {
        "family": "resnet", "widths": [4, 4, 8], "blocks": [blocks] * 3, "shortcut": "A", "num_classes": 10,
        "in_channels": 1, "input_size": 8, **changed,
    }  # fmt: skip


def most_live(graph, images, sites):
    """Most values that the walk holds at any site."""
    pairs = Lockstep(graph, [images], 2, set(sites))
    walk, most = iter(pairs), 0
    for _, currents, _, activations in walk:
        most = max(most, len(walk.gi_frame.f_locals["snn"][0]))
        pairs.emit(tuple(activation.expand(2, *activation.shape) for activation in activations))
        del currents
    return most


@pytest.mark.parametrize("block", ["post_act", "pre_act", "dual_neuron"])
def test_resnets_deeper_than_110_convert_in_bounded_memory(block):
    """What is alive in the walk does not grow with depth; the whole way from building to answers works."""
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    live = {}
    for blocks in (3, 24):
        ann = build(small(blocks, block=block), ActivationSpec("clipped_relu", threshold=2.0), seed=0).eval()
        prepared = prepare(ann)
        live[6 * blocks + 2] = most_live(prepared.graph, images, prepared.sites)
    assert len(set(live.values())) == 1, live
    assert live[146] <= 3
    snn = sl.convert(ann, "ttrbr", data=images, num_steps=2)
    sites = 24 * 3 * (3 if block == "dual_neuron" else 2) + 1
    assert len(snn.sites) == len(snn.findings["thresholds"]["sites"]) == sites
    assert sl.simulate(snn, images, num_steps=2).predictions.shape == (2, 2)


def with_statistics(network):
    """Batch-norms that do something."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.2)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return network.eval()


@pytest.mark.parametrize("block", ["pre_act", "dual_neuron"])
def test_restructured_blocks_are_kept_in_the_file_and_convert_exactly(block, images, tmp_path):
    """At large T the SNN is the ANN; both paths of the engine agree; the file tells the form of its blocks."""
    architecture, spec = small(1, block=block), ActivationSpec("clipped_relu", threshold=2.0)
    network = with_statistics(build(architecture, spec, seed=1))
    checkpoint = Checkpoint.from_network(
        network, architecture, spec, name="restructured", dataset="digits", normalization="unit"
    )
    checkpoint.save(tmp_path / "restructured.safetensors")
    again = sl.load_checkpoint(tmp_path / "restructured.safetensors")
    assert again.card.architecture["block"] == block
    ann = again.build()
    with torch.no_grad():
        expected = ann(images)
        assert torch.equal(expected, network(images))
    snn = sl.convert(ann, "qcfs")
    assert all(row["verdict"] == "exact" for row in snn.coverage)
    recording = sl.simulate(snn, images, num_steps=512)
    with torch.no_grad():
        stepped = snn(images, num_steps=8).mean(0)
    torch.testing.assert_close(torch.from_numpy(recording.logits[7]), stepped, atol=1e-4, rtol=1e-4)
    assert np.abs(recording.logits[-1] - expected.numpy()).max() < 0.03 * expected.abs().max()
    tuned = sl.convert(ann, "ttrbr", data=images, num_steps=4)
    for name, (threshold, *_) in tune_literally(network, images, 4).items():
        assert float(tuned.sites[name].threshold) == pytest.approx(threshold, abs=1e-5)


def test_an_unknown_block_form_is_refused():
    with pytest.raises(CheckpointError, match="block is one of post_act, pre_act, dual_neuron, not 'mid_act'"):
        build(small(1, block="mid_act"), ActivationSpec())
