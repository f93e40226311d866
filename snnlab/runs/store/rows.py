"""A run in a list: what menus need of it, without its reports."""

import json
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from snnlab.core.recipe import Recipe
from snnlab.runs.jobs import LOCAL, utc_now
from snnlab.runs.run import Run


@dataclass(frozen=True)
class RunRow:
    """A run in a list, without its reports.

    Args:
        id: Run id, 32 hexadecimal digits.
        recipe_sha: Hash of the recipe.
        key: Cache key.
        verb: What was asked for.
        created: UTC time, ISO 8601.
        state: ``"done"``.
        title: Checkpoint and method.
        shipped: Comes with snnlab, and is never deleted.
        workspace: Who made it.
        checkpoint: Name of the checkpoint.
        sha256: Hash of the checkpoint's file.
        images: Images simulated.
        split: Their split.
        size: Bytes in the store.
        last_used: UTC time of the last reading, to the hour.
        recipe_json: The recipe as JSON.
        tags: Words that users gave it.
        note: What users wrote about it.
    """

    id: str
    recipe_sha: str
    key: str
    verb: str
    created: str
    state: str
    title: str
    shipped: bool = False
    workspace: str = LOCAL
    checkpoint: str = ""
    sha256: str = ""
    images: int = 0
    split: str = ""
    size: int = 0
    last_used: str = ""
    recipe_json: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""

    @property
    def recipe(self) -> Recipe:
        """What was run."""
        return _parsed(self.recipe_json)


def composed(text: str) -> str:
    """Text as it is stored and searched: accents joined with their letters (Unicode NFC), however it was typed."""
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Recipe:
    return Recipe.parse(json.loads(text))


def values_of(run: Run, *, size: int, workspace: str = LOCAL) -> dict[str, Any]:
    """The columns of a run but its content."""
    return {
        "id": run.id,
        "recipe_sha": run.recipe_sha,
        "key": run.key,
        "verb": run.verb,
        "created": run.created,
        "state": run.state,
        "title": composed(run.title),
        "workspace": workspace,
        **menu_values(run, size=size),
    }


def menu_values(run: Run, *, size: int) -> dict[str, Any]:
    """The columns that only the run's reports and recipe can fill."""
    # What was made of single images holds no accuracy.
    main = run.reports.get("accuracy") or next(iter(run.reports.values()), None)
    simulated = getattr(main, "images", None)
    return {
        "checkpoint": composed(str(run.card["name"])),
        "sha256": str(run.card["sha256"]),
        "images": int(run.recipe.data.limit or 0) if simulated is None else int(simulated),
        "split": run.recipe.data.split,
        "recipe": json.dumps(run.recipe.to_dict()),
        "size": size,
        "last_used": utc_now(),
    }


UNREADABLE: dict[str, Any] = {"checkpoint": "", "sha256": "", "images": 0, "split": "", "recipe": ""}
"""The same for a content that cannot be read."""


def row_of(run: Run, *, size: int, shipped: bool = False) -> RunRow:
    """The row of a run that is not in the database."""
    values = values_of(run, size=size)
    return RunRow(shipped=shipped, recipe_json=values.pop("recipe"), **{**values, "last_used": run.created})
