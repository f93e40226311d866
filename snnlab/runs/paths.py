"""Which files the app may open, and where it keeps what users upload."""

import hashlib
import os
from pathlib import Path

import platformdirs

from snnlab.core.errors import CheckpointError, DataError
from snnlab.core.files import write_atomically

UPLOAD_SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".tar", ".bin")


def data_roots() -> tuple[Path, ...]:
    """Folders the app may read: ``$SNNLAB_DATA_ROOTS``, or the working directory and the user's data folder."""
    named = os.environ.get("SNNLAB_DATA_ROOTS")
    folders = named.split(os.pathsep) if named else [os.getcwd(), str(platformdirs.user_data_path("snnlab"))]
    return tuple(Path(folder).expanduser().resolve() for folder in folders if folder)


def allowed_path(text: str) -> Path:
    """Resolve a path typed into the app, symbolic links too.

    Raises:
        DataError: Outside the allowed folders, or nothing there; the message does not say which of the two.
    """
    if not text.strip():
        raise DataError("No path is given; type one under the folder that the app was started in.")
    try:
        path = Path(text.strip()).expanduser().resolve()
        inside = any(path.is_relative_to(root) for root in data_roots())
        if inside and path.exists():
            return path
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a null byte
        pass
    roots = ", ".join(str(root) for root in data_roots())
    raise DataError(
        f"{text[:200]!r} is not a readable path under {roots}; start snnlab with SNNLAB_DATA_ROOTS naming its folder."
    )


def upload_folder() -> Path:
    """Where uploads and opened checkpoints are kept, by content; outside every served folder."""
    return platformdirs.user_cache_path("snnlab") / "uploads"


def keep_upload(name: str, data: bytes) -> Path:
    """Write an uploaded file under the hash of its content and return the path.

    Args:
        name: The user's file name; only its suffix and its stem's harmless characters are used.
        data: Its content.

    Raises:
        CheckpointError: Not a checkpoint's suffix, or the disk refuses.
    """
    suffix = next((suffix for suffix in UPLOAD_SUFFIXES if name.lower().endswith(suffix)), None)
    if suffix is None:
        raise CheckpointError(f"{name[:100]!r} is no checkpoint; give one of {', '.join(UPLOAD_SUFFIXES)}.")
    stem = "".join(letter for letter in Path(name).name.removesuffix(suffix) if letter.isalnum() or letter in "-_[].")
    folder = upload_folder() / hashlib.sha256(data).hexdigest()[:32]
    path = folder / f"{stem[:80] or 'checkpoint'}{suffix}"
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise CheckpointError(f"{name[:100]!r} could not be kept: {error.strerror}; free some space.") from None
    return path
