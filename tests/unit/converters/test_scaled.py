"""LTB and alpha-beta scaling: against their formulas, written out slowly; read-out windows; what is refused."""

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import ClippedReLU
from snnlab.calibration.scaling import balanced_scales
from snnlab.converters.apply import convert
from snnlab.core.errors import Cancelled, ConversionError, DataError, RecipeError
from snnlab.neurons import IntegrateFire
from snnlab.simulation import load_snn, save_snn, simulate
from snnlab.simulation.read_out import mean_logits, window_start
from tests.conftest import Branched, on_grid
from tests.reference.scaled import ltb_literally, percentiles_literally, scales_literally, window_literally
from tests.reference.warm_up import Train, network_of, thresholds_of

STEPS = 8


@pytest.fixture
def network():
    return on_grid(Branched(), seed=4)


@pytest.mark.parametrize(("iterations", "batch"), [(1, 100), (7, 5), (25, 100)])
def test_ltb_thresholds_equal_the_literal_version(iterations, batch, network, grid_images):
    snn = convert(network, "ltb", data=grid_images, iterations=iterations, batch=batch)
    expected, delay = ltb_literally(network, grid_images, iterations, batch)
    for name, thresholds in expected.items():
        found = snn.sites[name].threshold.flatten().double()
        usable = torch.where(thresholds > 0, thresholds, thresholds.max())
        torch.testing.assert_close(found, usable, atol=1e-6, rtol=0)
        assert not snn.sites[name].fires_at_equality
    assert snn.read_out_delay == delay == snn.findings["read_out"]["delay"]


def test_more_iterations_raise_the_thresholds_up_to_where_the_source_clips(network, grid_images):
    few, many = (convert(network, "ltb", data=grid_images, iterations=n) for n in (2, 400))
    for name, own in thresholds_of(network).items():
        low, high = few.sites[name].threshold, many.sites[name].threshold
        assert (low <= high).all()
        assert high.max() <= own + 1e-6
        assert high.max() > 0.9 * own


@pytest.mark.parametrize("delay", [None, 0, 1, 3, 20])
def test_the_window_is_that_of_every_t(delay):
    logits = torch.randn(12, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = window_literally(logits, -4 if delay is None else delay) if delay else None
    if expected is None:  # every step
        expected = torch.stack([logits[:t].mean(0) for t in range(1, 13)])
        if delay == 0:
            assert [window_start(t, 0) for t in range(1, 7)] == [0] * 6
    torch.testing.assert_close(mean_logits(logits, delay), expected, atol=1e-12, rtol=0)


def test_single_neurons_are_not_replayed_where_they_fire_above_the_threshold_only(network, grid_images):
    """Replayed at ``>=``, a neuron at its threshold would fire once more than it did."""
    snn = convert(network, "ltb", data=grid_images, iterations=30)
    recording = simulate(snn, grid_images, num_steps=2, snapshots=[2], candidates="random")
    assert all(site.candidates is None for site in recording.sites.values())


def test_the_engine_reads_the_window(network, grid_images):
    snn = convert(network, "ltb", data=grid_images, iterations=30)
    assert snn.read_out_delay > 0
    recording = simulate(snn, grid_images, num_steps=STEPS)
    with torch.no_grad():
        logits = snn(grid_images, num_steps=STEPS)
    expected = window_literally(logits.double(), snn.read_out_delay)
    np.testing.assert_allclose(recording.logits, expected.numpy(), atol=1e-5)
    np.testing.assert_array_equal(recording.predictions, snn.read_out(logits).argmax(-1).numpy())
    edited = convert(network, "ltb", data=grid_images, iterations=30, sites={"act1": {"threshold": 2.0}})
    assert edited.read_out_delay == snn.read_out_delay


@pytest.mark.parametrize("steps", [1, 2, 5, 16])
@pytest.mark.parametrize("seed", range(3))
def test_scales_equal_the_literal_search(steps, seed):
    values = np.random.default_rng(seed).normal(0.2, 0.6, 4000)
    percentiles = percentiles_literally(values)
    alpha, beta, loss = balanced_scales(np.maximum(percentiles, 0), 0.9, steps)
    threshold, best = scales_literally(percentiles, 0.9, steps)
    assert (alpha * 0.9, beta) == (pytest.approx(threshold, abs=1e-9), best)
    assert abs(loss) < 0.1


@pytest.mark.parametrize("steps", [1, 4])
def test_alpha_beta_equals_the_literal_version(steps, network, grid_images):
    snn = convert(network, "alpha_beta", data=grid_images, num_steps=steps)
    kept = {}
    for name in thresholds_of(network):
        network.get_submodule(name).register_forward_hook(
            lambda _, args, out, name=name: kept.__setitem__(name, args[0].detach().double())
        )
    with torch.no_grad():
        network(grid_images)
    for name, own in thresholds_of(network).items():
        threshold, beta = scales_literally(percentiles_literally(kept[name]), own, steps)
        assert float(snn.sites[name].threshold) == pytest.approx(threshold, abs=1e-6)
        assert float(snn.sites[name].output_fraction) == pytest.approx(beta, abs=1e-6)
        row = next(row for row in snn.findings["scales"]["sites"] if row["site"] == name)
        assert (row["alpha"] * own, row["beta"]) == (pytest.approx(threshold, abs=1e-6), pytest.approx(beta))


class Scaled(Train):
    """Spikes worth another amount than the reset takes."""

    def __init__(self, threshold, start, beta):
        super().__init__(threshold, start)
        self.beta = beta

    def forward(self, current):
        return self.beta * super().forward(current)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "stepwise"])
