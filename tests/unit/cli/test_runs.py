"""``snnlab runs``: listing and pruning."""

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from snnlab.cli.main import app
from snnlab.runs import Store, keep_upload, storage

runner = CliRunner()


@pytest.fixture
def stored():
    store = Store()
    run = store.shipped()[0]
    for number in range(3):
        store.save(dataclasses.replace(run, id=f"{number:032x}", created=f"2026-01-0{number + 1}T00:00:00+00:00"))
    return store


def as_json(*words):
    told = runner.invoke(app, ["runs", *words, "--json"])
    assert told.exit_code == 0, told.stderr
    return json.loads(told.stdout)


def test_list(stored):
    rows = as_json("list")

    assert [set(row) for row in rows] == [{"run", "recipe_sha", "verb", "created", "state"}] * len(stored.list())
    assert [int(row["run"], 16) for row in rows[:3]] == [2, 1, 0]
    assert "shipped" in runner.invoke(app, ["runs", "list"]).stdout


def test_prune(stored):
    told = as_json("prune", "--keep", "1", "--dry-run")
    assert len(told["runs"]) == 2
    assert told["dry_run"]
    assert len(as_json("list")) == len(Store().shipped()) + 3
    assert as_json("prune", "--keep", "1")["runs"] == told["runs"]
    assert len(as_json("list")) == len(Store().shipped()) + 1
    assert as_json("prune", "--max-size", "0")["run_bytes"] > 0
    assert len(as_json("list")) == len(Store().shipped())


def test_prune_uploads(stored):
    keep_upload("net.pt", b"x" * 100)
    assert as_json("prune", "--uploads", "--older-than", "1")["uploads"] == []
    told = as_json("prune", "--uploads")

    assert (told["uploads"], told["upload_bytes"], told["runs"]) == (["net.pt"], 100, [])
    assert storage.usage().items == ()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Say what to remove"),
        (["--keep", "-1"], "--keep -1: give 0 or more"),
        (["--older-than", "nan"], "--older-than nan"),
    ],
)
def test_errors_are_one_line(words, sentence):
    told = runner.invoke(app, ["runs", "prune", *words])

    assert told.exit_code == 1
    assert sentence in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
