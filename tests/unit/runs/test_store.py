"""The run store: what goes in comes out, shipped runs overlay, trouble is one sentence."""

import dataclasses
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa

from snnlab.core.errors import StoreError
from snnlab.runs import Run, Store, analyse, default_recipe


@pytest.fixture(scope="module")
def run():
    return analyse(default_recipe("digits-vgg-qcfs-L8", num_steps=2, limit=20))


def test_a_run_survives_storage(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    store.save(run)
    again = Store(tmp_path / "runs.sqlite").get(run.id[:8])

    assert again.recipe == run.recipe
    assert again.card == run.card
    assert set(again.reports) == {"accuracy", "conversion", "residuals", "traces"}
    np.testing.assert_array_equal(again.reports["residuals"].histogram, run.reports["residuals"].histogram)
    assert again.to_bytes() == run.to_bytes()


def test_found_by_recipe_newest_first(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    older = dataclasses.replace(run, id="0" * 32, created="2020-01-01T00:00:00+00:00")
    store.save(older)
    store.save(run)

    assert store.find(run.recipe).id == run.id
    assert store.find(run.recipe.changed(seed=5)) is None
    assert [row.id for row in store.list() if not row.shipped] == [run.id, older.id]


def test_shipped_runs_are_there_and_match_their_checkpoints(tmp_path):
    from snnlab.core.recipe import RESULTS_VERSION
    from snnlab.io import example

    store = Store(tmp_path / "runs.sqlite")
    shipped = {run.card["name"]: run for run in store.shipped()}

    assert set(shipped) == {"digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4", "digits-vgg-relu"}
    for name, run in shipped.items():
        checkpoint = example(name)
        assert run.recipe.checkpoint.sha256 == checkpoint.card.sha256
        assert run.id == run.recipe.key()[:32], f"made for another RESULTS_VERSION than {RESULTS_VERSION}"
        assert run.reports["accuracy"].images == 270
        assert run.card["accuracies"]["dev ANN"] == pytest.approx(run.reports["accuracy"].ann_accuracy)
        assert store.get(run.id).title == run.title


@pytest.mark.parametrize("name", ["digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4", "digits-vgg-relu"])
def test_a_shipped_run_can_be_made_again(name):
    (shipped,) = [run for run in Store().shipped() if run.card["name"] == name]
    again = analyse(shipped.recipe).reports

    # Another processor may sum a convolution in another order: a few images near a tie may differ.
    same = again["accuracy"].snn_predictions == shipped.reports["accuracy"].snn_predictions
    assert same.mean() > 0.99
    shares = [reports["residuals"].to_frame()["right"].to_numpy() for reports in (again, shipped.reports)]
    np.testing.assert_allclose(*shares, atol=0.01)


def test_looks_are_counted_by_dataset_and_lineage(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    counted = [
        store.look(dataset=dataset, lineage=lineage, recipe_sha="x")
        for dataset, lineage in (("cifar10", "a"), ("cifar10", "a"), ("cifar10", "b"), ("mnist", "a"))
    ]

    assert counted == [1, 2, 1, 1]
    assert store.looks(dataset="cifar10", lineage="a") == 2


@pytest.mark.parametrize("run_id", ["abc", "zzzzzzzz", "deadbeef" * 4, "<script>", "' OR 1=1 --"])
def test_an_unknown_run_is_one_sentence(run_id, tmp_path):
    with pytest.raises(StoreError, match="There is no run"):
        Store(tmp_path / "runs.sqlite").get(run_id)


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "text").write_text("no database at all" * 100)
    with pytest.raises(StoreError, match=r"cannot be used.*SNNLAB_STORE"):
        Store(tmp_path / "text")


def test_a_newer_store_is_not_touched(tmp_path):
    path = tmp_path / "runs.sqlite"
    Store(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema SET version = 99")
    with pytest.raises(StoreError, match="newer snnlab"):
        Store(path)


def test_a_locked_store_waits_then_says_so(run, tmp_path):
    path = tmp_path / "runs.sqlite"
    store = Store(path)
    store._engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0.2})
    holder = sqlite3.connect(path)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="database is locked"):
        store.save(run)
    holder.rollback()
    store.save(run)
    assert store.get(run.id).id == run.id


def test_threads_and_processes_write_at_once(run, tmp_path):
    path = tmp_path / "runs.sqlite"
    store = Store(path)
    code = (
        "import sys; from snnlab.runs import Store; s = Store(sys.argv[1]);"
        "[s.look(dataset='d', lineage='l', recipe_sha=str(i)) for i in range(20)]"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)])
    copies = [dataclasses.replace(run, id=f"{i:032x}") for i in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.save, copies))

    assert process.wait(60) == 0
    assert len([row for row in store.list() if not row.shipped]) == 16
    assert store.looks(dataset="d", lineage="l") == 20


def test_a_damaged_run_is_named(tmp_path):
    with pytest.raises(StoreError, match="cannot be read"):
        Run.from_bytes(b"PK not really")
