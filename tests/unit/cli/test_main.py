"""The command line: one JSON value on stdout, one line of error on stderr, the numbers of the library."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import snnlab as sl
from snnlab.activations import ActivationSpec
from snnlab.cli.main import app
from snnlab.models import build, named_architecture
from snnlab.runs import Store, as_cli, as_python

runner = CliRunner()
VGG = "digits-vgg-qcfs-L8"


def invoke(*words):
    return runner.invoke(app, [str(word) for word in words])


def as_json(*words):
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def error(*words):
    result = invoke(*words)
    assert result.exit_code != 0
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_info():
    told = as_json("info", VGG)

    assert {"architecture", "classes", "sites", "activation", "levels", "source", "sha256"} <= set(told)
    assert (told["classes"], told["activation"], told["levels"]) == (10, "qcfs", 8)
    assert [set(site) for site in told["sites"]] == [{"name", "threshold", "shape"}] * 9
    assert "stage1.act1" in invoke("info", VGG).stdout


def test_evaluate_equals_the_library():
    told = as_json("evaluate", VGG, "--num-steps", 4, "--limit", 60)
    checkpoint = sl.example(VGG)
    images = checkpoint.data("dev", limit=60)
    ann = checkpoint.build()
    (curve,) = sl.analysis.accuracy_vs_steps({"ANN": ann, "SNN": sl.convert(ann, "qcfs")}, images, num_steps=4)

    assert told["steps"] == [1, 2, 3, 4]
    assert told["snn_accuracy"] == curve.snn_accuracy.tolist()
    assert told["ann_accuracy"] == curve.ann_accuracy
    assert (told["images"], told["split"], told["sites"], told["test_looks"]) == (60, "dev", 9, 0)
    assert told["recipe_sha"] == sl.Recipe.parse(told["recipe"]).sha
    assert told["seconds"] > 0


def test_a_recipe_file_gives_the_same_run(tmp_path):
    told = as_json("evaluate", VGG, "--num-steps", 3, "--limit", 30)
    (tmp_path / "recipe.yaml").write_text(sl.Recipe.parse(told["recipe"]).to_yaml())
    again = as_json("evaluate", "--recipe", tmp_path / "recipe.yaml")
    longer = as_json("evaluate", "--recipe", tmp_path / "recipe.yaml", "--num-steps", 5)

    assert again["recipe_sha"] == told["recipe_sha"]
    assert again["snn_accuracy"] == told["snn_accuracy"]
    assert longer["snn_accuracy"][:3] == told["snn_accuracy"]


def test_the_shown_command_line_and_python_give_the_shown_numbers():
    told = as_json(
        "evaluate", "digits-vgg-relu", "--num-steps", 3, "--limit", 40, "--method", "percentile_norm",
        "--set", "percentile=99", "--set", "per_channel=true", "--site", "stage1.act1.v0=0.25",
    )  # fmt: skip
    recipe = sl.Recipe.parse(told["recipe"])
    words = as_cli(recipe).split()
    assert words[0] == "snnlab"
    assert as_json(*words[1:])["recipe_sha"] == recipe.sha

    names: dict = {}
    exec(as_python(recipe), names)
    assert names["accuracy"].tolist() == told["snn_accuracy"]


def test_a_draw_of_calibration_images_is_told_by_the_recipe_file():
    recipe = sl.Recipe.parse({"checkpoint": {"source": VGG}, "data": {"dataset": "digits"}, "num_steps": 4,
                              "converter": {"method": "max_norm"}, "calibration": {"images": 32}})  # fmt: skip
    assert as_cli(recipe) == "snnlab evaluate --recipe recipe.yaml", "no option says which images are drawn"


def test_test_looks_are_counted():
    first = as_json("evaluate", VGG, "--num-steps", 1, "--split", "test", "--limit", 20)
    second = as_json("evaluate", VGG, "--num-steps", 1, "--split", "test", "--limit", 20)

    assert (first["test_looks"], second["test_looks"]) == (1, 2)


def test_residuals():
    told = as_json("residuals", VGG, "--num-steps", 4, "--snapshots", "1,2,4", "--limit", 30)

    assert max(site["largest_identity_error"] for site in told["sites"]) < 1e-5
    assert next(site["name"] for site in told["sites"]) == "stage1.act1"
    for site in told["sites"]:
        assert [snapshot["step"] for snapshot in site["snapshots"]] == [1, 2, 4]
        for snapshot in site["snapshots"]:
            shares = [snapshot[kind] for kind in ("silent", "exact", "excess", "missing", "saturated")]
            assert sum(shares) == pytest.approx(1)
            assert snapshot["right"] == pytest.approx(1 - snapshot["excess"] - snapshot["missing"])
            edges, counts = snapshot["histogram"]["edges"], snapshot["histogram"]["counts"]
            assert len(counts) == len(edges) + 1
            below = sum(counts[: int(np.searchsorted(edges, 0.0, side="right"))]) / sum(counts)
            assert snapshot["below_zero"] == pytest.approx(below)
        assert site["snapshots"][0]["excess"] == 0
    first = told["sites"][0]["snapshots"]
    assert all(snapshot["excess"] == snapshot["missing"] == 0 for snapshot in first)


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_residuals_figure(tmp_path, suffix):
    out = tmp_path / f"residuals.{suffix}"
    result = invoke("residuals", VGG, "--num-steps", 2, "--limit", 20, "--out", out)

    assert result.exit_code == 0, result.stderr
    assert out.stat().st_size > 5000
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_convert_then_load(tmp_path):
    told = as_json("convert", VGG, "--out", tmp_path / "snn.safetensors")
    snn = sl.load_snn(tmp_path / "snn.safetensors")

    assert list(snn.sites) == [site["name"] for site in told["sites"]]


def test_a_method_that_depends_on_its_steps_is_converted_for_each_or_for_the_last():
    words = ["evaluate", VGG, "--method", "opt_shift", "--limit", "40"]
    prefix = as_json(*words, "--num-steps", "6")
    exact = as_json(*words, "--curve", "exact", "--steps", "2,6")

    assert (prefix["curve"], prefix["converted_for"], len(prefix["snn_accuracy"])) == ("prefix", 6, 6)
    assert (exact["curve"], exact["steps"], exact["converted_for"]) == ("exact", [2, 6], [2, 6])
    assert exact["snn_accuracy"][1] == prefix["snn_accuracy"][5]
    assert exact["snn_accuracy"][0] == as_json(*words, "--num-steps", "2")["snn_accuracy"][1]
    assert exact["snn_accuracy"][0] > prefix["snn_accuracy"][1]  # half a threshold by T = 2, not by T = 6
    assert as_json("evaluate", VGG, "--limit", "40", "--num-steps", "2")["converted_for"] is None


def test_what_ecl_chose_is_told_with_the_comparison(tmp_path):
    told = as_json("evaluate", VGG, "--method", "ecl", "--limit", "20", "--num-steps", "2")
    found = told["findings"]["negative_fraction"]
    assert found["chosen"] in found["candidates"]
    assert found["split"] == "validation"
    assert f"ecl chose negative_fraction = {found['chosen']:g} on 135 validation images at T = 2" in told["notes"][-1]
    given = as_json(
        "evaluate", VGG, "--method", "ecl", "--limit", "20", "--num-steps", "2", "--set", "negative_fraction=-0.5"
    )
    assert given["findings"] == {}
    written = as_json("convert", VGG, "--method", "ecl", "--num-steps", "2", "--out", tmp_path / "snn.safetensors")
    assert written["findings"] == told["findings"]
    assert sl.load_snn(tmp_path / "snn.safetensors").findings == told["findings"]


def test_accuracy_read_where_ecl_chose_comes_with_a_note():
    words = ["evaluate", VGG, "--method", "ecl", "--limit", "20", "--num-steps", "2"]
    note = "ecl made its choice on validation, and accuracies on the same images flatter it: read them on dev."
    assert as_json(*words, "--split", "validation")["notes"][-1] == note
    assert note not in as_json(*words)["notes"]
    given = as_json(*words, "--split", "validation", "--set", "negative_fraction=-0.5")
    assert note not in given["notes"], "nothing was chosen"
    said = runner.invoke(app, [*words, "--split", "validation"])
    assert f"note: {note}" in said.stderr
    assert f"note: {note}" not in runner.invoke(app, words).stderr


def test_the_python_line_of_a_method_that_needs_more_runs():
    from snnlab.core.recipe import Recipe
    from snnlab.runs.snippets import as_python

    told = as_json("evaluate", VGG, "--method", "ecl", "--limit", "20", "--num-steps", "2")
    code = as_python(Recipe.parse(told["recipe"]))
    assert "num_steps=2" in code.splitlines()[4]
    names = {}
    exec(code, names)
    assert names["accuracy"].tolist() == told["snn_accuracy"]


@pytest.mark.parametrize(("method", "steps"), [("srp", "tau"), ("cos", "rho")])
def test_methods_with_a_warm_up_tell_their_total_latency(method, steps):
    words = ["evaluate", VGG, "--method", method, "--set", f"{steps}=3", "--limit", "20"]
    told = as_json(*words, "--num-steps", "4")
    assert (told["steps"], told["total_latency"], told["converted_for"]) == ([1, 2, 3, 4], [4, 5, 6, 7], None)
    exact = as_json(*words, "--num-steps", "4", "--curve", "exact", "--steps", "3,4")
    assert exact["total_latency"] == [6, 7]
    assert exact["snn_accuracy"] == told["snn_accuracy"][2:]
    assert "counted after 3 steps of warm-up: total latency T + that" in invoke(*words, "--num-steps", "4").stdout
    assert "total_latency" not in as_json("evaluate", VGG, "--method", "qcfs", "--limit", "20", "--num-steps", "4")


def test_a_sequence_shorter_than_what_cos_looks_at_is_one_sentence():
    result = invoke("evaluate", VGG, "--method", "cos", "--limit", "20", "--num-steps", "2")
    assert result.exit_code != 0
    assert "num_steps is 2, and cos corrects by what the first 4 time-steps of a sequence show" in result.stderr


def test_methods_and_inspect_and_version():
    names = [card["name"] for card in as_json("methods")]
    assert {"max_norm", "percentile_norm", "qcfs", "nq", "opi", "opt_shift", "ecl", "snm", "rmp"} <= set(names)
    assert {"group_neuron", "calibration_light", "calibration_potential"} <= set(names)
    assert {card["name"] for card in as_json("methods") if card["depends_on_num_steps"]} == {
        "opt_shift", "ecl", "calibration_light", "calibration_potential", "calibration_weights", "alpha_beta",
        "ttrbr",
    }  # fmt: skip
    assert as_json("inspect", VGG)["sites"][0] == "stage1.act1"
    assert invoke("--version").stdout.strip() == sl.__version__


def test_doctor():
    told = as_json("doctor")

    assert told["identities"]["value"] == "charge balance off by 0, 0 wrong counts under constant input"
    assert told["torch"]["ok"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["evaluate", VGG, "--num-steps", "2", "--curve", "both"], "'both' is neither prefix nor exact"),
        (["evaluate", VGG, "--num-steps", "2", "--curve", "exact"], "--steps names the time-steps of --curve exact"),
        (["evaluate", VGG, "--num-steps", "2", "--steps", "1,2"], "--steps names the time-steps of --curve exact"),
        (["evaluate", VGG, "--curve", "exact", "--steps", "1,x"], "--steps '1,x' is not a list"),
        (["convert", VGG, "--method", "opt_shift"], "opt_shift converts for one number of time-steps"),
        (["evaluate", VGG, "--num-steps", "0"], "num_steps is 0; it must be at least 1."),
        (["evaluate", VGG, "--num-steps", "-2"], "num_steps is -2; it must be at least 1."),
        (["evaluate", VGG], "--num-steps"),
        (["evaluate"], "Name a checkpoint"),
        (["evaluate", VGG, "--num-steps", "2", "--method", "qcsf"], "did you mean 'qcfs'"),
        (["evaluate", VGG, "--num-steps", "2", "--dataset", "cifar"], "cifar10"),
        (["evaluate", VGG, "--num-steps", "2", "--split", "tset"], "data.split"),
        (["evaluate", VGG, "--num-steps", "2", "--limit", "0"], "data.limit"),
        (["evaluate", VGG, "--num-steps", "2", "--normalize", "imagnet"], "did you mean 'imagenet'"),
        (["evaluate", VGG, "--num-steps", "2", "--set", "percentile"], "key=value"),
        (["evaluate", VGG, "--num-steps", "2", "--site", "stage1.act1=3"], "NAME.threshold=V"),
        (["evaluate", VGG, "--num-steps", "2", "--site", "stage9.act1.v0=3"], "no site 'stage9.act1'"),
        (["evaluate", "digits-vgg-relu", "--num-steps", "2", "--method", "qcfs"], "percentile_norm"),
        (["evaluate", VGG, "--num-steps", "2", "--dataset", "mnist", "--data-dir", "/nowhere"], "/nowhere"),
        (["info", "digits-vgg-qcf"], "did you mean the bundled 'digits-vgg-qcfs-L8'"),
        (["residuals", VGG, "--num-steps", "2", "--snapshots", "3"], "lie outside 1..2"),
        (["residuals", VGG, "--num-steps", "2", "--snapshots", "a"], "whole numbers"),
        (["residuals", VGG, "--num-steps", "2", "--out", "x.doc"], ".pdf, .svg or .png"),
        (["residuals", VGG, "--num-steps", "2", "--out", "/nowhere/x.pdf"], "does not exist"),
        (["evaluate", "--recipe", "/nowhere.yaml"], "cannot be read"),
        (["data", "fetch", "imagenet"], "imagenet"),
    ],
)
def test_wrong_input_is_one_line(words, reason):
    assert reason in error(*words)


def test_missing_levels_are_asked_for(tmp_path):
    from snnlab.io.key_maps import qcfs_family

    architecture = named_architecture("resnet20-B", 10)
    network = build(architecture, ActivationSpec("qcfs", 4))
    shapes = {"x.up": (1,)}
    table = qcfs_family.tables(architecture, shapes)[0]
    torch.save(table.to_foreign(network.state_dict()), tmp_path / "net.pth")

    assert "levels" in as_json("info", tmp_path / "net.pth")["unknown"]
    message = error(
        "evaluate", tmp_path / "net.pth", "--num-steps", 2, "--dataset", "cifar10", "--data-dir", "/nowhere"
    )
    assert "levels" in message or "/nowhere" in message


def test_a_store_that_cannot_be_written_does_not_take_the_numbers(monkeypatch):
    monkeypatch.setenv("SNNLAB_STORE", "/proc/nowhere/runs.sqlite")
    result = invoke("evaluate", VGG, "--num-steps", 1, "--limit", 10, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["images"] == 10
    assert "was not stored" in result.stderr


def test_runs_are_stored():
    told = as_json("evaluate", VGG, "--num-steps", 1, "--limit", 10)

    assert Store().find(sl.Recipe.parse(told["recipe"])).reports["accuracy"].images == 10


def test_networks_that_a_file_may_hold_are_ranked(real_data):
    told = as_json(
        "info", real_data / "checkpoints/sinabs_mnist/mnist_params.pt", "--dataset", "mnist", "--data-dir", real_data
    )["candidates"]

    assert told[0]["normalization"] == "unit"
    assert told[0]["accuracy"] > 0.95
    assert [row["accuracy"] for row in told] == sorted((row["accuracy"] for row in told), reverse=True)


def test_a_real_checkpoint_with_the_wrong_normalisation_is_noted(real_data):
    words = (
        "evaluate", real_data / "checkpoints/distiller_relu_cifar10/distiller_resnet20_dense.pth.tar",
        "--dataset", "cifar10", "--data-dir", real_data, "--limit", 40, "--num-steps", 2,
    )  # fmt: skip
    chosen = as_json(*words)
    wrong = as_json(*words, "--normalize", "imagenet")

    assert chosen["recipe"]["data"]["normalize"] == "half"
    assert any("half was chosen, the best of" in note for note in chosen["notes"])
    assert any("probably the wrong one" in note for note in wrong["notes"])
    assert chosen["split"] == "dev_from_test"
    assert chosen["ann_accuracy"] > wrong["ann_accuracy"]
