"""Each method against its formula, written out slowly; what it asks for; and what it is for."""

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import QCFS, ClippedReLU, switch_noise, with_noise
from snnlab.calibration.grid import least_squares_threshold
from snnlab.converters.apply import convert
from snnlab.converters.ecl import CANDIDATES
from snnlab.core.errors import Cancelled, ConversionError, DataError, RecipeError
from snnlab.neurons import GroupIntegrateFire, SignedIntegrateFire
from snnlab.simulation import load_snn, save_snn, simulate
from tests.conftest import Branched, on_grid
from tests.reference.literal import simulate_literally
from tests.reference.rivals import best_threshold, calibrate_literally

STEPS = 8


@pytest.fixture
def network():
    return on_grid(Branched(), seed=4)


def activations(network, images):
    """Site -> activation, by hooks."""
    kept = {}
    hooks = [
        network.get_submodule(name).register_forward_hook(lambda _, args, out, name=name: kept.__setitem__(name, out))
        for name in ("act1", "act2", "act3")
    ]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return kept


def test_opi_is_a_percentile_and_half_of_it(network, grid_images):
    snn = convert(network, "opi", data=grid_images, percentile=90.0)
    for name, activation in activations(network, grid_images).items():
        expected = torch.quantile(activation.double().flatten(), 0.9)
        assert float(snn.sites[name].threshold) == pytest.approx(float(expected), abs=1e-6)
        assert float(snn.sites[name].initial_fraction) == 0.5


@pytest.mark.parametrize(("reference", "steps"), [(0, STEPS), (32, 32)])
def test_opt_shift_adds_half_a_threshold_over_its_steps(network, grid_images, reference, steps):
    snn = convert(network, "opt_shift", data=grid_images, num_steps=STEPS, reference_steps=reference)
    for name, activation in activations(network, grid_images).items():
        neuron = snn.sites[name]
        assert float(neuron.threshold) == activation.max()
        assert float(neuron.added_current) == pytest.approx(float(activation.max()) / (2 * steps), abs=1e-6)
        assert neuron.initial_membrane == 0
        assert float(neuron.reference_membrane) == float(activation.max()) / 2


def test_the_shift_is_half_a_threshold_at_its_end_and_not_before(network, grid_images):
    """First site, constant input: at T the count is that of v(0) = threshold / 2, earlier it is smaller."""
    shifted = convert(network, "opt_shift", data=grid_images, num_steps=STEPS)
    half = convert(network, "max_norm", data=grid_images, initial_fraction=0.5)
    spikes = [
        simulate(snn, grid_images, num_steps=STEPS, snapshots=[2, STEPS]).sites["act1"].statistics.spikes
        for snn in (shifted, half)
    ]
    assert spikes[0][1] == spikes[1][1]
    assert spikes[0][0] < spikes[1][0]


@pytest.mark.parametrize("kind", ["rmp", "light", "potential"])
def test_sequential_calibrations_equal_the_whole_network_run_anew(network, grid_images, kind):
    method = "rmp" if kind == "rmp" else f"calibration_{kind}"
    parameters = {"scale": 0.7, "steps": STEPS} if kind == "rmp" else {}
    snn = convert(network, method, data=grid_images, num_steps=STEPS, **parameters)
    for name, (threshold, added, initial) in calibrate_literally(
        network, grid_images, STEPS, kind, scale=parameters.get("scale", 1.0)
    ).items():
        neuron = snn.sites[name]
        assert float(neuron.threshold) == pytest.approx(threshold, abs=1e-6)
        current = torch.zeros(()) if neuron.added_current is None else neuron.added_current.squeeze()
        torch.testing.assert_close(current.double(), torch.as_tensor(added).double().squeeze(), atol=1e-6, rtol=0)
        expected = torch.as_tensor(initial, dtype=torch.float64)
        assert (neuron.initial_membrane.double() - expected).abs().max() < 1e-5


def test_the_walk_takes_the_first_images_in_batches_and_leaves_noise_out(network, grid_images):
    many = torch.cat([grid_images, grid_images.flip(0), 0.5 * grid_images])
    few = convert(network, "calibration_light", data=many[:30], num_steps=4)
    same = convert(network, "calibration_light", data=many, num_steps=4, images=30)
    noisy = on_grid(Branched(), seed=4)
    for name in few.sites:
        noisy.set_submodule(name, with_noise(noisy.get_submodule(name), 0.5))
    quiet = convert(switch_noise(noisy, True), "calibration_light", data=many[:30], num_steps=4)
    for name, neuron in few.sites.items():
        for other in (same, quiet):
            assert torch.equal(neuron.added_fraction, other.sites[name].added_fraction)
    more = convert(network, "calibration_light", data=many, num_steps=4)
    assert not torch.equal(few.sites["act2"].added_fraction, more.sites["act2"].added_fraction)


