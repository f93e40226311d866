"""Finding a dataset's files: by default where ``fetch`` puts them."""

from collections.abc import Iterable
from pathlib import Path

import platformdirs

from snnlab.core.errors import DataError


def default_folder() -> Path:
    """The platform's data folder for this user, where ``fetch`` puts downloads and readers look by default."""
    return Path(platformdirs.user_data_dir("snnlab", appauthor=False)) / "datasets"


def resolve_folder(folder: str | Path | None) -> Path:
    """The folder to look in."""
    return default_folder() if folder is None else Path(folder).expanduser()


def is_file(path: Path) -> bool:
    """Whether a readable-looking file lies there; a name the platform refuses counts as none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def missing_files(name: str, title: str, folder: Path, expected: str, found: str = "") -> DataError:
    """The error that says which files belong where, and how to get them."""
    if found:
        problem = f"{title} in {folder} is incomplete: {found}"
    elif not _is_folder(folder):
        problem = f"There is no folder {folder}, where {title} was looked for"
    else:
        problem = f"{title} was not found in {folder}"
    return DataError(f"{problem}; expected are {expected} (get them with: snnlab data fetch {name}).")


def check_size(path: Path, expected: int, name: str) -> None:
    """Refuse a file of another size than its format says.

    Raises:
        DataError: Names both sizes.
    """
    try:
        found = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from None
    if found != expected:
        raise wrong_size(path, found, expected, name)


def wrong_size(path: Path, found: int, expected: int, name: str) -> DataError:
    """The error for a file that is shorter or longer than it must be."""
    state = "truncated" if found < expected else "too long"
    return DataError(
        f"{path} is {state}: it holds {found:,} bytes and {expected:,} are expected; get it again with: "
        f"snnlab data fetch {name}."
    )


def unreadable(path: Path, error: Exception) -> DataError:
    """The error for a file that the platform cannot open or read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return DataError(f"{path} cannot be read: {reason[0].lower()}{reason[1:]}.")


def listed(names: Iterable[str]) -> str:
    """Names for a sentence."""
    return ", ".join(names)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
