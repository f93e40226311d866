"""The noise experiment: the arms differ in their noise alone, and a stopped experiment goes on."""

import copy

import numpy as np
import pytest
import torch

from snnlab.analysis.reports import Report
from snnlab.calibration import NoiseProfile
from snnlab.core.errors import RecipeError, SnnlabError
from snnlab.core.recipe import NoiseChoice, Recipe, TrainingChoice
from snnlab.data import load_dataset
from snnlab.io import example
from snnlab.sweeps import noise_experiment
from snnlab.sweeps.arms import levels_of, noise_of
from snnlab.training import Batches, fit, start_network
from snnlab.training.noise import Frozen, measured_profile, noise_hooks, noisy_sites

SITES = 9


def recipe(**changed):
    values = {
        "checkpoint": {"source": "digits-vgg-qcfs-L8"},
        "data": {"dataset": "digits", "split": "dev", "limit": 60},
        "converter": {"method": "qcfs"},
        "num_steps": 2,
        "noise": {"limit": 50},
        "training": {"epochs": 2, "images": 64, "batch_size": 32, "augment": [], "noise": "re_estimate"},
        "experiment": {"arms": ["control", "nq"], "seeds": 2, "steps": [2, 1]},
    }
    return Recipe.parse(values | changed)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    seen = []
    gain = noise_experiment(recipe(), folder=folder, watch=seen.append)
    return gain, seen, folder


def test_every_arm_and_seed_is_trained_and_told(finished):
    gain, seen, _ = finished
    assert gain.snn_correct.shape == (2, 2, 2, 60)
    assert gain.std.shape == (2, 2, 2, SITES)
    assert (gain.arms, gain.seeds, gain.target) == (("control", "nq"), (0, 1), 2)
    assert [(one.arm, one.seed) for one in seen] == [(a, s) for s in (0, 1) for a in ("control", "nq") for _ in (1, 2)]
    assert (gain.std[0] == 0).all()
    assert (gain.std[1, :, :, 1:] > 0).all(), "every site but the first has a gap at T = 2"
    assert isinstance(Report.from_payload(*gain.payload()), type(gain))


def test_seeds_share_batches_between_arms_and_differ_from_each_other(finished):
    gain, seen, _ = finished
    loss = {(one.arm, one.seed, one.epoch): one.loss for one in seen}
    assert loss["control", 0, 1] != loss["control", 1, 1]
    assert loss["control", 0, 1] != loss["nq", 0, 1]
    assert gain.gain("control", 2).value == 0


def test_a_finished_experiment_is_not_trained_again(finished):
    gain, _, folder = finished
    seen = []
    again = noise_experiment(recipe(), folder=folder, watch=seen.append)
    assert not seen
    np.testing.assert_array_equal(gain.snn_correct, again.snn_correct)


def test_a_cancelled_experiment_goes_on_and_ends_the_same(finished, tmp_path):
    class Stop(Exception):
        pass

    def stop(one):
        if (one.arm, one.seed, one.epoch) == ("nq", 0, 1):
            raise Stop

    with pytest.raises(Stop):
        noise_experiment(recipe(), folder=tmp_path, watch=stop)
    seen = []
    resumed = noise_experiment(recipe(), folder=tmp_path, watch=seen.append)
    assert (seen[0].arm, seen[0].seed, seen[0].epoch) == ("nq", 0, 2), "control and one epoch of nq were kept"
    np.testing.assert_array_equal(resumed.ann_correct, finished[0].ann_correct)
    np.testing.assert_array_equal(resumed.gap_after, finished[0].gap_after)


def test_an_experiment_without_control_is_refused():
    with pytest.raises(RecipeError, match="needs the arm control"):
        recipe(experiment={"arms": ["nq"], "seeds": 1, "steps": [2]})


def test_a_std_of_zero_trains_as_qcfs_does_bitwise():
    checkpoint = example("digits-vgg-qcfs-L8")
    images = load_dataset("digits").split("train", limit=96)
    choice = TrainingChoice(epochs=2, batch_size=32, augment=("crop",))
    trained = []
    for activation, hooks in (("qcfs", None), ("nq", noise_hooks(None, seed=0))):
        network = start_network(checkpoint, activation)
        batches = Batches(images, 32, choice.augment, 0)
        state = fit(network, batches, choice, **({"hooks": hooks} if hooks else {})).network.state_dict()
        trained.append({key: value for key, value in state.items() if not key.endswith(".std")})
    assert trained[0].keys() == trained[1].keys()
    assert all(torch.equal(trained[0][key], trained[1][key]) for key in trained[0])