def test_the_grid_search_finds_what_trying_each_finds():
    values = torch.rand(500, generator=torch.Generator().manual_seed(0)) ** 3
    for steps in (1, 2, 5, 32):
        assert least_squares_threshold(values.split(130), steps) == pytest.approx(best_threshold(values, steps))
    assert least_squares_threshold([torch.zeros(4)], 4) == 0


def test_snm_has_a_threshold_for_every_single_neuron(network, grid_images):
    snn = convert(network, "snm", data=grid_images)
    for name, activation in activations(network, grid_images).items():
        largest = activation.amax(0)
        neuron = snn.sites[name]
        expected = torch.where(largest > 0, largest, largest.max())
        assert isinstance(neuron, SignedIntegrateFire)
        assert torch.equal(neuron.threshold, expected)
        assert torch.equal(neuron.negative_threshold, -expected)
        assert neuron.initial_membrane.abs().max() == 0


def test_ecl_chooses_the_most_accurate_negative_threshold_and_tells(network, grid_images):
    """Labels are made those of one candidate, so the choice is known."""
    accuracies = []
    labels = None
    for fraction in CANDIDATES:
        snn = convert(network, "ecl", num_steps=STEPS, negative_fraction=fraction)
        assert snn.findings == {}
        predictions = simulate(snn, grid_images, num_steps=STEPS).predictions[-1]
        labels = predictions.astype(int) if fraction == -0.5 else labels
    for fraction in CANDIDATES:
        snn = convert(network, "ecl", num_steps=STEPS, negative_fraction=fraction)
        accuracies.append((simulate(snn, grid_images, num_steps=STEPS).predictions[-1] == labels).mean())
    chosen = convert(network, "ecl", num_steps=STEPS, validation=(grid_images, labels))
    found = chosen.findings["negative_fraction"]
    assert found["candidates"] == list(CANDIDATES)
    assert found["accuracy"] == accuracies
    assert found["chosen"] == CANDIDATES[int(np.argmax(accuracies))]
    assert (found["num_steps"], found["images"], found["split"]) == (STEPS, len(grid_images), "validation")
    for neuron in chosen.sites.values():
        assert float(neuron.negative_fraction) == pytest.approx(found["chosen"])
        assert float(neuron.initial_fraction) == 0.5


def test_ecl_needs_labels_only_to_choose(network, grid_images):
    with pytest.raises(ConversionError, match="ecl chooses on labelled validation images; pass validation="):
        convert(network, "ecl", num_steps=STEPS)
    with pytest.raises(ConversionError, match="ecl chooses on labelled"):
        convert(network, "ecl", num_steps=STEPS, validation=grid_images)
    with pytest.raises(RecipeError, match=r"negative_fraction = 0.25 lies outside \[-1.0, 0.0\]"):
        convert(network, "ecl", num_steps=STEPS, negative_fraction=0.25)


def test_a_group_of_m_on_constant_input_counts_as_m_times_the_steps(network, grid_images):
    """First site, T steps of m members: the count of m T steps of a single neuron."""
    group = convert(network, "group_neuron", members=4)
    single = convert(network, "qcfs")
    recordings = [
        simulate(snn, grid_images, num_steps=steps, snapshots=[steps]) for snn, steps in ((group, 2), (single, 8))
    ]
    spikes = [recording.sites["act1"].statistics.spikes[0] for recording in recordings]
    assert isinstance(group.sites["act1"], GroupIntegrateFire)
    assert group.sites["act1"].threshold * 4 == single.sites["act1"].threshold
    assert spikes[0] == spikes[1]


def test_one_member_is_qcfs(network, grid_images):
    recordings = [
        simulate(snn, grid_images, num_steps=STEPS, snapshots=[STEPS])
        for snn in (convert(network, "group_neuron", members=1), convert(network, "qcfs"))
    ]
    np.testing.assert_array_equal(recordings[0].logits, recordings[1].logits)
    np.testing.assert_array_equal(
        recordings[0].sites["act3"].statistics.histogram, recordings[1].sites["act3"].statistics.histogram
    )
    logits, _ = simulate_literally(network, grid_images, STEPS)
    np.testing.assert_array_equal(recordings[0].logits[-1], logits.mean(0).float().numpy())


@pytest.mark.parametrize("method", ["ecl", "group_neuron"])
def test_learned_thresholds_are_asked_for(method):
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    images = (torch.rand(4, 2), torch.zeros(4, dtype=int))
    with pytest.raises(ConversionError, match=rf"1 is a relu without a learned threshold, which {method} needs"):
        convert(network, method, num_steps=2, validation=images)
    clipped = nn.Sequential(nn.Linear(2, 2), ClippedReLU(1.0), nn.Linear(2, 2), QCFS(2.0, 4), nn.Linear(2, 2))
    assert len(convert(clipped, method, num_steps=2, validation=images).sites) == 2


