"""``snnlab fit-noise``: the JSON of the contract, and the same numbers from job, question, command line and Python."""

import json
import math

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import snnlab as sl
from snnlab.cli.main import app
from snnlab.core.errors import RecipeError
from snnlab.core.progress import silent
from snnlab.runs import Store, as_cli, as_python, default_recipe, noise_recipe
from snnlab.runs.kinds import find

VGG = "digits-vgg-qcfs-L8"
runner = CliRunner()


def invoke(*words):
    return runner.invoke(app, [str(word) for word in words])


def as_json(*words):
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.fixture(scope="module")
def recipe():
    made = noise_recipe(default_recipe(VGG, num_steps=4, limit=60), targets=(2, 4))
    return made.changed(
        snapshots=(), noise={"limit": 40, "seeds": 3, "scale": 1.5, "multipliers": {"stage1.act2": 0.5}}, seed=3
    )


def test_json_is_the_contract():
    told = as_json("fit-noise", VGG, "--num-steps", 8, "--limit", 40, "--eval-limit", 50, "--noise-seeds", 2)

    assert list(told) == [
        "sites", "num_steps", "ann_accuracy", "noisy_accuracy", "snn_accuracy", "kappa", "fit", "evaluation",
    ]  # fmt: skip
    assert [list(site) for site in told["sites"]] == [
        ["name", "threshold", "std", "mean", "share_zero", "local_std", "count"]
    ] * 9
    assert told["sites"][0]["std"] == 0
    assert told["sites"][0]["count"] == 40 * 16 * 64
    assert told["sites"][1]["std"] > 0
    assert list(told["noisy_accuracy"]) == ["mean", "low", "high", "noise_seeds"]
    assert told["noisy_accuracy"]["noise_seeds"] == 2
    assert list(told["kappa"]) == ["value", "low", "high", "why"]
    assert told["kappa"]["value"] is not None or told["kappa"]["why"]
    assert told["fit"] == {"split": "calibration", "images": 40}
    assert told["evaluation"] == {"split": "dev", "images": 50}
    assert told["num_steps"] == 8


def test_same_numbers_everywhere(recipe):
    """Job, interactive question, command line and Python on one recipe."""
    stored = find("noise")(progress=silent, recipe=recipe.to_dict())
    run = Store().get(stored["run"])
    report = run.noise
    assert (run.verb, report.targets, set(run.reports)) == ("noise", (2, 4), {"noise", "accuracy", "conversion"})
    words = as_cli(recipe, verb="fit-noise", num_steps=2).split()
    told = as_json(*words[1:])
    std = report.evaluated(2).std_by_site()
    asked = find("noisy")(
        progress=silent, recipe=run.recipe.to_dict(), target=2, std=std, scales=[1.0, 0.5], kappa=True
    )
    names: dict = {}
    exec(as_python(recipe, num_steps=2), names)

    assert told["sites"] == report.profile(2).to_dict()["sites"]
    assert told["noisy_accuracy"]["mean"] == report.noisy(2).value == asked["noisy"][0]["value"]
    assert told["noisy_accuracy"]["mean"] == pytest.approx(names["noisy_accuracy"])
    assert [asked["noisy"][0][side] for side in ("low", "high")] == [report.noisy(2).low, report.noisy(2).high]
    assert asked["noisy"][1]["value"] == report.noisy(2, 0.5).value
    assert told["kappa"] == asked["kappa"]
    np.testing.assert_array_equal(names["profile"].std, report.profile_std[0])
    np.testing.assert_array_equal(names["right"][0], report.noisy_correct[0, 2])
    assert told["snn_accuracy"] == report.snn(2).value == names["accuracy"][1]
    assert (asked["images"], asked["split"]) == (60, "dev")
    assert len(asked["noisy"][0]["seeds"]) == 3


def test_what_is_changed_by_hand_changes_the_noisy_ann_only(recipe):
    run = sl.runs.fit_noise_run(recipe)
    measured, evaluated = run.noise.profile(2), run.noise.evaluated(2)

    factor = np.where(np.array(measured.names) == "stage1.act2", 0.75, 1.5)
    np.testing.assert_allclose(evaluated.std, factor * measured.std)
    drawn = sl.runs.fit_noise_run(recipe.changed(noise={"std": {"stage1.act1": 0.25}, "scale": 2.0}))
    assert drawn.noise.evaluated(2).std[0] == 0.5
    np.testing.assert_array_equal(drawn.noise.std, run.noise.std)


def test_which_site_matters_is_the_same_everywhere(recipe):
    """Command line, stored run, the app's jobs and Python."""
    words = ["--num-steps", 2, "--limit", 40, "--eval-limit", 50, "--noise-seeds", 3, "--scale", 2.0]
    told = as_json("fit-noise", VGG, *words, "--sensitivity", "--max-loss", 2.5)

    assert list(told)[-2:] == ["sensitivity", "largest_scale"]
    assert [list(site) for site in told["sensitivity"]] == [["name", "loss", "low", "high", "rank"]] * 9
    assert {site["rank"] for site in told["sensitivity"]} >= {1}
    assert told["sensitivity"][-1]["low"] <= told["sensitivity"][-1]["loss"] <= told["sensitivity"][-1]["high"]
    run = Store().get(next(row.id for row in Store().list() if row.verb == "noise" and not row.shipped))
    stored = run.reports["sensitivity"]
    assert [loss.value for loss in stored.losses] == [site["loss"] for site in told["sensitivity"]]
    assert run.reports["largest_scale"].told() == told["largest_scale"]

    profile = run.noise.evaluated(2)
    asked = {"progress": silent, "recipe": run.recipe.to_dict(), "profile": profile.to_dict()}
    answer = json.loads(json.dumps(find("sensitivity")(**asked)))
    again = sl.analysis.Report.from_payload(answer["sensitivity"], {})
    assert again.losses == stored.losses
    scale = find("largest_scale")(**asked, points=2.5)
    assert {name: scale[name] for name in told["largest_scale"]} == told["largest_scale"]
    images = sl.example(VGG).data("dev", limit=50)
    plain = sl.analysis.sensitivity(sl.example(VGG).build(), profile, images, noise_seeds=3)
    assert plain.losses == stored.losses


