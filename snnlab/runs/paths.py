"""Which files the app may open, and where it keeps what users upload."""

import contextlib
import os
from pathlib import Path

import platformdirs

from snnlab.core.errors import CheckpointError, DataError


def data_roots() -> tuple[Path, ...]:
    """Folders the app may read: ``$SNNLAB_DATA_ROOTS``, or the working directory and the user's data folder."""
    named = os.environ.get("SNNLAB_DATA_ROOTS")
    folders = named.split(os.pathsep) if named else [os.getcwd(), str(platformdirs.user_data_path("snnlab"))]
    return tuple(Path(folder).expanduser().resolve() for folder in folders if folder)


def allowed_path(text: str, *, uploads: bool = False) -> Path:
    """Resolve a path typed into the app, symbolic links too.

    Args:
        text: What was typed, or what a recipe names.
        uploads: Allow uploaded files too.

    Raises:
        DataError: Outside the allowed folders, or nothing there; the message does not say which of the two.
    """
    if not text.strip():
        raise DataError("No path is given; type one under the folder that the app was started in.")
    folders = (*data_roots(), upload_folder().resolve()) if uploads else data_roots()
    try:
        path = Path(text.strip()).expanduser().resolve()
        inside = any(path.is_relative_to(folder) for folder in folders)
        if inside and path.exists():
            return path
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a null byte
        pass
    roots = ", ".join(str(root) for root in data_roots())
    raise DataError(
        f"{text[:200]!r} is not a readable path under {roots}; start snnlab with SNNLAB_DATA_ROOTS naming its folder."
    )


def upload_folder() -> Path:
    """Where uploads are kept, by content; outside every served folder."""
    return platformdirs.user_cache_path("snnlab") / "uploads"


def kept_folder() -> Path:
    """Where opened checkpoints are kept as safetensors, by the original's hash; only ``intake`` writes there."""
    return platformdirs.user_cache_path("snnlab") / "checkpoints"


def training_folder() -> Path:
    """Root of all kept trainings, in the user's data folder: each in a folder named by the hash of its settings."""
    return platformdirs.user_data_path("snnlab") / "experiments"


def kept_checkpoint(source: str, sha256: str | None = None) -> Path | None:
    """The kept file that stands for a checkpoint; None when nothing of it was kept.

    Args:
        source: Path of the original, or of what was kept of it.
        sha256: Hash of the original, where it is known.

    Raises:
        CheckpointError: ``source`` was kept here and is no more.
    """
    folder = kept_folder().resolve()
    try:
        path = Path(source).expanduser().resolve()
        was_kept = path.is_relative_to(folder)
        if was_kept and path.is_file():
            return note_use(path)
    except (OSError, RuntimeError, ValueError):
        return None
    digits = (sha256 or "")[:32].lower()
    if len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits):
        found = sorted(path for path in (folder / digits).glob("*.safetensors") if not path.name.startswith("."))
        if found:
            return note_use(found[0])
    if was_kept:
        raise CheckpointError(f"{path.stem} is no longer kept here: its room was needed; open the original file again.")
    return None


def note_use(path: Path) -> Path:
    """Remember that a kept file was used now; what was used longest ago goes first when room is needed."""
    with contextlib.suppress(OSError):  # a read-only disk; then nothing is removed either
        os.utime(path.parent)
    return path
