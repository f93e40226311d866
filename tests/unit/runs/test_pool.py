"""The pool: lanes, fairness, bounds, cancelling for certain, workers that die, leases."""

import itertools
import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from snnlab.core.errors import StoreError
from snnlab.runs import Pool, Store
from snnlab.runs.pool import MOST_WAITING
from tests.unit.runs.conftest import settle

A, B = "a" * 32, "b" * 32
numbers = itertools.count()


def distinct(**arguments):
    """Arguments of a job that is equal to no other."""
    return {"note": str(next(numbers)), **arguments}


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def process_of(pool, job):
    return pool._inside.entries[job.id].process


def test_a_job_runs_and_is_written_down(pool):
    job = pool.submit("steps", distinct(count=3), workspace=A, title="three steps")
    job = pool.wait(job.id, 60)

    assert (job.state, job.done, job.total, job.what) == ("done", 3, 3, "steps done")
    assert job.result["workspace"] == A
    until(lambda: pool._store.jobs.get(job.id).state == "done")
    stored = pool._store.jobs.get(job.id)
    assert (stored.result, stored.title, stored.created) == (job.result, "three steps", job.created)
    assert pool.jobs(A)[0] == job
    assert all(other.id != job.id for other in pool.jobs(B))


def test_progress_and_time_left(pool):
    job = pool.submit("steps", distinct(count=20, seconds=0.05))
    until(lambda: pool.job(job.id).done >= 2)
    seen = pool.job(job.id)

    assert 0 < seen.done < 20
    assert 0.2 < seen.seconds_left < 20
    assert pool.wait(job.id, 60).seconds_left is None


def test_batch_work_gives_way_and_questions_do_not(pool):
    batch = pool.wait(pool.submit("steps", distinct()).id, 60)
    asked = pool.wait(pool.ask("noisy", distinct(), workspace=A, slot="s").id, 60)

    assert batch.result["nice"] >= asked.result["nice"] + 5
    assert batch.result["pid"] != asked.result["pid"]


def test_a_question_does_not_wait_for_a_job(pool):
    long = pool.submit("steps", distinct(count=400))
    until(lambda: pool.job(long.id).done)
    started = time.monotonic()
    asked = pool.wait(pool.ask("noisy", distinct(), workspace=B).id, 30)

    assert asked.state == "done"
    assert time.monotonic() - started < 2
    assert pool.job(long.id).state == "running"
    assert pool.wait(pool.submit("open", distinct(), workspace=B).id, 30).state == "done"
    assert pool.job(long.id).state == "running"
    pool.cancel(long.id)


def test_an_equal_active_job_is_not_started_twice(pool):
    arguments = distinct(count=100)
    first, second = (pool.submit("steps", arguments, workspace=A) for _ in range(2))
    other = pool.submit("steps", arguments, workspace=B)

    assert first.id == second.id != other.id
    pool.cancel(other.id, workspace=B)
    pool.cancel(first.id, workspace=A)


def test_workspaces_take_turns(pool):
    blocker = pool.submit("steps", distinct(count=200), workspace=A)
    waiting = [pool.submit("steps", distinct(), workspace=A) for _ in range(4)]
    late = pool.submit("steps", distinct(), workspace=B)
    pool.cancel(blocker.id, workspace=A)
    pool.wait(waiting[-1].id, 60)
    started = {job.id: pool.job(job.id).started for job in [*waiting, late]}

    assert sorted(started, key=started.get).index(late.id) <= 1


def test_a_workspace_has_so_many_jobs_waiting_and_no_more(pool):
    blocker = pool.submit("steps", distinct(count=400), workspace=A)
    until(lambda: pool.job(blocker.id).state == "running")
    waiting = [pool.submit("steps", distinct(), workspace=A) for _ in range(MOST_WAITING)]
    with pytest.raises(StoreError, match=f"{MOST_WAITING} of your jobs wait already"):
        pool.submit("steps", distinct(), workspace=A)
    other = pool.submit("steps", distinct(), workspace=B)

    assert other.state == "queued"
    for job in [*waiting, other, blocker]:
        pool.cancel(job.id, workspace=job.workspace)
    assert {pool.job(job.id).state for job in waiting} == {"cancelled"}


