"""Inside the pool: which job is where, which worker has it, and the two threads that keep it going."""

import contextlib
import os
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from snnlab.core.errors import StoreError
from snnlab.runs.crew import Crew
from snnlab.runs.jobs import Job
from snnlab.runs.processes import Owner
from snnlab.runs.queues import FairQueue
from snnlab.runs.store import Store
from snnlab.runs.worker_process import ASK, BATCH, OPEN, WorkerProcess

KEPT = 200
"""Finished jobs and questions kept in memory; older jobs are in the store."""

GRACE_SECONDS = 0.5
"""So long a cancelled job may take to stop by itself before its process is killed."""

ASK_GRACE_SECONDS = 0.9
"""The same for a question, whose process keeps networks and noise warm for the next one."""

HANG_SECONDS = 30.0
"""A question without progress for so long is given up when others wait for its worker."""

BEAT_SECONDS = 2.0
ORPHAN_SECONDS = 15.0
IDLE_SECONDS = 120.0

STARTING = "starting"
MOST_LOST = 2
"""So many workers may end under a job before they show progress; then the job is to blame."""

DIED = "The worker process ended unexpectedly, perhaps for lack of memory; try fewer images or time-steps."
HUNG = "This gave no sign of progress for 30 seconds while others waited, and was ended; run it as a job."
NOT_STARTING = "The worker processes do not start; see the server's log, and run snnlab doctor."
TAKEN = "This job was taken over or cancelled by another server."


@dataclass
class Entry:
    """A job in this pool.

    Args:
        job: As it stands.
        lane: ``BATCH``, ``ASK`` for questions, ``OPEN`` for short jobs that were submitted.
        slot: Place of a question; a newer one in it replaces this.
        lease: What lets the worker store; empty before it has a worker, and for questions.
        process: The worker that has it.
        unsaved: The store does not know yet how it ended.
        lost: Workers that ended before they began with it.
        replaced: A question that another one ended, not its user.
    """

    job: Job
    lane: str
    slot: str = ""
    lease: str = ""
    process: WorkerProcess | None = None
    unsaved: bool = False
    lost: int = 0
    replaced: bool = False


