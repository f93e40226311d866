"""Noise Adaptor in training: where its scales start, its keyed noise, and its arms with a control of their own."""

import json
import shlex

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import snnlab as sl
from snnlab.activations import ActivationSpec, LSQNoise
from snnlab.calibration import measure_activations
from snnlab.cli.main import app
from snnlab.cli.train import gain_as_json, told
from snnlab.core.errors import ConversionError, RecipeError, SnnlabError
from snnlab.core.recipe import AdaptorChoice, Recipe
from snnlab.core.sites import Site
from snnlab.graph import prepare
from snnlab.models import build
from snnlab.sweeps import as_train_cli, noise_experiment
from snnlab.sweeps.places import adaptor_of, training_settings
from snnlab.training import Batches, fit, start_network
from snnlab.training.noise import noise_hooks, noisy_sites
from tests.unit.figures.synthetic_gain import noise_gain_report

VGG = "digits-vgg-qcfs-L8"
TINY = {"epochs": 1, "images": 64, "batch_size": 32}
ARMS = ("control", "noise_adaptor_none", "noise_adaptor")


@pytest.fixture(scope="module")
def base():
    return sl.example(VGG)


def scales(network):
    return {name: module.scale.item() for name, module in network.named_modules() if isinstance(module, LSQNoise)}


def recipe(**changed):
    values = {
        "checkpoint": {"source": VGG},
        "data": {"dataset": "digits", "split": "dev", "limit": 60},
        "converter": {"method": "qcfs"},
        "num_steps": 2,
        "noise": {"limit": 50},
        "adaptor": {"bits": 2},
        "training": {"epochs": 1, "images": 64, "batch_size": 32, "augment": []},
        "experiment": {"arms": ARMS, "seeds": 2, "steps": [2, 1]},
    }
    return Recipe.parse(values | changed)


@pytest.mark.parametrize("name", [VGG, "digits-vgg-relu"])
def test_scales_start_from_calibration_images(name):
    """s p is the 99.9 % quantile of what the site emits there."""
    checkpoint = sl.example(name)
    images = checkpoint.data("calibration", limit=50)
    found = scales(start_network(checkpoint, "lsq_noise", levels=3, calibration=images))
    prepared = prepare(checkpoint.build())
    sites = [Site(site, index, "relu") for index, site in enumerate(prepared.sites)]
    for site in measure_activations(prepared.graph, sites, images, percentiles=(99.9,)):
        assert 3 * found[site.name] == pytest.approx(float(site.statistics.quantiles[99.9]), rel=1e-6)
    with pytest.raises(ConversionError, match="has no thresholds to start lsq_noise from; pass calibration images"):
        start_network(checkpoint, "lsq_noise", levels=3)
    with pytest.raises(ConversionError, match=r"2\^b - 1 levels"):
        start_network(checkpoint, "lsq_noise", levels=4, calibration=images)


def test_fine_tuning_gives_a_checkpoint_that_converts_and_goes_on(base, tmp_path):
    tuned = sl.training.fine_tune(base, adaptor={"bits": 3, "noise_prob": 0.5}, **TINY)
    again = sl.load_checkpoint(_saved(tuned, tmp_path))

    assert (again.card.activation, again.card.levels, again.card.quantizer["noise_prob"]) == ("lsq_noise", 7, 0.5)
    assert again.card.origin_sha256 == base.card.sha256
    assert again.card.seen["dev"] == "no"
    snn = sl.convert(again.build(), "noise_adaptor")
    thresholds = [float(neuron.threshold) for neuron in snn.sites.values()]
    assert thresholds == pytest.approx([7 * s for s in scales(again.build()).values()])
    more = start_network(again, "lsq_noise", levels=7)
    assert scales(more) == scales(again.build()), "as many levels as before: bitwise where they were"
    coarser = start_network(again, "nq", levels=4)
    for name, site in noisy_sites(coarser).items():
        assert site.threshold.item() == pytest.approx(7 * scales(again.build())[name])


def _saved(checkpoint, folder):
    checkpoint.save(folder / "tuned.safetensors")
    return folder / "tuned.safetensors"