@pytest.mark.parametrize("how", ["sleep", "numba", "torch"])
def test_cancel_is_certain_within_a_second_and_the_next_job_runs(pool, how):
    settle(pool)
    job = pool.submit("deaf", distinct(how=how))
    until(lambda: pool.job(job.id).what == ("about to be deaf" if how == "sleep" else "spinning"))
    time.sleep(0.1)  # now it is inside
    process = process_of(pool, job)
    reserve = {other.pid for other in pool._inside.crew} - {process.pid}
    started = time.monotonic()
    pool.cancel(job.id)
    after = pool.submit("steps", distinct())

    assert pool.job(job.id).state == "cancelled"
    process._process.wait(5)
    assert time.monotonic() - started < 1
    assert pool.wait(after.id, 30).result["pid"] in reserve, "nobody waits for a new process"
    assert pool._store.jobs.get(job.id).state == "cancelled"


def test_a_job_that_listens_is_cancelled_and_its_process_lives(pool):
    job = pool.submit("steps", distinct(count=400))
    until(lambda: pool.job(job.id).done)
    process = process_of(pool, job)
    pool.cancel(job.id)
    until(lambda: process.job is None, 1)

    assert pool.wait(pool.submit("steps", distinct()).id, 30).result["pid"] == process.pid


def test_a_newer_question_replaces_the_older_one(pool):
    settle(pool)
    first, second, third = (
        pool.ask("noisy", distinct(count=100), workspace=A, slot="slider") for _ in range(3)
    )  # fmt: skip
    elsewhere = pool.ask("noisy", distinct(), workspace=A, slot="other")

    assert [pool.job(job.id).state for job in (first, second)] == ["cancelled", "cancelled"]
    assert pool.ask("noisy", third.arguments, workspace=A, slot="slider").id == third.id
    assert pool.wait(elsewhere.id, 30).state == "done"
    done = pool.wait(third.id, 30)
    assert done.state == "done"
    assert pool.ask("noisy", third.arguments, workspace=A, slot="slider") == done
    assert all(job.kind != "noisy" for job in pool.jobs(A))


def test_a_question_ends_those_of_other_places_that_it_makes_pointless(pool):
    settle(pool)
    curve = pool.ask("noisy", distinct(count=400), workspace=A, slot="curve")
    kept = pool.ask("noisy", distinct(count=3), workspace=A, slot="elsewhere")
    until(lambda: pool.job(curve.id).done)
    number = pool.ask("noisy", distinct(count=3), workspace=A, slot="number", before=["curve", "never asked"])

    assert pool.job(curve.id).state == "cancelled"
    assert pool.job(kept.id).state != "cancelled"
    anew = pool.ask("noisy", curve.arguments, workspace=A, slot="curve")
    assert anew.id != curve.id  # it was not the user who cancelled it
    assert anew.active
    pool.cancel(anew.id, workspace=A)
    assert pool.ask("noisy", curve.arguments, workspace=A, slot="curve").id == anew.id
    assert pool.wait(number.id, 60).state == "done"


def test_a_replaced_question_keeps_its_process_warm(pool):
    first = pool.ask("noisy", distinct(count=400), workspace=A, slot="slider")
    until(lambda: pool.job(first.id).done)
    process = process_of(pool, first)
    second = pool.wait(pool.ask("noisy", distinct(), workspace=A, slot="slider").id, 30)

    assert second.result["pid"] == process.pid


def test_a_question_that_is_cancelled_by_its_user_stays_so_until_it_is_started_again(pool):
    settle(pool)
    asked = pool.ask("probe", distinct(how="sleep"), workspace=A)
    until(lambda: pool.job(asked.id).done)
    process = process_of(pool, asked)
    started = time.monotonic()
    pool.cancel(asked.id, workspace=A)
    process._process.wait(5)

    assert time.monotonic() - started < 1
    assert pool.ask("probe", asked.arguments, workspace=A).state == "cancelled"
    again = pool.restart(asked.id, workspace=A)
    assert again.id != asked.id
    assert again.active
    pool.cancel(again.id, workspace=A)


