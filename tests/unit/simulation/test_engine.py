"""The engine against the literal simulation, its laws on a dyadic grid, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from snnlab.activations import QCFS
from snnlab.analysis.residual_membrane import residuals
from snnlab.converters.apply import convert
from snnlab.core.errors import Cancelled, DataError, SimulationError
from snnlab.core.histogram import CLASSES, EDGES
from snnlab.simulation import simulate
from tests.conftest import on_grid
from tests.reference.literal import classify, simulate_literally

STEPS = 11
SNAPSHOTS = (1, 2, 5, 11)


@pytest.fixture
def snn(grid_network):
    return convert(grid_network, "qcfs")


def test_equals_the_literal_simulation_on_the_grid(grid_network, grid_images, snn):
    logits, neurons = simulate_literally(grid_network, grid_images, STEPS)
    recording = simulate(snn, grid_images, num_steps=STEPS, snapshots=SNAPSHOTS)

    mean = logits.cumsum(0) / torch.arange(1, STEPS + 1).reshape(-1, 1, 1)
    np.testing.assert_array_equal(recording.logits, mean.float().numpy())
    np.testing.assert_array_equal(recording.predictions, mean.argmax(-1).numpy())
    for name, neuron in neurons.items():
        statistics = recording.sites[name].statistics
        for index, step in enumerate(SNAPSHOTS):
            expected = classify(neuron, step)
            counted = statistics.histogram[index].sum(axis=1)
            assert {kind: expected.count(kind) for kind in CLASSES} == dict(zip(CLASSES, counted, strict=True))
            potentials = neuron.membranes[step - 1].flatten().numpy() / neuron.threshold
            bins = np.bincount(np.searchsorted(EDGES, potentials, side="right"), minlength=len(EDGES) + 1)
            np.testing.assert_array_equal(statistics.histogram[index].sum(axis=0), bins)
            assert statistics.spikes[index] == sum(neuron.spikes[:step]).sum()
            assert statistics.moments[index, :, 0].sum() == potentials.sum()
            assert statistics.moments[index, :, 2].min() == potentials.min()
            assert statistics.moments[index, :, 3].max() == potentials.max()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("micro_batch", [1, 5])
def test_states_equal_the_literal_simulation_on_the_grid(grid_network, grid_images, snn, micro_batch, fused):
    _, neurons = simulate_literally(grid_network, grid_images, STEPS)
    seen = dict.fromkeys(snn.sites, 0)

    def compare(name, states, start):
        neuron, images = neurons[name], slice(start, start + states.spikes.shape[1])
        assert start == seen[name]
        seen[name] = images.stop
        for index, step in enumerate(SNAPSHOTS):
            inputs = torch.stack(neuron.inputs[:step])[:, images].double()
            np.testing.assert_array_equal(states.spikes[index], sum(neuron.spikes[:step])[images])
            np.testing.assert_array_equal(states.residual[index], neuron.membranes[step - 1][images])
            np.testing.assert_array_equal(states.charge[index], inputs.sum(0))
            np.testing.assert_array_equal(states.squares[index], (inputs**2).sum(0))
            highest = torch.stack(
                [torch.full_like(inputs[0], neuron.initial), *(v[images] for v in neuron.membranes[:step])]
            )
            np.testing.assert_array_equal(states.peak[index], highest.abs().amax(0))

    simulate(
        snn, grid_images, num_steps=STEPS, states_at=SNAPSHOTS, micro_batch=micro_batch, fused=fused,
        observe_states=compare,
    )  # fmt: skip
    assert set(seen.values()) == {len(grid_images)}


def test_states_and_residuals_are_kept_apart(grid_images, snn):
    """Each at its own steps, neither changed by the other."""
    kept = []

    def observe(name, states, start):
        kept.append(states)

    def run(**options):
        kept.clear()
        return simulate(snn, grid_images, num_steps=STEPS, **options)

    plain = run(snapshots=[2, 3])
    without = run(states_at=[1, STEPS], observe_states=observe)
    alone = list(kept)
    both = run(snapshots=[2, 3], states_at=[1, STEPS], observe_states=observe)

    for one, other in zip(alone, kept, strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)
    for name, site in both.sites.items():
        np.testing.assert_array_equal(site.statistics.histogram, plain.sites[name].statistics.histogram)
        assert len(without.sites[name].statistics.histogram) == 0
        assert without.sites[name].total_spikes == site.total_spikes
    with pytest.raises(SimulationError, match="This recording kept no residuals; simulate with snapshots="):
        residuals(without)
    for options in ({"observe_states": observe}, {"states_at": [1]}):
        with pytest.raises(SimulationError, match="pass observe_states and states_at"):
            run(**options)
    with pytest.raises(SimulationError, match="t = 12 lies outside"):
        run(states_at=[12], observe_states=observe)


def test_charge_balance_is_exact_on_the_grid(snn, grid_images):
    recording = simulate(snn, grid_images, num_steps=64, snapshots=[1, 32, 64])

    assert {name: site.statistics.identity[0] for name, site in recording.sites.items()} == dict.fromkeys(snn.sites, 0)


def test_first_site_counts_exactly_under_constant_input(snn, grid_images):
    recording = simulate(snn, grid_images, num_steps=STEPS, snapshots=range(1, STEPS + 1))
    first = next(iter(recording.sites.values())).statistics

    assert first.spike_errors[:, 6].sum() == first.spike_errors.sum() > 0


def test_float32_networks_keep_the_constant_input_law(resnet, images):
    recording = simulate(convert(resnet, "qcfs"), images, num_steps=64, snapshots=[8, 64])
    first = next(iter(recording.sites.values())).statistics

    assert first.spike_errors[:, 6].sum() == first.spike_errors.sum()
    assert all(0 < site.statistics.identity[1] < 1 for site in recording.sites.values())


def test_steps_of_a_long_run_equal_a_short_run(snn, grid_images):
    long = simulate(snn, grid_images, num_steps=STEPS, snapshots=[3])
    short = simulate(snn, grid_images, num_steps=3, snapshots=[3])

    np.testing.assert_array_equal(long.predictions[:3], short.predictions)
    np.testing.assert_array_equal(long.logits[:3], short.logits)
    for name in snn.sites:
        np.testing.assert_array_equal(long.sites[name].statistics.histogram, short.sites[name].statistics.histogram)


@pytest.mark.parametrize("micro_batch", [1, 5, 12])
def test_results_do_not_depend_on_the_batch(snn, grid_images, micro_batch):
    whole = simulate(snn, grid_images, num_steps=STEPS, snapshots=SNAPSHOTS)
    parts = simulate(snn, grid_images, num_steps=STEPS, snapshots=SNAPSHOTS, micro_batch=micro_batch)

    np.testing.assert_array_equal(whole.logits, parts.logits)
    for name, site in whole.sites.items():
        other = parts.sites[name]
        assert site.total_spikes == other.total_spikes
        for field in ("histogram", "spike_errors", "spikes", "fired"):
            np.testing.assert_array_equal(getattr(site.statistics, field), getattr(other.statistics, field))


def test_fused_and_stepwise_and_module_paths_agree(snn, grid_images):
    fused = simulate(snn, grid_images, num_steps=STEPS, snapshots=[STEPS])
    eager = simulate(snn, grid_images, num_steps=STEPS, snapshots=[STEPS], fused=False)
    with torch.no_grad():
        stepped = snn(grid_images, num_steps=STEPS)

    np.testing.assert_array_equal(fused.logits, eager.logits)
    mean = stepped.double().cumsum(0) / torch.arange(1, STEPS + 1).reshape(-1, 1, 1)
    np.testing.assert_array_equal(fused.logits, mean.float().numpy())
    for name in snn.sites:
        assert fused.sites[name].total_spikes == eager.sites[name].total_spikes > 0


@pytest.mark.parametrize("fused", [True, False])
def test_double_potentials_leave_no_rounding_behind(resnet, images, fused):
    snn, emitted = convert(resnet, "qcfs"), {}
    exact = simulate(
        snn,
        images,
        num_steps=STEPS,
        snapshots=[STEPS],
        membrane_dtype=torch.float64,
        fused=fused,
        observe=lambda name, values, start: emitted.setdefault(name, values.dtype),
    )

    assert set(emitted.values()) == {torch.float32}  # what convolutions take
    assert all(site.statistics.identity[0] < 1e-12 for site in exact.sites.values())
    rounded = simulate(snn, images, num_steps=STEPS, snapshots=[STEPS])
    assert max(site.statistics.identity[0] for site in rounded.sites.values()) > 1e-9
    np.testing.assert_allclose(exact.logits, rounded.logits, rtol=0.2, atol=0.2)


def test_the_model_is_left_alone(snn, grid_images):
    before = {name: value.clone() for name, value in snn.state_dict().items()}
    hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in snn.modules())
    simulate(snn, grid_images, num_steps=4, snapshots=[4])

    assert all(neuron.mem is None for neuron in snn.sites.values())
    assert all(torch.equal(before[name], value) for name, value in snn.state_dict().items())
    assert hooks == 0


def test_eight_threads_at_once(snn, grid_images):
    alone = simulate(snn, grid_images, num_steps=STEPS, snapshots=[STEPS])
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: simulate(snn, grid_images, num_steps=STEPS, snapshots=[STEPS]), range(8)))

    for run in runs:
        np.testing.assert_array_equal(run.logits, alone.logits)


def test_logits_are_dropped_by_the_memory_budget_and_that_is_said(snn, grid_images):
    size = 12 * 3 * 4
    kept = {
        memory: simulate(snn, grid_images, num_steps=STEPS, snapshots=[2, 4], memory=4 * memory)
        for memory in (STEPS * size, 2 * size, size)
    }

    assert [run.logits_kept for run in kept.values()] == ["all", "snapshots", "none"]
    full, some, none = kept.values()
    np.testing.assert_array_equal(some.logits, full.logits[[1, 3]])
    assert none.logits is None
    np.testing.assert_array_equal(none.predictions, full.predictions)


def test_per_channel_thresholds_reach_their_channels(grid_network, grid_images):
    per_channel = convert(grid_network, "max_norm", data=grid_images, per_channel=True)
    thresholds = per_channel.sites["act1"].threshold

    assert thresholds.shape == (4, 1, 1)
    recording = simulate(per_channel, grid_images, num_steps=3, snapshots=[3])
    with torch.no_grad():
        stepped = per_channel(grid_images, num_steps=3)
    np.testing.assert_array_equal(recording.predictions, stepped.cumsum(0).argmax(-1).numpy())


def test_candidates_are_the_inputs_of_their_neurons(grid_network, grid_images, snn):
    _, neurons = simulate_literally(grid_network, grid_images, 5)
    recording = simulate(snn, grid_images, num_steps=5, candidates="random", micro_batch=5)
    for name, neuron in neurons.items():
        kept = recording.sites[name].candidates
        inputs = torch.stack(neuron.inputs).flatten(2).numpy() / neuron.threshold
        np.testing.assert_array_equal(kept.currents, inputs[:, kept.image, kept.position].T)


def test_float64_recording_of_an_off_grid_network(resnet, images):
    recording = simulate(convert(resnet, "qcfs"), images, num_steps=16, snapshots=[16], dtype=torch.float64)

    assert max(site.statistics.identity[0] for site in recording.sites.values()) < 1e-12


@pytest.mark.parametrize("num_steps", [0, -3])
def test_no_steps_is_refused(snn, grid_images, num_steps):
    with pytest.raises(SimulationError, match="at least 1 time-step"):
        simulate(snn, grid_images, num_steps=num_steps)


def test_a_snapshot_outside_the_run_is_refused(snn, grid_images):
    with pytest.raises(SimulationError, match=r"t = 9 lies outside 1\.\.4"):
        simulate(snn, grid_images, num_steps=4, snapshots=[9])


def test_bad_images_are_refused(snn, grid_images):
    broken = grid_images.clone()
    broken[7, 0, 1, 1] = float("nan")

    with pytest.raises(DataError, match="Image 7 holds NaN"):
        simulate(snn, broken, num_steps=2, micro_batch=5)
    with pytest.raises(DataError, match="no image"):
        simulate(snn, grid_images[:0], num_steps=2)
    with pytest.raises(SimulationError, match="do not fit the network at conv1"):
        simulate(snn, torch.zeros(2, 3, 4, 4), num_steps=2)


def test_cancelling_leaves_no_state(snn, grid_images):
    def cancel(done, total, what):
        raise Cancelled

    with pytest.raises(Cancelled):
        simulate(snn, grid_images, num_steps=2, progress=cancel)
    assert all(neuron.mem is None for neuron in snn.sites.values())
    assert simulate(snn, grid_images, num_steps=2).images == 12


def test_violated_charge_balance_stops_with_the_site(monkeypatch, snn, grid_images):
    from snnlab.neurons import kernels

    genuine = kernels.fire

    def leaky(*arguments):
        spikes = genuine(*arguments)
        arguments[-3][:] = (0.5, 5e4)
        return spikes

    monkeypatch.setattr(kernels, "fire", leaky)
    for snapshots in ([], [2]):  # asked for or not: the identity is checked at T
        with pytest.raises(SimulationError, match=r"act1: charge balance is off by 0.5"):
            simulate(snn, grid_images, num_steps=2, snapshots=snapshots)


def test_overflow_is_named():
    network = nn.Sequential(nn.Linear(2, 2), QCFS(1.0, 4), nn.Linear(2, 2))
    with torch.no_grad():
        network[2].weight.fill_(3e38)
        network[0].weight.zero_()
        network[0].bias.fill_(1.0)
    with pytest.raises(SimulationError, match="not finite"):
        simulate(convert(network, "qcfs"), torch.ones(1, 2), num_steps=2)


class PassedOn(nn.Module):
    """A pre-activation block: the value before the site is needed again after it, behind modules that copy nothing."""

    def __init__(self, passing):
        super().__init__()
        self.conv1, self.act1 = nn.Conv2d(2, 4, 3, padding=1), QCFS(1.0, 4)
        self.conv2, self.passing, self.act2 = nn.Conv2d(4, 4, 3, padding=1), passing, QCFS(1.0, 4)
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        z = self.conv2(self.act1(self.conv1(x)))
        return self.fc((self.act2(self.passing(z)) + z).flatten(1))


@pytest.mark.parametrize("passing", [nn.Identity(), nn.Dropout(0.5)], ids=["identity", "dropout"])
def test_a_value_needed_twice_is_not_overwritten(passing, grid_images):
    network = on_grid(PassedOn(passing))
    snn = convert(network, "qcfs")
    logits, _ = simulate_literally(network, grid_images, 6)
    recording = simulate(snn, grid_images, num_steps=6)

    mean = logits.cumsum(0) / torch.arange(1, 7).reshape(-1, 1, 1)
    np.testing.assert_array_equal(recording.logits, mean.float().numpy())
    snn.train()  # dropout stays off in a simulation
    np.testing.assert_array_equal(simulate(snn, grid_images, num_steps=6).logits, recording.logits)


def test_an_observer_sees_what_every_site_emits(grid_network, grid_images):
    """Threshold x spikes of each micro-batch, in the order of sites and images; the step path emits the same."""
    snn = convert(grid_network, "qcfs")
    seen = {}
    simulate(
        snn, grid_images, num_steps=3, micro_batch=5,
        observe=lambda name, emitted, start: seen.setdefault(name, []).append((start, emitted.clone())),
    )  # fmt: skip
    assert list(seen) == list(snn.sites)
    snn.reset()
    stepped = []
    handle = snn.sites["act2"].register_forward_hook(lambda module, args, output: stepped.append(output.clone()))
    with torch.no_grad():
        snn(grid_images, num_steps=3)
    handle.remove()
    starts, parts = zip(*seen["act2"], strict=True)
    assert starts == (0, 5, 10)
    assert torch.equal(torch.cat(parts, dim=1), torch.stack(stepped))
