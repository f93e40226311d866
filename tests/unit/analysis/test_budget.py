"""The error budget against its literal version; its checks, seen to fail; what converters do to the target."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

import snnlab as sl
import snnlab.analysis.budget as module
from snnlab.analysis.budget import error_budget, in_memory_order, target_of
from snnlab.analysis.budget_terms import BudgetStatistics, collect, ideal_counts
from snnlab.analysis.reports import ErrorBudget, Report
from snnlab.analysis.reports.budget import QUANTITIES, SIZED, TERMS
from snnlab.calibration.beside import AnnBeside
from snnlab.core.errors import ConversionError, SimulationError, SnnlabError
from snnlab.core.histogram import CLASSES, K_LIMIT
from snnlab.neurons import GroupIntegrateFire, IntegrateFire
from snnlab.neurons.kernels import States
from snnlab.simulation import simulate
from snnlab.simulation.images import as_images
from tests.conftest import on_grid
from tests.reference.budget import budget_literally

STEPS = (1, 3, 8)
BUNDLED = {
    "digits-resnet-qcfs-L4": "qcfs",
    "digits-vgg-qcfs-L8": "qcfs",
    "digits-vgg-relu": "percentile_norm",
}


@pytest.fixture
def converted(grid_network):
    return sl.convert(grid_network, "qcfs")


@pytest.mark.parametrize("micro_batch", [1, 5, 12])
def test_equals_the_literal_budget_for_any_batch(grid_network, grid_images, converted, micro_batch):
    report = error_budget(
        converted, grid_network, grid_images, num_steps=STEPS[-1], snapshots=STEPS, micro_batch=micro_batch
    )

    assert report.steps == STEPS
    for j, step in enumerate(STEPS):
        for i, (name, elements) in enumerate(budget_literally(grid_network, grid_images, step).items()):
            assert report.names[i] == name
            for q, quantity in enumerate(QUANTITIES):
                values = np.array([element[quantity] for element in elements])
                assert report.mean[i, j, q] == pytest.approx(values.mean(), abs=1e-12)
                if quantity in SIZED:
                    assert report.mean_absolute[i, j, q] == pytest.approx(np.abs(values).mean(), abs=1e-12)
                    assert report.mean_square[i, j, q] == pytest.approx((values**2).mean(), abs=1e-12)
                by_image = values.reshape(len(grid_images), -1).mean(axis=1)
                assert report.image_std[i, j, q] == pytest.approx(by_image.std(ddof=1), abs=1e-9)
            names = [element["class"] for element in elements]
            assert report.classes[i, j].tolist() == [names.count(kind) for kind in CLASSES]
            k = [element["k"] for element in elements]
            assert report.spike_errors[i, j].tolist() == [k.count(value) for value in range(-K_LIMIT, K_LIMIT + 1)]
            # uneven is counted from spikes in one place, from potentials in the other
            assert all(element["uneven"] == element["left"] for element in elements)


def test_channels_add_up_to_their_site(grid_network, grid_images, converted):
    report = error_budget(converted, grid_network, grid_images, num_steps=3)

    for name in report.names:
        frame = report.channel_frame(name, 3)
        for term in (*TERMS, "own", "resolution", "total"):
            whole = report.values(term, 3)[report.site(name)]
            assert frame[term].mean() == pytest.approx(whole, abs=1e-6)
    literal = budget_literally(grid_network, grid_images, 3)["act1"]
    first = [element["uneven"] for at, element in enumerate(literal) if at // 16 % 4 == 1]
    assert report.channel_frame("act1", 3)["uneven"][1] == pytest.approx(np.mean(first), abs=1e-6)


def test_merging_in_any_order_gives_the_same(grid_network, grid_images, converted):
    parts = [_statistics(converted, grid_network, grid_images[start : start + 4]) for start in (0, 4, 8)]
    whole = _statistics(converted, grid_network, grid_images)

    for order in itertools.permutations(parts):
        for name, expected in whole.items():
            merged = BudgetStatistics.empty(len(STEPS), expected.sums.shape[-1])
            for part in order:
                merged.merge(part[name])
            np.testing.assert_allclose(merged.sums, expected.sums, rtol=1e-12, atol=1e-12)
            np.testing.assert_array_equal(merged.classes, expected.classes)
            np.testing.assert_array_equal(merged.spike_errors, expected.spike_errors)
            np.testing.assert_array_equal(merged.worst, expected.worst)
            np.testing.assert_allclose(merged.image_std(), expected.image_std(), atol=1e-9)


def test_means_add_and_magnitudes_do_not(ann, few):
    report = error_budget(sl.convert(ann, "qcfs"), ann, few, num_steps=4)
    means = sum(report.values(term, 4) for term in TERMS)
    sizes = sum(report.values(term, 4, of="mean_absolute") for term in TERMS)

    np.testing.assert_allclose(means, report.values("total", 4), atol=1e-12)
    np.testing.assert_allclose(means, report.values("total_direct", 4), atol=1e-12)
    np.testing.assert_allclose(report.values("own", 4) + report.values("inherited", 4), means, atol=1e-12)
    assert (sizes[1:] > 1.5 * report.values("total", 4, of="mean_absolute")[1:]).all()


def test_total_is_the_gap_of_the_noise_page_with_its_sign_turned(ann, few):
    snn = sl.convert(ann, "qcfs")
    profile = sl.calibration.fit_noise(snn, ann, few, num_steps=2)

    np.testing.assert_allclose(error_budget(snn, ann, few, num_steps=2).values("total", 2), -profile.mean, atol=1e-9)


def test_at_t_equal_to_the_levels_nothing_is_lost_by_resolution(ann, few):
    report = error_budget(sl.convert(ann, "qcfs"), ann, few, num_steps=8)

    assert np.abs(report.values("resolution", 8, of="mean_absolute")).max() < 1e-9
    assert np.abs(report.values("own", 8, of="mean_absolute")).max() < 1e-9
    assert (report.values("quantization", 8, of="mean_absolute") > 1e-3).all()  # opposite to the activation's
    first = report.mean[0, 0]
    assert np.abs(first[: len(TERMS)][[0, 4]]).max() == 0  # constant input: no unevenness, nothing inherited
    assert first[QUANTITIES.index("input_variance")] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("name", "method"), BUNDLED.items())
def test_checks_hold_on_every_bundled_network(name, method):
    checkpoint = sl.example(name)
    ann, images = checkpoint.build(), checkpoint.data("dev", limit=8)
    snn = sl.convert(ann, method, data=checkpoint.data("calibration", limit=64))
    report = error_budget(snn, ann, images, num_steps=32, snapshots=(1, 2, 4, 8))

    assert report.sum_ratio.max() < 1
    assert report.ideal_ratio.max() < 1
    assert report.largest_sum_error < 1e-6
    assert (report.classes.sum(axis=-1) == 8 * np.array([[np.prod(shape)] for shape in report.shapes])).all()


@pytest.mark.parametrize("name", ["base", "control", "nq"])
def test_checks_hold_on_the_bundled_cifar_networks(name):
    """They hold on any image, so noise will do where the data set is not there."""
    checkpoint = sl.example(f"cifar10-resnet20-{'qcfs' if name == 'base' else name}-L4")
    ann, images = checkpoint.build(), torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    report = error_budget(sl.convert(ann, "qcfs"), ann, images, num_steps=32, snapshots=(1, 2, 4, 8))

    assert report.sum_ratio.max() < 1
    assert report.ideal_ratio.max() < 1
    assert len(report.names) == 19


@pytest.mark.parametrize("file", ["resnet20-12fca82f.th", "resnet56-4bfd9763.th"])
def test_checks_hold_on_real_checkpoints(real_data, file):
    checkpoint = sl.load_checkpoint(real_data / "checkpoints" / "akamaster_relu_cifar10" / file)
    places = {"dataset": "cifar10", "folder": str(real_data), "normalize": "imagenet"}
    ann, images = checkpoint.build(), checkpoint.data("dev", limit=2, **places)
    snn = sl.convert(ann, "percentile_norm", data=checkpoint.data("calibration", limit=8, **places))
    report = error_budget(snn, ann, images, num_steps=32, snapshots=(1, 2, 4, 8))

    assert report.sum_ratio.max() < 1
    assert report.ideal_ratio.max() < 1
    assert len(report.names) == (19 if "20" in Path(file).name[:8] else 55)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("opt_shift", {}),
        ("srp", {}),
        ("cos", {}),
        ("group_neuron", {}),
        ("snm", {}),
        ("fast_snn", {}),
        ("alpha_beta", {}),
        ("calibration_weights", {"iterations": 2, "images": 32}),
        ("ecl", {}),
        ("calibration_potential", {}),
        ("calibration_light", {}),
    ],
)
def test_what_a_method_does_to_reach_its_target_does_not_move_it(checkpoint, ann, few, method, parameters):
    fit = checkpoint.data("calibration", limit=64)
    snn = sl.convert(
        ann, method, data=fit, validation=checkpoint.data("validation", limit=32), num_steps=8, **parameters
    )
    report = error_budget(snn, ann, few, num_steps=8)
    recording = simulate(snn, few, num_steps=8, snapshots=[8], membrane_dtype=torch.float64)

    for i, name in enumerate(report.names):
        # The classes that the kernel counts by itself, from the potential without the correction.
        kernel = recording.sites[name].statistics
        assert report.classes[i, 0].tolist() == kernel.histogram[0].sum(axis=1).tolist()
        assert report.spike_errors[i, 0].tolist() == kernel.spike_errors[0].tolist()
    assert report.sum_ratio.max() < 1
    assert report.ideal_ratio.max() < 1


def test_added_current_counts_as_correction_not_as_input(grid_images):
    """One layer by hand: v(0) = 0 as nominal, 1/8 threshold added at every step."""
    neuron = IntegrateFire(1.0, initial_fraction=0.25, added_fraction=0.125, reference_fraction=0.0)
    target = target_of(neuron, (2,))
    currents = np.array([[0.25, -0.5], [0.5, 0.75], [0.5, 1.5]])  # (T, neurons)
    v, spikes = np.full(2, 0.25), np.zeros(2)
    for current in currents:
        v = v + current + 0.125
        fired = v >= 1
        spikes, v = spikes + fired, v - fired
    correction = 0.25 + 3 * 0.125
    pure = currents.sum(axis=0)
    states = States(
        spikes[None, None].astype(np.int32), (v - correction)[None, None], (pure + 0.375)[None, None],
        ((currents + 0.125) ** 2).sum(axis=0)[None, None], np.full((1, 1, 2), 4.0),
    )  # fmt: skip
    ideal = ideal_counts(states.spikes[0], states.residual[0], target, 3)

    np.testing.assert_array_equal(ideal[0], np.clip(np.floor(pure), 0, 3))
    np.testing.assert_array_equal(target.added, [0.125, 0.125])
    z = (pure / 3)[None, None]
    found = collect(states, ideal[None], z, np.maximum(z, 0), z[0], np.maximum(z[0], 0), target, steps=(3,), channels=2)
    assert found.worst[0, [1, 3]].max() < 1
    assert found.moments()[0, 0, QUANTITIES.index("uneven")] == pytest.approx(np.mean(spikes - ideal[0]) / 3)


def test_a_group_clips_at_what_all_its_members_emit():
    """One step of four members by hand: within their reach, above it, below 0."""
    neuron = GroupIntegrateFire(0.25, members=4, initial_fraction=0.5)
    z = np.array([0.65, 1.4, -0.5])
    v, fired = 0.125 + z, np.array([3, 4, 0])
    states = States(
        fired[None, None].astype(np.int32), (v - 0.25 * fired)[None, None], z[None, None], (z**2)[None, None],
        np.abs(v)[None, None],
    )  # fmt: skip
    target, positive = target_of(neuron, (3,)), np.maximum(z, 0)
    ideal = ideal_counts(states.spikes[0], states.residual[0], target, 1)
    found = collect(
        states, ideal[None], z[None, None], positive[None, None], z[None], positive[None], target, steps=(1,),
        channels=3,
    )  # fmt: skip
    mean = dict(zip(QUANTITIES, found.sums[0], strict=True))

    np.testing.assert_array_equal(ideal[0], fired)
    np.testing.assert_allclose(mean["clipping"], [0, -0.4, 0], atol=1e-12)
    np.testing.assert_allclose(mean["quantization"], [0.1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("part", ["charge", "residual", "spikes"])
def test_a_corrupted_state_is_caught(ann, few, monkeypatch, part):
    def corrupt(states):
        changed = getattr(states, part).copy()
        changed.flat[7] += 1 if part == "spikes" else 0.01
        return states._replace(**{part: changed})

    measured = module._measured
    monkeypatch.setattr(module, "_measured", lambda states, *others: measured(corrupt(states), *others))
    with pytest.raises(SimulationError, match=r"act1: at t = 4 the terms of the error budget miss"):
        error_budget(sl.convert(ann, "qcfs"), ann, few, num_steps=4)


@pytest.mark.parametrize("by", [1, -1, 100])
def test_a_corrupted_ideal_count_is_caught(ann, few, monkeypatch, by):
    genuine = module.ideal_counts

    def corrupt(*arguments):
        found = genuine(*arguments)
        found.flat[int(np.argmax(found == 2))] += by
        return found

    monkeypatch.setattr(module, "ideal_counts", corrupt)
    with pytest.raises(SimulationError, match="an ideal spike count leaves"):
        error_budget(sl.convert(ann, "qcfs"), ann, few, num_steps=4)


def test_a_corrupted_activation_departs_from_the_literal_budget(grid_network, grid_images, converted):
    """The sum cannot see it: h is only pinned by the reference."""
    other = on_grid(type(grid_network)())
    with torch.no_grad():
        other.load_state_dict(grid_network.state_dict())
        other.act2.threshold.mul_(1.5)
    report = error_budget(converted, other, grid_images, num_steps=3)
    literal = np.mean([element["activation"] for element in budget_literally(grid_network, grid_images, 3)["act2"]])

    assert report.sum_ratio.max() < 1
    assert abs(report.values("activation", 3)[1] - literal) > 1e-3


def test_silent_sites_constant_images_and_one_image(ann):
    first = next(iter(sl.convert(ann, "qcfs").sites))
    silent = sl.convert(ann, "qcfs", sites={first: {"threshold": 1e6, "v0": 0.0}})
    one = torch.full((1, 1, 8, 8), 0.5)
    report = error_budget(silent, ann, one, num_steps=2)

    assert report.shares(2)[0].tolist() == [1, 0, 0, 0, 0]
    assert np.isnan(report.image_std).all()
    assert report.sum_ratio.max() < 1
    assert np.isfinite(report.to_frame()["total"]).all()


def test_report_survives_transport_and_names_what_is_missing(ann, few):
    report = error_budget(sl.convert(ann, "qcfs"), ann, few, num_steps=2)
    values, arrays = report.payload()
    again = Report.from_payload(values, arrays)

    assert isinstance(again, ErrorBudget)
    assert again.to_frame().equals(report.to_frame())
    low, high = report.interval("total", 2)
    assert (low[1:] < report.values("total", 2)[1:]).all()
    assert (high[1:] > report.values("total", 2)[1:]).all()
    with pytest.raises(SnnlabError, match="No budget was made at t = 3; there are t = 2"):
        report.snapshot(3)
    with pytest.raises(SnnlabError, match="There is no site 'nowhere'"):
        report.site("nowhere")


def test_another_network_is_refused(ann, few, resnet):
    with pytest.raises(ConversionError, match="pass the network that the SNN was converted from"):
        error_budget(sl.convert(ann, "qcfs"), resnet, few, num_steps=2)


def _statistics(snn, ann, images):
    """Site -> statistics, by the parts that ``budget_of`` is made of."""
    source = as_images(images)
    beside, found = AnnBeside(ann, snn, source, torch.float32), {}

    def observe(name, states, start):
        z, activation = beside.at(name, start, start + states.spikes.shape[1])
        shape = states.spikes.shape[2:]
        flat = States(*(in_memory_order(part, 2) for part in states))
        found[name] = module._measured(
            flat, z, activation, beside.activations[name], target_of(snn.sites[name], shape), STEPS, shape
        )

    simulate(snn, source, num_steps=STEPS[-1], states_at=STEPS, membrane_dtype=torch.float64,
             micro_batch=len(images), observe_states=observe)  # fmt: skip
    return found
