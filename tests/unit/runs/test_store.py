"""The run store: what goes in comes out, shipped runs overlay, trouble is one sentence."""

import dataclasses
import datetime
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from snnlab.core.errors import StoreError
from snnlab.runs import Job, Pool, Run, Store, analyse, default_recipe
from snnlab.runs.processes import Owner
from snnlab.runs.store.job_table import KEPT_FINISHED

DIGITS = ("digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4", "digits-vgg-relu")
CIFAR10 = ("cifar10-resnet20-qcfs-L4", "cifar10-resnet20-control-L4", "cifar10-resnet20-nq-L4")


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

    assert set(shipped) == {*DIGITS, *CIFAR10}
    for name, run in shipped.items():
        checkpoint = example(name)
        assert run.recipe.checkpoint.sha256 == checkpoint.card.sha256
        assert run.id == run.recipe.key()[:32], f"made for another RESULTS_VERSION than {RESULTS_VERSION}"
        assert run.reports["accuracy"].images == (270 if name in DIGITS else 2000)
        assert run.card["accuracies"]["dev ANN"] == pytest.approx(run.reports["accuracy"].ann_accuracy)
        assert store.get(run.id).title == run.title


@pytest.mark.parametrize("name", DIGITS)
def test_a_shipped_run_can_be_made_again(name):
    (shipped,) = [run for run in Store().shipped() if (run.card["name"], run.verb) == (name, "analyse")]
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


def test_menus_need_no_contents(run, tmp_path, monkeypatch):
    store = Store(tmp_path / "runs.sqlite")
    store.save(run, workspace="a" * 32)
    monkeypatch.setattr(Run, "from_bytes", lambda data: pytest.fail("a content was read"))
    (row,) = [row for row in store.list() if not row.shipped]

    assert (row.checkpoint, row.images, row.split, row.workspace) == ("digits-vgg-qcfs-L8", 20, "dev", "a" * 32)
    assert row.sha256 == run.card["sha256"]
    assert row.recipe == run.recipe
    assert row.size > 1000


def test_the_runs_of_some_workspaces(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    for number, workspace in enumerate(("a", "b", "local")):
        store.save(dataclasses.replace(run, id=f"{number:032x}"), workspace=workspace)
    chosen = store.list(["a", "local"])

    assert {row.workspace for row in chosen if not row.shipped} == {"a", "local"}
    assert any(row.shipped for row in chosen)


def test_only_ones_own_runs_and_local_ones_are_deleted(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    for number, workspace in enumerate(("a", "b", "local")):
        store.save(dataclasses.replace(run, id=f"{number:032x}"), workspace=workspace)
    for run_id, sentence in ((f"{1:032x}", "another workspace"), ("f" * 32, "not in the store")):
        with pytest.raises(StoreError, match=sentence):
            store.delete(run_id, workspace="a")
    with pytest.raises(StoreError, match="comes with snnlab"):
        store.delete(store.shipped()[0].id, workspace="a")
    store.delete(f"{0:032x}", workspace="a")
    store.delete(f"{2:032x}", workspace="a")

    assert [row.workspace for row in store.list() if not row.shipped] == ["b"]
    with pytest.raises(StoreError, match="There is no run"):
        store.get(f"{0:032x}")


def test_found_by_verb(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite", overlay=tmp_path)
    noisy = dataclasses.replace(run, id="0" * 32, verb="noise", created="2020-01-01T00:00:00+00:00")
    store.save(noisy)
    store.save(run)

    assert store.find(run.recipe).id == run.id
    assert store.find(run.recipe, verb="noise").id == noisy.id
    assert store.find(run.recipe, verb="final") is None


def test_a_shipped_run_is_found_by_its_recipe(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    shipped = store.shipped()[0]
    assert store.find(shipped.recipe, verb=shipped.verb).id == shipped.id


def _aged(store, run, days):
    for number, age in enumerate(days):
        store.save(dataclasses.replace(run, id=f"{number:032x}"))
        used = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)).isoformat()
        with store._database.writing() as connection:
            connection.execute(sa.text(f"UPDATE runs SET last_used = '{used}' WHERE id = '{number:032x}'"))


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        ({"older_than": 5}, [2, 3]),
        ({"older_than": 0}, [0, 1, 2, 3]),
        ({"keep": 1}, [1, 2, 3]),
        ({"keep": 9}, []),
        ({"max_bytes": 0}, [0, 1, 2, 3]),
        ({"keep": 3, "older_than": 30}, [3]),
    ],
)
def test_prune_removes_what_was_used_longest_ago(run, tmp_path, limits, gone):
    store = Store(tmp_path / "runs.sqlite")
    _aged(store, run, [0, 2, 10, 100])
    store.look(dataset="digits", lineage="a", recipe_sha="x")
    told = store.prune(**limits, dry_run=True)
    assert len([row for row in store.list() if not row.shipped]) == 4
    assert [row.id for row in store.prune(**limits)] == [row.id for row in told] == [f"{n:032x}" for n in gone]

    left = {row.id for row in store.list() if not row.shipped}
    assert left == {f"{n:032x}" for n in range(4) if n not in gone}
    assert all(store.get(run_id) for run_id in left)
    assert store.looks(dataset="digits", lineage="a") == 1


