"""The worker process: does what the server asks, one job at a time, and never outlives it.

Started as ``python -m snnlab.runs.worker`` with pipes: one JSON object a line in (``{"id", "kind", "arguments"}``), one
a line out (``{"id", "progress": [done, total, what]}``, then ``{"id", "result"}`` or ``{"id", "error"}``).
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

PROGRESS_INTERVAL = 0.1  # seconds between progress lines


def main() -> None:
    """Serve until the server's end of the pipe is gone."""
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a stray print must not look like an answer
    import torch

    from snnlab.runs.kinds import find

    threads = os.environ.get("SNNLAB_THREADS")
    torch.set_num_threads(int(threads) if threads else max(1, (os.cpu_count() or 2) - 1))
    _tell(answers, {"ready": True})
    while True:
        _serve(requests.get(), find, answers)


def _listen(requests: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)


def _serve(request: dict[str, Any], find: Callable[[str], Callable[..., dict[str, Any]]], answers: TextIO) -> None:
    from snnlab.core.errors import SnnlabError

    last = 0.0

    def progress(done: int, total: int, what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_INTERVAL or done == total:
            last = time.monotonic()
            _tell(answers, {"id": request["id"], "progress": [done, total, what]})

    try:
        result = find(request["kind"])(progress=progress, **request["arguments"])
        _tell(answers, {"id": request["id"], "result": result})
    except SnnlabError as error:
        _tell(answers, {"id": request["id"], "error": str(error)})
    except MemoryError:
        _tell(
            answers, {"id": request["id"], "error": "There is not enough memory for this; use fewer images or steps."}
        )
    except Exception as error:  # a defect of ours: the user gets a sentence, the log the traceback
        import traceback

        traceback.print_exc()
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no message'}"
        _tell(answers, {"id": request["id"], "error": f"snnlab failed in an unexpected way ({reason}); see the log."})


def _tell(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message, allow_nan=False) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
