"""``snnlab budget`` and ``snnlab restore``: the JSON that they promise, figures, and what they refuse."""

import json

import pytest
from typer.testing import CliRunner

from snnlab.cli.main import app

FLAGS = ["digits-vgg-qcfs-L8", "--limit", "24", "--num-steps", "2"]
TERMS = ("uneven", "quantization", "clipping", "activation", "propagated")


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_budget_prints_sites_that_add_up(tmp_path):
    out = tmp_path / "budget.svg"
    result = run("budget", *FLAGS, "--json", "--channels", "stage1.act2", "--out", str(out))

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["largest_sum_error"] < 1e-5
    for site in told["sites"]:
        assert site["total"] == pytest.approx(sum(site[term] for term in TERMS), abs=1e-9)
        assert site["total"] == pytest.approx(site["total_direct"], abs=1e-9)
        assert site["resolution"] == pytest.approx(site["quantization"] + site["clipping"] + site["activation"])
        assert site["mean_absolute"]["total"] >= abs(site["total"])
        assert site["sum_error"] <= told["largest_sum_error"]
        assert {"name", "threshold", "own"} <= set(site)
    rows = told["channels"]["rows"]
    whole = next(site for site in told["sites"] if site["name"] == "stage1.act2")
    assert sum(row["uneven"] for row in rows) / len(rows) == pytest.approx(whole["uneven"], abs=1e-6)
    assert out.read_text().startswith("<?xml")


def test_restore_prints_sites_and_stages():
    result = run("restore", *FLAGS, "--json")

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["sites"][0]["name"] == "stage1.act1"
    assert all(site["low"] <= site["regained"] <= site["high"] for site in (*told["sites"], *told["stages"]))
    last = told["sites"][-1]["regained"]
    assert last == pytest.approx(told["ann_accuracy"] - told["snn_accuracy"])


def test_tables_for_readers():
    for verb, words in (("budget", "largest violation of the sum"), ("restore", "points regained")):
        result = run(verb, *FLAGS)
        assert result.exit_code == 0, result.output
        assert words in result.stdout


def test_mistakes_are_one_line(tmp_path):
    for arguments, words in (
        (["--channels", "nowhere"], "There is no site 'nowhere' in this budget"),
        (["--out", "budget.txt"], "must end in .pdf, .svg or .png"),
    ):
        result = run("budget", *FLAGS, *arguments)
        assert result.exit_code == 1
        assert words in result.stderr
        assert "Traceback" not in result.stderr
