"""T before the first step at which a method can stop: lines and Python that the app shows give the app's numbers."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import snnlab as sl
from snnlab.cli.main import app
from snnlab.core.recipe import Recipe
from snnlab.runs.budget import budget_run, restore_run
from snnlab.runs.energy import energy_run
from snnlab.runs.snippets import as_cli, as_python

VGG = "digits-vgg-qcfs-L8"
VERBS = ("budget", "restore", "energy", "fit-noise")


def recipe(method="cos", **more):
    noise = {"limit": 40, "targets": [2], "seeds": 2}
    values = {
        "checkpoint": {"source": VGG},
        "data": {"dataset": "digits", "split": "dev", "limit": 30},
        "converter": {"method": method},
        "num_steps": 6,
        "snapshots": [1, 2, 6],
        "noise": noise,
    }
    return Recipe.parse({**values, **more})


def of_the_line(verb, num_steps=2, method="cos"):
    result = CliRunner().invoke(app, [*as_cli(recipe(method), verb=verb, num_steps=num_steps).split()[1:], "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def of_python(verb):
    names: dict = {}
    exec(as_python(recipe(noise=recipe().noise if verb == "fit-noise" else None), verb=verb, num_steps=2), names)
    return names


def test_a_line_simulates_on_only_where_the_method_looks_at_more_steps():
    for verb in VERBS:
        assert "--num-steps 2 --until 4" in as_cli(recipe(), verb=verb, num_steps=2)
        assert "--until" not in as_cli(recipe(), verb=verb, num_steps=4)
        assert "--until" not in as_cli(recipe("srp"), verb=verb, num_steps=2)  # its warm-up lies before t = 1
        assert "--until" not in as_cli(recipe("qcfs"), verb=verb, num_steps=2)
    drawn = recipe(calibration={"images": 8, "seed": 1})
    assert as_cli(drawn, verb="budget", num_steps=2) == "snnlab budget --recipe recipe.yaml --num-steps 2 --until 4"
    assert as_cli(drawn, verb="budget") == "snnlab budget --recipe recipe.yaml"


def test_the_budget_of_a_line_and_of_python_is_that_of_the_longer_run():
    report = budget_run(recipe(noise=None)).reports["budget"]
    told = of_the_line("budget")
    assert (told["num_steps"], told["images"]) == (2, 30)
    for term in ("uneven", "quantization", "clipping", "propagated", "total"):
        np.testing.assert_allclose([site[term] for site in told["sites"]], report.values(term, 2), atol=1e-9)
    frame, whole = of_python("budget")["budget"], report.to_frame()
    np.testing.assert_allclose(frame[frame["step"] == 2]["total"], whole[whole["step"] == 2]["total"], atol=1e-9)


def test_the_restoration_of_a_line_and_of_python_is_that_of_the_longer_run():
    report = restore_run(recipe(noise=None)).reports["restoration"]
    told, frame = of_the_line("restore"), of_python("restore")["restored"]
    assert [site["regained"] for site in told["sites"]] == [each.value for each in report.regained(2)]
    assert told["snn_accuracy"] == report.snn_correct[report.snapshot(2)].mean()
    at = frame[(frame["step"] == 2) & (frame["part"] == "site")]
    assert at["regained"].tolist() == [each.value for each in report.regained(2)]


def test_the_energy_of_a_line_and_of_python_is_that_of_the_longer_run():
    activity = energy_run(recipe(noise=None, snapshots=[])).reports["activity"]
    energy = sl.analysis.EnergyReport.of(activity)
    told, table = of_the_line("energy"), of_python("energy")["table"]
    assert (told["num_steps"], told["totals"]["syn_ops"]) == (2, activity.per_image(2))
    for row in told["energy"]:
        assert row["snn_pj"] == pytest.approx(energy.snn(row["costs"])[1])
        assert row["ratio"] == pytest.approx(energy.ratio(row["costs"])[1])
    assert table["ratio"].tolist() == pytest.approx(energy.summary(2)["ratio"].tolist())


def test_the_noise_of_a_line_and_of_python_is_that_of_the_longer_run():
    report = sl.runs.fit_noise_run(recipe()).noise
    told, names = of_the_line("fit-noise"), of_python("fit-noise")
    assert told["sites"] == report.profile(2).to_dict()["sites"]
    assert (told["num_steps"], told["noisy_accuracy"]["mean"]) == (2, report.noisy(2).value)
    np.testing.assert_array_equal(names["profile"].std, report.profile(2).std)
    assert names["noisy_accuracy"] == report.noisy(2).value


@pytest.mark.parametrize("verb", ["evaluate", "residuals", "attribute", "diagnose"])
def test_other_verbs_have_no_such_option(verb):
    assert "--until" not in as_cli(recipe(noise=None), verb=verb, num_steps=2)


@pytest.mark.parametrize("verb", VERBS)
def test_what_lies_before_t_is_refused_in_a_sentence(verb):
    for words, sentence in (
        (["--num-steps", "4", "--until", "2"], "--until 2 lies before T = 4; numbers at T need all steps up to it."),
        (["--num-steps", "4", "--until", "0"], "--until 0 lies before T = 4"),
        (["--num-steps", "2", "--until", "4", "--method", "opt_shift"], "leave --until out"),
    ):
        result = CliRunner().invoke(app, [verb, VGG, "--limit", "10", *words])
        assert result.exit_code == 1
        assert sentence in " ".join(result.stderr.split())
