"""Tags and notes: what is kept, who may say it, and how runs are found by it."""

import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnlab.core.errors import StoreError
from snnlab.runs import Store
from snnlab.runs.store import marks
from tests.stored_runs import shipped


@pytest.fixture(scope="module")
def run():
    return shipped()


@pytest.fixture
def store(tmp_path, run):
    store = Store(tmp_path / "runs.sqlite")
    for number, workspace in enumerate(("local", "a", "b")):
        made = dataclasses.replace(run, id=f"{number + 1:032x}", created=f"2026-01-0{number + 1}T00:00:00+00:00")
        store.save(made, workspace=workspace)
    return store


def stored(store, **search):
    return [int(row.id, 16) for row in store.list(**search) if not row.shipped]


def test_tags_and_note_stay_and_are_replaced(store):
    first = f"{1:032x}"
    store.mark(first, tags=["paper", "Übung", "paper", "PAPER"], note="  two\r\nlines\x00 ")
    row = store.row(first)
    assert (row.tags, row.note) == (("paper", "Übung"), "two\nlines")

    store.mark(first, note="other")
    assert store.row(first).tags == ("paper", "Übung"), "what is not given stays"
    store.mark(first, tags=[])
    assert (store.row(first).tags, store.row(first).note) == ((), "other")
    assert Store(store.path).row(first) == store.row(first)
    assert [row.note for row in store.list()][:3] == ["", "", "other"]


def test_shipped_runs_are_marked_too(store, run):
    store.mark(run.id, tags=["example"])

    assert store.row(run.id).tags == ("example",)
    assert [row.id for row in store.list(tag="example")] == [run.id]
    assert store.row(run.id[:6]).shipped


def test_a_mark_of_a_shipped_run_is_seen_where_it_was_made(store, run):
    store.mark(run.id, tags=["theirs"], note="private", workspace="a")
    assert store.row(run.id, ("a", "local")).note == "private"
    for row in (store.row(run.id), store.row(run.id, ("b", "local"))):
        assert (row.tags, row.note) == ((), "")
    assert not store.list(("b", "local"), tag="theirs")
    assert not store.list(tag="theirs")

    store.mark(run.id, tags=["shared"], note="of the command line")
    assert store.row(run.id, ("b", "local")).tags == ("shared",)
    store.mark(run.id, tags=["own"], workspace="b")
    assert (store.row(run.id, ("b", "local")).tags, store.row(run.id, ("b", "local")).note) == (
        ("own",),
        "of the command line",
    ), "what is not given stays as it was seen"
    store.mark(run.id, tags=[], note="", workspace="b")
    assert store.row(run.id, ("b", "local")).tags == (), "nothing, by one's own choice"
    assert store.row(run.id, ("a", "local")).tags == ("theirs",)
    assert store.row(run.id).tags == ("shared",)


@pytest.mark.parametrize("typed", ["\u00e9", "e\u0301"])
@pytest.mark.parametrize("kept", ["\u00e9", "e\u0301"])
def test_an_accent_is_found_however_it_was_typed(store, run, kept, typed):
    named = dataclasses.replace(run, id="e" * 32, card={**run.card, "name": f"r{kept}seau.pt"})
    store.save(named)
    store.mark(f"{1:032x}", tags=[f"th{kept}se"])
    store.mark(f"{2:032x}", note=f"caf{kept}", workspace="a")
    store.mark(run.id, note=f"sol{kept}")

    assert [row.id for row in store.list(text=f"R{typed}SEAU")] == ["e" * 32]
    assert stored(store, tag=f"th{typed}se") == stored(store, text=f"th{typed}") == [1]
    assert stored(store, text=f"caf{typed}") == [2]
    assert [row.id for row in store.list(text=f"sol{typed}")] == [run.id]


@pytest.mark.parametrize(
    ("run_id", "words", "sentence"),
    [
        (f"{3:032x}", {"tags": ["x"]}, "another workspace"),
        ("f" * 32, {"tags": ["x"]}, "not in the store"),
        (f"{2:032x}", {"tags": ["two words"]}, "'two words' is no tag"),
        (f"{2:032x}", {"tags": [""]}, "'' is no tag"),
        (f"{2:032x}", {"tags": ["-x"]}, "begins with a letter or digit"),
        (f"{2:032x}", {"tags": ['a"b']}, "is no tag"),
        (f"{2:032x}", {"tags": ["x" * 33]}, "at most 32"),
        (f"{2:032x}", {"tags": [f"t{i}" for i in range(17)]}, "at most 16 tags; 17"),
        (f"{2:032x}", {"tags": "word"}, "as a list"),
        (f"{2:032x}", {"note": "x" * 4001}, "at most 4,000 characters; this one has 4,001"),
    ],
)
def test_what_cannot_be_marked_is_one_sentence(store, run_id, words, sentence):
    with pytest.raises(StoreError, match=sentence):
        store.mark(run_id, workspace="a", **words)
    assert all(not row.tags and not row.note for row in store.list())


