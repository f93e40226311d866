"""The gate: what a job from the app may open. Every worker leads the arguments of every job through it."""

import zipfile
from pathlib import Path
from typing import Any

from snnlab.core.errors import CheckpointError, DataError
from snnlab.core.recipe import Recipe
from snnlab.io import examples
from snnlab.models import architecture_names
from snnlab.runs.intake import open_limited
from snnlab.runs.paths import allowed_path, kept_checkpoint

BOMB_BYTES, BOMB_RATIO = 64 * 2**20, 100
"""Images pack to a tenth at best; what unpacks to more than both of these is no images."""


def gate(recipe: Recipe) -> Recipe:
    """The recipe with a checkpoint that is safe to open; data, picture and declared files lie in allowed folders.

    A checkpoint that is neither bundled nor already kept is opened in a process of limited memory, and the file kept
    there stands for it.

    Raises:
        CheckpointError: Whatever is wrong with the file, in one sentence.
        DataError: A path outside the allowed folders, or nothing there; the message does not say which of the two.
    """
    choice, data = recipe.checkpoint, recipe.data
    source = safe_checkpoint(choice.source, choice.sha256)
    folder = None if data.folder is None else safe_folder(data.folder)
    check_declared(choice.architecture)
    changed: dict[str, Any] = {}
    if (source, folder) != (choice.source, data.folder):
        changed = {"checkpoint": {"source": source}, "data": {"folder": folder} if folder is not None else {}}
    if recipe.attribution is not None and recipe.attribution.picture is not None:
        changed["attribution"] = {"picture": str(allowed_path(recipe.attribution.picture, uploads=True))}
    return recipe.changed(**changed) if changed else recipe


def safe_checkpoint(source: str, sha256: str | None = None) -> str:
    """A bundled name, or the kept file that stands for a checkpoint; errors as ``gate``.

    Args:
        source: Bundled name or path.
        sha256: Hash of the file, where it is known: what was kept of it is found by it.
    """
    if source in examples():
        return source
    kept = kept_checkpoint(source, sha256)
    if kept is not None:
        return str(kept)
    return str(open_limited(allowed_path(source, uploads=True)))


def safe_folder(folder: str) -> str:
    """A folder or file of images under the allowed folders, and no bomb; errors as ``gate``."""
    path = allowed_path(folder)
    for archive in [path] if path.is_file() else sorted(path.glob("*.npz")):
        try:
            with zipfile.ZipFile(archive) as opened:
                unpacked = sum(entry.file_size for entry in opened.infolist())
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
            continue  # no archive: its reader says what it is
        if unpacked > max(BOMB_BYTES, BOMB_RATIO * archive.stat().st_size):
            raise DataError(
                f"{archive.name} unpacks to {unpacked:,} bytes, over {BOMB_RATIO} times its size; it is not opened."
            )
    return str(path)


def check_declared(architecture: Any) -> None:
    """Refuse a declaration that names a file: in the app an architecture is a name or a list of layers.

    Raises:
        CheckpointError: It is neither.
    """
    if not isinstance(architecture, str) or "," in architecture or architecture in architecture_names():
        return
    if Path(architecture).suffix or "/" in architecture or "\\" in architecture or Path(architecture).exists():
        raise CheckpointError(
            f"{architecture[:80]!r} is not the name of an architecture; in the app, give a name or the list of layers."
        )


def gate_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a job with every recipe and path in them led through the gate."""
    return {name: _gated(name, value) for name, value in arguments.items()}


def _gated(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        if {"checkpoint", "data", "converter"} <= value.keys():
            return gate(Recipe.parse(value)).to_dict()
        return {key: _gated(str(key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_gated(name, item) for item in value]
    if isinstance(value, str):
        if name == "path":
            return safe_checkpoint(value)
        if name == "folder":
            return safe_folder(value)
    if name == "architecture":
        check_declared(value)
    return value
