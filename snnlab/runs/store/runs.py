"""The run store: runs, looks at test sets and jobs in one database, over the read-only runs that ship with snnlab."""

import datetime
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa

from snnlab.core.assets import asset_folder
from snnlab.core.errors import StoreError
from snnlab.core.recipe import Recipe
from snnlab.runs.jobs import LOCAL, utc_now
from snnlab.runs.protocol import counted, lineages_of
from snnlab.runs.run import Run
from snnlab.runs.store import marks, schema
from snnlab.runs.store.database import BUSY_SECONDS, Database, default_location
from snnlab.runs.store.job_table import JobTable, check_lease
from snnlab.runs.store.rows import RunRow, row_of, values_of

USE_NOTED = datetime.timedelta(hours=1)
"""A reading is noted when the last noted one is older: reading a run is no reason to write each time."""

_runs, _contents, _looks, _marks = schema.runs, schema.contents, schema.looks, schema.marks


class Store:
    """Runs by id, recipe or age. Safe to share between threads, and between processes that open it each for itself.

    Args:
        location: SQLite file, made when it is not there, or any SQLAlchemy URL; None for ``$SNNLAB_STORE`` or the
            user's data folder.
        overlay: Folder of shipped ``*.run`` files, shown beside the stored ones and never written; None for the
            bundled ones.
        busy_seconds: Seconds to wait for another process that holds the store.

    Raises:
        StoreError: The store cannot be read, is no run store, or is of a newer version. One that can only be read is
            opened; whatever writes to it says so.
    """

    def __init__(
        self,
        location: str | Path | None = None,
        *,
        overlay: Path | None = None,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self._database = Database(str(location or default_location()), busy_seconds=busy_seconds)
        self.overlay = asset_folder() / "runs" if overlay is None else overlay
        self.jobs = JobTable(self._database)

    @property
    def path(self) -> Path | str:
        """The file, or the URL without its password."""
        return self._database.path

    @property
    def location(self) -> str:
        """What another process opens the same store by."""
        return self._database.location

    @property
    def busy_seconds(self) -> float:
        """Seconds that a call waits for another process that holds the store."""
        return self._database.busy_seconds

    @property
    def read_only(self) -> bool:
        """The store can be read and not written."""
        return self._database.read_only

    def close(self) -> None:
        """Let go of the database; the store opens it again when used."""
        self._database.engine.dispose()

    def save(self, run: Run, *, workspace: str = LOCAL, lease: str | None = None) -> str:
        """Store a run and return its id; saving the same run again changes nothing.

        Args:
            run: What to store.
            workspace: Who made it.
            lease: Of the job that gave it; it is stored only while that job runs.

        Raises:
            StoreError: Read-only, full, held by another process, or the lease holds no more. Nothing is stored.
        """
        with self._database.writing() as connection:
            self._insert(connection, run, workspace, lease)
        return run.id

    def record(self, run: Run, *, workspace: str = LOCAL, lease: str | None = None) -> int:
        """Store a run, and count it when its images are a test set; both or neither.

        A final evaluation of several checkpoints is one look for each of them, and is told which one it is.

        Returns:
            Looks taken at this test set with this checkpoint, this one included; 0 for other splits.

        Raises:
            StoreError: As ``save``.
        """
        choice = run.recipe.data
        with self._database.writing() as connection:
            if choice.split != "test":
                self._insert(connection, run, workspace, lease)
                return 0
            check_lease(connection, lease)
            looks = {
                lineage: _look(connection, dataset=choice.dataset, lineage=lineage, recipe_sha=run.recipe_sha)
                for lineage in lineages_of(run)
            }
            self._insert(connection, counted(run, looks), workspace, lease)
            return max(looks.values())

    def _insert(self, connection: sa.Connection, run: Run, workspace: str, lease: str | None) -> None:
        check_lease(connection, lease)
        if connection.scalar(sa.select(_runs.c.id).where(_runs.c.id == run.id)) is not None:
            return
        content = run.to_bytes()
        values = values_of(run, size=len(content), workspace=workspace)
        connection.execute(_runs.insert().values(**values, lease=lease or ""))
        connection.execute(_contents.insert().values(run=run.id, content=content))

    def get(self, run_id: str) -> Run:
        """A run by its id or the first 6 or more digits of it.

        Raises:
            StoreError: No such run, or several.
        """
        return self._content(self._whole_id(run_id))

    def row(self, run_id: str, workspaces: Sequence[str] = (LOCAL,)) -> RunRow:
        """What a list says of one run; of a shipped one with these workspaces' marks. Errors as ``get``."""
        whole = self._whole_id(run_id)
        own = self._rows(_runs.c.id == whole)
        found = own or self._marked([row for row in self._shipped_rows() if row.id == whole], workspaces)
        if not found:
            raise StoreError(f"The run {run_id[:8]} has just been deleted.")
        return found[0]

    def _whole_id(self, run_id: str) -> str:
        if len(run_id) >= 6 and all(digit in "0123456789abcdef" for digit in run_id):
            with self._database.reading() as connection:
                within = (_runs.c.id >= run_id, _runs.c.id < run_id + "g")  # as a prefix, by the index
                stored = connection.scalars(sa.select(_runs.c.id).where(*within)).all()
            found = {*stored, *(row.id for row in self._shipped_rows() if row.id.startswith(run_id))}
            if len(found) == 1:
                return found.pop()
            if found:
                raise StoreError(f"{len(found)} runs begin with {run_id}; give more digits of the one you mean.")
        raise StoreError(f"There is no run {run_id[:40]!r} in {self.path}; it may have been deleted or made elsewhere.")

    def find(self, recipe: Recipe, *, verb: str | None = None, device: str = "cpu") -> Run | None:
        """The newest run of exactly this recipe and of these numbers; None if it was never run.

        Args:
            recipe: Complete, as ``resolve`` makes it.
            verb: Only runs of this verb; None for any.
            device: Kind of device that it ran on.
        """
        key = recipe.key(device)
        chosen = sa.select(_runs.c.id).where(_runs.c.key == key).order_by(_runs.c.created.desc(), _runs.c.id)
        if verb is not None:
            chosen = chosen.where(_runs.c.verb == verb)
        with self._database.reading() as connection:
            found = connection.scalar(chosen.limit(1))
        shipped = (row.id for row in self._shipped_rows() if row.key == key and verb in (None, row.verb))
        found = found or next(shipped, None)
        return None if found is None else self._content(found)

    def list(
        self,
        workspaces: Sequence[str] | None = None,
        *,
        text: str = "",
        tag: str | None = None,
        verb: str | None = None,
        limit: int | None = None,
    ) -> Sequence[RunRow]:
        """Runs whose contents can be read, newest first, shipped ones last.

        Args:
            workspaces: Only theirs, and the shipped ones, marked as the first of them does that has marked it; None for
                all, and the command line's marks.
            text: Only those of which every word stands in title, checkpoint, verb, split, a tag or the note, or is the
                beginning of the id (6 or more digits).
            tag: Only those with this tag.
            verb: Only those of this verb; None for all but parts of other runs.
            limit: The first so many; None for all.

        Raises:
            StoreError: The store cannot be read.
        """
        where = [_runs.c.recipe != "", *marks.conditions(text, tag, verb)]
        if workspaces is not None:
            where.append(_runs.c.workspace.in_(workspaces))
        own = self._rows(*where, limit=limit)
        shipped = self._marked(self._shipped_rows(), (LOCAL,) if workspaces is None else workspaces)
        shipped = [row for row in shipped if marks.fits(row, text, tag, verb)]
        stored = {row.id for row in own}
        return [*own, *(row for row in shipped if row.id not in stored)][:limit]

    def tagged(self) -> Sequence[RunRow]:
        """The runs of this store that have a tag, newest first."""
        return [row for row in self._rows(_marks.c.run.is_not(None)) if row.tags]

    def _rows(self, *where: sa.ColumnElement[bool], limit: int | None = None) -> Sequence[RunRow]:
        own = (_marks.c.run == _runs.c.id) & (_marks.c.workspace == _runs.c.workspace)
        chosen = sa.select(_runs, _marks.c.tags, _marks.c.note).join(_marks, own, isouter=True)
        chosen = chosen.where(*where).order_by(_runs.c.created.desc(), _runs.c.id).limit(limit)
        with self._database.reading() as connection:
            return [_row(values) for values in connection.execute(chosen).mappings()]

    def _marked(self, rows: Sequence[RunRow], workspaces: Sequence[str]) -> Sequence[RunRow]:
        """Rows of shipped runs, with what these workspaces say of them."""
        with self._database.reading() as connection:
            said = marks.read(connection, [row.id for row in rows], workspaces)
        return [replace(row, **said.get(row.id, {})) for row in rows]

    def mark(
        self,
        run_id: str,
        *,
        tags: Sequence[str] | None = None,
        note: str | None = None,
        workspace: str = LOCAL,
    ) -> None:
        """Say something of a run of one's own, of the command line's, or of a shipped one.

        What is said of a shipped run is shown to those who say it; the command line's to all who say nothing else.

        Args:
            run_id: Whole id.
            tags: Short words that replace those it has; None to leave them.
            note: Replaces the one it has; None to leave it.
            workspace: Who says it.

        Raises:
            StoreError: Another's run, not there, a tag that is no short word, or too long a note.
        """
        checked = None if tags is None else marks.checked_tags(tags)
        written = None if note is None else marks.checked_note(note)
        with self._database.writing() as connection:
            owner = connection.scalar(sa.select(_runs.c.workspace).where(_runs.c.id == run_id))
            if owner is None and not any(row.id == run_id for row in self._shipped_rows()):
                raise StoreError(f"The run {run_id[:8]} is not in the store; it may have been deleted.")
            if owner not in (None, workspace, LOCAL):
                raise StoreError(f"The run {run_id[:8]} was made in another workspace; only there it can be marked.")
            said_by = [workspace, LOCAL] if owner is None else [owner]
            marks.write(connection, run_id, said_by, checked, written)

    def delete(self, run_id: str, *, workspace: str) -> None:
        """Delete a run of one's own, or of the command line's.

        Raises:
            StoreError: Another's, shipped with snnlab, or not there.
        """
        with self._database.writing() as connection:
            owner = connection.scalar(sa.select(_runs.c.workspace).where(_runs.c.id == run_id))
            if owner is None:
                shipped = any(row.id == run_id for row in self._shipped_rows())
                what = "comes with snnlab and stays" if shipped else "is not in the store; it may have been deleted"
                raise StoreError(f"The run {run_id[:8]} {what}.")
            if owner not in (workspace, LOCAL):
                raise StoreError(f"The run {run_id[:8]} was made in another workspace; only there it can be deleted.")
            _delete(connection, [run_id])

    def prune(
        self,
        *,
        older_than: float | None = None,
        keep: int | None = None,
        max_bytes: int | None = None,
        dry_run: bool = False,
    ) -> tuple[RunRow, ...]:
        """Delete the runs used longest ago; shipped ones and looks stay, and so do runs with a tag, which do not count.

        Args:
            older_than: Those not used for so many days.
            keep: All but so many.
            max_bytes: So many that the others have at most this size.
            dry_run: Only say which.

        Returns:
            The deleted runs, the ones used last first.

        Raises:
            StoreError: They cannot be deleted.
        """
        untagged = [row for row in self._rows() if not row.tags]
        rows = sorted(untagged, key=lambda row: (row.last_used, row.created, row.id), reverse=True)
        limit = None if older_than is None else _days_ago(older_than)
        gone: tuple[RunRow, ...] = ()
        room = 0
        for place, row in enumerate(rows):
            room += row.size
            old = limit is not None and row.last_used < limit
            if old or (keep is not None and place >= keep) or (max_bytes is not None and room > max_bytes):
                gone = (*gone, row)
        if gone and not dry_run:
            with self._database.writing() as connection:
                _delete(connection, [row.id for row in gone])
            self._database.give_back_space()
        return gone

    def shipped(self) -> tuple[Run, ...]:
        """The runs that ship with snnlab, by file name."""
        return tuple(_shipped_run(path, path.stat().st_mtime_ns) for path in self._shipped_files())

    def _shipped_files(self) -> Sequence[Path]:
        return sorted(self.overlay.glob("*.run"))

    def _shipped_rows(self) -> tuple[RunRow, ...]:
        return tuple(_shipped_row(path, path.stat().st_mtime_ns) for path in self._shipped_files())

    def _content(self, run_id: str) -> Run:
        chosen = sa.select(_contents.c.content, _runs.c.last_used).join(_runs, _runs.c.id == _contents.c.run)
        with self._database.reading() as connection:
            stored = connection.execute(chosen.where(_contents.c.run == run_id)).first()
        if stored is not None:
            run = Run.from_bytes(stored.content)
            self._note_use(run_id, stored.last_used)
            return run
        for path in self._shipped_files():
            if _shipped_row(path, path.stat().st_mtime_ns).id == run_id:
                return _shipped_run(path, path.stat().st_mtime_ns)
        raise StoreError(f"The run {run_id[:8]} has just been deleted.")

    def _note_use(self, run_id: str, noted: str) -> None:
        now = datetime.datetime.now(datetime.UTC)
        if self.read_only or (noted and now - datetime.datetime.fromisoformat(noted) < USE_NOTED):
            return
        try:
            with self._database.writing(wait=False) as connection:
                connection.execute(_runs.update().where(_runs.c.id == run_id).values(last_used=utc_now()))
        except StoreError:
            return  # full or held: the run is read all the same

    def look(self, *, dataset: str, lineage: str, recipe_sha: str, lease: str | None = None) -> int:
        """Count one look at a test set, and return how many there have been for this dataset and checkpoint.

        Args:
            dataset: Dataset whose test split is opened.
            lineage: SHA-256 of the checkpoint that everything in question descends from.
            recipe_sha: What was run.
            lease: Of the job that looks; counted only while it runs.

        Raises:
            StoreError: The look cannot be written down.
        """
        with self._database.writing() as connection:
            check_lease(connection, lease)
            return _look(connection, dataset=dataset, lineage=lineage, recipe_sha=recipe_sha)

    def looks(self, *, dataset: str, lineage: str) -> int:
        """Looks taken so far."""
        with self._database.reading() as connection:
            return _looks_taken(connection, dataset, lineage)

    def usage(self) -> tuple[int, int]:
        """Stored runs, and the bytes of their contents."""
        total = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_runs.c.size), 0))
        with self._database.reading() as connection:
            count, size = connection.execute(total).one()
        return int(count), int(size)


