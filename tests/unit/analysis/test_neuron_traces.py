"""Single neurons of every kind: replayed from their input they fire as the simulation counted."""

import itertools

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.converters.apply import convert
from snnlab.core.errors import SimulationError
from snnlab.neurons import SignedIntegrateFire
from snnlab.neurons.functional import group_step, if_step, signed_if_step
from snnlab.simulation import simulate
from tests.conftest import Branched, on_grid

STEPS = tuple(range(1, 7))
KINDS = {
    "qcfs": ("qcfs", {}),
    "snm": ("snm", {}),
    "ecl": ("ecl", {"negative_fraction": -0.25}),
    "fast_snn": ("fast_snn", {}),
    "group": ("group_neuron", {"members": 4}),
}


@pytest.fixture
def network():
    return on_grid(Branched(), seed=4)


def converted(network, images, kind):
    method, parameters = KINDS[kind]
    return convert(network, method, data=images, num_steps=len(STEPS), **parameters)


def simulated(snn, images, steps=STEPS):
    """Recording with every neuron's input, and site -> spikes up to each step, (steps, images x neurons)."""
    names = [site.name for site in snn.site_facts]
    counts = {}

    def observe(name, states, start):
        part = states.spikes.reshape(*states.spikes.shape[:2], -1)
        counts.setdefault(name, []).append((start, part.copy()))

    shapes = {name: site.site.shape for name, site in simulate(snn, images[:1], num_steps=1).sites.items()}
    pairs = {name: list(itertools.product(range(len(images)), range(int(np.prod(shapes[name]))))) for name in names}
    candidates = {name: tuple(np.array(each).T) for name, each in pairs.items()}
    recording = simulate(
        snn, images, num_steps=steps[-1], snapshots=steps, candidates=candidates, states_at=steps,
        observe_states=observe,
    )  # fmt: skip
    merged = {
        name: np.concatenate([part for _, part in sorted(parts, key=lambda each: each[0])], axis=1)
        for name, parts in counts.items()
    }
    return recording, {name: part.reshape(len(steps), -1) for name, part in merged.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_replayed_spikes_are_those_that_the_simulation_counted(network, grid_images, kind):
    recording, counts = simulated(converted(network, grid_images, kind), grid_images)
    several, negative = 0, 0
    for name, site in recording.sites.items():
        kept = site.candidates
        spikes = sl.analysis.replay(kept.currents, kept.initial, negative=kept.negative, most=kept.most).spikes
        np.testing.assert_array_equal(spikes.cumsum(axis=1).T, counts[name])
        assert np.abs(spikes).sum() == site.total_spikes
        several, negative = several + (spikes > 1).sum(), negative + (spikes < 0).sum()
    assert (several > 0) == (kind == "group")
    assert (negative > 0) == (kind in ("snm", "ecl", "fast_snn"))


def test_off_the_grid_rounding_moves_hardly_a_neuron():
    """Inputs over the threshold in float32: where a potential meets the threshold, a replay may round otherwise."""
    checkpoint = sl.example("digits-vgg-qcfs-L8")
    images = checkpoint.data("dev", limit=4).batch(0, 4)
    for method, parameters in (("ecl", {"negative_fraction": -1e-3, "num_steps": 6}), ("group_neuron", {"members": 4})):
        recording, counts = simulated(convert(checkpoint.build(), method, **parameters), images)
        wrong = total = 0
        for name, site in recording.sites.items():
            kept = site.candidates
            spikes = sl.analysis.replay(kept.currents, kept.initial, negative=kept.negative, most=kept.most).spikes
            wrong += (counts[name] != spikes.cumsum(axis=1).T).any(axis=0).sum()
            total += len(spikes)
        assert total > 5_000
        assert wrong <= 1e-3 * total


@pytest.mark.parametrize("strict", [False, True])
def test_a_replay_is_the_neurons_own_equations(strict):
    generator = torch.Generator().manual_seed(3)
    currents = torch.randint(-12, 16, (10, 200), generator=generator) / 8
    one, negative = torch.ones(200), torch.zeros(200) if strict else torch.full((200,), -0.5)
    lowest = np.nextafter(np.float32(0), np.float32(-1)) if strict else -0.5
    ways = {
        "plain": (lambda v, i, n: if_step(v, i, one), {}),
        "signed": (
            lambda v, i, n: signed_if_step(v, i, n, one, negative, negative_at_equality=not strict),
            {"negative": lowest},
        ),
        "group": (lambda v, i, n: group_step(v, i, one, 3), {"most": 3}),
    }
    for step, law in ways.values():
        membrane, count, spikes, after = 0.5 * one, 0 * one, [], []
        for current in currents:
            fired, membrane = step(membrane, current, count)
            count = count + fired
            spikes.append(fired)
            after.append(membrane)
        found = sl.analysis.replay(currents.T.numpy(), np.full(200, 0.5, np.float32), **law)
        np.testing.assert_array_equal(found.spikes.T, torch.stack(spikes).numpy())
        np.testing.assert_array_equal(found.after.T, torch.stack(after).numpy())
        np.testing.assert_array_equal(found.before, found.after + found.spikes)


@pytest.mark.parametrize("kind", KINDS)
def test_traces_illustrate_the_class_that_was_counted(network, grid_images, kind):
    snn = converted(network, grid_images, kind)
    recording, counts = simulated(snn, grid_images)
    found, names = sl.analysis.traces(recording, per_class=2), list(recording.sites)
    residuals = sl.analysis.residuals(recording)
    shown = set()
    for site, snapshot, kind_of, row in found.members:
        step, run = recording.snapshots[snapshot], found.replay(row)
        neurons = int(np.prod(recording.sites[names[site]].site.shape))
        counted = counts[names[site]][snapshot, found.image[row] * neurons + found.position[row]]
        assert run.spikes[:step].sum() == counted
        possible = found.most[row] * step
        charge = found.initial[row] + found.currents[row, :step].sum(dtype=float)
        if abs(charge - round(charge)) < 1e-5:
            charge = round(charge)  # at a level's edge but for rounding
        ideal = np.clip(np.floor(charge), 0, possible)
        right = 0 if counted == 0 else 4 if counted == possible else 1
        assert kind_of == (2 if counted > ideal else 3 if counted < ideal else right)
        shown.add((site, snapshot, kind_of))
    assert shown == {tuple(cell) for cell in np.argwhere(residuals.class_counts > 0)}


@pytest.mark.parametrize("kind", KINDS)
def test_one_neuron_by_name_is_replayed_too(network, grid_images, kind):
    snn = converted(network, grid_images, kind)
    _, counts = simulated(snn, grid_images)
    trace = sl.analysis.trace_neuron(snn, grid_images, site="act2", image=3, position=17, num_steps=len(STEPS))
    neurons = counts["act2"].shape[1] // len(grid_images)
    assert trace.replay(0).spikes.cumsum().tolist() == counts["act2"][:, 3 * neurons + 17].tolist()
    again = sl.analysis.Report.from_payload(*trace.payload())
    np.testing.assert_array_equal(again.negative, trace.negative)


def test_traces_of_older_runs_are_of_plain_neurons():
    values = {"currents": np.ones((2, 3), np.float32), "site": np.zeros(2, int), "image": np.zeros(2, int)}
    values |= {"position": np.zeros(2, int), "initial": np.zeros(2, np.float32), "members": np.zeros((0, 4), np.int32)}
    old = sl.analysis.Report.from_payload({"kind": "neuron_traces"}, values)
    assert old.replay(1).spikes.tolist() == [1, 1, 1]
    assert (old.negative.tolist(), old.most.tolist()) == ([-np.inf] * 2, [1, 1])


def test_neurons_that_more_than_their_input_decides_are_not_kept(network, grid_images):
    for method in ("srp", "cos", "opt_shift"):
        data = {"data": grid_images, "num_steps": 4} if method == "opt_shift" else {}
        snn = convert(network, method, **data)
        recording = simulate(snn, grid_images, num_steps=4, snapshots=[4], candidates="random")
        traces = sl.analysis.traces(recording)
        assert traces.currents.shape == (0, 4)
        assert len(traces.to_frame()) == 0
        with pytest.raises(SimulationError, match=f"act1 has neurons of {method}, whose spikes do not follow from"):
            sl.analysis.trace_neuron(snn, grid_images, site="act1", image=0, position=0, num_steps=4)
    assert not SignedIntegrateFire(1.0, gated=False).is_replayable
