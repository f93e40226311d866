"""What takes room on this disk: uploads, kept checkpoints, trainings, runs; and what goes when room is needed."""

import contextlib
import datetime
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from snnlab.core.errors import CheckpointError, StoreError
from snnlab.core.files import write_atomically
from snnlab.data.picture import SUFFIXES
from snnlab.runs.paths import kept_folder, note_use, training_folder, upload_folder
from snnlab.runs.processes import Owner
from snnlab.runs.store import Store

UPLOAD_SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".tar", ".bin")
DEFAULT_QUOTA_GB = 5.0
YOUNG_SECONDS = 3600.0
"""What was used so recently stays, unless twice the quota is taken."""

LEFTOVER_SECONDS = 24 * 3600.0
"""Half-written files older than this belong to a process that has ended."""

HELD_ELSEWHERE_SECONDS = 30 * 24 * 3600.0
"""So long a training stays that a process of another machine says it uses: whether that one lives cannot be seen."""

_HELD = ".held-"

DISK_RESERVE = 64 * 2**20  # bytes left free for the store and for other programs


@dataclass(frozen=True)
class StoredItem:
    """One upload, kept checkpoint or training.

    Args:
        id: For ``remove``.
        kind: ``"upload"``, ``"checkpoint"`` or ``"training"``.
        name: The user's file name; of a training its arm, seed and epochs.
        size: Bytes.
        files: Files.
        last_used: UTC time, ISO 8601.
        used_at: The same as Unix time.
        in_use: An active job, or of a training a running process, needs it.
        tagged: A run with a tag was made from it: it goes only when it is chosen by name.
    """

    id: str
    kind: str
    name: str
    size: int
    files: int
    last_used: str
    used_at: float
    in_use: bool = False
    tagged: bool = False


@dataclass(frozen=True)
class Usage:
    """What takes room.

    Args:
        items: Uploads and kept checkpoints, the ones used longest ago first.
        quota: Bytes that they may take together.
        runs: Stored runs.
        run_bytes: Bytes of their contents.
        free: Bytes free on the disk of the uploads.
        trainings: Kept trainings, the ones used longest ago first.
        training_quota: Bytes that they may take together.
    """

    items: tuple[StoredItem, ...]
    quota: int
    runs: int
    run_bytes: int
    free: int
    trainings: tuple[StoredItem, ...] = ()
    training_quota: int = 0

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return sum(item.size for item in self.items)

    @property
    def training_size(self) -> int:
        """Bytes of all trainings."""
        return sum(item.size for item in self.trainings)


def quota_bytes() -> int:
    """Bytes that uploads and kept checkpoints may take: ``$SNNLAB_QUOTA_GB``, or 5 GB.

    Raises:
        StoreError: Not a number above 0.
    """
    return _gigabytes("SNNLAB_QUOTA_GB", "uploads")


def training_quota_bytes() -> int:
    """Bytes that kept trainings may take: ``$SNNLAB_TRAININGS_GB``, or 5 GB; errors as ``quota_bytes``."""
    return _gigabytes("SNNLAB_TRAININGS_GB", "trainings")


def _gigabytes(variable: str, what: str) -> int:
    text = os.environ.get(variable, "")
    try:
        gigabytes = float(text) if text else DEFAULT_QUOTA_GB
    except ValueError:
        gigabytes = -1.0
    if not 0 < gigabytes < 1e9:
        raise StoreError(f"{variable} is {text[:40]!r}; give the room for {what} in GB, such as 5.")
    return int(gigabytes * 1e9)


def usage(store: Store | None = None) -> Usage:
    """What takes room just now.

    Raises:
        StoreError: The store cannot be read.
    """
    store = store or Store()
    runs, run_bytes = store.usage()
    files, free = _items(_jobs_text(store), _tagged_text(store)), _free(upload_folder())
    return Usage(files, quota_bytes(), runs, run_bytes, free, _trainings(), training_quota_bytes())


def stale(
    *,
    older_than: float | None = None,
    max_bytes: int | None = None,
    trainings: bool = False,
    spare: Collection[str] = (),
    store: Store | None = None,
) -> tuple[StoredItem, ...]:
    """The items that nobody uses now and that were used longest ago; those of runs with a tag stay and do not count.

    Args:
        older_than: Those not used for so many days; with neither limit, all.
        max_bytes: So many that the others have at most this size.
        trainings: Kept trainings, instead of uploads and kept checkpoints.
        spare: Folder names of the trainings of tagged runs, see ``snnlab.sweeps.places.tagged_trainings``.
        store: Knows the active jobs; None for the default store.
    """
    store = store or Store()
    found = _trainings(spare) if trainings else _items(_jobs_text(store), _tagged_text(store))
    items = [item for item in found if not item.tagged]
    room = sum(item.size for item in items)
    chosen = []
    for item in items:
        old = older_than is not None and time.time() - item.used_at > older_than * 86400
        if not item.in_use and (old or (room > max_bytes if max_bytes is not None else older_than is None)):
            chosen.append(item)
            room -= item.size
    return tuple(chosen)


