"""``snnlab tournament``: the JSON of the contract, figure and table, the recipe that users start from, bad input."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import snnlab as sl
from snnlab.cli import options as opt
from snnlab.cli.main import app
from snnlab.cli.tournament import not_run, told, tournament_as_json, tournament_recipe
from snnlab.core.errors import RecipeError
from snnlab.runs import Store
from tests.unit.figures.synthetic_tournament import tournament_report

ROOT = Path(__file__).resolve().parents[3]
RELU = "digits-vgg-relu"
runner = CliRunner()


def invoke(*words):
    return runner.invoke(app, ["tournament", *map(str, words)])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A small tournament: what it printed, its folder, its stored run."""
    home = tmp_path_factory.mktemp("tournament")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLAB_STORE", str(home / "runs.sqlite"))
        words = [RELU, "--methods", "max_norm,opi,qcfs", "--num-steps", "4,2", "--limit", "20", "--seeds", "2"]
        words += ["--calibration-images", "16", "--set", "opi.percentile=99.5"]
        first = invoke(*words, "--out", home / "pareto.svg", "--table", home / "table.tex")
        assert first.exit_code == 0, first.stderr
        again = invoke(*words, "--json")
        rows = Store().list(verb="tournament")
        stored = Store().get(rows[0].id)
    return first, json.loads(again.stdout, parse_constant=lambda name: pytest.fail(name)), again.stderr, home, stored


def test_the_json_is_that_of_the_contract(done):
    printed, stored = done[1], done[4]
    assert list(printed)[:2] == ["rows", "paired"]
    contract = ["method", "evidence", "num_steps", "total_latency", "accuracy", "low", "high", "syn_ops"]
    contract += ["calibration_seconds", "seeds"]
    assert list(printed["rows"][0])[: len(contract)] == contract
    assert [(row["method"], row["num_steps"]) for row in printed["rows"]] == [
        ("max_norm", 2), ("max_norm", 4), ("opi", 2), ("opi", 4),
    ]  # fmt: skip
    assert {row["seeds"] for row in printed["rows"]} == {2}
    assert list(printed["paired"][0])[:6] == ["a", "b", "num_steps", "difference", "low", "high"]
    for pair in printed["paired"]:
        one, other = (
            next(row for row in printed["rows"] if (row["name"], row["num_steps"]) == (pair[name], pair["num_steps"]))
            for name in ("a", "b")
        )
        assert pair["difference"] == pytest.approx(one["accuracy"] - other["accuracy"])
    assert [row["method"] for row in printed["not_run"]] == ["qcfs", "qcfs"]
    assert "learned thresholds" in printed["not_run"][0]["why"]
    assert printed["rows"][2]["parameters"]["percentile"] == 99.5
    assert stored.recipe.tournament.seeds == 2


def test_the_second_time_nothing_is_run(done):
    assert "4 of 4 cells are from before" in done[2]


def test_figure_and_table_are_written(done):
    first, _, _, home, _ = done
    assert (home / "pareto.svg").read_text().startswith("<?xml")
    assert r"\toprule" in (home / "table.tex").read_text()
    assert "Max norm" in first.stdout
    assert "qcfs: It takes over learned thresholds" in first.stdout


def test_the_recipe_that_users_start_from_is_valid_and_flags_change_it():
    recipe = tournament_recipe(opt.Flags(recipe=ROOT / "recipes" / "tournament-digits.yaml"))
    assert recipe.tournament.steps == (4, 8, 16, 32)
    assert len(recipe.tournament.methods) == 5
    rows = sl.sweeps.entrants(recipe, sl.example(RELU).card.to_dict())
    assert [row["why"] for row in rows] == [""] * 5
    fewer = tournament_recipe(
        opt.Flags(recipe=ROOT / "recipes" / "tournament-digits.yaml"), num_steps="8", methods="opi", seeds=1
    )
    assert (fewer.num_steps, fewer.tournament.steps, fewer.converter.method) == (8, (8,), "opi")
    assert tournament_recipe(opt.Flags(checkpoint=RELU), num_steps="4").tournament.methods[0].method


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([RELU, "--methods", "opi"], "--num-steps 4,8,16"),
        ([RELU, "--methods", "op", "--num-steps", "4"], "There is no method 'op'"),
        ([RELU, "--methods", "opi", "--num-steps", "x"], "not a list of whole numbers"),
        ([RELU, "--methods", "opi", "--num-steps", "0"], "each 1 or more"),
        ([RELU, "--methods", "opi", "--num-steps", "4", "--seeds", "0"], "must be at least 1"),
        ([RELU, "--methods", "opi", "--num-steps", "4", "--calibration-images", "1"], "calibrates nothing"),
        ([RELU, "--methods", "opi", "--num-steps", "4", "--set", "percentile=9"], "METHOD.key=value"),
        ([RELU, "--methods", "opi", "--num-steps", "4", "--set", "snm.x=9"], "snm takes no part"),
        ([RELU, "--methods", "opi", "--num-steps", "4", "--out", "a.gif"], "must end in .pdf"),
        ([RELU, "--methods", "opi", "--num-steps", "4", "--table", "a.doc"], "must end in .tex or .csv"),
        ([RELU, "--methods", "qcfs", "--num-steps", "4"], "No cell of this tournament was run. qcfs: It takes"),
    ],
)
def test_bad_input_is_one_sentence(words, said):
    result = invoke(*words)
    assert result.exit_code != 0
    assert said in result.stderr.replace("\n", " ")
    assert result.stdout == ""


def test_what_was_not_run_is_printed_as_such():
    report = tournament_report(without=[("opi", 8)])
    text = "\n".join(told(report))
    assert "opi at T = 8: Not run yet." in text
    assert "qcfs: It takes over learned thresholds." in text
    assert "not run" in next(line for line in text.splitlines() if line.startswith("OPI"))
    assert {(row["method"], row["num_steps"]) for row in not_run(report)} == {
        ("opi", 8),
        *(("qcfs", t) for t in (4, 8, 16)),
    }
    assert len(tournament_as_json(report)["rows"]) == 8


def test_a_recipe_without_a_tournament_says_what_is_missing(tmp_path):
    from snnlab.sweeps.contest import contest_of

    with pytest.raises(RecipeError, match="names no tournament"):
        contest_of(sl.runs.default_recipe(RELU, activation="relu"))
