"""convert(): edits by hand, parameters, what the methods need, saving and loading."""

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import QCFS, ClippedReLU
from snnlab.converters.apply import convert
from snnlab.core.errors import CheckpointError, ConversionError, RecipeError
from snnlab.simulation import load_snn, save_snn, simulate
from tests.conftest import Branched


def test_qcfs_takes_learned_thresholds_and_half_of_them():
    network = nn.Sequential(nn.Linear(3, 4), QCFS(2.5, 4), nn.Linear(4, 4), ClippedReLU(1.5), nn.Linear(4, 2))
    snn = convert(network, "qcfs")

    assert [neuron.threshold.item() for neuron in snn.sites.values()] == [2.5, 1.5]
    assert [neuron.initial_membrane.item() for neuron in snn.sites.values()] == [1.25, 0.75]


def test_qcfs_on_relu_says_what_to_use():
    with pytest.raises(ConversionError, match=r"1 is a relu without a learned threshold.*percentile_norm"):
        convert(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)), "qcfs")


def test_a_learned_threshold_below_zero_is_named():
    network = nn.Sequential(nn.Linear(2, 2), QCFS(1.0, 4), nn.Linear(2, 2))
    with torch.no_grad():
        network[1].threshold.fill_(-0.5)
    with pytest.raises(ConversionError, match=r"^1: its learned threshold is -0.5"):
        convert(network, "qcfs")


def test_sites_are_edited_by_hand(grid_network, grid_images):
    snn = convert(grid_network, "qcfs", sites={"act2": {"threshold": 3.0, "v0": 0.25}, "act3": {"v0": 0.0}})

    assert snn.sites["act2"].threshold == 3
    assert snn.sites["act2"].initial_membrane == 0.75
    assert snn.sites["act3"].initial_membrane == 0
    assert snn.edited == ("act2", "act3")
    with pytest.raises(ConversionError, match="no site 'act22' to edit; did you mean 'act2'"):
        convert(grid_network, "qcfs", sites={"act22": {"threshold": 3.0}})
    with pytest.raises(ConversionError, match=r"^act2: A threshold must be positive"):
        convert(grid_network, "qcfs", sites={"act2": {"threshold": -1.0}})


def test_unknown_names_are_answered_with_the_nearest(grid_network):
    with pytest.raises(RecipeError, match="no method 'qfcs'; did you mean 'qcfs'"):
        convert(grid_network, "qfcs")
    with pytest.raises(RecipeError, match="qcfs has no parameter 'percentile'"):
        convert(grid_network, "qcfs", percentile=99.0)
    with pytest.raises(RecipeError, match=r"percentile = 101.0 lies outside"):
        convert(grid_network, "percentile_norm", percentile=101.0)
    with pytest.raises(RecipeError, match="outside"):
        convert(grid_network, "qcfs", initial_fraction=float("nan"))


def test_what_was_replaced_is_said_per_site(resnet):
    snn = convert(resnet, "qcfs")

    assert snn.replaced["stem.act"] == "QCFS → IF; stem.bn folded into stem.conv"
    assert "layer2.0.shortcut.bn folded into layer2.0.shortcut.conv" in snn.replaced["layer2.0.act2"]


def test_two_models_do_not_share_state(grid_network, grid_images):
    first, second = convert(grid_network, "qcfs"), convert(grid_network, "qcfs")
    first.reset()
    first.step(grid_images)
    second.reset()

    assert all(neuron.mem is not None for neuron in first.sites.values())


def test_a_surrogate_gradient_reaches_the_input(grid_network, grid_images):
    snn = convert(grid_network, "qcfs")
    x = grid_images.clone().requires_grad_()
    snn(x, num_steps=3).mean(0)[:, 0].sum().backward()

    assert x.grad.abs().sum() > 0


def test_a_saved_network_reproduces_its_recording(tmp_path):
    checkpoint = sl.example("digits-vgg-relu")
    images = checkpoint.data("dev", limit=20)
    snn = convert(
        checkpoint.build(), "percentile_norm", data=checkpoint.data("calibration", limit=64), per_channel=True,
        sites={"stage2.act1": {"v0": 0.25}},
    )  # fmt: skip
    save_snn(snn, tmp_path / "snn.safetensors", checkpoint=checkpoint)
    again = load_snn(tmp_path / "snn.safetensors")

    one, two = (simulate(model, images, num_steps=6, snapshots=[6]) for model in (snn, again))
    np.testing.assert_array_equal(one.logits, two.logits)
    assert again.method == "percentile_norm"
    assert again.edited == ("stage2.act1",)
    for name, site in one.sites.items():
        np.testing.assert_array_equal(site.statistics.histogram, two.sites[name].statistics.histogram)
    assert [path.name for path in tmp_path.iterdir()] == ["snn.safetensors"]


def test_loading_something_else_is_refused(tmp_path):
    (tmp_path / "text.safetensors").write_text("hello")
    for path in (tmp_path / "text.safetensors", tmp_path / "nowhere"):
        with pytest.raises(CheckpointError, match="cannot be read as a converted network"):
            load_snn(path)
    checkpoint = sl.example("digits-vgg-qcfs-L8")
    checkpoint.save(tmp_path / "ann.safetensors")
    with pytest.raises(CheckpointError, match="not a converted network"):
        load_snn(tmp_path / "ann.safetensors")
    snn = convert(checkpoint.build(), "qcfs")
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_snn(snn, tmp_path / "no" / "snn.safetensors", checkpoint=checkpoint)


def test_converting_leaves_training_mode_alone():
    network = Branched().train()
    convert(network, "qcfs")
    assert network.training