def test_noise_is_keyed_by_seed_epoch_batch_and_site():
    network = start_network(example("digits-vgg-qcfs-L8"), "nq")
    hooks = noise_hooks(Frozen(dict.fromkeys(noisy_sites(network), 0.1)), seed=3)
    hooks.before(network, 0)
    x = load_dataset("digits").split("train", limit=4).batch(0, 4)
    network.train()
    reference = copy.deepcopy(network.state_dict())
    outputs = {}
    for key in ((0, 0), (0, 1), (1, 0), (0, 0)):
        network.load_state_dict(reference)
        hooks.during(*key)
        with torch.no_grad():
            out = network(x)
        if key in outputs:
            assert torch.equal(out, outputs[key])
        assert not any(torch.equal(out, other) for k, other in outputs.items() if k != key)
        outputs[key] = out


def test_a_profile_acts_as_multiplier_or_frozen(digits_profile):
    profile, base, images = digits_profile
    drawn = profile.scaled(1.5).std_by_site()
    training = TrainingChoice(noise="re_estimate")
    noise = NoiseChoice(std=drawn, scale=2.0)
    source = noise_of("profile", training, noise, images, 2, lambda: profile)
    np.testing.assert_allclose(list(source.std(base, 0).values()), 3.0 * profile.std, rtol=1e-9)
    frozen = noise_of("profile", TrainingChoice(noise="freeze"), noise, images, 2, lambda: profile)
    assert frozen.std(base, 5) == {site: 2 * std for site, std in drawn.items()}


def test_arms_reshape_the_measured_profile(digits_profile):
    profile, base, images = digits_profile

    def acts(arm):
        return np.array(
            list(noise_of(arm, TrainingChoice(), NoiseChoice(), images, 2, lambda: profile).std(base, 0).values())
        )

    np.testing.assert_allclose(acts("nq"), profile.std)
    np.testing.assert_allclose(acts("half_nq"), profile.std / 2)
    np.testing.assert_allclose(acts("double_nq"), profile.std * 2)
    assert np.ptp(acts("uniform") / profile.thresholds) < 1e-9
    np.testing.assert_allclose(np.sqrt(np.mean((acts("uniform") / profile.thresholds) ** 2)), profile.rms)
    np.testing.assert_allclose(acts("reversed") / profile.thresholds, profile.relative[::-1])
    assert noise_of("control", TrainingChoice(), NoiseChoice(), images, 2, lambda: profile) is None
    assert levels_of("control_L", TrainingChoice(levels=8), 2) == 2
    assert levels_of("nq", TrainingChoice(levels=8), 2) == 8


def test_a_profile_of_another_network_is_refused(digits_profile):
    profile, _, images = digits_profile
    noise = NoiseChoice(std={"layer9.act": 0.1})
    with pytest.raises(SnnlabError, match=r"layer9\.act"):
        noise_of("profile", TrainingChoice(noise="re_estimate"), noise, images, 2, lambda: profile)
    hooks = noise_hooks(Frozen({"layer9.act": 0.1}), seed=0)
    with pytest.raises(SnnlabError, match=r"layer9\.act"):
        hooks.before(start_network(example("digits-vgg-qcfs-L8"), "nq"), 0)


def test_a_relu_network_starts_from_measured_thresholds():
    checkpoint = example("digits-vgg-relu")
    images = load_dataset("digits").split("calibration", limit=50)
    network = start_network(checkpoint, "nq", levels=4, calibration=images)
    assert all(site.threshold.item() > 0 and site.levels == 4 for site in noisy_sites(network).values())
    with pytest.raises(SnnlabError, match="no quantization levels"):
        start_network(checkpoint, "nq", calibration=images)
    with pytest.raises(SnnlabError, match="pass calibration images"):
        start_network(checkpoint, "nq", levels=4)


@pytest.fixture(scope="module")
def digits_profile():
    network = start_network(example("digits-vgg-qcfs-L8"), "nq")
    images = load_dataset("digits").split("calibration", limit=40)
    profile = measured_profile(network, images, 2)
    assert isinstance(profile, NoiseProfile)
    return profile, network, images
