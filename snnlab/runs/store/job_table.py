"""The jobs in the store. Only the pool that runs a job writes its row; workers only ask whether their lease holds."""

import json
import time
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from snnlab.core.errors import StoreError
from snnlab.runs.jobs import ACTIVE, Job
from snnlab.runs.processes import Owner
from snnlab.runs.store import schema
from snnlab.runs.store.database import Database

SILENT_SECONDS = 15.0
"""So long after its last heartbeat a server on another machine counts as gone."""

KEPT_FINISHED = 50
"""Finished jobs kept, per workspace."""

_jobs = schema.jobs


class JobTable:
    """Job rows of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: Job, *, pool: str, owner: Owner) -> None:
        """Write a new job, and forget the oldest finished ones of its workspace."""
        row = {
            "id": job.id,
            "kind": job.kind,
            "arguments": json.dumps(job.arguments),
            "workspace": job.workspace,
            "title": job.title,
            "created": job.created,
            "lease": "",
            "pool": pool,
            "host": owner.host,
            "pid": owner.pid,
            "process": owner.began,
            "heartbeat": time.time(),
            **_changing(job),
        }
        finished = (
            sa.select(_jobs.c.id)
            .where(_jobs.c.workspace == job.workspace, _jobs.c.state.not_in(ACTIVE))
            .order_by(_jobs.c.created.desc())
        )
        with self._database.writing() as connection:
            connection.execute(_jobs.insert().values(**row))
            old = connection.scalars(finished).all()[KEPT_FINISHED:]
            if old:
                connection.execute(_jobs.delete().where(_jobs.c.id.in_(old)))

    def update(self, job: Job, *, lease: str, pool: str) -> bool:
        """Write how a job stands; False when the row is no longer this pool's or no longer active."""
        with self._database.writing() as connection:
            changed = connection.execute(
                _jobs.update()
                .where(_jobs.c.id == job.id, _jobs.c.pool == pool, _jobs.c.state.in_(ACTIVE))
                .values(lease=lease, heartbeat=time.time(), **_changing(job))
            )
            return bool(changed.rowcount)

    def stop(self, job_id: str, state: str) -> bool:
        """End an active job, whoever runs it: its lease holds no more; what a cancelled one has stored goes with it.

        Returns:
            False when it was not active.
        """
        with self._database.writing() as connection:
            row = connection.execute(sa.select(_jobs.c.lease, _jobs.c.state).where(_jobs.c.id == job_id)).first()
            if row is None or row.state not in ACTIVE:
                return False
            connection.execute(_jobs.update().where(_jobs.c.id == job_id).values(state=state))
            if row.lease and state == "cancelled":  # stored in the moment before
                stored = sa.select(schema.runs.c.id).where(schema.runs.c.lease == row.lease)
                connection.execute(schema.contents.delete().where(schema.contents.c.run.in_(stored)))
                connection.execute(schema.runs.delete().where(schema.runs.c.lease == row.lease))
            return True

    def delete(self, job_id: str) -> None:
        """Forget a finished job; an active one stays."""
        with self._database.writing() as connection:
            connection.execute(_jobs.delete().where(_jobs.c.id == job_id, _jobs.c.state.not_in(ACTIVE)))

    def get(self, job_id: str) -> Job | None:
        """A job by its whole id."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(_jobs).where(_jobs.c.id == job_id)).mappings().first()
        return None if row is None else _job(row)

    def of(self, workspace: str) -> tuple[Job, ...]:
        """The jobs of a workspace, newest first."""
        chosen = sa.select(_jobs).where(_jobs.c.workspace == workspace).order_by(_jobs.c.created.desc())
        with self._database.reading() as connection:
            return tuple(_job(row) for row in connection.execute(chosen).mappings())

    def active_arguments(self) -> str:
        """The arguments of all active jobs, as JSON: what they name is in use."""
        with self._database.reading() as connection:
            return "\n".join(connection.scalars(sa.select(_jobs.c.arguments).where(_jobs.c.state.in_(ACTIVE))))

    def beat(self, pool: str, running: Sequence[Job]) -> frozenset[str]:
        """Say that a pool lives, and how far its jobs are; returns the ids of those that are still its own."""
        mine = (_jobs.c.pool == pool, _jobs.c.state.in_(ACTIVE))
        with self._database.writing() as connection:
            connection.execute(_jobs.update().where(*mine).values(heartbeat=time.time()))
            for job in running:
                connection.execute(_jobs.update().where(_jobs.c.id == job.id, *mine).values(**_changing(job)))
            return frozenset(connection.scalars(sa.select(_jobs.c.id).where(*mine)))

    def interrupt_orphans(self) -> int:
        """Mark the active jobs whose server is gone as interrupted, and return how many there were."""
        columns = (_jobs.c.id, _jobs.c.host, _jobs.c.pid, _jobs.c.process, _jobs.c.heartbeat)
        with self._database.reading() as connection:
            active = connection.execute(sa.select(*columns).where(_jobs.c.state.in_(ACTIVE))).all()
        gone = []
        known: dict[Owner, bool] = {}
        for row in active:
            owner = Owner(row.host, row.pid, row.process)
            if owner.is_here():
                ended = known.setdefault(owner, owner.is_gone())
            else:
                ended = time.time() - row.heartbeat > SILENT_SECONDS
            if ended:
                gone.append(row.id)
        return sum(self.stop(job_id, "interrupted") for job_id in gone)


def check_lease(connection: sa.Connection, lease: str | None) -> None:
    """Raise unless the job of this lease still runs; inside the transaction that stores what it gave.

    Raises:
        StoreError: Cancelled, interrupted, or taken over.
    """
    if lease is None:
        return
    held = sa.select(_jobs.c.state).where(_jobs.c.lease == lease).with_for_update()
    if connection.scalar(held) != "running":
        raise StoreError("This job was cancelled or taken over; nothing was stored.")


def _changing(job: Job) -> dict[str, Any]:
    return {
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "what": job.what,
        "result": json.dumps(job.result),
        "error": job.error,
        # Monotonic time means nothing to another process.
        "stage_began": time.time() - (time.monotonic() - job.started) if job.started else 0.0,
    }


def _job(row: "sa.RowMapping") -> Job:
    began = row["stage_began"]
    return Job(
        id=row["id"],
        kind=row["kind"],
        arguments=json.loads(row["arguments"]),
        workspace=row["workspace"],
        title=row["title"],
        state=row["state"],
        done=row["done"],
        total=row["total"],
        what=row["what"],
        result=json.loads(row["result"]),
        error=row["error"],
        created=row["created"],
        started=time.monotonic() - (time.time() - began) if began else 0.0,
    )
