"""SRP and COS: against their formulas, written out slowly; what they are for; their latency; what is refused."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.converters.apply import convert
from snnlab.core.errors import ConversionError, RecipeError, ShapeError, SimulationError
from snnlab.core.histogram import CLASSES
from snnlab.core.registry import card
from snnlab.neurons import MaskedIntegrateFire, OffsetIntegrateFire, offset_start
from snnlab.runs.defaults import default_recipe, diagnosis_recipe
from snnlab.simulation import simulate
from tests.conftest import Branched, on_grid
from tests.reference.warm_up import cos_literally, shown, srp_literally, thresholds_of

STEPS, WARM_UP = 8, 4


@pytest.fixture(params=[4, 11], ids=["seed 4", "seed 11"])
def network(request):
    return on_grid(Branched(), seed=request.param)


def literally(method, network, images, steps=STEPS):
    """Logits of every step, and (neuron, mask) by site."""
    if method == "srp":
        logits, masks, neurons = srp_literally(network, images, steps, WARM_UP)
        return logits, {name: (neuron, masks[name]) for name, neuron in neurons.items()}
    logits, _, neurons = cos_literally(network, images, steps, WARM_UP)
    return logits, {name: (neuron, None) for name, neuron in neurons.items()}


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "stepwise"])
@pytest.mark.parametrize("method", ["srp", "cos"])
def test_logits_and_residuals_equal_the_literal_version(method, fused, network, grid_images):
    """SRP exactly, on the dyadic grid. COS moves v(0) by 0.001 of a threshold beyond it, which float32 rounds."""
    logits, neurons = literally(method, network, grid_images)
    snn = convert(network, method)
    recording = simulate(snn, grid_images, num_steps=STEPS, snapshots=[3, STEPS], fused=fused)
    expected = (logits.cumsum(0) / torch.arange(1, STEPS + 1).reshape(-1, 1, 1)).float().numpy()
    np.testing.assert_array_equal(recording.logits, expected)
    for name, (neuron, mask) in neurons.items():
        statistics = recording.sites[name].statistics
        sent = sum(neuron.spikes) if mask is None else sum(neuron.spikes) * mask
        assert recording.sites[name].total_spikes == sent.sum()
        for index, step in enumerate((3, STEPS)):
            found = shown(neuron, step, neuron.threshold / 2, mask)
            counted = Counter(kind for kind, _ in found)
            assert dict(zip(CLASSES, statistics.histogram[index].sum(1).tolist(), strict=True)) == {
                kind: counted[kind] for kind in CLASSES
            }
            assert statistics.moments[index, :, 0].sum() == pytest.approx(sum(v for _, v in found), abs=1e-3)
        assert statistics.identity[1] <= 1


@pytest.mark.parametrize("method", ["srp", "cos"])
def test_the_users_own_loop_warms_up_by_itself(method, network, grid_images):
    logits, _ = literally(method, network, grid_images)
    snn = convert(network, method)
    with torch.no_grad():
        for _ in range(2):  # a second sequence starts anew
            snn.reset()
            stepped = torch.stack([snn.step(grid_images) for _ in range(STEPS)])
            assert torch.equal(stepped, logits.float())
        assert torch.equal(snn(grid_images, num_steps=STEPS), logits.float())
        snn.reset()
        assert torch.equal(snn.step(grid_images[:3]), logits[0, :3].float())


@pytest.mark.parametrize("method", ["srp", "cos"])
def test_micro_batches_and_double_precision_change_nothing(method, network, grid_images):
    snn = convert(network, method)
    whole = simulate(snn, grid_images, num_steps=STEPS)
    for options in (
        {"micro_batch": 1},
        {"micro_batch": 5},
        {"dtype": torch.float64},
        {"membrane_dtype": torch.float64},
    ):
        other = simulate(snn, grid_images, num_steps=STEPS, **options)
        np.testing.assert_array_equal(whole.logits, other.logits)
        assert all(site.total_spikes == other.sites[name].total_spikes for name, site in whole.sites.items())


def test_a_warm_up_longer_than_the_sequence(network, grid_images):
    logits, _, _ = srp_literally(network, grid_images, 2, tau=7)
    recording = simulate(convert(network, "srp", tau=7), grid_images, num_steps=2)
    np.testing.assert_array_equal(recording.logits[1], logits.mean(0).float().numpy())
    assert (recording.warm_up_steps, recording.total_latency) == (7, 9)


def test_cos_refuses_fewer_steps_than_it_looks_at(network, grid_images):
    snn = convert(network, "cos", rho=4)
    told = "num_steps is 3, and cos corrects by what the first 4 time-steps of a sequence show; simulate at least 4"
    with pytest.raises(SimulationError, match=told):
        simulate(snn, grid_images, num_steps=3)
    with pytest.raises(SimulationError, match=told):
        snn(grid_images, num_steps=3)
    assert simulate(convert(network, "cos", rho=3), grid_images, num_steps=3).total_latency == 6
    assert convert(network, "qcfs").total_latency(3) == 3


@pytest.mark.parametrize("seed", range(20))
def test_offset_start_of_single_trains(seed):
    """Random trains, float64, element by element; a neuron that fires at every step too."""
    from tests.reference.warm_up import corrected

    rng = np.random.default_rng(seed)
    currents = np.concatenate([rng.normal(0.3, 1.2, size=(5, 30)), np.full((5, 1), 1.5)], axis=1)
    neuron = OffsetIntegrateFire(torch.tensor(0.75).double(), initial_fraction=0.5, warm_up_steps=5).double()
    v, before, after, spikes = np.full(31, 0.375), [], [], []
    for current in currents:
        u = v + current
        s = u >= 0.75
        v = u - 0.75 * s
        before.append(u)
        after.append(v)
        spikes.append(s)
    neuron.warm_up(torch.tensor(currents)[:, None])
    expected = [corrected(*rows, 0.75) for rows in zip(*(np.array(k).T for k in (spikes, before, after)), strict=True)]
    np.testing.assert_allclose(neuron.start[0].numpy(), expected, atol=1e-9)


def test_the_correction_of_a_neuron_that_is_right_is_nothing():
    one = torch.ones(2)
    before, spikes = torch.tensor([[1.25, -0.5], [1.0, -1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    # in range; below 0 without a spike
    assert torch.equal(offset_start(0.5 * one, before, spikes, torch.tensor([0.0, -1.0]), one, one * 0), 0.5 * one)


def test_correction_makes_the_first_sites_right_and_srp_brings_no_excess(grid_images):
    """COS at T = rho: no neuron of a digits network fires too often or too rarely. SRP: fewer excess neurons."""
    checkpoint = sl.example("digits-resnet-qcfs-L4")
    ann, images = checkpoint.build(), checkpoint.data("dev", limit=100)
    frames = {
        method: sl.analysis.residuals(simulate(convert(ann, method), images, num_steps=4, snapshots=[4])).to_frame()
        for method in ("qcfs", "srp", "cos")
    }
    assert frames["cos"]["right"].mean() > 0.998 > 0.96 > frames["qcfs"]["right"].mean()
    assert frames["srp"]["excess"].mean() < 0.6 * frames["qcfs"]["excess"].mean()


def test_the_noise_of_a_masked_network_is_that_of_what_goes_out(network, grid_images):
    """The gap counts what the next layer gets: the ANN's activation - mask x threshold x n / T."""
    _, masks, neurons = srp_literally(network, grid_images, STEPS, WARM_UP)
    profile = sl.calibration.fit_noise(convert(network, "srp"), network, grid_images, num_steps=STEPS)
    kept = {}
    for name in thresholds_of(network):
        network.get_submodule(name).register_forward_hook(
            lambda _, args, out, name=name: kept.__setitem__(name, out.double())
        )
    with torch.no_grad():
        network(grid_images)
    for index, (name, neuron) in enumerate(neurons.items()):
        gap = kept[name] - neuron.threshold * sum(neuron.spikes) * masks[name] / STEPS
        assert profile.std[index] == pytest.approx(float(gap.std()), rel=1e-6)