@pytest.mark.parametrize(
    ("limits", "gone"),
    [({"older_than": 5}, [2]), ({"older_than": 0}, [0, 1, 2]), ({"keep": 2}, [2]), ({"max_bytes": 0}, [0, 1, 2])],
)
def test_prune_spares_runs_with_a_tag_which_do_not_count(run, tmp_path, limits, gone):
    store = Store(tmp_path / "runs.sqlite")
    _aged(store, run, [0, 2, 10, 100])
    store.mark(f"{3:032x}", tags=["baseline"])
    store.mark(f"{2:032x}", note="a note alone spares nothing")
    assert [row.id for row in store.tagged()] == [f"{3:032x}"]
    assert [row.id for row in store.prune(**limits)] == [f"{n:032x}" for n in gone]
    store.mark(f"{3:032x}", tags=[])
    assert [row.id for row in store.prune(older_than=50)] == [f"{3:032x}"]


def test_prune_by_size_gives_the_space_back(run, tmp_path):
    path = tmp_path / "runs.sqlite"
    store = Store(path)
    _aged(store, run, range(20))
    newest = sorted((row for row in store.list() if not row.shipped), key=lambda row: row.last_used)[-3:]
    size = sum(row.size for row in newest)
    store.close()
    before = path.stat().st_size
    store.prune(max_bytes=size)
    store.close()

    assert store.usage() == (3, size)
    assert path.stat().st_size < before / 3


def test_reading_a_run_is_noted_once_an_hour(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    _aged(store, run, [1])
    store.get(f"{0:032x}")
    (first,) = [row.last_used for row in store.list() if not row.shipped]
    store.get(f"{0:032x}")
    (second,) = [row.last_used for row in store.list() if not row.shipped]

    noted = datetime.datetime.fromisoformat(first)
    assert datetime.datetime.now(datetime.UTC) - noted < datetime.timedelta(minutes=5)
    assert first == second


@pytest.mark.parametrize("address", ["sqlite:///{}", "{}"])
def test_a_store_by_path_or_url(run, tmp_path, monkeypatch, address):
    name = "odd ? #name%20.sqlite" if address == "{}" else "odd name.sqlite"
    monkeypatch.setenv("SNNLAB_STORE", address.format(tmp_path / name))
    Store().save(run)

    assert Store(tmp_path / name).get(run.id).id == run.id
    assert min(path.name for path in tmp_path.iterdir()) == name


def test_any_database_that_sqlalchemy_knows(run):
    # The other route of opening: no file of ours.
    store = Store("sqlite://")
    assert store.path == "sqlite://"
    assert not [row for row in store.list() if not row.shipped]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("postgresql+nodriver://user:secret@nowhere/db", "driver that is not installed"),
        ("nosuch://host/db", "driver that is not installed"),
        ("://", "no database address"),
    ],
)
def test_a_wrong_address_is_one_sentence(address, sentence):
    with pytest.raises(StoreError, match=sentence) as caught:
        Store(address)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "text").write_text("no database at all" * 100)
    with pytest.raises(StoreError, match=r"no run store or is damaged.*SNNLAB_STORE"):
        Store(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")
    with pytest.raises(StoreError, match="a database of another program"):
        Store(tmp_path / "other")
    with pytest.raises(StoreError, match="is a folder"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="cannot be made"):
        Store(tmp_path / "text" / "runs.sqlite")


def test_a_newer_store_is_not_touched(tmp_path):
    path = tmp_path / "runs.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema SET version = 99")
    with pytest.raises(StoreError, match="newer snnlab"):
        Store(path)


def test_a_locked_store_waits_then_says_so(run, tmp_path):
    path = tmp_path / "runs.sqlite"
    store = Store(path, busy_seconds=0.2)
    holder = sqlite3.connect(path)
    holder.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(StoreError, match=r"held by another process \(waited 0.2 s"):
        store.save(run)

    assert time.monotonic() - started >= 0.2
    assert store.list(), "it can be read all the while"
    assert Store(path, busy_seconds=0.2).list(), "and opened"
    holder.rollback()
    store.save(run)
    assert store.get(run.id).id == run.id


