"""IntegrateFire: an snnTorch neuron without the base class's traps."""

import copy
import pickle

import pytest
import snntorch
import torch
from snntorch import surrogate, utils

from snnlab.core.errors import ConversionError, ShapeError
from snnlab.neurons import IntegrateFire, if_step


def run(neuron, currents):
    neuron.reset()
    with torch.no_grad():
        return torch.stack([neuron(current) for current in currents])


def test_golden_trajectory():
    neuron = IntegrateFire(1.0, initial_fraction=0.5)
    membranes, spikes = [], []
    with torch.no_grad():
        for current in (0.25, 0.5, -1.0, 2.75, 0.0, 0.0):
            spikes.append(neuron(torch.tensor([current])).item())
            membranes.append(neuron.mem.item())

    assert spikes == [0, 1, 0, 1, 1, 0]
    assert membranes == [0.75, 0.25, -0.75, 1.0, 0.0, 0.0]


def test_spike_trains_equal_snntorch_away_from_ties():
    currents = torch.rand(40, 500, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.2
    leaky = snntorch.Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract")
    mem = torch.full((500,), 0.5)
    expected = []
    for current in currents:
        spikes, mem = leaky(current, mem)
        expected.append(spikes)

    neuron = IntegrateFire(1.0, initial_fraction=0.5)
    ours = run(neuron, currents)
    assert torch.equal(ours, torch.stack(expected))
    # snnTorch resets a step late: its potential still holds what the last spike has to pay.
    torch.testing.assert_close(neuron.mem, mem - expected[-1], atol=1e-5, rtol=0)


def test_fires_at_equality_unless_told_otherwise():
    assert run(IntegrateFire(1.0), [torch.tensor([1.0])]).item() == 1
    assert run(IntegrateFire(1.0, fires_at_equality=False), [torch.tensor([1.0])]).item() == 0


def test_emits_the_threshold_of_each_channel():
    neuron = IntegrateFire(torch.tensor([0.5, 2.0]).reshape(2, 1, 1), initial_fraction=0.5)
    out = run(neuron, [torch.full((3, 2, 2, 2), 1.0)])[0]

    assert torch.equal(out[:, 0], torch.full((3, 2, 2), 0.5))
    assert torch.equal(out[:, 1], torch.full((3, 2, 2), 2.0))


def test_is_an_snntorch_neuron_that_leaves_no_reference():
    first, second = IntegrateFire(1.0), IntegrateFire(1.0)
    first(torch.ones(2))
    utils.reset(torch.nn.Sequential(snntorch.Leaky(beta=0.9, init_hidden=True)))

    assert isinstance(first, snntorch.SpikingNeuron)
    assert not any(isinstance(neuron, IntegrateFire) for neuron in snntorch.SpikingNeuron.instances)
    assert first.mem is not None
    assert second.mem is None


def test_the_threshold_given_is_copied():
    given = torch.nn.Parameter(torch.tensor(2.0))
    neuron = IntegrateFire(given)
    with torch.no_grad():
        given.mul_(10)

    assert neuron.threshold == 2
    assert IntegrateFire(1).threshold.dtype == torch.float32
    assert list(neuron.parameters()) == []


def test_a_changed_shape_is_an_error_not_a_silent_zero():
    neuron = IntegrateFire(1.0)
    neuron(torch.zeros(4, 3))
    with pytest.raises(ShapeError, match=r"\(4, 3\) to \(2, 3\)"):
        neuron(torch.zeros(2, 3))
    neuron.reset()
    assert neuron(torch.zeros(2, 3)).shape == (2, 3)


def test_surrogate_gradient_flows_and_the_step_stays_ours():
    for spike_grad in (IntegrateFire(1.0).spike_grad, surrogate.fast_sigmoid()):
        neuron = IntegrateFire(1.0, spike_grad=spike_grad)
        current = torch.tensor([1.0, 0.4], requires_grad=True)
        out = neuron(current)
        out.sum().backward()
        assert out.tolist() == [1.0, 0.0]  # fires at equality, whatever the surrogate does there
        assert (current.grad > 0).all()


def test_copies_and_pickles_even_with_a_graph_in_its_state():
    neuron = IntegrateFire(torch.tensor([1.0, 3.0]), initial_fraction=0.25)
    neuron(torch.ones(2, requires_grad=True))
    duplicate = copy.deepcopy(neuron)
    fresh = pickle.loads(pickle.dumps(IntegrateFire(2.0, initial_fraction=0.5)))

    assert neuron.mem is not None
    assert duplicate.mem is None
    assert torch.equal(duplicate.initial_membrane, neuron.initial_membrane)
    assert fresh.initial_membrane == 1


def test_state_dict_holds_threshold_and_initial_membrane():
    source = IntegrateFire(torch.tensor([1.0, 3.0]), initial_fraction=0.25)
    target = IntegrateFire(torch.ones(2), initial_fraction=0.0)
    target.load_state_dict(source.state_dict())

    assert torch.equal(target.initial_membrane, source.initial_membrane)


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_that_is_no_threshold_is_refused(threshold):
    with pytest.raises(ConversionError, match="positive and finite"):
        IntegrateFire(threshold)
    with pytest.raises(ConversionError, match=r"v\(0\) must be finite"):
        IntegrateFire(1.0, initial_fraction=float("nan"))


def test_if_step_refuses_other_shapes():
    with pytest.raises(ShapeError, match="membrane is"):
        if_step(torch.zeros(2), torch.zeros(3), torch.tensor(1.0))
