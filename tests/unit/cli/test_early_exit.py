"""The verb early-exit: one JSON value, a table, a stored run."""

import json

import pytest
from typer.testing import CliRunner

from snnlab.cli.main import app
from snnlab.runs import Store

VGG = "digits-vgg-qcfs-L8"


@pytest.fixture(autouse=True)
def _own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))


def run(*words, code=0):
    result = CliRunner().invoke(app, ["early-exit", VGG, "--num-steps", "8", "--limit", "40", *words])
    assert result.exit_code == code, result.output
    return result


def test_json_and_the_stored_run_agree():
    told = json.loads(run("--within", "5", "--json").stdout)
    (row,) = [row for row in Store().list() if not row.shipped]
    report = Store().get(row.id).reports["early_exit"]
    assert row.verb == "early-exit"
    assert told["chosen"]["steps"] == report.found.steps < 8
    assert told["chosen"]["limit"] == report.chosen
    assert told["curve"][-1]["limit"] is None
    assert told["chosen_on"] == {"split": "validation", "images": 40}
    assert (told["split"], told["images"], told["within"]) == ("dev", 40, 5.0)


def test_a_warm_up_is_told():
    assert json.loads(run("--method", "srp", "--json").stdout)["warm_up_steps"] == 4
    assert "Every image runs 4 time-steps of warm-up besides" in run("--method", "srp").stdout


def test_the_table_and_a_refusal():
    told = run().stdout
    assert "mean time-steps" in told
    assert "chosen on 40 images of validation" in told
    assert "other images: dev or test" in " ".join(run("--split", "validation", code=1).output.split())
