"""ECL and TTRBR as arms: one training with a learned clip, a conversion of its own at every T, a control of its own."""

import json
import shlex

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import snnlab as sl
from snnlab.activations import ClippedReLU
from snnlab.cli import options as opt
from snnlab.cli.main import app
from snnlab.cli.train import experiment_recipe, gain_as_json, told
from snnlab.core.errors import RecipeError
from snnlab.core.recipe import ClippingChoice, Recipe
from snnlab.runs.kinds import find
from snnlab.sweeps import as_train_cli, live, noise_experiment, pace_recipe, seconds_left, tuned_file
from snnlab.sweeps import experiment as experiment_module
from snnlab.sweeps.bench import open_bench
from snnlab.sweeps.places import CLIPPED, cell_folder, training_settings, trainings_of

VGG = "digits-vgg-qcfs-L8"
ARMS = ("control", *CLIPPED)


def recipe(**changed):
    values = {
        "checkpoint": {"source": VGG},
        "data": {"dataset": "digits", "split": "dev", "limit": 60},
        "converter": {"method": "qcfs"},
        "num_steps": 3,
        "noise": {"limit": 40},
        "training": {"epochs": 1, "images": 64, "batch_size": 32, "augment": []},
        "experiment": {"arms": ARMS, "seeds": 1, "steps": [3, 1]},
    }
    return Recipe.parse(values | changed)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clipped")
    seen, heard = [], []
    gain = noise_experiment(
        recipe(), folder=folder, watch=seen.append, progress=lambda done, total, what: heard.append((done, total, what))
    )
    return gain, folder, seen, [one[:2] for one in heard if one[2] == experiment_module.PROGRESS]


def kept(folder, arm):
    return sl.load_checkpoint(tuned_file(recipe(), arm, 0, folder))


def test_the_arms_train_one_network_and_convert_it_each_in_its_way(finished):
    gain, folder, *_ = finished
    plain = kept(folder, "clipped")
    assert plain.card.activation == "clipped_relu"
    assert plain.card.levels is None
    assert all(isinstance(plain.build().get_submodule(site["name"]), ClippedReLU) for site in plain.sites)
    dev, fit, validation = plain.data("dev", limit=60), plain.data("calibration", limit=40), plain.data("validation")
    for at, step in enumerate((3, 1)):
        for arm, method in (("clipped", "qcfs"), ("ecl", "ecl"), ("ttrbr", "ttrbr")):
            snn = sl.convert(plain.build(), method, data=fit, validation=validation, num_steps=step)
            right = sl.simulate(snn, dev, num_steps=step).predictions[-1] == dev.labels
            np.testing.assert_array_equal(gain.correct(arm, step)[0], right, err_msg=f"{arm} {step} {at}")
        np.testing.assert_array_equal(gain.correct("ecl", None), gain.correct("clipped", None))
    assert gain.own_control("ecl") == gain.own_control("ttrbr") == "clipped"
    assert (gain.std == 0).all()


def test_the_weights_are_trained_once_and_counted_once(finished):
    gain, folder, seen, batches = finished
    assert [(epoch.arm, epoch.epoch) for epoch in seen] == [("control", 1), ("clipped", 1)]
    assert batches == [(done, 4) for done in (1, 2, 3, 4)], "two batches in each of two trainings"
    assert {path.name for path in folder.iterdir()} == {"control-0", "clipped-0"}
    assert {tuned_file(recipe(), arm, 0, folder) for arm in CLIPPED} == {folder / "clipped-0" / "network.safetensors"}
    now = live(recipe(), folder)
    assert (now.done, now.total, now.trainings, now.unread) == (2, 2, 2, ())
    assert now.finished == (("control", 0), ("clipped", 0))
    np.testing.assert_array_equal(gain.curves[2], gain.curves[1])
    np.testing.assert_array_equal(gain.gap_after[3], gain.gap_after[1])


@pytest.mark.parametrize("arm", ["ecl", "ttrbr"])
def test_an_arm_alone_gives_the_numbers_that_it_gives_beside_the_others(finished, tmp_path, arm):
    alone = noise_experiment(
        recipe(experiment={"arms": ["control", arm], "seeds": 1, "steps": [3, 1]}), folder=tmp_path
    )
    together = finished[0]
    at = together.arms.index(arm)
    for part in ("ann_correct", "snn_correct", "std", "gap_after", "curves", "classes_after", "errors_after"):
        np.testing.assert_array_equal(getattr(alone, part)[1], getattr(together, part)[at], err_msg=part)


def test_a_conversion_added_later_is_read_without_training(tmp_path):
    first = recipe(experiment={"arms": ["control", "ecl"], "seeds": 1, "steps": [3, 1]})
    noise_experiment(first, folder=tmp_path)
    now = live(recipe(), tmp_path)
    assert (now.done, now.total, now.unread) == (2, 2, (("clipped", 0), ("ttrbr", 0)))
    assert now.finished == (("control", 0),)
    seen, heard = [], []
    noise_experiment(
        recipe(), folder=tmp_path, watch=seen.append, progress=lambda done, total, what: heard.append(what)
    )
    assert not seen
    assert experiment_module.PROGRESS not in heard