def _look(connection: sa.Connection, *, dataset: str, lineage: str, recipe_sha: str) -> int:
    values = {"dataset": dataset, "lineage": lineage, "recipe_sha": recipe_sha, "created": utc_now()}
    connection.execute(_looks.insert().values(**values))
    return _looks_taken(connection, dataset, lineage)


def _looks_taken(connection: sa.Connection, dataset: str, lineage: str) -> int:
    count = sa.select(sa.func.count()).select_from(_looks)
    return int(connection.scalar(count.where(_looks.c.dataset == dataset, _looks.c.lineage == lineage)) or 0)


def _delete(connection: sa.Connection, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), 500):  # databases limit the values of one statement
        part = ids[start : start + 500]
        connection.execute(_contents.delete().where(_contents.c.run.in_(part)))
        connection.execute(_marks.delete().where(_marks.c.run.in_(part)))
        connection.execute(_runs.delete().where(_runs.c.id.in_(part)))


def _row(values: sa.RowMapping) -> RunRow:
    named = {name: values[name] for name in values if name not in ("recipe", "lease", "tags", "note")}
    return RunRow(**named, **marks.values(values["tags"], values["note"]), recipe_json=values["recipe"])


def _days_ago(days: float) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)).isoformat(timespec="microseconds")


@lru_cache(maxsize=16)
def _shipped_run(path: Path, modified: int) -> Run:
    return Run.from_bytes(path.read_bytes())


@lru_cache(maxsize=256)
def _shipped_row(path: Path, modified: int) -> RunRow:
    return row_of(_shipped_run(path, modified), size=path.stat().st_size, shipped=True)
