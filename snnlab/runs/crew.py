"""The worker processes of a pool: who does what, and always one warm in reserve. The pool's lock is held around it."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from snnlab.runs.worker_process import ASK, BATCH, SPARE, WorkerProcess

MOST_FAILED_STARTS = 3


class Crew:
    """Processes by role.

    A new process is a spare. It becomes a batch worker (and gives way to the others, for good) or answers questions
    when there is work of that kind; a job that opens a file is done by the spare itself.

    Args:
        hear: See ``WorkerProcess``.
        asks: Most processes that answer questions.
        environment: See ``WorkerProcess``.
    """

    def __init__(
        self,
        hear: Callable[[WorkerProcess, dict[str, Any] | None], None],
        *,
        asks: int,
        environment: Mapping[str, str],
    ) -> None:
        self._hear = hear
        self._asks = asks
        self._environment = environment
        self.devices: tuple[str, ...] = ("cpu",)
        """Where networks can run, as the last process that started has told."""
        self._processes: list[WorkerProcess] = []
        self._failed_starts = 0

    def __iter__(self) -> Iterator[WorkerProcess]:
        return iter(list(self._processes))

    def __len__(self) -> int:
        return len(self._processes)

    @property
    def never_starts(self) -> bool:
        """The last processes all ended before they were ready."""
        return self._failed_starts >= MOST_FAILED_STARTS

    def running(self, role: str) -> int:
        """Processes of a role at work."""
        return sum(process.role == role and process.job is not None for process in self._processes)

    def take(self, lane: str, workspace: str) -> WorkerProcess | None:
        """An idle process for a job of this lane and workspace; None when one must be waited for."""
        spare = next((process for process in self._processes if process.role == SPARE and process.idle), None)
        if lane == BATCH:
            found = next((process for process in self._processes if process.role == BATCH and process.idle), spare)
            if found is not None and found is spare:
                found.role = BATCH
                found.send({"role": BATCH})
            return found
        asking = [process for process in self._processes if process.role == ASK]
        idle = sorted((p for p in asking if p.idle), key=lambda process: process.workspace != workspace)
        if lane != ASK:
            opening = any(process.role == SPARE and process.job is not None for process in self._processes)
            return None if opening else spare
        known = idle and idle[0].workspace == workspace
        if spare is not None and len(asking) < self._asks and not known:
            spare.role = ASK
            return spare
        return idle[0] if idle else None

    def start(self, *, batch: int, asks: int, opens: int) -> None:
        """Start what is missing for so many waiting jobs of each kind; with nothing waiting, the one in reserve."""
        if self._failed_starts and not (batch > 0 or asks or opens):
            return  # nobody needs what does not start
        asking = sum(process.role == ASK for process in self._processes)
        idle = sum(process.role == SPARE and process.idle for process in self._processes)
        opening = sum(process.role == SPARE and process.job is not None for process in self._processes)
        starting = sum(process.starting for process in self._processes)
        wanted = max(0, batch) + min(asks, max(0, self._asks - asking)) + min(opens, 1 - min(1, opening)) - idle
        if wanted <= 0 and not (idle or opening or starting):
            wanted = 1
        for _ in range(wanted - starting):
            try:
                self._processes.append(WorkerProcess(self._hear, self._environment))
            except OSError as error:
                sys.stderr.write(f"snnlab: a worker process cannot be started: {error}\n")
                self._failed_starts = MOST_FAILED_STARTS
                return

    def is_ready(self, process: WorkerProcess, devices: Sequence[str]) -> None:
        """A process has said that it is, and which devices it sees."""
        process.ready, self.devices = True, tuple(devices)
        self._failed_starts = 0

    def forgive(self) -> None:
        """Let the next work try once more."""
        self._failed_starts = MOST_FAILED_STARTS - 1

    def remove(self, process: WorkerProcess) -> None:
        """A process has ended."""
        self._processes.remove(process)
        if not process.ready:
            self._failed_starts += 1

    def retire_idle(self, since: float) -> None:
        """End the batch workers and spares that have had no work since then, but one of each."""
        for role in (BATCH, SPARE):
            idle = [p for p in self._processes if p.role == role and p.idle and p.heard < since]
            for process in idle[1:]:
                process.ended = True
                process.kill()

    def close(self) -> None:
        """End all; the lock is not held."""
        processes = list(self)
        for process in processes:
            process.kill()
        until = time.monotonic() + 5
        for process in processes:
            process.join(max(0.1, until - time.monotonic()))