class Dispatch:
    """Entries, queues and processes under one lock.

    Two threads: the *scheduler* does whatever may have to wait for the store (giving out leases, heartbeats), the
    *keeper* waits for nothing but time (killing what was told to stop). Every process has a reader besides.

    Args:
        store: Where jobs are written down.
        batch: Most batch jobs at once.
        asks: Most questions at once.
        threads: Threads of each worker.
    """

    def __init__(self, store: Store, *, batch: int, asks: int, threads: int) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.slots: dict[tuple[str, str], str] = {}
        self.queues = {BATCH: FairQueue(), ASK: FairQueue(), OPEN: FairQueue()}
        self.closed = False
        self.id = secrets.token_hex(16)
        self.owner = Owner.me()
        self._store = store
        self._most_batch = batch
        self.crew = Crew(
            self._hear,
            asks=asks,
            environment={
                "SNNLAB_STORE": store.location,
                "SNNLAB_THREADS": os.environ.get("SNNLAB_THREADS") or str(threads),
                # Threads that spin while they wait would take the cores from the others.
                "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
                "PYTHONUNBUFFERED": "1",
            },
        )
        self._threads: list[threading.Thread] = []

    # For the pool; the lock is held, but for close and save_end.

    def add(self, entry: Entry) -> None:
        """Know a job, without letting it wait yet."""
        self.entries[entry.job.id] = entry
        if entry.slot:
            self.slots[entry.job.workspace, entry.slot] = entry.job.id

    def wait_in_line(self, entry: Entry) -> None:
        """Let a job wait for its worker, and start what can start."""
        if entry.job.state == "queued" and not self.closed:
            self.queues[entry.lane].push(entry.job.workspace, entry.job.id)
        finished = [name for name, kept in self.entries.items() if not kept.job.active and not kept.unsaved]
        for name in finished[: max(0, len(finished) - KEPT)]:
            old = self.entries.pop(name)
            if self.slots.get((old.job.workspace, old.slot)) == name:
                del self.slots[old.job.workspace, old.slot]
        self.go_on()

    def go_on(self) -> None:
        """Hand out what can be handed out; start processes and threads where they are missing."""
        if self.closed:
            return
        if not self._threads:
            for name, target in (("snnlab-scheduler", self._schedule), ("snnlab-keeper", self._keep)):
                thread = threading.Thread(target=target, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        asks = self.queues[ASK]
        while (waiting := asks.peek()) is not None:
            process = self.crew.take(ASK, waiting[0])
            if process is None:
                break
            entry = self.entries[asks.pop()]
            self._set(entry, state="running", started=time.monotonic(), what=STARTING)
            self._hand_over(entry, process)
        self.crew.start(
            batch=min(len(self.queues[BATCH]), self._most_batch - self.crew.running(BATCH)),
            asks=len(asks),
            opens=min(1, len(self.queues[OPEN])),
        )
        self._fail_if_nothing_starts()
        self.changed.notify_all()

    def end(self, entry: Entry, state: str, *, stop_within: float) -> None:
        """Take an active job from queue or worker; the worker has so many seconds to stop by itself."""
        if not entry.job.active:
            return
        process = entry.process
        self.queues[entry.lane].remove(entry.job.id)
        self._set(entry, state=state)
        if process is not None and process.job == entry.job.id:
            process.stop_by = time.monotonic() + stop_within
            process.send({"stop": entry.job.id})
            self.changed.notify_all()

    def save_end(self, entry: Entry) -> None:
        """Write a job's end. What fails is tried again at the next heartbeat."""
        try:
            if entry.job.state in ("cancelled", "interrupted"):
                self._store.jobs.stop(entry.job.id, entry.job.state)
            else:
                self._store.jobs.update(entry.job, lease=entry.lease, pool=self.id)
            entry.unsaved = False
        except StoreError:
            entry.unsaved = True

    def close(self) -> None:
        """End all processes and threads; active jobs become interrupted."""
        with self.lock:
            self.closed = True
            unfinished = [entry for entry in self.entries.values() if entry.job.active or entry.unsaved]
            for entry in unfinished:
                if entry.job.active:
                    self._set(entry, state="cancelled" if entry.slot else "interrupted")
            self.changed.notify_all()
        self.crew.close()
        for thread in self._threads:
            thread.join(self._store.busy_seconds + 1)
        for entry in unfinished:
            if entry.unsaved:
                self.save_end(entry)

    def _set(self, entry: Entry, **values: Any) -> None:
        entry.job = replace(entry.job, **values)
        if not entry.job.active:
            entry.process = None
            entry.unsaved = not entry.slot
            self.changed.notify_all()

    def _hand_over(self, entry: Entry, process: WorkerProcess) -> None:
        job = entry.job
        entry.process, process.job, process.workspace, process.stop_by = process, job.id, job.workspace, None
        request = {"id": job.id, "kind": job.kind, "arguments": job.arguments, "workspace": job.workspace}
        # Where this fails the process has just ended, and its reader gives the job to another one.
        process.send({**request, "lease": entry.lease or None})

    # In the readers' threads.

    def _hear(self, process: WorkerProcess, message: dict[str, Any] | None) -> None:
        """A worker's message; None when it has ended."""
        with self.lock:
            process.heard = time.monotonic()
            entry = self.entries.get(process.job or "")
            if entry is None or entry.process is not process or entry.job.state != "running":
                entry = None  # cancelled meanwhile, or no job at all
            if message is None:
                self.crew.remove(process)
                if entry is not None:
                    self._lost(entry)
                self._fail_if_nothing_starts()
            elif "ready" in message:
                self.crew.is_ready(process, message["ready"])
            elif "progress" in message:
                if entry is not None:
                    done, total, what = message["progress"]
                    # A new stage has its own pace.
                    began = entry.job.started if what == entry.job.what else time.monotonic()
                    entry.job = replace(entry.job, done=done, total=total, what=what, started=began)
                return
            else:
                process.job, process.stop_by = None, None
                if entry is not None:
                    if "result" in message:
                        self._set(entry, state="done", result=message["result"])
                    elif "error" in message:
                        self._set(entry, state="failed", error=message["error"])
                    else:
                        self._set(entry, state="cancelled")
            self.go_on()
        if entry is not None and entry.unsaved:
            self.save_end(entry)

    def _fail_if_nothing_starts(self) -> None:
        if not self.crew.never_starts:
            return
        self.crew.forgive()
        for queue in self.queues.values():
            for job_id in list(queue):
                queue.remove(job_id)
                self._set(self.entries[job_id], state="failed", error=NOT_STARTING)

    def _lost(self, entry: Entry) -> None:
        """The worker of a running job has ended."""
        if entry.job.what == STARTING and entry.lost < MOST_LOST:  # it was ending before it had the job: once more
            entry.lost, entry.process = entry.lost + 1, None
            entry.job = replace(entry.job, state="queued", started=0.0, what="")
            self.queues[entry.lane].push_front(entry.job.workspace, entry.job.id)
        else:
            self._set(entry, state="failed", error=DIED)

    # The scheduler's thread.

    def _schedule(self) -> None:
        beat_at, orphans_at = 0.0, time.monotonic() + ORPHAN_SECONDS
        while True:
            with self.lock:
                chosen = None if self.closed else self._choose()
                while not self.closed and chosen is None and (left := beat_at - time.monotonic()) > 0:
                    self.changed.wait(left)
                    chosen = self._choose()
                if self.closed:
                    return
            if chosen is not None:
                self._begin(*chosen)
            if time.monotonic() >= beat_at:
                self._beat()
                beat_at = time.monotonic() + BEAT_SECONDS
            if time.monotonic() >= orphans_at:
                with contextlib.suppress(StoreError):
                    self._store.jobs.interrupt_orphans()
                orphans_at = time.monotonic() + ORPHAN_SECONDS

    def _choose(self) -> tuple[Entry, WorkerProcess] | None:
        """The next stored job that has a process; both are reserved for each other. The lock is held."""
        if self.closed:
            return None
        for lane in (OPEN, BATCH):
            waiting = self.queues[lane].peek()
            if waiting is None or (lane == BATCH and self.crew.running(BATCH) >= self._most_batch):
                continue
            process = self.crew.take(lane, waiting[0])
            if process is not None:
                entry = self.entries[self.queues[lane].pop()]
                process.job = entry.job.id
                return entry, process
        return None

    def _begin(self, entry: Entry, process: WorkerProcess) -> None:
        """Write down that a job runs, under a new lease, then hand it over."""
        lease = secrets.token_hex(16)
        running = replace(entry.job, state="running", started=time.monotonic(), what=STARTING)
        trouble = ""
        try:
            if not self._store.jobs.update(running, lease=lease, pool=self.id):
                trouble = TAKEN
        except StoreError as error:
            trouble = str(error)
        with self.lock:
            if entry.job.state == "queued" and not trouble:
                entry.lease = lease
                self._set(entry, state="running", started=running.started, what=running.what)
                self._hand_over(entry, process)
            else:
                process.job = None
                if entry.job.state == "queued":
                    self._set(entry, state="failed", error=trouble)
                entry.unsaved = True  # a cancel may have come between the two
            self.go_on()
        if entry.unsaved:
            self.save_end(entry)

    def _beat(self) -> None:
        """Tell the store that the running jobs live; stop those that it no longer knows as ours."""
        with self.lock:
            stored = [entry for entry in self.entries.values() if not entry.slot]
            running = [entry for entry in stored if entry.job.state == "running"]
            unsaved = [entry for entry in stored if entry.unsaved]
            waiting = any(entry.job.active for entry in stored)
        for entry in unsaved:
            self.save_end(entry)
        if not waiting:
            return
        try:
            ours = self._store.jobs.beat(self.id, [entry.job for entry in running])
        except StoreError:
            return  # the next beat tries again
        with self.lock:
            for entry in running:
                if entry.job.id not in ours:
                    self.end(entry, "cancelled", stop_within=GRACE_SECONDS)

    # The keeper's thread.

    def _keep(self) -> None:
        with self.lock:
            while not self.closed:
                now = time.monotonic()
                for process in self.crew:
                    if process.stop_by is not None and now >= process.stop_by:
                        process.stop_by = None
                        process.kill()
                self._give_up_hung(now)
                self.crew.retire_idle(now - IDLE_SECONDS)
                due = [process.stop_by - now for process in self.crew if process.stop_by is not None]
                self.changed.wait(max(0.01, min([1.0, *due])))

    def _give_up_hung(self, now: float) -> None:
        if not len(self.queues[ASK]):
            return
        for process in self.crew:
            entry = self.entries.get(process.job or "")
            silent = now - process.heard > HANG_SECONDS
            if process.role == ASK and silent and entry is not None and entry.job.active:
                self._set(entry, state="failed", error=HUNG)
                process.kill()