@pytest.mark.parametrize("method", ["rmp", "calibration_light", "calibration_potential", "snm"])
def test_what_calibration_needs_is_said(method, network, grid_images):
    with pytest.raises(ConversionError, match=f"{method} needs calibration images; pass data="):
        convert(network, method, num_steps=4)
    broken = grid_images.clone()
    broken[3, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="Image 3 holds NaN"):
        convert(network, method, data=broken, num_steps=4)
    convert(network, method, data=grid_images[:1], num_steps=4)  # one image is little, and enough to run


def test_a_site_without_activation_on_the_calibration_images_is_named(network, grid_images):
    silent = on_grid(Branched(), seed=4)
    with torch.no_grad():
        silent.conv1.bias.fill_(-50.0)
    with pytest.raises(ConversionError, match=r"^act1: every activation is 0"):
        convert(silent, "calibration_light", data=grid_images, num_steps=4)
    with pytest.raises(ConversionError, match=r"num_steps is 0; calibration_light converts for at least 1"):
        convert(network, "calibration_light", data=grid_images, num_steps=0)


def test_a_calibration_can_be_cancelled(network, grid_images):
    def stop(done, total, what):
        if what == "sites calibrated":
            raise Cancelled

    with pytest.raises(Cancelled):
        convert(network, "calibration_light", data=grid_images, num_steps=4, progress=stop)


@pytest.mark.parametrize("method", ["calibration_light", "calibration_potential"])
def test_calibration_reduces_the_mean_error_of_every_site(method):
    """On the images of the calibration, digits: mean of ANN activation - SNN rate, site by site."""
    checkpoint = sl.example("digits-vgg-relu")
    ann, images = checkpoint.build(), checkpoint.data("calibration", limit=64)
    before = convert(ann, "max_norm", data=images)
    after = convert(ann, method, data=images, num_steps=4)
    gaps = [np.abs(sl.calibration.fit_noise(snn, ann, images, num_steps=4).mean) for snn in (before, after)]
    assert gaps[1].mean() < 0.3 * gaps[0].mean()


def test_signed_neurons_make_uneven_input_harmless():
    """On a digits network: more neurons fire as often as their charge pays for than with unsigned neurons."""
    checkpoint = sl.example("digits-resnet-qcfs-L4")
    ann, images = checkpoint.build(), checkpoint.data("dev", limit=60)
    right = []
    for method, parameters in (("qcfs", {}), ("ecl", {"negative_fraction": -1e-3})):
        recording = simulate(convert(ann, method, num_steps=8, **parameters), images, num_steps=8, snapshots=[8])
        frame = sl.analysis.residuals(recording).to_frame()
        right.append((frame["right"].mean(), frame["excess"].mean()))
    assert right[1][0] > right[0][0]
    assert right[1][1] < 0.5 * right[0][1]


def test_edits_by_hand_keep_the_kind_of_neuron(network, grid_images):
    snn = convert(network, "calibration_potential", data=grid_images, num_steps=4, sites={"act1": {"threshold": 3.0}})
    plain = convert(network, "calibration_potential", data=grid_images, num_steps=4)
    assert snn.sites["act1"].threshold == 3
    assert torch.equal(snn.sites["act1"].initial_fraction, plain.sites["act1"].initial_fraction)
    assert snn.converted_for == 4
    signed = convert(network, "ecl", num_steps=4, negative_fraction=-0.5, sites={"act2": {"v0": 0.25}})
    assert isinstance(signed.sites["act2"], SignedIntegrateFire)
    assert signed.sites["act2"].negative_fraction == -0.5


def test_files_of_the_first_format_are_still_read(tmp_path):
    import json

    import safetensors
    import safetensors.torch

    checkpoint = sl.example("digits-vgg-qcfs-L8")
    snn = convert(checkpoint.build(), "qcfs")
    save_snn(snn, tmp_path / "new.safetensors", checkpoint=checkpoint)
    with safetensors.safe_open(str(tmp_path / "new.safetensors"), framework="pt") as file:
        header = json.loads(file.metadata()["snnlab_snn"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header["format"] = 1
    header["fires_at_equality"] = dict.fromkeys(header.pop("neurons"), True)
    del header["converted_for"], header["findings"]
    safetensors.torch.save_file(tensors, tmp_path / "old.safetensors", {"snnlab_snn": json.dumps(header)})
    again = load_snn(tmp_path / "old.safetensors")
    images = checkpoint.data("dev", limit=5)
    np.testing.assert_array_equal(
        simulate(again, images, num_steps=3).logits, simulate(snn, images, num_steps=3).logits
    )