def remove(items: Iterable[StoredItem], store: Store | None = None) -> int:
    """Delete uploads, kept checkpoints and trainings; returns the bytes that became free.

    Raises:
        StoreError: One of them is in use; the others are deleted all the same.
    """
    jobs = _jobs_text(store or Store())
    freed, used = 0, []
    for item in items:
        if _is_used(item, jobs):
            used.append(item.name)
        elif _delete(item):
            freed += item.size
    if used:
        raise StoreError(f"{', '.join(used)[:200]} is used by a job that waits or runs; cancel that job first.")
    return freed


@contextlib.contextmanager
def training_in_use(folders: Iterable[Path]) -> Iterator[None]:
    """Say that this process uses these trainings: nobody removes them meanwhile, whoever and wherever they are.

    Args:
        folders: Folders of trainings, there or not yet.

    Raises:
        CheckpointError: One cannot be written.
    """
    name, mine = f"{_HELD}{os.getpid()}-{secrets.token_hex(4)}", json.dumps(asdict(Owner.me())).encode()
    marks = [folder / name for folder in folders]
    try:
        for mark in marks:
            try:
                mark.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(mark, mine)
            except OSError as error:
                raise CheckpointError(f"{mark.parent} cannot be written: {error.strerror}; free some space.") from None
        yield
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                mark.parent.rmdir()  # nothing came of it


def enforce_training_quota(spare: Collection[str] = ()) -> int:
    """Delete the trainings used longest ago until their quota holds; returns the bytes freed.

    What a running process uses stays, and what ``spare`` names. What was used within the hour stays too, unless twice
    the quota is taken.

    Args:
        spare: As in ``stale``.
    """
    _sweep()
    return _delete_down_to(training_quota_bytes(), _trainings(spare), 0, "")


def enforce_quota(room_for: int = 0, store: Store | None = None) -> int:
    """Delete what was used longest ago until the quota holds with ``room_for`` bytes more; returns the bytes freed.

    What an active job uses stays, and what a run with a tag was made from. What was used within the hour stays too,
    unless twice the quota is taken. Half-written files of ended processes go in any case.
    """
    _sweep()
    quota = quota_bytes()
    total = sum(item.size for item in _items("", "")) + room_for
    if total <= quota:
        return 0
    try:
        store = store or Store()
        jobs, tagged = _jobs_text(store), _tagged_text(store)
    except StoreError:
        return 0  # without it nobody knows what is used
    return _delete_down_to(quota, _items(jobs, tagged), room_for, jobs)


def _delete_down_to(quota: int, items: tuple[StoredItem, ...], room_for: int, jobs: str) -> int:
    total, freed = sum(item.size for item in items) + room_for, 0
    for item in items:
        young = time.time() - item.used_at < YOUNG_SECONDS
        if total - freed <= quota or (young and total - freed <= 2 * quota):
            break  # the items after this one are younger still
        if not item.tagged and not _is_used(item, jobs) and _delete(item):
            freed += item.size
    return freed


def make_room(size: int, name: str) -> None:
    """Make room for a file before it is written.

    Args:
        size: Its bytes.
        name: What the sentence calls it.

    Raises:
        CheckpointError: It is larger than the quota, or than what is free on the disk.
    """
    quota = quota_bytes()
    if size > quota:
        raise CheckpointError(
            f"{name!r} has {size:,} bytes, more than the {quota:,} that uploads may take; start snnlab with a larger "
            "SNNLAB_QUOTA_GB, or give the path of the file."
        )
    enforce_quota(size)
    free = _free(upload_folder())
    if size + DISK_RESERVE > free:
        raise CheckpointError(f"{name!r} has {size:,} bytes, and {free:,} are free on the disk; free some space.")


def keep_upload(name: str, data: bytes) -> Path:
    """Write an uploaded checkpoint under the hash of its content and return the path.

    Args:
        name: The user's file name; only its suffix and its stem's harmless characters are used.
        data: Its content.

    Raises:
        CheckpointError: Not a checkpoint's suffix, no room for it, or the disk refuses; nothing is written.
    """
    return _kept(name, data, UPLOAD_SUFFIXES, "checkpoint")


def keep_picture(name: str, data: bytes) -> Path:
    """Write an uploaded picture as ``keep_upload`` does a checkpoint; errors alike."""
    return _kept(name, data, SUFFIXES, "picture")