def test_a_question_that_hangs_is_given_up_when_others_wait(pool, monkeypatch):
    monkeypatch.setattr("snnlab.runs.dispatch.HANG_SECONDS", 0.5)
    settle(pool)
    hung = pool.ask("probe", distinct(how="sleep"), workspace=A)
    until(lambda: pool.job(hung.id).done)
    time.sleep(1.5)
    assert pool.job(hung.id).state == "running", "nobody waits"
    other = pool.wait(pool.ask("noisy", distinct(), workspace=B).id, 30)

    assert other.state == "done"
    assert "no sign of progress" in pool.job(hung.id).error


def test_only_ones_own_and_local_jobs_can_be_changed(pool):
    mine = pool.submit("steps", distinct(count=200), workspace=A)
    local = pool.submit("steps", distinct(count=200))
    for change in (pool.cancel, pool.restart, pool.dismiss):
        with pytest.raises(StoreError, match="another workspace"):
            change(mine.id, workspace=B)
    pool.cancel(local.id, workspace=B)

    assert pool.job(mine.id).active
    assert pool.job(local.id).state == "cancelled"
    pool.cancel(mine.id, workspace=A)
    pool.cancel("nothing", workspace=A)


def test_restart_and_dismiss(pool):
    job = pool.submit("steps", distinct(count=200), workspace=A, title="mine")
    with pytest.raises(StoreError, match="cancel it first"):
        pool.dismiss(job.id, workspace=A)
    with pytest.raises(StoreError, match="only what was interrupted"):
        pool.restart(job.id, workspace=A)
    pool.cancel(job.id, workspace=A)
    again = pool.restart(job.id, workspace=A)

    assert (again.kind, again.arguments, again.title) == (job.kind, job.arguments, "mine")
    assert job.id not in {kept.id for kept in pool.jobs(A)}
    pool.cancel(again.id, workspace=A)
    pool.dismiss(again.id, workspace=A)
    assert pool.job(again.id) is None
    with pytest.raises(StoreError, match="no longer known"):
        pool.restart(again.id, workspace=A)


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        ("die", {}, "ended unexpectedly"),
        ("fail", {"how": "memory"}, "not enough memory for this; use a smaller T"),
        ("fail", {"how": "allocator"}, "not enough memory for this; use a smaller T"),
        ("fail", {"how": "bug"}, r"unexpected way \(RuntimeError: two\)"),
        ("no such kind", {}, "unexpected way"),
    ],
)
def test_what_fails_ends_in_one_sentence(pool, kind, arguments, sentence):
    job = pool.wait(pool.submit(kind, arguments).id, 60)

    assert job.state == "failed"
    assert sentence.replace("\\", "") in job.error
    assert "\n" not in job.error
    assert pool.wait(pool.submit("steps", distinct()).id, 60).state == "done"


def test_a_worker_that_dies_idle_is_replaced_unnoticed(pool):
    settle(pool)
    for process in pool._inside.crew:
        os.kill(process.pid, signal.SIGKILL)
    jobs = [pool.submit("steps", distinct()), pool.ask("noisy", distinct(), workspace=A)]

    assert [pool.wait(job.id, 60).state for job in jobs] == ["done", "done"]


def test_a_cancelled_job_has_stored_nothing(pool):
    settle(pool)
    before = pool._store.usage()
    early = pool.submit("store_run", {"before": 0.3, "split": "test"})
    until(lambda: pool.job(early.id).done == 1)
    pool.cancel(early.id)
    late = pool.submit("store_run", {"after": 30})
    until(lambda: pool.job(late.id).done == 2)
    assert pool._store.usage() != before, "it was stored, and is taken back"
    pool.cancel(late.id)
    time.sleep(0.5)

    assert pool._store.usage() == before
    run = next(run for run in Store().shipped() if run.recipe.data.dataset == "digits")
    assert pool._store.looks(dataset="digits", lineage=run.card["sha256"]) == 0


