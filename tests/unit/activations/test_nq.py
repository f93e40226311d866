"""NQ: QCFS plus noise in activation units, from a generator of its own, off in evaluation."""

import copy

import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import NQ, QCFS, ActivationSpec, ClippedReLU, describe, is_activation, switch_noise, with_noise
from snnlab.activations.keyed import mixed_seed
from snnlab.activations.nq import NoisyReLU
from snnlab.core.errors import CheckpointError, ConversionError
from snnlab.io import Checkpoint, load_checkpoint
from snnlab.models import build
from tests.conftest import Branched, on_grid


@pytest.fixture
def z():
    return torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 2


@pytest.mark.parametrize("mode", [True, False])
def test_std_zero_is_qcfs_bitwise(z, mode):
    nq, qcfs = NQ(2.0, 4, std=0.0).train(mode), QCFS(2.0, 4)
    nq.noise = True

    assert torch.equal(nq(z), qcfs(z))


def test_noise_comes_after_rescaling_and_is_not_clipped(z):
    nq = NQ(2.0, 4, std=0.3).train()
    added = nq(z) - QCFS(2.0, 4)(z)

    assert added.std().item() == pytest.approx(0.3, rel=0.1)  # activation units: not 0.3 thresholds
    assert added.mean().abs().item() < 0.05
    assert (nq(z) < 0).any()
    assert (nq(z) > 2.0).any()
    corner = torch.full((2000,), 99.0)
    assert torch.unique(nq(corner)).numel() > 1000  # a new number for every element


def test_off_in_evaluation_unless_switched_on(z):
    nq, quiet = NQ(2.0, 4, std=0.3), QCFS(2.0, 4)(z)

    assert not torch.equal(nq.train()(z), quiet)
    assert torch.equal(nq.eval()(z), quiet)
    assert not torch.equal(switch_noise(nq, True)(z), quiet)
    assert torch.equal(switch_noise(nq.train(), False)(z), quiet)
    assert not torch.equal(switch_noise(nq, None)(z), quiet)


def test_own_generator_keyed_by_seed(z):
    before = torch.get_rng_state()
    one, two, other = (NQ(2.0, 4, std=0.3, seed=seed).train() for seed in (1, 1, 2))
    first, second = one(z), one(z)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(two(z), first)
    assert not torch.equal(first, second)  # drawn anew at every pass
    assert not torch.equal(other(z), first)
    one.reseed(1)
    assert torch.equal(one(z), first)
    assert len({mixed_seed(*key) % 2**32 for key in [(0,), (0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]}) == 6


def test_noise_does_not_depend_on_the_memory_format():
    nq = NQ(2.0, 4, std=0.3).train()
    values = torch.full((4, 8, 5, 5), 0.6).contiguous(memory_format=torch.channels_last)

    assert nq(values).is_contiguous(memory_format=torch.channels_last)
    assert nq(values).std().item() == pytest.approx(0.3, rel=0.15)


def test_gradients_are_those_of_qcfs(z):
    grads = []
    for module in (QCFS(2.0, 4), NQ(2.0, 4, std=0.3).train()):
        x = z.clone().requires_grad_()
        module(x).sum().backward()
        grads.append((x.grad, module.threshold.grad))
    assert torch.equal(grads[0][0], grads[1][0])
    assert torch.equal(grads[0][1], grads[1][1])
    assert "std" in dict(NQ().named_buffers())
    assert "std" not in dict(NQ().named_parameters())


def test_specification_and_copies():
    spec = ActivationSpec("nq", 4, 2.0, 0.25)
    module = spec.make()

    assert describe(module) == spec
    assert is_activation(module)
    assert describe(copy.deepcopy(module)) == spec
    assert describe(NoisyReLU(0.1)) == ActivationSpec("relu")
    assert describe(with_noise(ClippedReLU(3.0), 0.1)) == ActivationSpec("clipped_relu", None, 3.0)
    assert describe(with_noise(nn.ReLU6(), 0.1)).threshold == 6.0
    for bad in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ConversionError, match="std"):
            ActivationSpec("nq", 4, 2.0, bad).make()
    with pytest.raises(ConversionError, match="levels"):
        ActivationSpec("nq").make()


def test_conversion_leaves_the_noise_behind(grid_images):
    """A noisy network converts to the SNN of its quiet twin, also with the noise switched on."""
    quiet = on_grid(Branched(), seed=2)
    noisy = copy.deepcopy(quiet)
    for name in ("act1", "act2", "act3"):
        noisy.set_submodule(name, with_noise(noisy.get_submodule(name), 0.5))
    switch_noise(noisy, True)
    one, two = (
        sl.simulate(sl.convert(network, method), grid_images, num_steps=4)
        for network, method in ((quiet, "qcfs"), (noisy, "nq"))
    )
    assert (one.logits == two.logits).all()
    assert noisy.act1.noise is True
    snn = sl.convert(noisy, "nq")
    assert {site.activation for site in snn.site_facts} == {"nq"}
    relu = nn.Sequential(nn.Flatten(), nn.Linear(32, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(ConversionError, match=r"2 is a relu, and nq needs QCFS or NQ"):
        sl.convert(relu, "nq")


def test_a_native_checkpoint_carries_the_noise(tmp_path):
    architecture = {
        "family": "resnet", "widths": [4], "blocks": [1], "shortcut": "A", "num_classes": 10, "in_channels": 1,
        "input_size": 8,
    }  # fmt: skip
    spec = ActivationSpec("nq", 4, 2.0, 0.25)
    network = build(architecture, spec).eval()
    Checkpoint.from_network(network, architecture, spec, dataset="digits").save(tmp_path / "nq.safetensors")
    again = load_checkpoint(tmp_path / "nq.safetensors")

    assert (again.card.activation, again.card.levels) == ("nq", 4)
    assert describe(again.build().get_submodule("stem.act")) == spec
    state = network.state_dict()
    state["stem.act.std"] = torch.tensor(-1.0)
    network.load_state_dict(state)
    with pytest.raises(CheckpointError, match=r"the std of the noise of stem.act is negative"):
        Checkpoint.from_network(network, architecture, spec)