def test_a_spike_may_be_worth_another_amount(fused, network, grid_images, monkeypatch):
    """Amplitudes 0.5 and 1.5 on the grid: spikes exactly, and residuals that the amplitude leaves alone."""
    snn = convert(network, "qcfs")
    betas = dict(zip(snn.sites, (0.5, 1.5, 1.0), strict=True))
    for name, neuron in snn.sites.items():
        neuron.output_fraction = torch.tensor(betas[name])
    neurons = {name: Scaled(theta, theta / 2, betas[name]) for name, theta in thresholds_of(network).items()}
    literal = network_of(network, neurons)
    with torch.no_grad():
        logits = torch.stack([literal(grid_images.double()) for _ in range(STEPS)])
        assert torch.equal(snn(grid_images, num_steps=STEPS), logits.float())
    emitted = {}
    recording = simulate(
        snn, grid_images, num_steps=STEPS, snapshots=[STEPS], fused=fused, micro_batch=len(grid_images),
        observe=lambda name, out, start: emitted.__setitem__(name, out.clone()),
    )  # fmt: skip
    np.testing.assert_array_equal(recording.logits[-1], logits.mean(0).float().numpy())
    for name, neuron in neurons.items():
        assert recording.sites[name].total_spikes == sum(neuron.spikes).sum()
        assert torch.equal(emitted[name], betas[name] * neuron.threshold * torch.stack(neuron.spikes).float())
        assert recording.sites[name].statistics.moments[0, :, 0].sum() == pytest.approx(
            float((neuron.v / neuron.threshold).sum()), abs=1e-4
        )


def test_the_gap_counts_what_spikes_are_worth(network, grid_images):
    snn = convert(network, "alpha_beta", data=grid_images, num_steps=STEPS)
    emitted, kept = {}, {}
    simulate(
        snn, grid_images, num_steps=STEPS, micro_batch=len(grid_images),
        observe=lambda name, out, start: emitted.__setitem__(name, out.double().mean(0)),
    )  # fmt: skip
    profile = sl.calibration.fit_noise(snn, network, grid_images, num_steps=STEPS)
    for name in snn.sites:
        network.get_submodule(name).register_forward_hook(
            lambda _, args, out, name=name: kept.__setitem__(name, out.detach().double())
        )
    with torch.no_grad():
        network(grid_images)
    for index, name in enumerate(snn.sites):
        assert profile.std[index] == pytest.approx(float((kept[name] - emitted[name]).std()), rel=1e-4)


def test_amplitude_and_delay_survive_a_file(tmp_path):
    checkpoint = sl.example("digits-vgg-qcfs-L8")
    images, fit = checkpoint.data("dev", limit=8), checkpoint.data("calibration", limit=16)
    for method, parameters in (("alpha_beta", {}), ("ltb", {"iterations": 5})):
        snn = convert(checkpoint.build(), method, data=fit, num_steps=12, **parameters)
        save_snn(snn, tmp_path / "snn.safetensors", checkpoint=checkpoint)
        again = load_snn(tmp_path / "snn.safetensors")
        one, two = (simulate(model, images, num_steps=12).logits for model in (snn, again))
        np.testing.assert_array_equal(one, two)
        assert again.read_out_delay == snn.read_out_delay


@pytest.mark.parametrize("method", ["ltb", "alpha_beta"])
def test_what_is_refused(method, network, grid_images):
    quick = {"iterations": 3} if method == "ltb" else {}
    with pytest.raises(ConversionError, match=f"{method} needs calibration images; pass data="):
        convert(network, method, num_steps=4, **quick)
    broken = grid_images.clone()
    broken[3, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="Image 3 holds NaN"):
        convert(network, method, data=broken, num_steps=4, **quick)
    assert convert(network, method, data=grid_images[:1], num_steps=4, **quick).sites  # one image is little, but runs

    def stop(done, total, what):
        if what in ("iterations of the thresholds", "sites calibrated"):
            raise Cancelled

    with pytest.raises(Cancelled):
        convert(network, method, data=grid_images, num_steps=4, progress=stop, **quick)


def test_what_else_is_refused(network, grid_images):
    with pytest.raises(ConversionError, match="alpha_beta converts for one number of time-steps; pass num_steps=T"):
        convert(network, "alpha_beta", data=grid_images)
    relu = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        for parameter in relu.parameters():
            parameter.fill_(1.0)
    with pytest.raises(ConversionError, match="1 is a relu without a learned threshold, which alpha_beta needs"):
        convert(relu, "alpha_beta", data=torch.rand(4, 2), num_steps=2)
    assert convert(relu, "ltb", data=torch.rand(4, 2) + 1, iterations=3).sites
    hot = nn.Sequential(nn.Linear(1, 1), ClippedReLU(1.0), nn.Linear(1, 1))
    with torch.no_grad():
        hot[0].weight.fill_(0.0)
        hot[0].bias.fill_(5.0)
    with pytest.raises(ConversionError, match="1: no percentile of its input lies between 0 and the threshold 1 on"):
        convert(hot, "alpha_beta", data=torch.rand(4, 1), num_steps=2)
    with pytest.raises(RecipeError, match=r"iterations = 0 lies outside \[1, 100000\]"):
        convert(network, "ltb", data=grid_images, iterations=0)
    with pytest.raises(ConversionError, match="A spike is worth 0 or more; found -1 x threshold"):
        IntegrateFire(1.0, output_fraction=-1.0)