def test_which_site_matters_as_a_table():
    words = ["--num-steps", 2, "--limit", 40, "--eval-limit", 50, "--noise-seeds", 2]
    told = invoke("fit-noise", VGG, *words, "--sensitivity", "--max-loss", 90).stdout
    assert "Noise at one site at a time" in told
    assert "all sites together" in told
    assert "largest scale that costs at most 90 points: none (above 4" in told
    assert "sensitivity" not in as_json("fit-noise", VGG, *words)


def test_a_noise_run_survives_storage(recipe):
    from snnlab.runs import Run

    run = sl.runs.fit_noise_run(recipe)
    again = Run.from_bytes(run.to_bytes())
    assert again.to_bytes() == run.to_bytes()
    assert again.noise.shapes == run.noise.shapes
    assert again.noise.to_frame().equals(run.noise.to_frame())
    roles = run.noise.accuracy_frame()["role"].value_counts().to_dict()
    assert roles == {"noisy_ann": 18, "snn": 2, "ann": 1}


def test_table_and_profile_file(tmp_path):
    words = ("fit-noise", VGG, "--num-steps", 8, "--limit", 30, "--eval-limit", 40, "--paper-compat")
    result = invoke(*words, "--out", tmp_path / "profile.yaml")
    assert result.exit_code == 0, result.stderr
    assert "stage1.act1" in result.stdout
    assert "kappa" in result.stdout
    profile = sl.calibration.NoiseProfile.from_yaml((tmp_path / "profile.yaml").read_text())
    assert profile.num_steps == 8
    assert len(profile.names) == 9
    assert Store().list()[0].verb == "noise"


def test_a_recipe_file_and_flags_over_it(recipe, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.to_yaml())
    assert yaml.safe_load(path.read_text())["noise"]["seeds"] == 3
    told = as_json("fit-noise", "--recipe", path, "--num-steps", 2, "--noise-seeds", 1)
    assert (told["num_steps"], told["noisy_accuracy"]["noise_seeds"]) == (2, 1)
    assert told["fit"]["images"] == 40


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--num-steps", 0), "num_steps is 0; it must be at least 1"),
        (("--num-steps", 2, "--noise-seeds", 0), "noise.seeds is 0; it must be at least 1"),
        (("--num-steps", 2, "--std", "stage1.act1=-1"), "is -1.0; it must be at least 0"),
        (("--num-steps", 2, "--std", "stage1.act1=nan"), "is nan; it must be a finite number"),
        (("--num-steps", 2, "--std", "stage1.act9=1", "--limit", 5), "no site 'stage1.act9'"),
        (("--num-steps", 2, "--std", "stage1.act1"), "not of the form NAME=NUMBER"),
        (("--num-steps", 2, "--split", "test"), "Test images choose nothing"),
        (("--num-steps", 2, "--max-loss", 0), "--max-loss 0 must be above 0 and at most 100"),
        (("--num-steps", 2, "--max-loss", "nan"), "--max-loss nan must be above 0"),
        (("--num-steps", 2, "--out", "profile.txt"), "must end in .yaml"),
    ],
)
def test_bad_input_is_one_line(words, sentence):
    result = invoke("fit-noise", VGG, *words)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_kappa_that_is_no_number_is_null_with_its_reason():
    from snnlab.cli.noise import noise_as_json

    run = sl.runs.fit_noise_run(noise_recipe(default_recipe(VGG, num_steps=8, limit=30), targets=(8,)))
    for value, why in ((math.nan, "the SNN is as accurate"), (math.inf, "above 4")):
        run.noise.kappa[0] = value
        object.__setattr__(run.noise, "kappa_why", (why,))
        assert noise_as_json(run.noise, 8)["kappa"] == {"value": None, "low": None, "high": None, "why": why}


def test_a_question_outside_the_recipe_is_one_sentence(recipe):
    with pytest.raises(RecipeError, match=r"T = 9 lies outside 1..4"):
        find("noisy")(progress=silent, recipe=recipe.to_dict(), target=9, std={}, scales=[1.0])


def test_the_bundled_networks_ship_their_noise():
    shipped = {run.card["name"]: run for run in Store().shipped() if run.verb == "noise"}
    assert {name for name in sl.examples() if name.startswith("digits")} <= set(shipped) <= set(sl.examples())
    for run in shipped.values():
        assert run.id == run.recipe.key()[:32]
        assert run.noise.targets == run.noise.steps == run.recipe.snapshots
        assert run.noise.images == (270 if run.recipe.data.dataset == "digits" else 512)
        assert run.recipe == noise_recipe(run.recipe.changed(noise=None), targets=run.recipe.snapshots).changed(
            data={"limit": run.recipe.data.limit}
        )
    vgg = shipped[VGG].noise
    assert vgg.std[0, vgg.step_index(8)] == 0
