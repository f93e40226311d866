"""A job: one piece of work for a worker process, as it stands at one moment."""

import datetime
import time
from dataclasses import dataclass, field
from typing import Any

ACTIVE = ("queued", "running")
RESTARTABLE = ("interrupted", "failed", "cancelled")
LOCAL = "local"
"""Workspace of the command line and of notebooks; every other one is the token of a browser."""


def utc_now() -> str:
    """UTC time, ISO 8601, to the microsecond: jobs and runs made in one second keep their order."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Job:
    """One piece of work, as it stands now.

    Args:
        id: For ``Pool.job``.
        kind: A key of ``snnlab.runs.kinds.KINDS``.
        arguments: What was asked for, plain values.
        workspace: Whose it is.
        title: For lists.
        state: ``queued``, ``running``, ``done``, ``failed``, ``cancelled``, or ``interrupted`` by the server's end.
        done: Units finished of the present stage.
        total: Units of it; 0 while unknown.
        what: What a unit is.
        result: Plain values, when done.
        error: One sentence, when failed.
        created: UTC time, ISO 8601.
        started: Monotonic time of the present stage, seconds.
    """

    id: str
    kind: str
    arguments: dict[str, Any]
    workspace: str = LOCAL
    title: str = ""
    state: str = "queued"
    done: int = 0
    total: int = 0
    what: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    created: str = field(default_factory=utc_now)
    started: float = 0.0

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ACTIVE

    @property
    def seconds_left(self) -> float | None:
        """Of the present stage, from its pace so far; None before the first unit."""
        if self.state != "running" or not self.done or not self.total:
            return None
        return (time.monotonic() - self.started) / self.done * (self.total - self.done)