def test_an_experiment_stopped_between_two_conversions_goes_on_with_the_second(finished, tmp_path, monkeypatch):
    class Stop(Exception):
        pass

    read = experiment_module.read_network

    def stopping(bench, network, arm="base", epochs=()):
        if arm == "ttrbr":
            raise Stop
        return read(bench, network, arm, epochs)

    with monkeypatch.context() as patch:
        patch.setattr(experiment_module, "read_network", stopping)
        with pytest.raises(Stop):
            noise_experiment(recipe(), folder=tmp_path)
    assert live(recipe(), tmp_path).unread == (("ttrbr", 0),)
    read_again = []
    monkeypatch.setattr(
        experiment_module,
        "read_network",
        lambda bench, network, arm="base", epochs=(): read_again.append(arm) or read(bench, network, arm, epochs),
    )
    seen = []
    resumed = noise_experiment(recipe(), folder=tmp_path, watch=seen.append)
    assert not seen
    assert read_again == ["ttrbr", "base"]
    np.testing.assert_array_equal(resumed.snn_correct, finished[0].snn_correct)


def test_a_training_that_arms_share_is_paid_for_once():
    made = open_bench(recipe()).recipe
    assert list(trainings_of(made)) == [("control", 0), ("clipped", 0)]
    assert len({cell_folder(made, arm, 0) for arm in CLIPPED}) == 1
    pace = {"batch": 1.0, "batches": 2, "watch": 10.0, "noise": 1000.0, "read": 100.0}
    assert pace.keys() == find("pace")(progress=lambda *one: None, recipe=pace_recipe(made).to_dict()).keys()
    assert seconds_left(made, pace) == 2 * (2 * 1.0 + 10.0) + 5 * 100.0, (
        "two trainings; the base and four arms are read"
    )


def test_what_the_conversion_alone_brings_is_told(finished):
    gain = finished[0]
    printed = {arm["name"]: arm for arm in gain_as_json(gain)["arms"]}
    for arm in ("ecl", "ttrbr"):
        own = gain.correct(arm, 3).mean() - gain.correct("clipped", 3).mean()
        assert printed[arm]["gain_over_own_control"]["3"]["mean"] == pytest.approx(own)
    json.dumps(printed, allow_nan=False)
    lines = "\n".join(told(gain))
    assert "ecl has another activation than control; what its conversion alone brings is over clipped:" in lines
    foot = sl.figures.noise_gain(gain).foot
    assert "TTRBR † has another activation than the control; its conversion alone brings" in foot
    assert "over learned clip" in foot


def test_levels_make_it_a_quantizer_and_are_part_of_their_arms_alone(tmp_path):
    plain, coarse = recipe(), recipe(clipping={"levels": 4})
    for arm in CLIPPED:
        assert training_settings(plain, arm, 0) != training_settings(coarse, arm, 0)
        assert "activation" not in training_settings(plain, arm, 0)["training"]
    assert training_settings(plain, "control", 0) == training_settings(coarse, "control", 0)
    small = coarse.changed(experiment={"arms": ["control", "ttrbr"], "steps": [2]}, data={"limit": 20})
    noise_experiment(small, folder=tmp_path)
    card = sl.load_checkpoint(tuned_file(small, "ttrbr", 0, tmp_path)).card
    assert (card.activation, card.levels) == ("qcfs", 4)


def test_a_relu_network_gets_its_first_thresholds_from_calibration_images():
    checkpoint = sl.example("digits-vgg-relu")
    images = checkpoint.data("calibration", limit=40)
    network = sl.training.start_network(checkpoint, "clipped_relu", calibration=images)
    clips = [module for module in network.modules() if isinstance(module, ClippedReLU)]
    assert len(clips) == 9
    z = torch.tensor([-1.0, 0.5, 1e4], requires_grad=True)
    clips[0](z).sum().backward()
    assert z.grad.tolist() == [0.0, 1.0, 0.0]
    assert clips[0].threshold.grad == 1, "one element lies above the threshold"


def test_the_command_line_gives_the_same_recipe():
    made = experiment_recipe(opt.Flags(checkpoint=VGG, limit=30), steps=(2,), arms=list(ARMS), clipping={"levels": 4})
    assert made.clipping == ClippingChoice(levels=4)
    words = shlex.split(as_train_cli(made))
    assert words[words.index("--clip-levels") + 1] == "4"
    assert words[words.index("--arms") + 1] == "control,clipped,ecl,ttrbr"
    assert "--clip-levels" not in as_train_cli(recipe())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--arms", "control,nq", "--clip-levels", "4"], "--clip-levels is of the arms clipped, ecl, ttrbr"),
        (["--arms", "control,ecl", "--clip-levels", "0"], "clipping.levels is 0; it must be at least 1"),
        (["--arms", "control,ecll"], "must be one of"),
    ],
)
def test_bad_words_are_refused_in_one_line(words, said):
    refused = CliRunner().invoke(app, ["train", VGG, *words])
    assert refused.exit_code != 0
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert said in refused.stderr


def test_ecl_without_validation_images_is_refused(monkeypatch):
    from snnlab.sweeps import bench

    monkeypatch.setattr(bench, "VALIDATED", 0)
    monkeypatch.setattr(bench.Prepared, "split", lambda self, name, limit=None: [])
    with pytest.raises(RecipeError, match="The arm ecl chooses its negative threshold on validation images"):
        bench.open_bench(recipe())
