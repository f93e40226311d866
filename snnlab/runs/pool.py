"""The server's side of the work: jobs and questions wait here, worker processes do them, cancelling is certain."""

import atexit
import contextlib
import os
import secrets
import time
from collections.abc import Sequence
from typing import Any

from snnlab.core.errors import StoreError
from snnlab.runs.dispatch import ASK_GRACE_SECONDS, GRACE_SECONDS, HANG_SECONDS, Dispatch, Entry
from snnlab.runs.jobs import LOCAL, RESTARTABLE, Job
from snnlab.runs.store import Store
from snnlab.runs.worker_process import ASK, BATCH, OPEN

INTERACTIVE = ("open", "trace", "selected", "noisy", "probe", "pace", "tournament_pace")
"""Kinds that take seconds at most: they never wait behind batch work."""

MOST_WAITING = 20
"""Jobs, and questions, that a workspace may have waiting."""


class Pool:
    """Jobs of all workspaces and the processes that do them. Thread-safe; processes start with the first job.

    Batch jobs are rows of the store: they outlive the server, as ``interrupted``. Questions (``ask``) are answered by
    workers of their own and are kept in memory only.

    Args:
        store: Where jobs and results go; None for the default store.
        workers: Batch jobs at once; None for ``$SNNLAB_WORKERS``, else the cores.
        interactive: Questions at once; None for 1, or 2 from four cores on.

    Raises:
        StoreError: The store cannot be opened, or a number is not valid.
    """

    def __init__(
        self, store: Store | None = None, *, workers: int | None = None, interactive: int | None = None
    ) -> None:
        cores = _cores()
        batch = _count(workers, "SNNLAB_WORKERS", cores)
        asks = _count(interactive, None, 2 if cores >= 4 else 1)
        self._store = store or Store()
        self._inside = Dispatch(self._store, batch=batch, asks=asks, threads=max(1, cores // (batch + asks)))
        atexit.register(self.close)
        with contextlib.suppress(StoreError):  # read-only, or held: the lists can be read all the same
            self._store.jobs.interrupt_orphans()

    def submit(self, kind: str, arguments: dict[str, Any], *, workspace: str = LOCAL, title: str = "") -> Job:
        """Queue a job; an equal one of this workspace that is still active is returned instead of a second.

        Raises:
            StoreError: Too many of this workspace wait, or the job cannot be written down.
        """
        inside, lane = self._inside, OPEN if kind in INTERACTIVE else BATCH
        with inside.lock:
            self._check_open()
            for entry in inside.entries.values():
                job = entry.job
                same = (job.kind, job.workspace, job.arguments) == (kind, workspace, arguments)
                if same and job.active and not entry.slot:
                    return job
            self._check_room(workspace, lane)
            entry = Entry(Job(secrets.token_hex(16), kind, arguments, workspace, title), lane)
            inside.add(entry)
        try:
            self._store.jobs.add(entry.job, pool=inside.id, owner=inside.owner)
        except StoreError:
            with inside.lock:
                inside.entries.pop(entry.job.id, None)
            raise
        with inside.lock:
            inside.wait_in_line(entry)
            return entry.job

    def ask(
        self,
        kind: str,
        arguments: dict[str, Any],
        *,
        workspace: str = LOCAL,
        slot: str = "",
        before: Sequence[str] = (),
    ) -> Job:
        """Ask a question that is answered at once and stored nowhere.

        A newer question replaces the older one of the same workspace and slot: one that waits is dropped, one that
        runs is told to stop. An equal one is returned as it stands, finished or not.

        Args:
            kind: Kind of work.
            arguments: Its arguments.
            workspace: Who asks.
            slot: The place that the answer is for.
            before: Other slots whose questions have become pointless; they are ended as replaced ones are.

        Raises:
            StoreError: Too many questions of this workspace wait.
        """
        assert kind in INTERACTIVE, f"{kind} is work for submit"
        slot = slot or kind
        inside = self._inside
        with inside.lock:
            self._check_open()
            older = inside.entries.get(inside.slots.get((workspace, slot), ""))
            equal = older is not None and (older.job.kind, older.job.arguments) == (kind, arguments)
            if older is not None and equal and not older.replaced:
                return older.job
            for place in (slot, *before):
                gone = inside.entries.get(inside.slots.get((workspace, place), ""))
                if gone is not None and gone.job.active:
                    gone.replaced = True
                    inside.end(gone, "cancelled", stop_within=HANG_SECONDS)  # kindly: what it keeps warm lives on
            self._check_room(workspace, ASK)
            entry = Entry(Job(secrets.token_hex(16), kind, arguments, workspace), ASK, slot)
            inside.add(entry)
            inside.wait_in_line(entry)
            return entry.job

    @property
    def devices(self) -> tuple[str, ...]:
        """Where networks can run, as a worker has told; ``("cpu",)`` until one has."""
        return self._inside.crew.devices

    def warm(self) -> None:
        """Start a worker in the background, so that the first question finds it ready."""
        with self._inside.lock:
            self._check_open()
            self._inside.go_on()

    def wait(self, job_id: str, seconds: float) -> Job | None:
        """A job as it stands when it is no longer active, or after so many seconds."""
        until = time.monotonic() + seconds
        with self._inside.lock:
            while (entry := self._inside.entries.get(job_id)) is not None:
                left = until - time.monotonic()
                if not entry.job.active or left <= 0:
                    return entry.job
                self._inside.changed.wait(left)
        job = self._store.jobs.get(job_id)
        while job is not None and job.active and time.monotonic() < until:  # another server's
            time.sleep(0.1)
            job = self._store.jobs.get(job_id)
        return job

    def job(self, job_id: str) -> Job | None:
        """A job or question by id, also a stored job of another server; None when it is not known."""
        with self._inside.lock:
            entry = self._inside.entries.get(job_id)
            if entry is not None:
                return entry.job
        return self._store.jobs.get(job_id)

    def jobs(self, workspace: str) -> tuple[Job, ...]:
        """The jobs of a workspace, newest first, also those that servers now gone have left."""
        stored = {job.id: job for job in self._store.jobs.of(workspace)}
        with self._inside.lock:
            for entry in self._inside.entries.values():
                if entry.job.workspace == workspace and not entry.slot:
                    stored[entry.job.id] = entry.job
        return tuple(sorted(stored.values(), key=lambda job: job.created, reverse=True))

    def cancel(self, job_id: str, *, workspace: str = LOCAL) -> None:
        """Stop a job or question; within a second its process does something else. Nothing of it is stored.

        Unknown and finished ones are left alone.

        Raises:
            StoreError: Another workspace's.
        """
        job = self.job(job_id)
        if job is None or not job.active:
            return
        _check_owner(job, workspace)
        with self._inside.lock:
            entry = self._inside.entries.get(job_id)
            if entry is not None:
                kindly = ASK_GRACE_SECONDS if entry.slot else GRACE_SECONDS  # what a question keeps warm is worth it
                self._inside.end(entry, "cancelled", stop_within=kindly)
                self._inside.go_on()
        if entry is None:
            self._store.jobs.stop(job_id, "cancelled")  # its own server sees it at its next heartbeat
        elif not entry.slot:
            self._inside.save_end(entry)

    def restart(self, job_id: str, *, workspace: str = LOCAL) -> Job:
        """Do a job that was interrupted, failed or cancelled again; the old one goes off the list.

        Raises:
            StoreError: Unknown, another's, or not in such a state.
        """
        job, slot = self.job(job_id), ""
        if job is None:
            raise StoreError("This job is no longer known here; start it again from its page.")
        _check_owner(job, workspace)
        if job.state not in RESTARTABLE:
            raise StoreError(f"This job is {job.state}; only what was interrupted, failed or cancelled starts again.")
        with self._inside.lock:
            entry = self._inside.entries.get(job_id)
            slot = entry.slot if entry is not None else ""
            if slot:
                self._inside.slots.pop((job.workspace, slot), None)
        if slot:
            return self.ask(job.kind, job.arguments, workspace=workspace, slot=slot)
        again = self.submit(job.kind, job.arguments, workspace=workspace, title=job.title)
        self.dismiss(job_id, workspace=workspace)
        return again

    def dismiss(self, job_id: str, *, workspace: str = LOCAL) -> None:
        """Take a finished job off the list.

        Raises:
            StoreError: Another's, or still active.
        """
        job = self.job(job_id)
        if job is None:
            return
        _check_owner(job, workspace)
        if job.active:
            raise StoreError(f"This job is {job.state}; cancel it first.")
        with self._inside.lock:
            entry = self._inside.entries.pop(job_id, None)
        if entry is not None and entry.unsaved:
            self._inside.save_end(entry)
        self._store.jobs.delete(job_id)

    def close(self) -> None:
        """End all processes and threads. Active jobs become interrupted: they can be started again."""
        if not self._inside.closed:
            atexit.unregister(self.close)
            self._inside.close()
            self._store.close()

    def _check_open(self) -> None:
        if self._inside.closed:
            raise StoreError("This pool is closed; make a new one.")

    def _check_room(self, workspace: str, lane: str) -> None:
        if self._inside.queues[lane].count(workspace) >= MOST_WAITING:
            raise StoreError(f"{MOST_WAITING} of your jobs wait already; cancel one, or wait until one is done.")


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return os.cpu_count() or 1


def _count(given: int | None, variable: str | None, default: int) -> int:
    text = os.environ.get(variable, "") if variable is not None and given is None else ""
    try:
        count = given if given is not None else int(text) if text else default
    except ValueError:
        count = 0
    if count < 1:
        raise StoreError(
            f"{variable or 'The number of workers'} is {text or given}; it must be a whole number, 1 or more."
        )
    return count


def _check_owner(job: Job, workspace: str) -> None:
    if job.workspace not in (workspace, LOCAL):
        raise StoreError("This job belongs to another workspace; only there it can be changed.")
