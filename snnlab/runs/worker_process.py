"""One worker process, seen from the server: its pipes, and what it does just now."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

SPARE, BATCH, ASK, OPEN = "spare", "batch", "ask", "open"


class WorkerProcess:
    """A started worker.

    Args:
        hear: Called in a thread of this object with every message, and with None when the process has ended.
        environment: Variables beside the server's own.
    """

    def __init__(
        self, hear: "Callable[[WorkerProcess, dict[str, Any] | None], None]", environment: Mapping[str, str]
    ) -> None:
        self.role = SPARE
        self.ready = False
        self.ended = False
        """It has ended or is about to; its reader has not said so yet."""
        self.job: str | None = None
        self.stop_by: float | None = None
        """Monotonic time after which it is killed, when it has been told to stop."""
        self.heard = time.monotonic()
        """Monotonic time of its last word, or of its last request."""
        self.workspace = ""
        """Whose question it answered last: what it keeps warm is theirs."""
        self._hear = hear
        # Not multiprocessing: inside a Streamlit script its spawn would run app.py again.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "snnlab.runs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._reader = threading.Thread(target=self._read, name="snnlab-reader", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def idle(self) -> bool:
        """Started, and without work."""
        return self.ready and self.job is None and not self.ended and self._process.poll() is None

    @property
    def starting(self) -> bool:
        """Not ready yet."""
        return not (self.ready or self.ended)

    def send(self, message: Mapping[str, Any]) -> bool:
        """Hand over a message; False when the process has ended."""
        assert self._process.stdin is not None, "started with a pipe"
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            self.ended = True
            return False
        self.heard = time.monotonic()
        return True

    def kill(self) -> None:
        """End it now; ``hear`` is told when it has ended."""
        self._process.kill()

    def join(self, seconds: float) -> None:
        """Wait until it has ended and its reader too."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        if threading.current_thread() is not self._reader:
            self._reader.join(seconds)

    def _read(self) -> None:
        assert self._process.stdout is not None, "started with a pipe"
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue  # killed in the middle of a line
            self._hear(self, message)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue  # what was written last had no reader
        self._hear(self, None)
