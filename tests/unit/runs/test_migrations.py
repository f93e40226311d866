"""A store of an older version, as that version wrote it (tests/golden), becomes a present one, or stays as it was."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from snnlab.core.errors import StoreError
from snnlab.runs import Run, Store
from snnlab.runs.store import migrations
from snnlab.runs.store.schema import SCHEMA_VERSION

GOLDEN = Path(__file__).parents[2] / "golden" / "store_v1.db"
SECOND = GOLDEN.with_name("store_v2.db")
THIRD = GOLDEN.with_name("store_v3.db")


@pytest.fixture
def old(tmp_path):
    return Path(shutil.copy(GOLDEN, tmp_path / "runs.sqlite"))


@pytest.fixture
def second(tmp_path):
    return Path(shutil.copy(SECOND, tmp_path / "second.sqlite"))


def content_of(path):
    """What a version 1 store holds, in SQLite's own words."""
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


def test_everything_is_there_afterwards(old):
    store = Store(old)
    rows = [row for row in store.list() if not row.shipped]

    assert [int(row.id, 16) for row in rows] == [3, 2, 1]
    assert [(row.checkpoint, row.images, row.split, row.workspace) for row in rows[1:]] == [
        ("digits-vgg-relu", 11, "dev", "local"),
        ("digits-vgg-qcfs-L8", 10, "dev", "local"),
    ]
    with sqlite3.connect(GOLDEN) as connection:
        before = dict(connection.execute("SELECT id, content FROM runs"))
    for row in rows:
        run = store.get(row.id)
        assert run.to_bytes() == Run.from_bytes(before[row.id]).to_bytes()
        assert (row.recipe, row.sha256, row.size) == (run.recipe, run.card["sha256"], len(before[row.id]))
        assert row.last_used == row.created
    assert store.find(rows[0].recipe) is None, "numbers of an older RESULTS_VERSION are shown, never served as new"
    assert (store.looks(dataset="digits", lineage="a"), store.looks(dataset="cifar10", lineage="b")) == (2, 1)
    assert store.jobs.of("local") == ()
    assert sorted(path.name for path in old.parent.glob("*version*")) == [], "the copy is gone"
    assert Store(old).list() == store.list()


@pytest.mark.parametrize("golden", [GOLDEN, SECOND, THIRD])
def test_a_migrated_store_has_the_tables_of_a_new_one(golden, tmp_path):
    old = Path(shutil.copy(golden, tmp_path / "runs.sqlite"))
    Store(old).close()
    Store(tmp_path / "new.sqlite").close()
    tables = []
    for path in (old, tmp_path / "new.sqlite"):
        with sqlite3.connect(path) as connection:
            named = sorted(connection.execute("SELECT type, name, tbl_name FROM sqlite_master"))
            columns = {
                name: list(connection.execute(f"SELECT name, pk FROM pragma_table_info('{name}')"))
                for _, name, _ in named
            }
            tables.append((named, columns))

    assert tables[0] == tables[1]


@pytest.mark.parametrize("at", ["filling", "end"])
def test_a_failure_leaves_the_old_store_as_it_was(old, monkeypatch, at):
    def fail(*_, **__):
        raise sqlite3.OperationalError("database or disk is full")

    before = content_of(old)
    with monkeypatch.context() as patch:
        if at == "filling":
            patch.setattr(migrations.rows, "menu_values", fail)
        else:
            original = migrations._to_version_2
            patch.setattr(migrations, "_to_version_2", lambda connection: (original(connection), fail()))
        with pytest.raises((StoreError, sqlite3.OperationalError)):
            Store(old)

    assert content_of(old) == before
    assert content_of(old.with_name("runs.sqlite.version-1")) == before, "and a copy lies beside it"
    assert len([row for row in Store(old).list() if not row.shipped]) == 3
    assert not old.with_name("runs.sqlite.version-1").exists()