def _kept(name: str, data: bytes, suffixes: Sequence[str], what: str) -> Path:
    suffix = next((suffix for suffix in suffixes if name.lower().endswith(suffix)), None)
    if suffix is None:
        raise CheckpointError(f"{name[:100]!r} is no {what}; give one of {', '.join(suffixes)}.")
    stem = "".join(letter for letter in Path(name).name[: -len(suffix)] if letter.isalnum() or letter in "-_[].")
    folder = upload_folder() / hashlib.sha256(data).hexdigest()[:32]
    path = folder / f"{stem.lstrip('.')[:80] or what}{suffix}"
    if path.exists():
        return note_use(path)
    make_room(len(data), name[:100])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise CheckpointError(f"{name[:100]!r} could not be kept: {error.strerror}; free some space.") from None
    return note_use(path)


def _folders() -> "dict[str, tuple[str, Path]]":
    return {
        "uploads": ("upload", upload_folder()),
        "checkpoints": ("checkpoint", kept_folder()),
        "trainings": ("training", training_folder()),
    }


def _items(jobs: str, tagged: str) -> tuple[StoredItem, ...]:
    """Uploads and kept checkpoints; the texts name those in use and those of runs with a tag."""

    def name(files: list[Path]) -> str:
        return files[0].name.removesuffix(".safetensors") if files[0].is_relative_to(kept_folder()) else files[0].name

    return _found(("uploads", "checkpoints"), name, lambda path: path.name in jobs, lambda path: path.name in tagged)


def _trainings(spare: Collection[str] = ()) -> tuple[StoredItem, ...]:
    return _found(("trainings",), _training_name, _is_held, lambda path: path.name in spare)


def _training_name(files: list[Path]) -> str:
    """Arm, seed and epochs, as the training itself has noted them."""
    try:
        rows = json.loads((files[0].parent / "epochs.json").read_text())
        return f"{rows[-1]['arm']}, seed {rows[-1]['seed']}, {len(rows)} epochs"
    except (OSError, ValueError, LookupError, TypeError):
        return files[0].parent.name[:12]


def _is_used(item: StoredItem, jobs: str) -> bool:
    return _is_held(_folder(item)) if item.kind == "training" else _folder(item).name in jobs


def _is_held(folder: Path) -> bool:
    """Whether a process that lives says that it uses a training."""
    for mark in _inside(folder):
        if not mark.name.startswith(_HELD):
            continue
        try:
            owner, age = Owner(**json.loads(mark.read_text())), time.time() - mark.stat().st_mtime
        except (OSError, ValueError, TypeError):
            continue  # gone just now
        if owner.is_here() and owner.is_gone():
            mark.unlink(missing_ok=True)
        elif owner.is_here() or age < HELD_ELSEWHERE_SECONDS:
            return True
    return False


def _found(
    places: Iterable[str],
    name_of: Callable[[list[Path]], str],
    in_use: Callable[[Path], bool],
    tagged: Callable[[Path], bool],
) -> tuple[StoredItem, ...]:
    """What lies in these places, the ones used longest ago first."""
    found = []
    for place in places:
        kind, folder = _folders()[place]
        for path in _inside(folder):
            files = [file for file in _inside(path) if file.is_file() and not file.name.startswith(".")]
            try:
                size, used_at = sum(file.stat().st_size for file in files), path.stat().st_mtime
            except OSError:
                continue  # removed just now
            if files:
                when = datetime.datetime.fromtimestamp(used_at, datetime.UTC).isoformat(timespec="seconds")
                item_id = f"{place}/{path.name}"
                name, marks = name_of(files), (in_use(path), tagged(path))
                found.append(StoredItem(item_id, kind, name, size, len(files), when, used_at, *marks))
    return tuple(sorted(found, key=lambda item: (item.used_at, item.id)))


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _jobs_text(store: Store) -> str:
    """What active jobs were asked for; they name files by path or by hash."""
    return store.jobs.active_arguments()


def _tagged_text(store: Store) -> str:
    """The recipes of the runs with a tag, which name files by path or by hash."""
    return "\n".join(row.recipe_json for row in store.tagged())


def _folder(item: StoredItem) -> Path:
    place, _, digits = item.id.partition("/")
    if place not in _folders() or not digits.isalnum():
        raise StoreError(f"There is nothing kept under {item.id[:60]!r}.")
    return _folders()[place][1] / digits


def _delete(item: StoredItem) -> bool:
    folder = _folder(item)
    try:
        # Out of sight in one step: nobody finds a half-removed item.
        aside = folder.with_name(f".{folder.name}.removed-{time.time_ns()}")
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError:
        return False
    return True


def _sweep() -> None:
    limit = time.time() - LEFTOVER_SECONDS
    for _, folder in _folders().values():
        for path in [*_inside(folder), *(file for item in _inside(folder) for file in _inside(item))]:
            with contextlib.suppress(OSError):
                dotted = path.name.startswith(".") and not path.name.startswith(_HELD)
                if dotted and path.stat().st_mtime < limit:
                    if path.is_dir():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()
    for path in _inside(training_folder()):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < limit and not _is_held(path):
                path.rmdir()  # of a process that was killed before anything came of it; else it is not empty


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
