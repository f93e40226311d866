"""The database behind the run store: opened, brought to the present version, and its troubles as sentences."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import platformdirs
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from snnlab.core.errors import StoreError
from snnlab.runs.store import migrations, schema

BUSY_SECONDS = 10.0
"""So long a statement waits for another process that holds the store."""

TROUBLE = (SQLAlchemyError, sqlite3.Error)  # SQLite's own where SQLAlchemy is not yet, or no more, in between

ANOTHER = "name another store with SNNLAB_STORE"


def default_location() -> str:
    """``$SNNLAB_STORE``, a path or a URL, or ``runs.sqlite`` in the user's data folder."""
    return os.environ.get("SNNLAB_STORE") or str(platformdirs.user_data_path("snnlab") / "runs.sqlite")


class Database:
    """A connection to the store's tables, safe to share between threads.

    A SQLite file is used in WAL mode, so that readers and the writer do not wait for each other. Where the file cannot
    be written, it is opened for reading; where there is none and none can be made, an empty one stands for it.

    Args:
        location: Path of a SQLite file, or any SQLAlchemy URL.
        busy_seconds: Seconds to wait for another process.

    Raises:
        StoreError: It cannot be read, is no run store, or is of a newer version.
    """

    def __init__(self, location: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.busy_seconds = busy_seconds
        self.read_only = False
        url = _url(location)
        if url is None or (url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")):
            self.path: Path | str = Path(location if url is None else str(url.database)).expanduser()
            self.location = str(self.path.absolute())
            self.engine = self._open_file(self.path)
        else:
            self.path = url.render_as_string(hide_password=True)
            self.location = url.render_as_string(hide_password=False)
            self.engine = self._open_server(url)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection whose statements see one moment.

        Raises:
            StoreError: The store cannot be read.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except TROUBLE as error:
            raise StoreError(self.trouble(error)) from None

    @contextmanager
    def writing(self, *, wait: bool = True) -> Iterator[sa.Connection]:
        """A transaction that no other writer enters: all of it is stored, or nothing.

        Args:
            wait: Wait for another process that holds the store; else give up at once.

        Raises:
            StoreError: Read-only, full, or held by another process for longer than the timeout.
        """
        if self.read_only:
            raise StoreError(self._read_only())
        try:
            options = {"snnlab_write": True, "snnlab_wait": wait}
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                yield connection
        except TROUBLE as error:
            raise StoreError(self.trouble(error)) from None

    def give_back_space(self) -> None:
        """Make a SQLite file as small as what it holds, where nobody is in the way."""
        if self.engine.dialect.name != "sqlite" or self.read_only:
            return
        connection = self.engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM")
        except sqlite3.Error:
            return  # held, or no room for the copy: the space is used again by the next runs
        finally:
            connection.close()

    def trouble(self, error: Exception) -> str:
        """One sentence for what the database said."""
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        if "locked" in reason or "busy" in reason:
            return (
                f"The run store {self.path} is held by another process (waited {self.busy_seconds:g} s: {reason}); "
                f"end that process, or {ANOTHER}."
            )
        if "readonly" in reason or "read-only" in reason:
            return self._read_only()
        if "full" in reason or "No space" in reason:
            return f"There is no room for the run store {self.path} ({reason}); free space, or {ANOTHER}."
        if "not a database" in reason or "malformed" in reason:
            return f"{self.path} is no run store or is damaged ({reason}); {ANOTHER}."
        return f"The run store {self.path} cannot be used ({reason}); free space, or {ANOTHER}."

    def _read_only(self) -> str:
        return (
            f"The run store {self.path} can only be read, nothing was stored; make it writable and free space on its "
            f"disk, or {ANOTHER}."
        )

    def _open_server(self, url: sa.URL) -> sa.Engine:
        try:
            engine = sa.create_engine(url, pool_pre_ping=True)
            if engine.dialect.name == "sqlite":
                sa.event.listen(engine, "connect", _teach_lower)
            migrations.bring_up_to_date(engine, self.path)
        except (ImportError, NoSuchModuleError) as error:
            raise StoreError(f"{self.path} needs a database driver that is not installed ({error}).") from None
        except (SQLAlchemyError, ArgumentError) as error:
            raise StoreError(self.trouble(error)) from None
        return engine

    def _open_file(self, path: Path) -> sa.Engine:
        if path.is_dir():
            raise StoreError(f"{path} is a folder, not a run store; name a file with SNNLAB_STORE.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not isinstance(error, PermissionError) and error.errno not in _REFUSED:
                raise StoreError(f"The run store {path} cannot be made ({error.strerror}); {ANOTHER}.") from None
        first: Exception | None = None
        # SQLite itself would open a read-only file without a word, and refuse the first writing.
        ways = (self._writable, self._readable, self._immutable)
        for connect in ways if not path.exists() or os.access(path, os.W_OK) else ways[1:]:
            engine = _sqlite_engine(connect(path))
            try:
                self.read_only = connect != self._writable
                if not self.read_only:
                    _use_wal(engine)
                migrations.bring_up_to_date(engine, path, read_only=self.read_only)
                return engine
            except TROUBLE as error:
                engine.dispose()
                first = first or error
                if not _cannot_write(error):
                    break
        assert first is not None, "left the loop without an engine"
        if path.exists() or not _cannot_write(first):
            raise StoreError(self.trouble(first)) from None
        return _nothing_stored()

    def _writable(self, path: Path) -> dict[str, Any]:
        return {"database": str(path), "timeout": self.busy_seconds}

    def _readable(self, path: Path) -> dict[str, Any]:
        return {"database": f"file:{quote(str(path.absolute()))}?mode=ro", "timeout": self.busy_seconds, "uri": True}

    def _immutable(self, path: Path) -> dict[str, Any]:
        # In a folder that refuses the files beside a WAL, and where no other process can write either.
        return {**self._readable(path), "database": f"file:{quote(str(path.absolute()))}?immutable=1"}


_REFUSED = (28, 30)  # ENOSPC, EROFS


def _url(location: str) -> sa.URL | None:
    if "://" not in location:
        return None
    try:
        return sa.make_url(location)
    except ArgumentError:
        raise StoreError(f"{location[:100]!r} is no database address; write it as dialect://user@host/name.") from None


def _sqlite_engine(options: dict[str, Any]) -> sa.Engine:
    def connect() -> sqlite3.Connection:
        # Transactions are begun below: the driver's own would begin too late, and never for tables.
        return sqlite3.connect(isolation_level=None, check_same_thread=False, **options)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.pool.QueuePool)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")
        _teach_lower(connection)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        chosen = connection.get_execution_options()
        if not chosen.get("snnlab_write"):
            connection.exec_driver_sql("BEGIN")
            return
        # A writer takes the lock at once: one that read first would be refused without waiting.
        seconds = options["timeout"] if chosen.get("snnlab_wait", True) else 0
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(1000 * seconds)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _teach_lower(connection: sqlite3.Connection, *_: Any) -> None:
    """SQLite's own knows ASCII only, and a search for "übung" is to find "Übung"."""
    connection.create_function("lower", 1, lambda text: text.lower() if isinstance(text, str) else text)


def _use_wal(engine: sa.Engine) -> None:
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):  # held just now: the next opening changes the mode
            raise
    finally:
        connection.close()


def _cannot_write(error: Exception) -> bool:
    reason = str(getattr(error, "orig", error))
    return any(part in reason for part in ("readonly", "read-only", "unable to open", "full", "disk I/O"))


def _nothing_stored() -> sa.Engine:
    """An empty store in memory: the runs that ship with snnlab can still be read."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    sa.event.listen(engine, "connect", _teach_lower)
    schema.metadata.create_all(engine)
    return engine