@pytest.mark.parametrize(("method", "steps"), [("srp", "tau"), ("cos", "rho")])
def test_what_is_refused(method, steps, network, grid_images):
    with pytest.raises(RecipeError, match=rf"{steps} = 0 lies outside \[1, 256\]"):
        convert(network, method, **{steps: 0})
    with pytest.raises(RecipeError, match=r"margin = -0.1 lies outside"):
        convert(network, method, margin=-0.1)
    relu = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(ConversionError, match=rf"1 is a relu without a learned threshold, which {method} needs"):
        convert(relu, method)


def test_neurons_alone_say_what_they_lack():
    neuron = MaskedIntegrateFire(1.0, warm_up_steps=2)
    with pytest.raises(SimulationError, match=r"decides in a warm-up of 2 time-steps how it starts; call warm_up"):
        neuron(torch.zeros(2))
    neuron.warm_up(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"The warm-up saw input of \(3,\), the sequence has \(2,\)"):
        neuron(torch.zeros(2))
    with pytest.raises(ConversionError, match="A warm-up has at least 1 time-step; found 0"):
        OffsetIntegrateFire(1.0, warm_up_steps=0)
    with pytest.raises(ConversionError, match="The margin must be 0 or above; found -1"):
        OffsetIntegrateFire(1.0, margin_fraction=-1.0)


@pytest.mark.parametrize(("method", "steps"), [("cos", {"rho": 7}), ("cos", {}), ("srp", {"tau": 7}), ("qcfs", {})])
def test_the_card_knows_the_smallest_t_that_the_network_takes(method, steps):
    snn = sl.convert(sl.example("digits-vgg-qcfs-L8").build(), method, **steps)
    assert card(method).least_steps(steps) == snn.least_steps == (steps.get("rho", 4) if method == "cos" else 1)
    recipe = default_recipe("digits-vgg-qcfs-L8").changed(converter={"method": method, "parameters": steps})
    assert diagnosis_recipe(recipe, 2).num_steps == max(2, snn.least_steps)
