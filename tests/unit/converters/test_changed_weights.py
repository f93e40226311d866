"""Methods that tune weights: against their formulas, what they tell, and that the ANN stays as it was."""

import numpy as np
import pytest
import torch
from torch import nn

import snnlab as sl
from snnlab.activations import QCFS, ClippedReLU
from snnlab.converters.apply import convert
from snnlab.core.errors import Cancelled, ConversionError, DataError, RecipeError
from snnlab.core.recipe import Recipe
from snnlab.neurons import SignedIntegrateFire
from snnlab.runs.execute import analyse
from snnlab.simulation import simulate
from tests.conftest import Branched, on_grid
from tests.reference.rivals import (
    LiteralNeuron,
    SignedLiteral,
    adam_literally,
    best_threshold,
    momentum_literally,
    tune_literally,
)

STEPS = 3
LAYERS = {"act1": "conv1", "act2": "conv2", "act3": "fc1"}


@pytest.fixture
def network():
    return on_grid(Branched(), seed=4)


def activations(network, images):
    kept = {}
    for name in LAYERS:
        network.get_submodule(name).register_forward_hook(lambda _, args, out, name=name: kept.__setitem__(name, out))
    with torch.no_grad():
        network(images)
    return kept


def close(snn, literal, most):
    """All parameters of the tuned layers, and that they moved."""
    kept = snn.graph.state_dict()
    for name, expected in literal.items():
        torch.testing.assert_close(kept[name].double(), expected, atol=most, rtol=0)


