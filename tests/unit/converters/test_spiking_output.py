"""The last layer spikes too, and what is said where a conversion leaves the ANN for its own reasons."""

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.converters.apply import convert
from snnlab.core.errors import ConversionError, RecipeError
from snnlab.core.recipe import Recipe
from snnlab.graph.prepare import OUTPUT_SITE
from snnlab.neurons import IntegrateFire, SignedIntegrateFire
from snnlab.runs.execute import analyse
from snnlab.simulation import simulate
from tests.conftest import Branched, on_grid
from tests.reference.rivals import LiteralNeuron, signed_train

STEPS = 8


@pytest.fixture
def network():
    return on_grid(Branched(), seed=4)


def test_the_shifted_output_fires_as_its_equations_say(network, grid_images):
    """opt_shift, all neurons literal: counts of the output, and the prediction read from them."""
    snn = convert(network, "opt_shift", data=grid_images, num_steps=STEPS)
    logits = network(grid_images).detach()
    neuron = snn.sites[OUTPUT_SITE]
    assert type(neuron) is IntegrateFire
    assert float(neuron.threshold) == logits.max()
    literal = on_grid(Branched(), seed=4).double()
    for name in ("act1", "act2", "act3"):
        theta = float(snn.sites[name].threshold)
        literal.set_submodule(name, LiteralNeuron(theta, theta / (2 * STEPS)))
    last = LiteralNeuron(float(neuron.threshold), float(neuron.threshold) / (2 * STEPS))
    with torch.no_grad():
        emitted = torch.stack([last(literal(grid_images.double())) for _ in range(STEPS)])
    recording = simulate(snn, grid_images, num_steps=STEPS, snapshots=[STEPS])
    np.testing.assert_allclose(recording.logits[-1], emitted.mean(0).numpy(), atol=1e-6)
    counts = (emitted / last.threshold).sum(0)
    np.testing.assert_array_equal(recording.predictions[-1], counts.argmax(1).numpy())  # of equal ones the first
    assert recording.sites[OUTPUT_SITE].statistics.identity[1] <= 1
    assert recording.sites[OUTPUT_SITE].statistics.spikes[0] == counts.sum()


def test_the_signed_output_takes_spikes_back(grid_images):
    """snm: one threshold a class; every train of the output is the literal one."""
    network = on_grid(Branched(), seed=3)
    snn = convert(network, "snm", data=grid_images)
    plain = convert(network, "snm", data=grid_images, output_layer="logits")
    assert OUTPUT_SITE not in plain.sites
    largest = network(grid_images).detach().amax(0)
    expected = torch.where(largest > 0, largest, largest.max())
    neuron = snn.sites[OUTPUT_SITE]
    assert isinstance(neuron, SignedIntegrateFire)
    assert torch.equal(neuron.threshold, expected)
    with torch.no_grad():
        spikes, currents = snn(grid_images, num_steps=STEPS), plain(grid_images, num_steps=STEPS)
    for image in range(len(grid_images)):
        for label, theta in enumerate(expected.tolist()):
            train = currents[:, image, label].tolist()
            literal, _ = signed_train(train, theta, -theta, 0.0, "wang2022")
            assert [round(s / theta) for s in spikes[:, image, label].tolist()] == literal
    assert (spikes < 0).any()


@pytest.mark.parametrize("method", ["snm", "opt_shift"])
def test_many_steps_give_the_ann_back(method, network, grid_images):
    """Where the logits are positive, threshold x count / T tends to them."""
    snn = convert(network, method, data=grid_images, num_steps=2048)
    logits = network(grid_images).detach().numpy()
    # The source is quantized: compare with the spiking network whose output is read as it is.
    reference = convert(network, method, data=grid_images, num_steps=2048, output_layer="logits")
    means = [simulate(one, grid_images, num_steps=2048).logits[-1] for one in (snn, reference)]
    high = snn.sites[OUTPUT_SITE].threshold.numpy()
    np.testing.assert_allclose(means[0], np.clip(means[1], 0, high), atol=0.02 * np.abs(logits).max())


def test_a_site_of_that_name_does_not_stand_in_the_way(grid_images):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act, self.spiking_output = nn.Linear(32, 4), nn.ReLU(), nn.Linear(4, 3)

        def forward(self, x):
            return self.spiking_output(self.act(self.first(x.flatten(1))))

    network = Named()
    with torch.no_grad():
        network.spiking_output.bias.fill_(100.0)  # whatever the weights are, an output is above 0
    snn = convert(network, "snm", data=grid_images)
    assert list(snn.sites) == ["act", "spiking_output_"]