def test_a_job_that_another_server_cancels_is_stopped(pool):
    job = pool.submit("steps", distinct(count=2000))
    until(lambda: pool.job(job.id).done)
    process = process_of(pool, job)
    other = Pool(Store(pool._store.location))
    try:
        assert other.job(job.id).state == "running", "its server lives"
        other.cancel(job.id)
        until(lambda: not pool.job(job.id).active, 10)
    finally:
        other.close()

    assert pool.job(job.id).state == "cancelled"
    until(lambda: process.job is None, 5)


def test_many_threads_at_once(pool):
    def use(number):
        workspace = f"{number:032x}"
        asked = pool.ask("noisy", distinct(seconds=0.0), workspace=workspace)
        job = pool.submit("steps", distinct(seconds=0.0), workspace=workspace)
        dropped = pool.submit("steps", distinct(count=100), workspace=workspace)
        pool.cancel(dropped.id, workspace=workspace)
        return [pool.wait(asked.id, 60), pool.wait(job.id, 60), pool.wait(dropped.id, 60), pool.jobs(workspace)]

    with ThreadPoolExecutor(8) as threads:
        seen = list(threads.map(use, range(24)))

    assert {tuple(job.state for job in jobs) for *jobs, _ in seen} == {("done", "done", "cancelled")}
    assert all(job.result["workspace"] == f"{number:032x}" for number, jobs in enumerate(seen) for job in jobs[:2])
    assert all(len(listed) == 2 for *_, listed in seen)


def test_the_pool_is_bounded_in_memory(pool, monkeypatch):
    monkeypatch.setattr("snnlab.runs.dispatch.KEPT", 5)
    for _ in range(20):
        pool.wait(pool.ask("noisy", distinct(seconds=0.0), workspace=A).id, 60)

    assert sum(not entry.job.active for entry in pool._inside.entries.values()) <= 8
    assert len(pool._inside.slots) <= 8


def test_closing_leaves_no_process_and_no_thread(steered_path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(steered_path))
    before = set(threading.enumerate())
    pool = Pool(Store(tmp_path / "runs.sqlite"), workers=1)
    assert set(threading.enumerate()) == before, "nothing is started before it is needed"
    running = pool.submit("steps", distinct(count=1000), workspace=A)
    queued = pool.submit("steps", distinct(), workspace=A)
    until(lambda: pool.job(running.id).done)
    pids = [process.pid for process in pool._inside.crew]
    pool.close()
    pool.close()

    assert set(threading.enumerate()) == before
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
    assert [Store(tmp_path / "runs.sqlite").jobs.get(job.id).state for job in (running, queued)] == ["interrupted"] * 2
    with pytest.raises(StoreError, match="pool is closed"):
        pool.submit("steps", {})


def test_workers_that_never_start_are_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pool = Pool(Store(tmp_path / "runs.sqlite"))
    try:
        job = pool.wait(pool.submit("analyse", {}).id, 60)
        asked = pool.wait(pool.ask("trace", {}, workspace=A).id, 60)
    finally:
        pool.close()

    assert "do not start" in job.error
    assert "do not start" in asked.error


def test_threads_of_all_workers_fit_the_cores(tmp_path, monkeypatch):
    monkeypatch.delenv("SNNLAB_THREADS", raising=False)
    monkeypatch.setattr("snnlab.runs.pool._cores", lambda: 16)
    given = {}
    for workers in (None, 1, 4):
        pool = Pool(Store(tmp_path / "runs.sqlite"), workers=workers)
        given[workers] = int(pool._inside.crew._environment["SNNLAB_THREADS"])
        pool.close()

    assert given == {None: 1, 1: 5, 4: 2}


@pytest.mark.parametrize("text", ["0", "-1", "many"])
def test_a_wrong_number_of_workers_is_one_sentence(text, tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLAB_WORKERS", text)
    with pytest.raises(StoreError, match=f"SNNLAB_WORKERS is {text}"):
        Pool(Store(tmp_path / "runs.sqlite"))


def test_a_job_is_plain_values(pool):
    job = pool.wait(pool.submit("steps", distinct()).id, 60)
    assert json.loads(json.dumps(job.result)) == job.result
