"""The run store: one SQLite file of runs and of looks at test sets, over the read-only runs that ship with snnlab."""

import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import platformdirs
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from snnlab.core.assets import asset_folder
from snnlab.core.errors import StoreError
from snnlab.core.recipe import Recipe
from snnlab.runs.run import Run

SCHEMA_VERSION = 1

_metadata = sa.MetaData()
_runs = sa.Table(
    "runs",
    _metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("recipe_sha", sa.String(64), index=True, nullable=False),
    sa.Column("key", sa.String(64), index=True, nullable=False),
    sa.Column("verb", sa.String(32), nullable=False),
    sa.Column("created", sa.String(32), index=True, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
_looks = sa.Table(
    "looks",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("dataset", sa.String, nullable=False),
    sa.Column("lineage", sa.String(64), nullable=False),
    sa.Column("recipe_sha", sa.String(64), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)
_schema = sa.Table("schema", _metadata, sa.Column("version", sa.Integer, primary_key=True))


@dataclass(frozen=True)
class RunRow:
    """A run in a list, without its reports."""

    id: str
    recipe_sha: str
    key: str
    verb: str
    created: str
    state: str
    title: str
    shipped: bool = False


def default_store_path() -> Path:
    """``$SNNLAB_STORE``, or ``runs.sqlite`` in the user's data folder."""
    named = os.environ.get("SNNLAB_STORE")
    return Path(named) if named else platformdirs.user_data_path("snnlab") / "runs.sqlite"


class Store:
    """Runs by id, recipe or age.

    Args:
        path: SQLite file, made when first written to; None for ``default_store_path()``.
        overlay: Folder of shipped ``*.run`` files, shown beside the stored ones and never written; None for the
            bundled ones.

    Raises:
        StoreError: The file cannot be opened, is no run store, or is of a newer version.
    """

    def __init__(self, path: str | Path | None = None, *, overlay: Path | None = None) -> None:
        self.path = Path(path) if path is not None else default_store_path()
        self.overlay = asset_folder() / "runs" if overlay is None else overlay
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(self._trouble(error)) from None
        self._engine = sa.create_engine(f"sqlite:///{self.path}", connect_args={"timeout": 10})
        try:
            self._open()
        except SQLAlchemyError as error:
            raise StoreError(self._trouble(error)) from None

    def _open(self) -> None:
        _metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            version = connection.scalar(sa.select(sa.func.max(_schema.c.version)))
            if version is None:
                connection.execute(_schema.insert().prefix_with("OR IGNORE").values(version=SCHEMA_VERSION))
            elif version > SCHEMA_VERSION:
                raise StoreError(
                    f"{self.path} was written by a newer snnlab (store version {version}, this one reads "
                    f"{SCHEMA_VERSION}); update snnlab, or name another store with SNNLAB_STORE."
                )

    def _trouble(self, error: Exception) -> str:
        reason = str(getattr(error, "orig", error))
        return f"The run store {self.path} cannot be used ({reason}); free space, or name another with SNNLAB_STORE."

    def save(self, run: Run) -> str:
        """Store a run and return its id; saving the same run again changes nothing.

        Raises:
            StoreError: Not writable, full, or locked by another process for more than 10 seconds.
        """
        row = {
            "id": run.id,
            "recipe_sha": run.recipe_sha,
            "key": run.key,
            "verb": run.verb,
            "created": run.created,
            "state": run.state,
            "title": run.title,
            "content": run.to_bytes(),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(_runs.insert().prefix_with("OR IGNORE").values(**row))
        except SQLAlchemyError as error:
            raise StoreError(self._trouble(error)) from None
        return run.id

    def record(self, run: Run) -> int:
        """Store a run, and count it when its images are a test set.

        Returns:
            Looks taken at this test set with this checkpoint, this one included; 0 for other splits.

        Raises:
            StoreError: As ``save``.
        """
        looks = 0
        if run.recipe.data.split == "test":
            lineage = run.card.get("origin_sha256") or run.card["sha256"]
            looks = self.look(dataset=run.recipe.data.dataset, lineage=lineage, recipe_sha=run.recipe_sha)
        self.save(run)
        return looks

    def get(self, run_id: str) -> Run:
        """A run by its id or the first 6 or more digits of it.

        Raises:
            StoreError: No such run, or several.
        """
        if len(run_id) >= 6 and all(digit in "0123456789abcdef" for digit in run_id):
            found = [row.id for row in self.list() if row.id.startswith(run_id)]
            if len(found) == 1:
                return self._content(found[0])
            if found:
                raise StoreError(f"{len(found)} runs begin with {run_id}; give more digits of the one you mean.")
        raise StoreError(f"There is no run {run_id[:40]!r} in {self.path}; it may have been deleted or made elsewhere.")

    def find(self, recipe: Recipe, *, device: str = "cpu") -> Run | None:
        """The newest run of exactly this recipe and of these numbers; None if it was never run."""
        key = recipe.key(device)
        found = [row for row in self.list() if row.key == key]
        return self._content(found[0].id) if found else None

    def list(self) -> Sequence[RunRow]:
        """All runs, newest first, shipped ones last.

        Raises:
            StoreError: The store cannot be read.
        """
        columns = [_runs.c[name] for name in ("id", "recipe_sha", "key", "verb", "created", "state", "title")]
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(sa.select(*columns).order_by(_runs.c.created.desc(), _runs.c.id)).all()
        except SQLAlchemyError as error:
            raise StoreError(self._trouble(error)) from None
        own = [RunRow(*row) for row in rows]
        stored = {row.id for row in own}
        return [*own, *(row for row in self._shipped_rows() if row.id not in stored)]

    def shipped(self) -> tuple[Run, ...]:
        """The runs that ship with snnlab, by file name."""
        return tuple(_shipped_run(path, path.stat().st_mtime_ns) for path in sorted(self.overlay.glob("*.run")))

    def _shipped_rows(self) -> tuple[RunRow, ...]:
        return tuple(
            RunRow(run.id, run.recipe_sha, run.key, run.verb, run.created, run.state, run.title, shipped=True)
            for run in self.shipped()
        )

    def _content(self, run_id: str) -> Run:
        try:
            with self._engine.connect() as connection:
                content = connection.scalar(sa.select(_runs.c.content).where(_runs.c.id == run_id))
        except SQLAlchemyError as error:
            raise StoreError(self._trouble(error)) from None
        if content is not None:
            return Run.from_bytes(content)
        return next(run for run in self.shipped() if run.id == run_id)

    def look(self, *, dataset: str, lineage: str, recipe_sha: str) -> int:
        """Count one look at a test set, and return how many there have been for this dataset and checkpoint.

        Args:
            dataset: Dataset whose test split is opened.
            lineage: SHA-256 of the checkpoint that everything in question descends from.
            recipe_sha: What was run.

        Raises:
            StoreError: The look cannot be written down.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        try:
            with self._engine.begin() as connection:
                connection.execute(
                    _looks.insert().values(dataset=dataset, lineage=lineage, recipe_sha=recipe_sha, created=now)
                )
        except SQLAlchemyError as error:
            raise StoreError(self._trouble(error)) from None
        return self.looks(dataset=dataset, lineage=lineage)

    def looks(self, *, dataset: str, lineage: str) -> int:
        """Looks taken so far."""
        count = sa.select(sa.func.count()).select_from(_looks)
        try:
            with self._engine.connect() as connection:
                return int(
                    connection.scalar(count.where(_looks.c.dataset == dataset, _looks.c.lineage == lineage)) or 0
                )
        except SQLAlchemyError as error:
            raise StoreError(self._trouble(error)) from None


@lru_cache(maxsize=16)
def _shipped_run(path: Path, modified: int) -> Run:
    return Run.from_bytes(path.read_bytes())
