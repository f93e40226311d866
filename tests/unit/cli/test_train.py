"""``snnlab train``: the JSON of the contract, checkpoints and recipe in a folder, and what is refused."""

import json

import pytest
from typer.testing import CliRunner

import snnlab as sl
from snnlab.cli import options as opt
from snnlab.cli.main import app
from snnlab.cli.train import experiment_recipe, gain_as_json, told, warner
from snnlab.runs import Store
from snnlab.sweeps import live
from snnlab.sweeps.watched import LiveEpoch
from tests.unit.figures.synthetic_gain import noise_gain_report

runner = CliRunner()
VGG = "digits-vgg-qcfs-L8"
TINY = ["--seeds", "2", "--epochs", "1", "--images", "32", "--batch-size", "16", "--limit", "30", "--noise-limit", "20"]
TINY += ["--num-steps", "2,1", "--arms", "control,nq"]


def invoke(*words):
    return runner.invoke(app, ["train", *map(str, words)])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A tiny experiment: what it printed, its folder, its store."""
    home = tmp_path_factory.mktemp("train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLAB_STORE", str(home / "runs.sqlite"))
        patch.setenv("XDG_DATA_HOME", str(home / "data"))
        result = invoke(VGG, *TINY, "--out", home / "networks", "--state", home / "state", "--json")
        assert result.exit_code == 0, result.stderr
        rows = Store().list()
        stored = Store().get(next(row.id for row in rows if row.verb == "train" and not row.shipped))
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(name)), home, stored


def test_the_json_is_that_of_the_contract(done):
    printed = done[0]
    assert list(printed) == ["split", "base", "seeds", "target_num_steps", "arms", "base_accuracy"]
    assert (printed["split"], printed["base"], printed["seeds"]) == ("dev", "one checkpoint", 2)
    assert printed["target_num_steps"] == 2
    assert [arm["name"] for arm in printed["arms"]] == ["control", "nq"]
    nq = printed["arms"][1]
    assert list(nq) == ["name", "ann_accuracy", "snn_accuracy", "gain_over_control"]
    assert set(nq["gain_over_control"]["2"]) == {"mean", "low", "high", "images_low", "images_high"}
    assert set(printed["base_accuracy"]) == {"ann", "2", "1"}


def test_the_run_is_stored_with_the_same_numbers(done):
    printed, _, run = done
    gain = run.reports["gain"]
    assert gain_as_json(gain) == printed
    assert run.recipe.experiment.arms == ("control", "nq")
    assert run.accuracy.images == 30
    assert gain.curves.shape == (2, 2, 1, 4)


def test_the_fine_tuned_checkpoints_are_native_files_without_noise(done):
    _, home, run = done
    files = sorted(path.name for path in (home / "networks").iterdir())
    assert files == sorted(
        [*(f"{VGG}-{arm}-T2-seed{seed}.safetensors" for arm in ("control", "nq") for seed in (0, 1)), "recipe.yaml"]
    )
    tuned = sl.load_checkpoint(home / "networks" / f"{VGG}-nq-T2-seed1.safetensors")
    base = sl.example(VGG)
    assert (tuned.card.activation, tuned.card.levels) == ("qcfs", base.card.levels)
    assert sl.runs.lineage_of(tuned.card.to_dict()) == sl.runs.lineage_of(base.card.to_dict())
    assert tuned.card.seen["train"] == "yes"
    assert tuned.card.seen["dev"] == "no"
    assert tuned.card.dataset == "digits"
    assert sl.Recipe.from_file(home / "networks" / "recipe.yaml") == run.recipe
    images = tuned.data("dev", limit=30)
    rec = sl.simulate(sl.convert(tuned.build(), "qcfs"), images, num_steps=2)
    assert (rec.predictions[1] == images.labels).tolist() == run.reports["gain"].snn_correct[1, 1, 0].tolist()


def test_the_state_folder_is_gone_on_from_and_refuses_another_recipe(done):
    printed, home, _ = done
    again = invoke(VGG, *TINY, "--state", home / "state", "--json")
    assert json.loads(again.stdout) == printed
    other = invoke(VGG, *TINY, "--state", home / "state", "--learning-rate", "0.5", "--batch-size", "8")
    assert other.exit_code == 1
    assert "training.batch_size, training.learning_rate differ" in other.stderr.replace("\n", " ")


def test_other_exploratory_steps_need_no_training(done):
    printed, home, run = done
    words = [word if word != "2,1" else "2,4" for word in TINY]
    before = (home / "state" / "nq-0" / "training.safetensors").stat().st_mtime_ns
    result = invoke(VGG, *words, "--state", home / "state", "--json")
    assert json.loads(result.stdout)["arms"][1]["snn_accuracy"]["2"] == printed["arms"][1]["snn_accuracy"]["2"]
    assert (home / "state" / "nq-0" / "training.safetensors").stat().st_mtime_ns == before
    assert live(run.recipe, home / "state").done == 4


def test_a_recipe_file_is_the_experiment_again(done, tmp_path):
    printed, home, _ = done
    result = invoke("--recipe", home / "networks" / "recipe.yaml", "--state", home / "state", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == printed


def test_the_table_for_people_has_base_and_control_side_by_side():
    lines = told(noise_gain_report())
    text = "\n".join(lines)
    assert [line.split()[0] for line in lines[4:6]] == ["base", "control"]
    assert "T = 2 is the question; the other T are exploratory." in text
    assert max(map(len, lines)) < 140


def test_one_seed_has_null_intervals_and_says_why(tmp_path):
    values = gain_as_json(noise_gain_report(arms=("control", "nq"), seeds=1))
    assert values["arms"][1]["gain_over_control"]["2"]["low"] is None
    assert values["arms"][1]["gain_over_control"]["2"]["images_low"] is not None


def test_a_noisy_ann_at_chance_is_said_once(capsys):
    watch = warner()
    for number in (1, 2):
        watch(LiveEpoch("double_nq", 0, number, 2.3, 0.9, 0.11, 0.1, True, (0.9,), 1.0, 942))
    said = capsys.readouterr().err
    assert said.count("at chance") == 1
    assert "double_nq, seed 0, epoch 1" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--arms", "nq"], "needs the arm control"),
        (["--arms", "control,best"], "experiment.arms"),
        (["--arms", "control,profile"], "needs --profile FILE"),
        (["--num-steps", "two"], "not a list of whole numbers"),
        (["--num-steps", "0"], "needs at least one T"),
        (["--seeds", "0"], "experiment.seeds is 0"),
        (["--learning-rate", "nan"], "training.learning_rate"),
        (["--augment", "blur"], "training.augment"),
        (["--arms", "control,profile", "--profile", "/nowhere.yaml"], "cannot be read"),
        (["--out", "/nowhere/else"], "does not exist"),
        (["--freeze"], "--freeze keeps the std of the arm profile"),
        (["--device", "abacus"], "There is no device 'abacus'"),
        (["--devices", "0"], "devices is 0; at least 1 is needed"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(words, reason):
    result = invoke(VGG, *words)
    assert result.exit_code == 1
    assert reason in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


def test_a_profile_of_another_network_names_the_site(tmp_path):
    file = tmp_path / "profile.yaml"
    file.write_text('num_steps: 2\nsites:\n- {"name": "layer9.act", "threshold": 1.0, "std": 0.1}\n')
    result = invoke(VGG, *TINY, "--arms", "control,profile", "--profile", file, "--state", tmp_path / "state")
    assert result.exit_code == 1
    assert "layer9.act" in result.stderr


@pytest.mark.parametrize("std", ["-0.1", ".nan", ".inf"])
def test_a_std_that_cannot_be_is_refused(tmp_path, std):
    file = tmp_path / "profile.yaml"
    file.write_text(f'num_steps: 2\nsites:\n- {{"name": "stage1.act1", "threshold": 1.0, "std": {std}}}\n')
    result = invoke(VGG, *TINY, "--arms", "control,profile", "--profile", file)
    assert result.exit_code == 1
    assert "stage1.act1" in result.stderr
    assert "0 or more" in result.stderr.replace("\n", " ")


def test_a_profile_of_another_t_is_remarked_on(tmp_path, capsys):
    file = tmp_path / "profile.yaml"
    file.write_text('num_steps: 4\nsites:\n- {"name": "stage1.act1", "threshold": 1.0, "std": 0.1}\n')
    flags = opt.Flags(checkpoint=VGG)
    recipe = experiment_recipe(flags, steps=(2,), arms=["control", "profile"], profile=file)
    assert recipe.noise.std == {"stage1.act1": 0.1}
    assert "measured at T = 4, and the question is asked at T = 2" in capsys.readouterr().err
