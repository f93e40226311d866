"""Signed and group neurons against literal forms; constant currents, any v(0), residuals that keep their sense."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from snnlab.converters.apply import convert
from snnlab.core.errors import ConversionError, SimulationError
from snnlab.core.histogram import EXACT, SATURATED, SILENT
from snnlab.core.sites import NeuronSpec
from snnlab.neurons import GroupIntegrateFire, IntegrateFire, SignedIntegrateFire, kernels
from snnlab.simulation import SpikingModel, simulate
from snnlab.simulation.spiking_model import build_neuron, spec_of
from tests.reference.rivals import group_train, signed_train

STEPS = 13

SIGNED = {
    "hu2023": {"negative_fraction": -1 / 1024, "initial_fraction": 0.5},
    "li2022": {"negative_fraction": 0.0, "negative_at_equality": False, "initial_fraction": 0.5},
    "wang2022": {"negative_fraction": -1.0},
    "ecl": {"negative_fraction": -0.5, "initial_fraction": 0.5},
    "ungated": {"negative_fraction": -0.5, "gated": False, "initial_fraction": 0.5},
}


@pytest.fixture
def currents():
    """On a dyadic grid, where ties happen and sums are exact, (steps, neurons)."""
    generator = torch.Generator().manual_seed(2)
    return torch.randint(-20, 25, (STEPS, 400), generator=generator) / 16


def run(neuron, currents):
    neuron.reset()
    with torch.no_grad():
        return torch.stack([neuron(current[None])[0] for current in currents])


@pytest.mark.parametrize("variant", SIGNED)
def test_signed_neurons_equal_the_published_order_of_operations(variant, currents):
    neuron = SignedIntegrateFire(2.0, **SIGNED[variant])
    out = run(neuron, currents)
    start, negative = float(neuron.initial_membrane), float(neuron.negative_threshold)
    for j in range(currents.shape[1]):
        spikes, v = signed_train(currents[:, j].tolist(), 2.0, negative, start, variant)
        assert (out[:, j] / 2).tolist() == spikes
        assert neuron.mem[0, j].item() == v
    assert (out < 0).any()
    assert bool((neuron.count >= 0).all()) == (variant != "ungated")


def test_group_neurons_equal_their_members(currents):
    neuron = GroupIntegrateFire(0.5, members=4, initial_fraction=0.5)
    currents = 2 * currents
    out = run(neuron, currents)
    for j in range(currents.shape[1]):
        counts, v = group_train(currents[:, j].tolist(), 2.0, 4, 0.25)
        assert (out[:, j] / 0.5).tolist() == counts
        assert neuron.mem[0, j].item() == v
    assert out.max() == 2


def test_a_group_step_on_constant_input_is_the_multilevel_quantizer():
    z = torch.arange(-40, 90) / 32
    out = run(GroupIntegrateFire(0.25, members=4, initial_fraction=0.5), z[None])[0]
    assert torch.equal(out, 0.25 * (z * 4 + 0.5).floor().clamp(0, 4))


KINDS = {
    "signed": {"model": "signed_integrate_fire", "negative_fraction": -0.25},
    "signed, ungated, strict": {
        "model": "signed_integrate_fire", "negative_fraction": 0.0, "gated": False, "negative_at_equality": False,
    },
    "group": {"model": "group_integrate_fire", "members": 3},
    "current": {"added_fraction": np.array([0.25, -0.125, 0.0, 0.5]), "reference_fraction": 0.5},
    "start outside": {"initial_fraction": (np.arange(64) * 5 / 64 - 2).reshape(4, 4, 4), "reference_fraction": 0.5},
    "strict": {"fires_at_equality": False, "initial_fraction": 0.5},
}  # fmt: skip


def put(snn, **values):
    """The network with other neurons at its first two sites."""
    graph = copy.deepcopy(snn.graph)
    for site in snn.site_facts[:2]:
        graph.set_submodule(site.name, build_neuron(NeuronSpec(**{"threshold": 1.0, **values}), SHAPED[site.name]))
    return SpikingModel(
        graph, sites=snn.site_facts, method="test", parameters={}, coverage=snn.coverage, replaced=snn.replaced
    )


@pytest.fixture
def snn(grid_network):
    converted = convert(grid_network, "qcfs")
    for site in converted.site_facts:
        SHAPED[site.name] = replace(site, shape=(4, 4, 4))
    return converted


SHAPED = {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_kernel_steps_and_modules_agree(kind, dtype, snn, grid_images):
    network = put(snn, **KINDS[kind])
    values = {"num_steps": STEPS, "snapshots": [1, 4, STEPS], "membrane_dtype": dtype}
    fused, eager = simulate(network, grid_images, **values), simulate(network, grid_images, fused=False, **values)
    with torch.no_grad():
        stepped = network(grid_images, num_steps=STEPS).double()

    np.testing.assert_array_equal(fused.logits, eager.logits)
    mean = stepped.cumsum(0) / torch.arange(1, STEPS + 1).reshape(-1, 1, 1)
    np.testing.assert_array_equal(fused.logits, mean.float().numpy())
    for name, site in fused.sites.items():
        assert site.total_spikes == eager.sites[name].total_spikes > 0
        assert site.statistics.identity[0] == 0  # charge balance, exactly on the grid


@pytest.mark.parametrize("kind", KINDS)
def test_residuals_and_classes_are_those_of_the_input_without_the_correction(kind, snn, grid_images):
    """At the first site the input is constant: N* and the residual follow from z, v_ref and the count alone."""
    network = put(snn, **KINDS[kind])
    recording = simulate(network, grid_images, num_steps=5, snapshots=[5])
    neuron = network.sites["act1"]
    with torch.no_grad():
        z = network.graph.get_submodule("conv1")(grid_images).double()
        neuron.reset()
        count = sum(neuron(z.float()) for _ in range(5)).double() / neuron.threshold
    charge = neuron.reference_membrane + 5 * z
    ideal = charge.floor().clamp(0, 5 * neuron.most_spikes)
    statistics = recording.sites["act1"].statistics
    assert statistics.moments[0, :, 0].sum() == (charge - count).sum()
    errors = (count - ideal).clamp(-6, 6)
    assert statistics.spike_errors[0].tolist() == [int((errors == k).sum()) for k in range(-6, 7)]
    found = statistics.histogram[0].sum(axis=1)
    right = errors == 0
    assert found[SILENT] == int((right & (count == 0)).sum())
    assert found[SATURATED] == int((right & (count == 5 * neuron.most_spikes)).sum())
    assert found[[SILENT, SATURATED, EXACT]].sum() == int(right.sum())
    assert statistics.spikes[0] == count.sum()


def test_the_right_target_does_not_move_with_a_correction(snn, grid_images):
    """A start one threshold too high makes neurons fire too often, and the classes say so."""
    plain = simulate(put(snn, initial_fraction=0.5), grid_images, num_steps=4, snapshots=[4])
    moved = simulate(put(snn, initial_fraction=1.5, reference_fraction=0.5), grid_images, num_steps=4, snapshots=[4])
    follows = simulate(put(snn, initial_fraction=1.5), grid_images, num_steps=4, snapshots=[4])
    wrong = [
        run.sites["act1"].statistics.spike_errors[0].sum() - run.sites["act1"].statistics.spike_errors[0, 6]
        for run in (plain, moved, follows)
    ]
    assert wrong[0] == 0 < wrong[1]
    assert wrong[2] < wrong[1]


def test_state_is_forgotten_copied_and_pickled_as_in_plain_neurons():
    neuron = SignedIntegrateFire(torch.tensor([1.0, 2.0]), negative_fraction=-0.5)
    neuron(torch.tensor([[3.0, -1.0]], requires_grad=True))
    again = copy.deepcopy(neuron)
    assert neuron.count is not None
    assert again.count is None
    assert again.mem is None
    neuron.reset()
    assert neuron.count is None
    fresh = pickle.loads(pickle.dumps(neuron))
    assert torch.equal(fresh.negative_threshold, neuron.negative_threshold)
    assert set(neuron.state_dict()) == {"threshold", "initial_fraction", "negative_fraction", *_base_state()}
    assert set(IntegrateFire(1.0, added_fraction=0.5).state_dict()) == {
        "threshold", "initial_fraction", "added_fraction", *_base_state(),
    }  # fmt: skip


def _base_state():
    return set(IntegrateFire(1.0).state_dict()) - {"threshold", "initial_fraction"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_specification_survives_its_neuron(kind, snn):
    neuron = put(snn, **KINDS[kind]).sites["act1"]
    again = build_neuron(spec_of(neuron), SHAPED["act1"])
    assert type(again) is type(neuron)
    assert again.state_dict().keys() == neuron.state_dict().keys()
    assert all(torch.equal(value, neuron.state_dict()[name]) for name, value in again.state_dict().items())
    for name in ("fires_at_equality", "most_spikes", "gated", "negative_at_equality"):
        assert getattr(again, name, None) == getattr(neuron, name, None)


def test_what_is_no_neuron_is_refused(snn):
    with pytest.raises(ConversionError, match=r"negative threshold must be 0 or below; found 0.5 x threshold"):
        SignedIntegrateFire(1.0, negative_fraction=0.5)
    with pytest.raises(ConversionError, match="at least 1 member; found 0"):
        GroupIntegrateFire(1.0, members=0)
    with pytest.raises(ConversionError, match="added at every step must be finite"):
        IntegrateFire(1.0, added_fraction=float("inf"))
    with pytest.raises(ConversionError, match=r"reference for v\(0\) must be finite"):
        IntegrateFire(1.0, reference_fraction=float("nan"))
    with pytest.raises(ConversionError, match=r"^act1: There is no neuron model 'leaky'"):
        put(snn, model="leaky")


def test_a_mutated_kernel_would_be_noticed(snn, grid_images, monkeypatch):
    """The two paths of a signed neuron are compared for real: take the gate away in one, and they part."""
    network = put(snn, **KINDS["signed"])
    genuine = kernels.fire

    def ungated(current, neurons, *rest):
        return genuine(current, neurons._replace(gated=False), *rest)

    monkeypatch.setattr(kernels, "fire", ungated)
    with pytest.raises(SimulationError, match="spikes on cpu"):
        simulate(network, grid_images, num_steps=STEPS, fused=False)
