"""``--load``: a method of the user's own on the command line."""

import os

import pytest

import snnlab as sl
from snnlab.cli import launcher
from snnlab.cli import options as opt
from snnlab.cli.train import experiment_recipe
from snnlab.core import loaded, registry
from snnlab.runs import Store
from snnlab.sweeps.bench import open_bench
from snnlab.sweeps.places import training_settings
from snnlab.sweeps.snippets import as_train_cli
from tests.own_code import ACTIVATION, CALIBRATION, EXAMPLE, own_code  # noqa: F401
from tests.unit.cli.test_launcher import Replaced, app, free_port  # noqa: F401
from tests.unit.cli.test_main import VGG, as_json, error

pytestmark = pytest.mark.usefixtures("own_code")


def test_evaluate_with_a_method_of_ones_own():
    words = ("evaluate", VGG, "--num-steps", 2, "--limit", 30, "--load", EXAMPLE)
    plain = as_json("evaluate", VGG, "--num-steps", 2, "--limit", 30)
    same = as_json(*words, "--method", "margin", "--set", "margin=1.0")
    wider = as_json(*words, "--method", "margin", "--set", "margin=2")

    assert same["snn_accuracy"] == plain["snn_accuracy"]
    assert wider["snn_accuracy"] != plain["snn_accuracy"]
    assert wider["recipe"]["converter"]["code"]["file"] == "own_method.py"
    assert wider["recipe_sha"] != same["recipe_sha"]


def test_it_is_listed_and_named_by_the_environment(monkeypatch):
    monkeypatch.setenv(loaded.VARIABLE, str(EXAMPLE))
    assert "margin" in [card["name"] for card in as_json("methods")]
    listed = as_json("methods", "--load", ACTIVATION)
    assert [card["name"] for card in listed if card["kind"] == "activation"] == ["soft_stairs"]


def test_evaluate_with_a_calibration_of_ones_own():
    words = ("evaluate", "digits-vgg-relu", "--num-steps", 4, "--limit", 30, "--load", CALIBRATION)
    told = as_json(*words, "--method", "mean_plus", "--set", "factor=2.5")
    assert told["recipe"]["converter"]["parameters"] == {"factor": 2.5}
    assert told["recipe"]["converter"]["code"]["file"] == "own_calibration.py"


def test_train_with_an_activation_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))
    tiny = ("--seeds", 1, "--epochs", 1, "--images", 32, "--batch-size", 16, "--limit", 30, "--noise-limit", 20)
    words = ("train", VGG, *tiny, "--num-steps", 2, "--arms", "control,nq", "--activation", "soft_stairs")
    told = as_json(*words, "--load", ACTIVATION, "--out", tmp_path / "out", "--state", tmp_path / "state")
    assert [arm["name"] for arm in told["arms"]] == ["control", "nq"]
    (row,) = [row for row in Store().list(verb="train") if not row.shipped]
    training = row.recipe.training
    assert (training.activation, training.code.file) == ("soft_stairs", "own_activation.py")
    assert "--activation soft_stairs" in as_train_cli(row.recipe)
    assert as_train_cli(row.recipe).endswith("--load own_activation.py")
    assert training_settings(row.recipe, "nq", 0)["training"]["code"]["sha256"] == training.code.sha256

    tuned = tmp_path / "out" / f"{VGG}-nq-T2-seed0.safetensors"
    evaluate = ("evaluate", tuned, "--num-steps", 2, "--limit", 30)
    found = as_json(*evaluate)["recipe"]
    assert found["checkpoint"]["code"] == training.code.model_dump()
    registry.unregister("soft_stairs", "activation")
    monkeypatch.setenv(loaded.VARIABLE, "")
    assert "own_activation.py" in error(*evaluate)
    assert "There is no activation 'soft_stairs'" in error(*words)


def test_a_checkpoint_with_an_activation_of_ones_own_is_trained_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setenv(loaded.VARIABLE, str(ACTIVATION))
    loaded.load_named()
    own = sl.training.fine_tune(sl.example(VGG), activation="soft_stairs", epochs=1, images=16, batch_size=16)
    file = tmp_path / "own.safetensors"
    own.save(file)
    assert sl.training.fine_tune(own, epochs=1, images=16, batch_size=16).card.activation == "soft_stairs"
    made = experiment_recipe(opt.Flags(checkpoint=str(file)), steps=(2,))
    assert made.training.activation == "soft_stairs"
    assert "control_L" in made.experiment.arms, "soft_stairs has levels"
    asked = experiment_recipe(opt.Flags(checkpoint=str(file)), steps=(2,), training={"activation": "nq"})
    assert asked.training.activation == "nq"
    assert "--activation nq" in as_train_cli(open_bench(asked).recipe)
    assert experiment_recipe(opt.Flags(checkpoint=VGG), steps=(2,)).training.activation == "nq"

    monkeypatch.setattr(registry, "is_quantized", lambda activation: False)
    assert "control_L" not in experiment_recipe(opt.Flags(checkpoint=str(file)), steps=(2,)).experiment.arms


def test_levels_of_T_need_an_activation_with_levels(tmp_path):
    text = ACTIVATION.read_text().replace('needs=("levels",)', "needs=()")
    body = text.index("        x = torch")
    path = tmp_path / "mine.py"
    path.write_text(text[:body] + "        return torch.clamp(z / self.threshold, 0.0, 1.0) * self.threshold\n")
    words = ("train", VGG, "--load", path, "--activation", "soft_stairs", "--num-steps", 2, "--seeds", 1)
    told = error(*words, "--arms", "control,control_L")
    assert "The arm control_L trains with L = T, and soft_stairs has no levels; leave it out." in told


def test_a_file_that_raises_stops_the_verb(tmp_path, monkeypatch):
    path = tmp_path / "bad.py"
    path.write_text("import math\nmath.sqrt(-1)\n")
    told = error("evaluate", VGG, "--num-steps", 2, "--load", path)
    assert "bad.py, line 2: `math.sqrt(-1)` raised ValueError" in told
    monkeypatch.setenv(loaded.VARIABLE, "")
    assert "cannot be loaded" in error("methods", "--load", tmp_path / "none.py")


def test_without_it_the_method_is_unknown():
    assert "no method 'margin'" in error("evaluate", VGG, "--num-steps", 2, "--method", "margin")


def test_the_app_starts_without_what_raises_and_says_so(app, free_port, tmp_path, monkeypatch, capfd):  # noqa: F811
    def become(program, arguments):
        raise Replaced

    bad = tmp_path / "bad.py"
    bad.write_text("1 / 0")
    monkeypatch.setattr(launcher.os, "execv", become)
    with pytest.raises(Replaced):
        launcher.start_app(free_port, load=[EXAMPLE, bad])
    told = capfd.readouterr().err

    assert "note: own_method.py brings margin" in told
    assert "note: bad.py, line 1: `1 / 0` raised ZeroDivisionError: division by zero" in told
    assert os.environ[loaded.VARIABLE] == os.pathsep.join([str(EXAMPLE), str(bad)])