def test_marks_go_with_their_run(store):
    first = f"{1:032x}"
    store.mark(first, tags=["x"])
    store.delete(first, workspace="local")
    store.save(dataclasses.replace(shipped(), id=first))

    assert store.row(first).tags == ()


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({}, [3, 2, 1]),
        ({"text": "VGG qcfs"}, [3, 2, 1]),
        ({"text": "vgg resnet"}, []),
        ({"text": "übung"}, [1]),
        ({"text": "half % done_"}, [2]),
        ({"text": "%"}, [2]),
        ({"text": "pap"}, [2, 1]),
        ({"text": '["'}, []),
        ({"text": f"{2:032x}"[:20]}, []),
        ({"text": f"{2:032x}"}, [2]),
        ({"text": "dev analyse"}, [3, 2, 1]),
        ({"tag": "paper"}, [1]),
        ({"tag": "PAPER2"}, [2]),
        ({"tag": "pap"}, []),
        ({"tag": "Übung", "text": "digits"}, [1]),
        ({"verb": "noise"}, []),
        ({"verb": "analyse", "limit": 2}, [3, 2]),
        ({"workspaces": ["a", "local"], "text": "pap"}, [2, 1]),
    ],
)
def test_search(store, search, found):
    store.mark(f"{1:032x}", tags=["paper", "Übung"])
    store.mark(f"{2:032x}", tags=["paper2"], note="half % done_", workspace="a")
    if search.get("text") == f"{2:032x}"[:20]:
        found = [3, 2, 1]  # all ids begin with zeros

    assert stored(store, **search) == found


def test_search_finds_shipped_runs(store):
    names = {row.title for row in store.list(text="digits-resnet")}

    assert names == {"digits-resnet-qcfs-L4 · qcfs"}
    assert len(store.list(limit=4)) == 4


ALONE = "d" * 32


@cache
def alone():
    """A store of one run, for all examples."""
    store = Store("sqlite://", overlay=Path("nowhere"))
    store.save(dataclasses.replace(shipped(), id=ALONE))
    return store


@settings(deadline=None, max_examples=60)
@given(
    tags=st.lists(st.from_regex(r"\A[\wäÖ][\w.+:/-]{0,6}\Z"), max_size=3),
    note=st.text(alphabet="aÄ\u0308%_\\ \"'[,", max_size=8),
    text=st.text(alphabet="aÄö\u03081%_\\ \"'[,.", max_size=3),
)
def test_the_database_finds_what_python_finds(tags, note, text):
    store = alone()
    store.mark(ALONE, tags=tags, note=note)
    row = store.row(ALONE)

    assert bool(store.list(text=text)) == marks.fits(row, text, None, None)
    for tag in (*tags, "a", text):
        assert bool(store.list(tag=tag)) == marks.fits(row, "", tag, None)


WRITER = """
import dataclasses, sys
from snnlab.runs import Run, Store
store, run = Store(sys.argv[1]), Run.from_bytes(open(sys.argv[2], "rb").read())
for number in range(int(sys.argv[4])):
    saved = dataclasses.replace(run, id=f"{int(sys.argv[3]) * 10**6 + number:032x}")
    store.save(saved)
    store.mark(saved.id, tags=[f"by{sys.argv[3]}"])
    print(saved.id, flush=True)
"""


def writer(path, content, number, count):
    words = [sys.executable, "-c", WRITER, str(path), str(content), str(number), str(count)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_two_processes_writing_at_once_lose_nothing(run, tmp_path):
    path, content = tmp_path / "runs.sqlite", tmp_path / "one.run"
    content.write_bytes(run.to_bytes())
    both = [writer(path, content, number, 15) for number in (1, 2)]
    told = {line for process in both for line in process.communicate(timeout=120)[0].split()}

    store = Store(path)
    rows = [row for row in store.list() if not row.shipped]
    assert len(told) == 30
    assert {row.id for row in rows} == told
    assert {row.tags for row in rows} == {("by1",), ("by2",)}
    assert all(store.get(row.id).accuracy.images == run.accuracy.images for row in rows[:4])


def test_a_process_killed_while_it_writes_leaves_a_store_that_can_be_read(run, tmp_path):
    path, content = tmp_path / "runs.sqlite", tmp_path / "one.run"
    content.write_bytes(run.to_bytes())
    process = writer(path, content, 1, 10_000)
    told = [process.stdout.readline().strip() for _ in range(3)]
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().split()
    process.wait(10)

    store = Store(path)
    rows = [row for row in store.list() if not row.shipped]
    assert {row.id for row in rows} >= {run_id for run_id in told if len(run_id) == 32}
    assert len(rows) - len(told) <= 1, "at most the one that was being told"
    assert all(store.get(row.id).to_bytes() for row in rows)
    store.mark(rows[0].id, tags=["after"])
    assert Store(path).row(rows[0].id).tags == ("after",)


def test_marks_are_json_in_the_database(store):
    store.mark(f"{1:032x}", tags=["a", "Ü"], note="n")
    with sqlite3.connect(store.path) as connection:
        found = connection.execute("SELECT tags, note FROM marks").fetchall()
    assert [(json.loads(tags), note) for tags, note in found] == [(["a", "Ü"], "n")]
