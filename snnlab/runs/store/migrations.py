"""Bringing a store to the present version, all of it or nothing."""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from snnlab.core.errors import StoreError
from snnlab.runs.jobs import LOCAL
from snnlab.runs.run import Run
from snnlab.runs.store import rows, schema


def bring_up_to_date(engine: sa.Engine, path: Path | str, *, read_only: bool = False) -> None:
    """Make the tables of a new store, and change those of an older one; one transaction, whoever comes first.

    A copy of a SQLite file whose runs are written anew is kept beside it until the change is stored.

    Raises:
        StoreError: Of a newer version, another program's, or of an older version and read-only.
        SQLAlchemyError: What the database says; nothing is changed.
    """
    with engine.connect() as connection:
        version = _version(connection, path)
    if version == schema.SCHEMA_VERSION:
        return
    if read_only:
        raise StoreError(
            f"The run store {path} is of version {version or 'none'} and cannot be written; make it writable once, so "
            f"that it is brought to version {schema.SCHEMA_VERSION}."
        )
    with engine.connect().execution_options(snnlab_write=True) as connection, connection.begin():
        version = _version(connection, path)  # again, now that nobody else writes
        if version == schema.SCHEMA_VERSION:
            return
        copy = _copy(path, version) if version == 1 and isinstance(path, Path) else None
        if version == 1:
            _to_version_2(connection)
        older = _marks_of_version_3(connection) if version == 3 else []
        schema.metadata.create_all(connection)
        if version is not None:
            _to_version_4(connection, older)
        connection.execute(schema.schema.delete())
        connection.execute(schema.schema.insert().values(version=schema.SCHEMA_VERSION))
    if copy is not None:
        copy.unlink(missing_ok=True)


def _version(connection: sa.Connection, path: Path | str) -> int | None:
    """The store's version; None for a new one."""
    tables = sa.inspect(connection).get_table_names()
    if not tables:
        return None
    if "schema" not in tables or "looks" not in tables:
        raise StoreError(f"{path} is a database of another program; name another run store with SNNLAB_STORE.")
    version = connection.scalar(sa.select(sa.func.max(schema.schema.c.version)))
    if version is None:  # its making was cut off, which only version 1 allowed
        return 1
    if version > schema.SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer snnlab (store version {version}, this one reads {schema.SCHEMA_VERSION}); "
            "update snnlab, or name another store with SNNLAB_STORE."
        )
    return int(version)


def _copy(path: Path, version: int) -> Path:
    """A whole copy beside the file, taken through the database: what is not yet in the file itself comes along."""
    copy = path.with_name(f"{path.name}.version-{version}")
    part = copy.with_name(f".{copy.name}.part")
    try:
        part.unlink(missing_ok=True)
        source, target = sqlite3.connect(path), sqlite3.connect(part)
        try:
            source.backup(target)
        finally:
            source.close()
            target.close()
        part.replace(copy)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise StoreError(
            f"The run store {path} is of version {version}, and there is no room for the copy that is kept while it is "
            f"brought to version {schema.SCHEMA_VERSION} ({error}); free space beside it."
        ) from None
    return copy


def _to_version_2(connection: sa.Connection) -> None:
    """What menus show becomes columns, filled from the contents, which move into a table of their own."""
    for index in sa.inspect(connection).get_indexes("runs"):
        connection.exec_driver_sql(f"DROP INDEX {index['name']}")  # the new table takes their names
    connection.exec_driver_sql("ALTER TABLE runs RENAME TO runs_1")
    schema.metadata.create_all(connection)
    older = sa.Table("runs_1", sa.MetaData(), autoload_with=connection)
    for run_id in connection.scalars(sa.select(older.c.id)).all():
        row = connection.execute(sa.select(older).where(older.c.id == run_id)).mappings().one()
        kept = {name: row[name] for name in row if name != "content"}
        content = row["content"]
        try:
            values = {**rows.menu_values(Run.from_bytes(content), size=len(content)), "last_used": row["created"]}
        except StoreError:  # damaged: it stays, and says so when it is opened
            values = {**rows.UNREADABLE, "size": len(content), "last_used": row["created"]}
        connection.execute(schema.runs.insert().values(**kept, **values, workspace=LOCAL, lease=""))
        connection.execute(schema.contents.insert().values(run=run_id, content=content))
    older.drop(connection)


def _marks_of_version_3(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Run, tags and note of the marks that said not whose they are, taken out of the store."""
    found = connection.execute(sa.text("SELECT run, tags, note FROM marks")).all()
    connection.exec_driver_sql("DROP TABLE marks")
    return [(mark.run, mark.tags, mark.note) for mark in found]


def _to_version_4(connection: sa.Connection, older: Sequence[tuple[str, str, str]]) -> None:
    """Marks say whose they are, of shipped runs the command line's; names and notes are composed, to be found."""
    columns = (schema.runs.c.id, schema.runs.c.workspace, schema.runs.c.title, schema.runs.c.checkpoint)
    owners = {}
    for run in connection.execute(sa.select(*columns)).all():
        owners[run.id] = run.workspace
        names = {"title": rows.composed(run.title), "checkpoint": rows.composed(run.checkpoint)}
        if names != {"title": run.title, "checkpoint": run.checkpoint}:
            connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(**names))
    for run_id, tags, note in older:
        mark = {"run": run_id, "workspace": owners.get(run_id, LOCAL), "tags": tags, "note": rows.composed(note)}
        connection.execute(schema.marks.insert().values(**mark))