def test_noise_is_keyed_and_none_is_amplitude_zero_bitwise(base, tmp_path):
    def weights(seed=0, state=None, **adaptor):
        return sl.training.fine_tune(base, adaptor=adaptor, seed=seed, state=state, **TINY).state_dict

    def same(a, b):
        return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)

    noisy = weights()
    assert same(noisy, weights(state=tmp_path))
    assert same(noisy, weights(state=tmp_path)), "found again"
    none = weights(noise_mode="none")
    assert same(none, weights(noise_amp=0.0))
    assert same(none, weights(noise_prob=0.0))
    assert not same(noisy, none)
    assert not same(noisy, weights(noise_mode="additive"))
    with pytest.raises(RecipeError, match=r"adaptor\.noise_amp differ"):
        weights(state=tmp_path, noise_amp=0.25)


def test_a_network_is_trained_from_random_weights(base):
    """The loss falls, scales move, and the noise that acted is told."""
    network = build(base.card.architecture, ActivationSpec("lsq_noise", 3, 1.5), seed=0)
    before = scales(network)
    images = base.data("train", limit=200)
    choice = sl.Recipe.parse(recipe().to_dict() | {"training": {"epochs": 4, "learning_rate": 0.1}}).training
    fitted = fit(network, Batches(images, 25, (), 0), choice, hooks=noise_hooks(None, seed=0))
    losses = [epoch.loss for epoch in fitted.history]
    assert losses[-1] < 0.8 * losses[0]
    assert all(scales(fitted.network)[name] != value for name, value in before.items())
    first = fitted.history[0].std
    assert first == pytest.approx({name: s * 0.5 / 3**0.5 for name, s in before.items()})


@pytest.mark.parametrize(
    ("adaptor", "said"),
    [
        ({"bits": 0}, "bits"),
        ({"bits": 9}, "bits"),
        ({"noise_prob": 1.5}, "noise_prob"),
        ({"noise_prob": -0.1}, "noise_prob"),
        ({"noise_amp": -1}, "noise_amp"),
        ({"noise_mode": "post_round"}, "noise_mode"),
        ({"gradient_scale": "sum"}, "gradient_scale"),
        ({"amplitude": 1}, "amplitude"),
    ],
)
def test_bad_values_are_named(base, adaptor, said):
    with pytest.raises(RecipeError, match=f"^adaptor.{said}"):
        recipe(adaptor=adaptor)
    with pytest.raises(RecipeError, match=f"^{said}: "):
        sl.training.fine_tune(base, adaptor=adaptor, **TINY)


def test_a_profile_beside_an_adaptor_is_refused(base):
    profile = object()
    with pytest.raises(RecipeError, match="two kinds of noise"):
        sl.training.fine_tune(base, profile, adaptor={}, **TINY)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapted")
    seen = []
    return noise_experiment(recipe(), folder=folder, watch=seen.append), seen, folder


def test_the_arms_differ_in_noise_alone_and_are_told_apart(finished):
    gain, seen, folder = finished
    assert gain.own_control("noise_adaptor") == "noise_adaptor_none"
    assert gain.own_control("noise_adaptor_none") is None
    own, wide = gain.own_gain("noise_adaptor", 2), gain.gain("noise_adaptor", 2)
    assert own.value == pytest.approx(wide.value - gain.gain("noise_adaptor_none", 2).value)
    difference = gain.correct("noise_adaptor", 2).mean(axis=1) - gain.correct("noise_adaptor_none", 2).mean(axis=1)
    assert own.seeds == pytest.approx(tuple(difference))
    assert (gain.std[:2] == 0).all()
    np.testing.assert_allclose(gain.std[2], 0.5 / 3**0.5 / 3, rtol=1e-6)  # amplitude s / 2 of a threshold 3 s
    assert {one.arm for one in seen if one.noisy_ann is not None} == {"noise_adaptor"}
    tuned = sl.load_checkpoint(folder / "noise_adaptor-1" / "network.safetensors")
    quiet = sl.load_checkpoint(folder / "noise_adaptor_none-1" / "network.safetensors")
    assert tuned.card.quantizer == AdaptorChoice().quantizer
    assert quiet.card.quantizer["noise_mode"] == "none"
    assert scales(tuned.build()) != scales(quiet.build())
    for step in (2, 1):
        snn = sl.convert(tuned.build(), "noise_adaptor")
        images = tuned.data("dev", limit=60)
        right = sl.simulate(snn, images, num_steps=2).predictions[step - 1] == images.labels
        np.testing.assert_array_equal(right, gain.correct("noise_adaptor", step)[1])


