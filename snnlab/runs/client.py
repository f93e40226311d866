"""The server's side of the worker process: submit, watch, cancel."""

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Any

KEPT_JOBS = 50


@dataclass(frozen=True)
class Job:
    """One piece of work, as it stands now.

    Args:
        id: For ``Worker.job``.
        kind: ``open``, ``analyse``, ``normalization``, ``evaluate_ann`` or ``trace``.
        state: ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
        done: Units finished of the present stage.
        total: Units of it; 0 while unknown.
        what: What a unit is.
        result: Plain values, when done.
        error: One sentence, when failed.
        started: Monotonic time of the present stage.
        arguments: What was asked for.
    """

    id: str
    kind: str
    arguments: dict[str, Any]
    state: str = "queued"
    done: int = 0
    total: int = 0
    what: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    started: float = 0.0

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ("queued", "running")

    @property
    def seconds_left(self) -> float | None:
        """Of the present stage, from its pace so far; None before the first unit."""
        if self.state != "running" or not self.done or not self.total:
            return None
        return (time.monotonic() - self.started) / self.done * (self.total - self.done)


class Worker:
    """One worker process and its queue. Thread-safe; the process starts with the first job.

    Cancelling kills the process for certain; a fresh one takes the next job.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._queue: list[str] = []
        self._running: str | None = None
        self._process: subprocess.Popen[str] | None = None
        self._ids = itertools.count(1)

    def submit(self, kind: str, arguments: dict[str, Any]) -> Job:
        """Queue a job; an equal one that is still active is returned instead of a second."""
        with self._lock:
            for job in self._jobs.values():
                if job.active and job.kind == kind and job.arguments == arguments:
                    return job
            job = Job(f"{next(self._ids)}-{os.getpid()}", kind, arguments)
            self._jobs[job.id] = job
            finished = [name for name, kept in self._jobs.items() if not kept.active]
            for name in finished[: max(0, len(self._jobs) - KEPT_JOBS)]:
                del self._jobs[name]
            self._queue.append(job.id)
            self._next()
            return self._jobs[job.id]

    def job(self, job_id: str) -> Job | None:
        """A job by id; None when it is unknown (another server, or long finished)."""
        with self._lock:
            return self._jobs.get(job_id)

    def jobs(self) -> tuple[Job, ...]:
        """All kept jobs, oldest first."""
        with self._lock:
            return tuple(self._jobs.values())

    def cancel(self, job_id: str) -> None:
        """Stop a job now. Nothing of it is stored; unknown and finished jobs are left alone."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or not job.active:
                return
            self._jobs[job_id] = replace(job, state="cancelled")
            if job_id in self._queue:
                self._queue.remove(job_id)
            elif self._process is not None:
                self._process.kill()
                self._process, self._running = None, None
                self._next()

    def close(self) -> None:
        """End the process; active jobs are cancelled."""
        with self._lock:
            for job in list(self._jobs.values()):
                if job.active:
                    self._jobs[job.id] = replace(job, state="cancelled")
            self._queue.clear()
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process, self._running = None, None

    def _next(self) -> None:
        if self._running is not None or not self._queue:
            return
        process = self._process
        if process is None or process.poll() is not None:
            process = self._process = _start()
            threading.Thread(target=self._read, args=(process,), daemon=True).start()
        job = self._jobs[self._queue.pop(0)]
        self._running = job.id
        self._jobs[job.id] = replace(job, state="running", started=time.monotonic(), what="starting")
        request = {"id": job.id, "kind": job.kind, "arguments": job.arguments}
        assert process.stdin is not None, "started with a pipe"
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except OSError:  # it died between the look and the write; a fresh one takes the job
            self._process, self._running = None, None
            self._jobs[job.id] = replace(job, state="queued")
            self._queue.insert(0, job.id)
            self._next()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None, "started with a pipe"
        for line in process.stdout:
            message = json.loads(line)
            if "id" in message:
                self._take(process, message)
        process.wait()
        with self._lock:
            if self._process is process:  # died by itself, not by cancel
                self._process = None
                if self._running is not None:
                    job = self._jobs[self._running]
                    self._jobs[job.id] = replace(
                        job,
                        state="failed",
                        error="The worker process ended unexpectedly, perhaps for lack of memory; "
                        "try fewer images or time-steps.",
                    )
                    self._running = None
                self._next()

    def _take(self, process: "subprocess.Popen[str]", message: dict[str, Any]) -> None:
        with self._lock:
            job = self._jobs.get(message["id"])
            if self._process is not process or job is None or job.state != "running":
                return
            if "progress" in message:
                done, total, what = message["progress"]
                # A new stage has its own pace.
                started = job.started if what == job.what else time.monotonic()
                self._jobs[job.id] = replace(job, done=done, total=total, what=what, started=started)
                return
            if "error" in message:
                self._jobs[job.id] = replace(job, state="failed", error=message["error"])
            else:
                self._jobs[job.id] = replace(job, state="done", result=message["result"])
            self._running = None
            self._next()


def _start() -> "subprocess.Popen[str]":
    # Not multiprocessing: inside a Streamlit script its spawn would run app.py again.
    return subprocess.Popen(
        [sys.executable, "-m", "snnlab.runs.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Threads that spin while they wait would take the cores from the server's.
        env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONUNBUFFERED": "1"},
    )