def test_an_output_below_0_on_every_image_is_named(grid_images):
    network = on_grid(Branched(), seed=4)
    with torch.no_grad():
        network.fc2.bias.fill_(-1000.0)
    with pytest.raises(ConversionError, match=r"^spiking_output: "):
        convert(network, "opt_shift", data=grid_images, num_steps=4)
    with pytest.raises(RecipeError, match=r"output_layer = 'both' is not one of spikes, logits\."):
        convert(network, "opt_shift", data=grid_images, num_steps=4, output_layer="both")


def recipe(method, **parameters):
    return Recipe.parse(
        {
            "checkpoint": {"source": "digits-vgg-qcfs-L8"},
            "data": {"dataset": "digits", "limit": 20},
            "converter": {"method": method, "parameters": parameters},
            "num_steps": 4,
            "snapshots": [4],
        }
    )


def test_reports_keep_the_output_beside_the_sites_of_the_ann():
    run = analyse(recipe("snm"))
    sites = [row["name"] for row in run.conversion.sites]
    assert sites == [site["name"] for site in run.card["sites"]]
    assert run.conversion.output["name"] == OUTPUT_SITE
    assert run.conversion.output["shape"] == [10]
    assert run.residuals.names == (*sites, OUTPUT_SITE)
    assert any(note.startswith("The last layer spikes too") for note in run.notes)
    assert analyse(recipe("snm", output_layer="logits")).conversion.output is None


def test_the_noise_of_such_a_network_is_that_of_its_activations():
    checkpoint = sl.example("digits-vgg-qcfs-L8")
    ann, images = checkpoint.build(), checkpoint.data("calibration", limit=20)
    profiles = [
        sl.calibration.fit_noise(convert(ann, "snm", data=images, output_layer=layer), ann, images, num_steps=4)
        for layer in ("spikes", "logits")
    ]
    assert profiles[0].names == profiles[1].names
    np.testing.assert_array_equal(profiles[0].std, profiles[1].std)


# Why two methods are at chance at few steps.


def test_rmp_is_at_chance_before_a_spike_reaches_the_last_layer():
    """v(0) = 0 and thresholds above max_norm's: at t <= 8 every image has the same logits; half full it is not so."""
    checkpoint = sl.example("digits-vgg-relu")
    ann, fit, dev = checkpoint.build(), checkpoint.data("calibration"), checkpoint.data("dev", limit=60)
    empty = convert(ann, "rmp", data=fit)
    recording = simulate(empty, dev, num_steps=8, snapshots=[8])
    assert recording.sites["classifier.act1"].statistics.spikes[0] == 0
    assert len(np.unique(recording.logits[7], axis=0)) == 1
    half = simulate(convert(ann, "rmp", data=fit, initial_fraction=0.5), dev, num_steps=16)
    assert (half.predictions[-1] == half.labels).mean() > 0.5
    largest = convert(ann, "max_norm", data=fit)
    higher = [name for name, neuron in empty.sites.items() if neuron.threshold > largest.sites[name].threshold]
    assert len(higher) == len(empty.sites) - 1  # all but the first, whose input is the image


def test_sites_that_no_spike_reaches_in_a_calibration_are_told():
    checkpoint = sl.example("digits-resnet-qcfs-L4")
    ann, fit = checkpoint.build(), checkpoint.data("calibration", limit=64)
    found = convert(ann, "rmp", data=fit, steps=4).findings["unreached"]
    assert found["sites"]
    assert found["num_steps"] == 4
    assert found["note"].startswith(f"rmp: in 4 steps on 64 calibration images no spike came to {len(found['sites'])}")
    assert convert(ann, "rmp", data=fit, steps=32, scale=0.1).findings["unreached"]["sites"] != found["sites"]
    assert "unreached" not in convert(sl.example("digits-vgg-relu").build(), "rmp", data=fit).findings
    assert "unreached" not in convert(ann, "calibration_light", data=fit, num_steps=1).findings


def test_the_shift_is_half_full_at_one_step_and_late_at_two():
    """opt_shift on a residual network: at T = 1 it is max_norm half full; at T = 2 nearly all spikes come in step 2."""
    checkpoint = sl.example("digits-resnet-qcfs-L4")
    ann, fit, dev = checkpoint.build(), checkpoint.data("calibration"), checkpoint.data("dev", limit=60)
    half = convert(ann, "max_norm", data=fit, initial_fraction=0.5)
    one = convert(ann, "opt_shift", data=fit, num_steps=1, output_layer="logits")
    logits = [simulate(snn, dev, num_steps=1).logits for snn in (one, half)]
    np.testing.assert_array_equal(*logits)
    two = convert(ann, "opt_shift", data=fit, num_steps=2, output_layer="logits")
    early = []
    for snn in (two, half):
        last = simulate(snn, dev, num_steps=2, snapshots=[1, 2]).sites["layer3.2.act2"].statistics.spikes
        early.append(last[0] / last[1])
    assert early[0] < 0.1 < 0.3 < early[1]