@pytest.fixture
def _float64():
    """Adam divides by the size of a gradient: where that is 0, it magnifies what float32 leaves of it."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_float64")
def test_weight_calibration_equals_the_whole_network_run_anew(grid_images):
    network, grid_images = on_grid(Branched(), seed=4), grid_images.double()
    iterations, rate = 7, 1e-3
    found = convert(
        network, "calibration_weights", data=grid_images, num_steps=STEPS, iterations=iterations, learning_rate=rate,
        batch_size=5, seed=3,
    )  # fmt: skip
    measured = activations(on_grid(Branched(), seed=4).double(), grid_images.double())
    thresholds = {name: best_threshold(a, STEPS) for name, a in measured.items()}
    draws = torch.Generator().manual_seed(3)

    def output(z, theta, chosen, spiking):
        scaled = (z * STEPS / theta + 0.5).clamp(0, STEPS)
        return theta / STEPS * (scaled + (torch.floor(scaled) - scaled).detach())

    literal = tune_literally(
        network,
        grid_images,
        STEPS,
        {name: [(layer, False)] for name, layer in LAYERS.items()},
        thresholds,
        lambda theta: LiteralNeuron(theta, theta / (2 * STEPS)),
        output,
        lambda parameters: adam_literally(parameters, rate, iterations),
        lambda _: [torch.randperm(12, generator=draws)[:5] for _ in range(iterations)],
    )
    close(found, literal, 1e-6)
    # The first site's input is the image: its neurons are right already, and its gradients are 0.
    assert found.changed_weights == ("conv2.weight", "fc1.weight")
    for name, theta in thresholds.items():
        neuron = found.sites[name]
        assert float(neuron.threshold) == pytest.approx(theta, abs=1e-6)
        assert float(neuron.added_fraction) == 1 / (2 * STEPS)
        moved = (found.graph.get_parameter(f"{LAYERS[name]}.weight") - network.get_submodule(LAYERS[name]).weight).abs()
        assert (moved.max() > 0) == (f"{LAYERS[name]}.weight" in found.changed_weights)
        assert moved.max() <= iterations * rate


def test_fast_snn_fine_tuning_equals_the_whole_network_run_anew(network, grid_images):
    found = convert(
        network, "fast_snn", data=grid_images, epochs=2, batch_size=5, keep="always", learning_rate=0.01, seed=3
    )  # fmt: skip
    order = torch.Generator().manual_seed(3)

    def output(z, theta, chosen, spiking):
        clipped = z.clamp(0, theta)
        return clipped + (spiking(chosen) - clipped).detach()

    def batches(_):
        return [batch for _ in range(2) for batch in torch.randperm(12, generator=order).split(5)]

    literal = tune_literally(
        network,
        grid_images,
        4,  # the levels of its quantizers
        {name: [(layer, True)] for name, layer in LAYERS.items()},
        {name: float(network.get_submodule(name).threshold.detach()) for name in LAYERS},
        SignedLiteral,
        output,
        lambda parameters: momentum_literally(parameters, 0.01),
        batches,
    )
    close(found, literal, 1e-6)
    assert set(found.changed_weights) == set(literal)
    assert found.findings["natural_num_steps"] == {"num_steps": 4}
    assert found.findings["fine_tuning"] == {"epochs": 2, "num_steps": 4, "kept": True}


def test_the_neurons_of_fast_snn(network, grid_images):
    snn = convert(network, "fast_snn")
    literal = on_grid(Branched(), seed=4).double()
    for name, neuron in snn.sites.items():
        assert isinstance(neuron, SignedIntegrateFire)
        assert float(neuron.negative_threshold) == pytest.approx(-1e-3)  # whatever the threshold
        assert float(neuron.initial_fraction) == 0.5
        literal.set_submodule(name, SignedLiteral(float(neuron.threshold)))
    with torch.no_grad():
        logits = torch.stack([literal(grid_images.double()) for _ in range(STEPS)]).mean(0)
    np.testing.assert_array_equal(simulate(snn, grid_images, num_steps=STEPS).logits[-1], logits.float().numpy())
    assert snn.changed_weights == ()
    assert len({float(neuron.threshold) for neuron in snn.sites.values()}) > 1


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_at_its_own_t_fast_snn_is_the_quantizer(bits):
    """Constant input, T = 2^b - 1."""
    steps = 2**bits - 1
    ann = nn.Sequential(nn.Linear(1, 1, bias=False), QCFS(1.5, steps), nn.Linear(1, 1, bias=False)).eval()
    values = torch.rand(5000, 1, generator=torch.Generator().manual_seed(bits)) * 3 - 1
    values = values[((values / 1.5 * steps + 0.5).frac().abs() - 0.5).abs() < 0.4999].reshape(-1, 1)
    with torch.no_grad():
        ann[0].weight.fill_(1.0)
        ann[2].weight.fill_(1.0)
        expected = ann(values).numpy()
    snn = convert(ann, "fast_snn")
    assert snn.findings["natural_num_steps"]["num_steps"] == steps
    np.testing.assert_allclose(simulate(snn, values, num_steps=steps).logits[-1], expected, atol=1e-6)


def test_a_layer_that_feeds_two_sites_is_tuned_for_the_first(grid_images):
    class PreActivation(nn.Module):
        """The sum is passed on without a site, as in pre-activation blocks."""

        def __init__(self):
            super().__init__()
            self.stem, self.act1, self.branch, self.act2, self.head = (
                nn.Linear(32, 6), QCFS(1.0, 4), nn.Linear(6, 6), QCFS(2.0, 4), nn.Linear(6, 3),
            )  # fmt: skip

        def forward(self, x):
            stream = self.stem(x.flatten(1))
            return self.head(self.act2(stream + self.branch(self.act1(stream))))

    ann = on_grid(PreActivation(), seed=2)
    snn = convert(ann, "calibration_weights", data=grid_images, num_steps=3, iterations=3, learning_rate=0.01)
    assert set(snn.changed_weights) == {"stem.weight", "branch.weight"}
    alone = nn.Sequential(nn.Flatten(), ann.stem, ann.act1, ann.head)
    first = convert(alone, "calibration_weights", data=grid_images, num_steps=3, iterations=3, learning_rate=0.01)
    assert torch.equal(snn.graph.get_parameter("stem.weight"), first.graph.get_parameter("1.weight"))


def test_inside_inference_mode_and_with_frozen_weights(network, grid_images):
    quick = {"data": grid_images, "num_steps": 4, "iterations": 2}
    one = convert(network, "calibration_weights", **quick)
    network.requires_grad_(False)
    with torch.inference_mode():
        two = convert(network, "calibration_weights", **quick)
    for name in one.changed_weights:
        assert torch.equal(one.graph.get_parameter(name), two.graph.get_parameter(name))
    other = convert(network, "calibration_weights", **quick, seed=1, batch_size=3)
    assert not torch.equal(one.graph.get_parameter("fc1.weight"), other.graph.get_parameter("fc1.weight"))


def test_an_epoch_is_kept_only_where_accuracy_rises(network, grid_images):
    """Labels are what the untuned network says: nothing can be better."""
    untuned = convert(network, "fast_snn")
    labels = simulate(untuned, grid_images, num_steps=4).predictions[-1].astype(int)
    snn = convert(network, "fast_snn", data=(grid_images, labels), epochs=1, learning_rate=0.05)
    told = snn.findings["fine_tuning"]
    assert (told["accuracy_before"], told["kept"], snn.changed_weights) == (1.0, False, ())
    assert told["note"].endswith("so it was taken back.")
    tuned = convert(network, "fast_snn", data=grid_images, epochs=1, learning_rate=0.05, keep="always")
    labels = simulate(tuned, grid_images, num_steps=4).predictions[-1].astype(int)
    snn = convert(network, "fast_snn", data=(grid_images, labels), epochs=1, learning_rate=0.05)
    assert snn.findings["fine_tuning"]["kept"] == (snn.findings["fine_tuning"]["accuracy_before"] < 1.0)
    assert bool(snn.changed_weights) == snn.findings["fine_tuning"]["kept"]


@pytest.mark.parametrize(
    ("name", "method", "steps", "off", "on"),
    [
        ("digits-vgg-relu", "calibration_weights", 8, {"learning_rate": 0.0}, {"learning_rate": 1e-3}),
        ("digits-resnet-qcfs-L4", "fast_snn", 4, {}, {"epochs": 2, "batch_size": 8, "keep": "always"}),
    ],
)
def test_tuning_brings_digits_nearer_to_the_ann(name, method, steps, off, on):
    """On the images of the calibration: accuracy of the ANN's own classes, before and after."""
    checkpoint = sl.example(name)
    ann, images = checkpoint.build(), checkpoint.data("calibration", limit=64)
    quick = {"iterations": 40} if method == "calibration_weights" else {}
    pair = [convert(ann, method, data=images, num_steps=steps, **quick, **given) for given in (off, on)]
    classes = sl.analysis.accuracy_vs_steps({"ANN": ann, "off": pair[0], "on": pair[1]}, images, num_steps=steps)
    alike = [(curve.snn_predictions[-1] == curve.ann_predictions).mean() for curve in classes]
    assert alike[1] > alike[0]
    assert pair[0].changed_weights == ()
    assert len(pair[1].changed_weights) >= 9