def test_a_killed_migration_leaves_the_old_store(old):
    before = content_of(old)
    code = (
        "import os, sys; from snnlab.runs.store import migrations, Store\n"
        "original = migrations._to_version_2\n"
        "migrations._to_version_2 = lambda connection: (original(connection), os._exit(9))\n"
        "Store(sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(old)]).returncode == 9

    assert content_of(old) == before
    assert len([row for row in Store(old).list() if not row.shipped]) == 3


def test_two_programs_that_open_it_at_once(old):
    code = "import sys; from snnlab.runs import Store; print(len(Store(sys.argv[1]).list()))"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(old)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = {process.communicate(timeout=60)[0].strip() for process in both}

    assert told == {str(len(Store(old).list()))}


def test_a_damaged_run_stays_and_does_not_stand_in_the_way(old):
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE runs SET content = x'00ff' WHERE id = ?", (f"{1:032x}",))
    store = Store(old)

    assert [int(row.id, 16) for row in store.list() if not row.shipped] == [3, 2]
    with pytest.raises(StoreError, match="cannot be read"):
        store.get(f"{1:032x}")


def test_a_store_without_room_for_the_copy(old, monkeypatch):
    before = hashlib.sha256(old.read_bytes()).hexdigest()
    old.with_name(".runs.sqlite.version-1.part").mkdir()  # nothing can be written there
    with pytest.raises(StoreError, match="no room for the copy"):
        Store(old)

    assert hashlib.sha256(old.read_bytes()).hexdigest() == before or content_of(old) == content_of(GOLDEN)


def test_version_2_gets_marks_and_keeps_all_it_had(second):
    before = [line for line in content_of(second) if '"schema"' not in line]
    store = Store(second)
    rows = [row for row in store.list() if not row.shipped]

    assert [(int(row.id, 16), row.workspace) for row in rows] == [(3, "local"), (2, "a" * 32), (1, "local")]
    assert [row.tags for row in rows] == [(), (), ()]
    assert [job.state for job in store.jobs.of("a" * 32)] == ["cancelled"]
    assert store.looks(dataset="digits", lineage="a") == 2
    assert list(second.parent.glob("*version*")) == [], "nothing is rewritten, so no copy is made"
    store.mark(rows[0].id, tags=["kept"])
    store.close()
    assert set(before) <= set(content_of(second))
    assert Store(second).row(rows[0].id).tags == ("kept",)


def test_a_killed_migration_of_version_2_leaves_it(second):
    before = content_of(second)
    code = (
        "import os, sys; from snnlab.runs.store import schema, Store\n"
        "original = schema.metadata.create_all\n"
        "schema.metadata.create_all = lambda connection: (original(connection), os._exit(9))\n"
        "Store(sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(second)]).returncode == 9

    assert content_of(second) == before
    assert len([row for row in Store(second).list() if not row.shipped]) == 3


def test_marks_of_version_3_are_their_runs_owners(tmp_path):
    path = Path(shutil.copy(THIRD, tmp_path / "third.sqlite"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET title = ? WHERE id = ?", ("re\u0301seau", f"{3:032x}"))
    store = Store(path)
    rows = {int(row.id, 16): row for row in store.list() if not row.shipped}

    assert {number: (row.tags, row.note) for number, row in rows.items()} == {
        1: (("paper",), "r\u00e9sum\u00e9"),
        2: ((), "mine"),
        3: ((), ""),
    }
    assert rows[3].title == "r\u00e9seau"
    store.close()
    with sqlite3.connect(path) as connection:
        owners = connection.execute("SELECT run, workspace FROM marks ORDER BY run").fetchall()
    assert [owner for _, owner in owners] == ["local", "a" * 32, "local"], "of the shipped one the command line"


def test_a_killed_migration_of_version_3_leaves_it(tmp_path):
    path = Path(shutil.copy(THIRD, tmp_path / "third.sqlite"))
    before = content_of(path)
    code = (
        "import os, sys; from snnlab.runs.store import migrations, Store\n"
        "migrations._to_version_4 = lambda *_: os._exit(9)\n"
        "Store(sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == 9

    assert content_of(path) == before


@pytest.mark.parametrize(("golden", "version"), [(GOLDEN, 1), (SECOND, 2), (THIRD, 3)])
def test_the_golden_stores_are_of_their_versions(golden, version):
    assert SCHEMA_VERSION == 4
    with sqlite3.connect(golden) as connection:
        assert connection.execute("SELECT version FROM schema").fetchall() == [(version,)]
    assert golden.stat().st_size < 30_000