def test_a_store_held_while_it_is_opened(tmp_path):
    path = tmp_path / "runs.sqlite"
    holder = sqlite3.connect(path)
    holder.execute("CREATE TABLE held (x)")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="held by another process"):
        Store(path, busy_seconds=0.2)


def test_a_full_disk(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    store.save(run)

    @sa.event.listens_for(store._database.engine, "checkout")
    def _fill(connection, *_):
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")

    with pytest.raises(StoreError, match="no room for the run store"):
        store.save(dataclasses.replace(run, id="0" * 32))
    assert store.get(run.id).id == run.id
    assert store.usage()[0] == 1, "nothing is half written"


READ_ONLY = """
import os, sys
from snnlab.core.errors import StoreError
from snnlab.runs import Store
Store("sqlite://").shipped()  # everything is imported while it can be
os.setgid(65534); os.setuid(65534)
store = Store(sys.argv[1], overlay=None)
print(store.read_only, len([row for row in store.list() if not row.shipped]), len(store.shipped()))
try:
    store.look(dataset="d", lineage="l", recipe_sha="s")
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs the right to become another user")
@pytest.mark.parametrize("case", ["file", "folder", "nothing"])
def test_a_store_that_can_only_be_read_is_read(run, case):
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, which only its user may enter
        path = Path(folder) / "runs.sqlite"
        if case != "nothing":
            store = Store(path)
            store.save(run)
            store.close()
            path.chmod(0o444)
        Path(folder).chmod(0o777 if case == "file" else 0o755)
        told = subprocess.run([sys.executable, "-c", READ_ONLY, str(path)], capture_output=True, text=True)

    assert told.returncode == 0, told.stderr
    first, second = told.stdout.strip().splitlines()
    assert first == f"True {int(case != 'nothing')} {len(Store().shipped())}"
    assert "can only be read, nothing was stored" in second


def test_a_lease_that_holds_no_more_stores_nothing(run, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    job, owner = Job("1" * 32, "analyse", {}), Owner.me()
    store.jobs.add(job, pool="p", owner=owner)
    with pytest.raises(StoreError, match="cancelled or taken over"):
        store.save(run, lease="never given")
    store.jobs.update(dataclasses.replace(job, state="running"), lease="x" * 32, pool="p")
    store.save(run, lease="x" * 32, workspace="a")
    store.jobs.stop(job.id, "interrupted")
    test_run = dataclasses.replace(run, id="2" * 32, recipe=run.recipe.changed(data={"split": "test"}))
    with pytest.raises(StoreError, match="cancelled or taken over"):
        store.record(test_run, lease="x" * 32)

    assert [row.id for row in store.list() if not row.shipped] == [run.id], "what was stored before stays"
    assert store.looks(dataset="digits", lineage=run.card["sha256"]) == 0


@pytest.mark.parametrize(
    ("owner", "age", "state"),
    [
        (Owner.me(), 3600, "running"),
        (Owner(Owner.me().host, os.getpid(), "another time"), 0, "interrupted"),
        (Owner(Owner.me().host, 2**22 + 1, ""), 0, "interrupted"),
        (Owner("elsewhere", 1, ""), 5, "running"),
        (Owner("elsewhere", 1, ""), 60, "interrupted"),
    ],
    ids=["alive", "pid used again", "gone", "other host", "other host, silent"],
)
def test_jobs_whose_server_is_gone_are_interrupted(tmp_path, owner, age, state):
    store = Store(tmp_path / "runs.sqlite")
    job = Job("1" * 32, "analyse", {})
    store.jobs.add(job, pool="p", owner=owner)
    store.jobs.update(dataclasses.replace(job, state="running"), lease="x", pool="p")
    with store._database.writing() as connection:
        connection.execute(sa.text(f"UPDATE jobs SET heartbeat = heartbeat - {age}"))
    Pool(store).close()

    assert Store(tmp_path / "runs.sqlite").jobs.get(job.id).state == state


def test_finished_jobs_are_forgotten_in_the_end(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    for number in range(KEPT_FINISHED + 5):
        job = Job(f"{number:032x}", "analyse", {}, "a", created=f"2026-01-01T00:00:{number / 100:05.2f}")
        store.jobs.add(job, pool="p", owner=Owner.me())
        store.jobs.stop(job.id, "cancelled")
    store.jobs.add(Job("f" * 32, "analyse", {}, "a"), pool="p", owner=Owner.me())

    kept = store.jobs.of("a")
    assert len(kept) == KEPT_FINISHED + 1
    assert f"{0:032x}" not in {job.id for job in kept}


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
