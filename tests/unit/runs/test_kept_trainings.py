"""Room for kept trainings: a quota of their own, and nobody removes what a running process uses."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from snnlab.cli.main import app
from snnlab.core.errors import StoreError
from snnlab.runs import Store, storage
from snnlab.runs.paths import training_folder
from snnlab.runs.processes import Owner
from snnlab.sweeps.places import cell_folder, tagged_trainings
from tests.stored_runs import shipped

HOUR = 3600


@pytest.fixture(autouse=True)
def _own_places(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SNNLAB_TRAININGS_GB", str(10_000 / 1e9))


def training(number, size, *, age=0.0, arm="nq"):
    folder = training_folder() / f"{number:032x}"
    folder.mkdir(parents=True)
    rows = json.dumps([{"arm": arm, "seed": number}] * 3).encode()
    (folder / "epochs.json").write_bytes(rows)
    (folder / "training.safetensors").write_bytes(bytes(size - len(rows)))
    os.utime(folder, (time.time() - age,) * 2)
    return folder


def test_what_takes_room():
    training(4, 3000, age=2 * HOUR)
    told = storage.usage()
    (item,) = told.trainings

    assert (item.kind, item.name, item.size, item.files) == ("training", "nq, seed 4, 3 epochs", 3000, 2)
    assert (told.training_size, told.training_quota) == (3000, 10_000)
    assert told.items == ()


def test_the_one_used_longest_ago_goes_first():
    old, older, young = training(1, 5000, age=2 * HOUR), training(2, 5000, age=3 * HOUR), training(3, 5000)
    assert storage.enforce_training_quota() == 5000
    assert (old.exists(), older.exists(), young.exists()) == (True, False, True)


def test_young_ones_stay_up_to_twice_the_quota():
    kept = [training(number, 5000) for number in range(4)]
    assert storage.enforce_training_quota() == 0
    training(9, 5000, age=600)
    assert storage.enforce_training_quota() == 5000
    assert all(folder.exists() for folder in kept)


def test_what_a_running_process_uses_stays():
    used, idle = training(1, 8000, age=9 * HOUR), training(2, 8000, age=2 * HOUR)
    with storage.training_in_use([used]):
        os.utime(used, (time.time() - 9 * HOUR,) * 2)  # even if it were the oldest
        assert storage.enforce_training_quota() == 8000
        assert used.exists()
        assert not idle.exists()
        (item,) = storage.usage().trainings
        assert item.in_use
        assert storage.stale(trainings=True) == ()
        with pytest.raises(StoreError, match="is used by a job"):
            storage.remove([item])
        assert used.exists()
    (item,) = storage.usage().trainings
    assert not item.in_use
    assert storage.remove([item]) == 8000


def test_a_killed_process_uses_nothing():
    folder = training(1, 100)
    code = (
        "import os, sys, pathlib; from snnlab.runs import storage\n"
        "with storage.training_in_use([pathlib.Path(sys.argv[1])]):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    assert storage.usage().trainings[0].in_use
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert not storage.usage().trainings[0].in_use
    assert not list(folder.glob(".held-*"))


def test_a_process_of_another_machine_is_believed_for_a_month():
    folder = training(1, 100)
    mark = folder / ".held-1-aa"
    mark.write_text(json.dumps(asdict(Owner("elsewhere", 1, "then"))))
    assert storage.usage().trainings[0].in_use
    os.utime(mark, (time.time() - 31 * 24 * HOUR,) * 2)
    assert not storage.usage().trainings[0].in_use
    mark.write_text("{")
    assert not storage.usage().trainings[0].in_use


def test_holding_leaves_nothing_where_nothing_came_of_it():
    place = training_folder() / ("a" * 32)
    with storage.training_in_use([place]):
        assert place.exists()
    assert not place.exists()
    dead = training_folder() / ("b" * 32)
    dead.mkdir()
    os.utime(dead, (time.time() - 25 * HOUR,) * 2)
    storage.enforce_training_quota()
    assert not dead.exists()


def test_pruned_by_the_command_line():
    old, young = training(1, 3000, age=50 * HOUR), training(2, 3000)
    runner = CliRunner()
    told = json.loads(runner.invoke(app, ["runs", "prune", "--trainings", "--dry-run", "--json"]).stdout)
    assert told["trainings"] == ["nq, seed 1, 3 epochs", "nq, seed 2, 3 epochs"]
    assert told["training_bytes"] == 6000
    told = runner.invoke(app, ["runs", "prune", "--trainings", "--older-than", "1"])
    assert "1 kept trainings removed" in told.stdout
    assert (old.exists(), young.exists()) == (False, True)


def test_trainings_of_an_experiment_with_a_tag_stay(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))
    run, store = shipped(), Store()
    recipe = run.recipe.changed(training={"epochs": 3}, experiment={"arms": ["control", "nq"], "seeds": 1})
    made = dataclasses.replace(run, id="3" * 32, verb="train", recipe=recipe)
    store.save(made)
    store.mark(made.id, tags=["paper"])
    spare = tagged_trainings(store)
    assert spare == {cell_folder(recipe, arm, 0).name for arm in ("control", "nq")}

    kept = [training(int(name, 16), 9000, age=9 * HOUR) for name in sorted(spare)]
    other = training(5, 9000, age=2 * HOUR)
    assert storage.enforce_training_quota(spare) == 9000
    assert ([folder.exists() for folder in kept], other.exists()) == ([True, True], False)
    told = json.loads(CliRunner().invoke(app, ["runs", "prune", "--trainings", "--json"]).stdout)
    assert told["trainings"] == []
    store.mark(made.id, tags=[])
    told = json.loads(CliRunner().invoke(app, ["runs", "prune", "--trainings", "--json"]).stdout)
    assert told["training_bytes"] == 18_000


@pytest.mark.parametrize("text", ["0", "much"])
def test_a_wrong_quota_is_one_sentence(text, monkeypatch):
    monkeypatch.setenv("SNNLAB_TRAININGS_GB", text)
    with pytest.raises(StoreError, match=r"SNNLAB_TRAININGS_GB .* room for trainings"):
        storage.usage()