def test_what_is_wrong_is_said_in_a_sentence(network, grid_images):
    relu = nn.Sequential(nn.Flatten(), nn.Linear(32, 2), nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(ConversionError, match=r"^2 is a relu, and fast_snn needs .* use percentile_norm or snm"):
        convert(relu, "fast_snn")
    clipped = nn.Sequential(nn.Flatten(), nn.Linear(32, 2), ClippedReLU(1.0), nn.Linear(2, 2))
    with pytest.raises(ConversionError, match=r"^2 is a clipped_relu, and fast_snn needs .* use ecl for this network"):
        convert(clipped, "fast_snn")
    with pytest.raises(ConversionError, match="fast_snn needs calibration images; pass data="):
        convert(network, "fast_snn", epochs=1)
    with pytest.raises(ConversionError, match=r"no labels; pass data=\(images, labels\), or keep='always'"):
        convert(network, "fast_snn", epochs=1, data=grid_images)
    with pytest.raises(ConversionError, match="calibration_weights needs calibration images; pass data="):
        convert(network, "calibration_weights", num_steps=4)
    with pytest.raises(ConversionError, match="pass num_steps=T"):
        convert(network, "calibration_weights", data=grid_images)
    with pytest.raises(RecipeError, match=r"iterations = 0 lies outside \[1, 100000\]"):
        convert(network, "calibration_weights", data=grid_images, num_steps=4, iterations=0)
    broken = grid_images.clone()
    broken[3, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="Image 3 holds NaN"):
        convert(network, "calibration_weights", data=broken, num_steps=4, iterations=1)
    with torch.no_grad():
        network.conv1.bias.fill_(-50.0)
    with pytest.raises(ConversionError, match=r"^act1: every activation is 0"):
        convert(network, "calibration_weights", data=grid_images, num_steps=4, iterations=1)


@pytest.mark.parametrize("method", ["calibration_weights", "fast_snn"])
def test_one_image_is_enough_to_run(method, network, grid_images):
    parameters = {"iterations": 2} if method == "calibration_weights" else {"epochs": 1, "keep": "always"}
    snn = convert(network, method, data=grid_images[:1], num_steps=4, **parameters)
    assert simulate(snn, grid_images, num_steps=2).images == len(grid_images)


@pytest.mark.parametrize(
    ("method", "parameters", "what"),
    [
        ("calibration_weights", {"iterations": 50}, "iterations of weight calibration"),
        ("fast_snn", {"epochs": 5, "keep": "always"}, "epochs of fine-tuning"),
    ],
)
def test_it_can_be_cancelled_within_a_site(method, parameters, what, network, grid_images):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    told = []

    def stop(done, total, unit):
        if unit == what:
            told.append((done, total))
            if done == 2:
                raise Cancelled

    with pytest.raises(Cancelled):
        convert(network, method, data=grid_images, num_steps=4, progress=stop, **parameters)
    each = parameters.get("iterations", parameters.get("epochs"))
    assert told == [(1, 3 * each), (2, 3 * each)]
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_run_says_that_weights_changed(tmp_path):
    recipe = Recipe.parse(
        {
            "checkpoint": {"source": "digits-vgg-qcfs-L8"},
            "data": {"dataset": "digits", "limit": 10},
            "converter": {"method": "calibration_weights", "parameters": {"iterations": 1, "images": 32}},
            "num_steps": 2,
            "snapshots": [2],
        }
    )
    run = analyse(recipe)
    assert len(run.conversion.changed_weights) == 9
    assert run.residuals.changed_weights == run.conversion.changed_weights
    assert any("changed the weights of 9 layers" in note for note in run.notes)
    again = type(run.residuals).from_payload(*run.residuals.payload())
    assert again.changed_weights == run.residuals.changed_weights
    plain = analyse(recipe.changed(converter={"method": "qcfs", "parameters": {}}))
    assert plain.residuals.changed_weights == ()
    assert 'data=ckpt.data("calibration"' in sl.runs.as_python(recipe)
    tuned = recipe.changed(converter={"method": "fast_snn", "parameters": {"epochs": 1}})
    assert 'data=ckpt.data("calibration"' in sl.runs.as_python(tuned)
    assert "calibration" not in sl.runs.as_python(tuned.changed(converter={"parameters": {"epochs": 0}}))


def test_edits_by_hand_keep_the_tuned_weights(network, grid_images):
    quick = {"data": grid_images, "num_steps": 4, "iterations": 2}
    tuned = convert(network, "calibration_weights", **quick)
    edited = convert(network, "calibration_weights", **quick, sites={"act2": {"threshold": 3.0}})
    assert edited.changed_weights == tuned.changed_weights
    assert torch.equal(edited.graph.get_parameter("fc1.weight"), tuned.graph.get_parameter("fc1.weight"))
