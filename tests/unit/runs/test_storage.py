"""Room on the disk: the quota, what goes first, what stays, and what is said before anything is written."""

import dataclasses
import os
import time

import pytest

from snnlab.core.errors import CheckpointError, StoreError
from snnlab.runs import Job, Store, keep_upload, storage
from snnlab.runs.paths import kept_folder, upload_folder
from snnlab.runs.processes import Owner
from tests.stored_runs import shipped

HOUR = 3600


def upload(name, size, *, age=0.0):
    path = keep_upload(name, os.urandom(size))
    os.utime(path.parent, (time.time() - age, time.time() - age))
    return path


@pytest.fixture
def quota(monkeypatch):
    monkeypatch.setenv("SNNLAB_QUOTA_GB", str(10_000 / 1e9))


def test_what_takes_room(quota):
    path = upload("net.pt", 2000)
    folder = kept_folder() / ("0" * 32)
    folder.mkdir(parents=True)
    (folder / "net.pt.safetensors").write_bytes(bytes(500))
    told = storage.usage()

    assert {(item.kind, item.name, item.size, item.files) for item in told.items} == {
        ("upload", "net.pt", 2000, 1),
        ("checkpoint", "net.pt", 500, 1),
    }
    assert (told.size, told.quota, told.runs, told.run_bytes) == (2500, 10_000, 0, 0)
    assert told.free > 0
    upload_item = next(item for item in told.items if item.kind == "upload")
    assert storage.remove([upload_item]) == 2000
    assert not path.exists()


def test_the_one_used_longest_ago_goes_first(quota):
    old, older, young = upload("a.pt", 4000, age=2 * HOUR), upload("b.pt", 4000, age=3 * HOUR), upload("c.pt", 1000)
    new = upload("d.pt", 4000)

    assert not older.exists()
    assert all(path.exists() for path in (old, young, new))


def test_use_is_noted(quota):
    first, second = upload("a.pt", 4000, age=5 * HOUR), upload("b.pt", 4000, age=3 * HOUR)
    assert keep_upload("a.pt", first.read_bytes()) == first
    upload("c.pt", 4000)

    assert first.exists()
    assert not second.exists()


def test_young_files_stay_up_to_twice_the_quota(quota):
    kept = [upload(f"{name}.pt", 4000) for name in "abcde"]
    assert all(path.exists() for path in kept), "20,000 bytes, twice the quota"
    upload("f.pt", 4000)

    assert not all(path.exists() for path in kept)


def test_what_an_active_job_uses_stays(quota):
    path = upload("a.pt", 6000, age=5 * HOUR)
    store = Store()
    job = Job("1" * 32, "open", {"path": str(path)})
    store.jobs.add(job, pool="p", owner=Owner.me())
    upload("b.pt", 6000, age=4 * HOUR)
    upload("c.pt", 6000)

    assert path.exists()
    (item,) = [item for item in storage.usage().items if item.name == "a.pt"]
    assert item.in_use
    with pytest.raises(StoreError, match=r"a\.pt is used by a job"):
        storage.remove([item])
    store.jobs.stop(job.id, "cancelled")
    assert storage.remove([item]) == 6000


def test_too_large_an_upload_is_refused_before_it_is_written(quota, monkeypatch):
    with pytest.raises(CheckpointError, match="more than the 10,000 that uploads may take"):
        keep_upload("big.pt", bytes(10_001))
    monkeypatch.setattr(storage, "_free", lambda folder: 1000)
    with pytest.raises(CheckpointError, match="are free on the disk"):
        keep_upload("big.pt", bytes(5000))

    assert not list(upload_folder().rglob("*.pt"))


def test_half_written_files_of_yesterday_are_swept(quota):
    path = upload("net.pt", 100)
    fresh, stale = path.with_name(".net.pt.abc"), path.with_name(".net.pt.xyz")
    for leftover in (fresh, stale):
        leftover.write_bytes(b"part")
    os.utime(stale, (time.time() - 25 * HOUR,) * 2)
    storage.enforce_quota()

    assert fresh.exists()
    assert not stale.exists()
    assert path.exists()


@pytest.mark.parametrize("text", ["0", "-3", "much", "nan"])
def test_a_wrong_quota_is_one_sentence(text, monkeypatch):
    monkeypatch.setenv("SNNLAB_QUOTA_GB", text)
    with pytest.raises(StoreError, match="SNNLAB_QUOTA_GB"):
        storage.quota_bytes()


def test_only_what_is_kept_can_be_removed(quota, tmp_path):
    upload("a.pt", 10)
    (item,) = storage.usage().items
    for wrong in ("uploads/../x", "elsewhere/" + "0" * 32, "uploads/"):
        with pytest.raises(StoreError, match="nothing kept under"):
            storage.remove([dataclasses.replace(item, id=wrong)])


def test_stale_items(quota):
    upload("a.pt", 1000, age=50 * HOUR)
    upload("b.pt", 1000, age=2 * HOUR)

    assert [item.name for item in storage.stale(older_than=1)] == ["a.pt"]
    assert [item.name for item in storage.stale(max_bytes=1000)] == ["a.pt"]
    assert [item.name for item in storage.stale()] == ["a.pt", "b.pt"]


def test_what_a_run_with_a_tag_was_made_from_stays(quota):
    path = upload("a.pt", 6000, age=5 * HOUR)
    run, store = shipped(), Store()
    made = dataclasses.replace(run, id="2" * 32, recipe=run.recipe.changed(checkpoint={"source": str(path)}))
    store.save(made)
    store.mark(made.id, tags=["paper"])
    other = upload("b.pt", 6000, age=4 * HOUR)
    third = upload("c.pt", 6000)
    assert (path.exists(), other.exists(), third.exists()) == (True, False, True)
    assert {item.name: item.tagged for item in storage.usage().items} == {"a.pt": True, "c.pt": False}
    assert [item.name for item in storage.stale()] == ["c.pt"]

    store.mark(made.id, tags=[])
    assert [item.name for item in storage.stale()] == ["a.pt", "c.pt"]
    store.mark(made.id, tags=["paper"])
    assert storage.remove([item for item in storage.usage().items if item.tagged]) == 6000  # chosen by name