def test_the_gain_over_its_own_control_is_printed_and_exported(finished):
    gain = finished[0]
    printed = {arm["name"]: arm for arm in gain_as_json(gain)["arms"]}
    assert printed["noise_adaptor"]["own_control"] == "noise_adaptor_none"
    assert printed["noise_adaptor"]["gain_over_own_control"]["2"]["mean"] == gain.own_gain("noise_adaptor", 2).value
    assert "own_control" not in printed["control"]
    json.dumps(printed, allow_nan=False)
    lines = "\n".join(told(gain))
    assert "noise_adaptor has another quantizer than control; what its noise alone brings is over" in lines
    row = gain.to_frame().set_index(["arm", "step"]).loc[("noise_adaptor", 2)]
    assert (row.own_control, row.own_gain) == ("noise_adaptor_none", gain.own_gain("noise_adaptor", 2).value)
    table = sl.figures.gain_table(gain)
    cell = table.loc[(table.arm == "Noise Adaptor \u2020") & (table["T"] == "2"), "over own control"].item()
    assert cell.endswith("over LSQ, no noise")
    assert "its noise alone brings" in sl.figures.noise_gain(gain).foot


def test_without_its_own_control_nothing_is_claimed_for_the_noise():
    gain = noise_gain_report(arms=("control", "noise_adaptor"))
    with pytest.raises(SnnlabError, match="no trained control of its own"):
        gain.own_gain("noise_adaptor", 2)
    assert "own_gain" not in gain.to_frame()
    assert "needs the arm LSQ, no noise" in sl.figures.noise_gain(gain).foot
    assert "quantizer" not in sl.figures.noise_gain(noise_gain_report(arms=("control", "nq"))).foot


def test_what_is_shared_between_experiments():
    """The quantizer is part of its own arms alone; noise settings are part of the arm that has noise."""
    one = recipe()
    other = one.changed(adaptor={"noise_amp": 0.25})
    plain = Recipe.parse({name: value for name, value in one.to_dict().items() if name != "adaptor"})

    def settings(of, arm):
        return training_settings(of, arm, 0)

    assert settings(one, "control") == settings(other, "control") == settings(plain, "control")
    assert settings(one, "noise_adaptor_none") == settings(other, "noise_adaptor_none")
    assert settings(one, "noise_adaptor") != settings(other, "noise_adaptor")
    assert settings(one, "noise_adaptor") == settings(plain, "noise_adaptor")
    fewer = one.changed(noise={"limit": 20})
    assert settings(one, "noise_adaptor_none") != settings(fewer, "noise_adaptor_none"), "s starts from those images"
    assert adaptor_of(other, "noise_adaptor_none") == AdaptorChoice(noise_mode="none")


def test_the_command_line_gives_the_same_recipe(tmp_path, monkeypatch):
    from snnlab.cli import options as opt
    from snnlab.cli.train import experiment_recipe

    made = experiment_recipe(
        opt.Flags(checkpoint=VGG, limit=30),
        steps=(2,),
        arms=list(ARMS),
        adaptor={"bits": 3, "noise_mode": "additive", "noise_prob": 0.5},
    )
    assert made.adaptor == AdaptorChoice(bits=3, noise_mode="additive", noise_prob=0.5)
    words = shlex.split(as_train_cli(made))
    at = words.index("--bits")
    assert words[at : at + 6] == ["--bits", "3", "--noise-mode", "additive", "--noise-prob", "0.5"]
    refused = CliRunner().invoke(app, ["train", VGG, "--arms", "control,nq", "--bits", "2"])
    assert refused.exit_code != 0
    assert "--bits is of the arms noise_adaptor" in refused.stderr
    for words in (["--bits", "0"], ["--noise-prob", "2"], ["--noise-mode", "loud"]):
        refused = CliRunner().invoke(app, ["train", VGG, "--arms", "control,noise_adaptor", *words])
        assert refused.exit_code != 0
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert "adaptor." in refused.stderr
