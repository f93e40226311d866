"""The worker process: does what the server asks, one job at a time, and never outlives it.

Started as ``python -m snnlab.runs.worker`` with pipes, one JSON object a line. In: ``{"id", "kind", "arguments",
"workspace", "lease"}``, ``{"stop": id}`` and ``{"role": "batch"}``. Out: ``{"ready": devices}``, then for a job any
number of ``{"id", "progress": [done, total, what]}`` and one of ``{"id", "result"}``, ``{"id", "error"}`` and ``{"id",
"cancelled": true}``.
"""

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from typing import Any, TextIO

PROGRESS_INTERVAL = 0.1  # seconds between progress lines
NICENESS = 5  # of batch work: pages and interactive numbers come first


class _Requests:
    """What the server wants: jobs and roles in order, and which job it wants no more."""

    def __init__(self) -> None:
        self.jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stopped = ""

    def listen(self) -> None:
        """Read until the server's end of the pipe is gone, then end this process, whatever it does."""
        for line in sys.stdin:
            message = json.loads(line)
            if "stop" in message:
                self.stopped = message["stop"]
            else:
                self.jobs.put(message)
        os._exit(0)


def main() -> None:
    """Serve until the server's end of the pipe is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the server's terminal is the server's business
    requests = _Requests()
    threading.Thread(target=requests.listen, daemon=True).start()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not look like an answer
    import torch

    import snnlab.runs.execute  # noqa: F401  # what nearly every job needs, loaded while nobody waits
    from snnlab.core.loaded import load_named
    from snnlab.simulation.devices import available_devices

    for file in load_named():
        if file.problem:
            sys.stderr.write(f"snnlab: {file.problem}\n")
    torch.set_num_threads(max(1, int(os.environ.get("SNNLAB_THREADS") or 1)))
    _tell(answers, {"ready": list(available_devices())})
    while True:
        message = requests.jobs.get()
        if "role" in message:
            give_way()
        else:
            _serve(message, requests, answers)


def give_way() -> None:
    """Let other processes come first, for good. For the thread that works: each has its own niceness on Linux."""
    with contextlib.suppress(AttributeError, OSError):  # a platform without niceness
        os.nice(NICENESS)


def _serve(request: dict[str, Any], requests: _Requests, answers: TextIO) -> None:
    from snnlab.core.errors import Cancelled, SnnlabError
    from snnlab.core.memory import SENTENCE, is_short_of_memory
    from snnlab.runs.kinds import context, find
    from snnlab.runs.kinds.gate import gate_arguments

    last, stage = 0.0, ""
    job_id = request["id"]

    def progress(done: int, total: int, what: str) -> None:
        nonlocal last, stage
        if requests.stopped == job_id:
            raise Cancelled
        if time.monotonic() - last >= PROGRESS_INTERVAL or done == total or what != stage:
            last, stage = time.monotonic(), what
            _tell(answers, {"id": job_id, "progress": [done, total, what]})

    try:
        with context.job(request.get("workspace") or context.LOCAL, request.get("lease")):
            arguments = gate_arguments(request["arguments"])
            result = find(request["kind"])(progress=progress, **arguments)
        _tell(answers, {"id": job_id, "result": result})
    except Cancelled:
        _tell(answers, {"id": job_id, "cancelled": True})
    except SnnlabError as error:
        _tell(answers, {"id": job_id, "error": str(error)})
    except Exception as error:
        if is_short_of_memory(error):
            _tell(answers, {"id": job_id, "error": SENTENCE})
            return
        import traceback  # a defect of ours: the user gets a sentence, the log the traceback

        traceback.print_exc()
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no message'}"
        _tell(answers, {"id": job_id, "error": f"snnlab failed in an unexpected way ({reason}); see the log."})


def _tell(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message, allow_nan=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
