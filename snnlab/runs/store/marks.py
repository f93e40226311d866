"""What users say of a run: tags and a note, checked, written, and searched."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from snnlab.core.errors import StoreError
from snnlab.runs.store import schema
from snnlab.runs.store.rows import RunRow, composed
from snnlab.runs.verbs import UNLISTED

LONGEST_TAG = 32
MOST_TAGS = 16
LONGEST_NOTE = 4000

_TAG = re.compile(r"\w[\w.+:/-]*")
_NEVER_IN_TAGS = frozenset('[]",\\')  # what JSON puts around them
_PREFIX = 6  # digits of an id that `get` takes too

_runs, _marks = schema.runs, schema.marks


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Tags as they are kept: each once, whatever its case, in the order given.

    Raises:
        StoreError: One that is no short word, or too many.
    """
    if isinstance(tags, str):
        raise StoreError("Tags are given as a list of words, not as one text.")
    kept: dict[str, str] = {}
    for tag in (composed(str(given)).strip() for given in tags):
        if not _TAG.fullmatch(tag) or len(tag) > LONGEST_TAG:
            raise StoreError(
                f"{tag[:40]!r} is no tag; a tag is one word of at most {LONGEST_TAG} letters, digits and _ - . + : /"
                " that begins with a letter or digit."
            )
        kept.setdefault(tag.lower(), tag)
    if len(kept) > MOST_TAGS:
        raise StoreError(f"A run has at most {MOST_TAGS} tags; {len(kept)} were given.")
    return tuple(kept.values())


def checked_note(note: str) -> str:
    """A note as it is kept, without control characters but line breaks.

    Raises:
        StoreError: Too long.
    """
    lines = composed(note).replace("\r\n", "\n").replace("\r", "\n").strip()
    text = "".join(c for c in lines if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    if len(text) > LONGEST_NOTE:
        raise StoreError(f"A note has at most {LONGEST_NOTE:,} characters; this one has {len(text):,}.")
    return text


def values(tags: str | None, note: str | None) -> dict[str, Any]:
    """Fields of a ``RunRow`` from the columns of the table; None for both where there is no mark."""
    return {"tags": tuple(json.loads(tags)) if tags else (), "note": note or ""}


def read(connection: sa.Connection, run_ids: Sequence[str], workspaces: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Run id -> what is said of it, by the first of these workspaces that says anything."""
    chosen = sa.select(_marks).where(_marks.c.run.in_(run_ids), _marks.c.workspace.in_(workspaces))
    found = sorted(connection.execute(chosen), key=lambda mark: workspaces.index(mark.workspace), reverse=True)
    return {mark.run: values(mark.tags, mark.note) for mark in found}


def write(
    connection: sa.Connection, run_id: str, workspaces: Sequence[str], tags: Sequence[str] | None, note: str | None
) -> None:
    """Replace what is given, keep what is None and was ``read``, as the first workspace's; in a writing transaction."""
    said = read(connection, [run_id], workspaces).get(run_id) or values(None, None)
    packed = json.dumps(list(said["tags"] if tags is None else tags), ensure_ascii=False, separators=(",", ":"))
    mark = {"run": run_id, "workspace": workspaces[0]}
    connection.execute(_marks.delete().filter_by(**mark))
    # Kept when it says nothing: of a shipped run it hides what the command line says.
    connection.execute(_marks.insert().values(**mark, tags=packed, note=said["note"] if note is None else note))


def conditions(text: str, tag: str | None, verb: str | None) -> list[sa.ColumnElement[bool]]:
    """The search of ``Store.list`` over runs joined with their marks; ``fits`` is the same for a row."""
    found: list[sa.ColumnElement[bool]] = []
    found.append(_runs.c.verb.not_in(UNLISTED) if verb is None else _runs.c.verb == verb)
    if tag is not None:
        tag = composed(tag)
        # Whole, between the quotes that JSON puts around it and that no tag contains.
        quoted = json.dumps(tag.lower(), ensure_ascii=False)
        possible = not _NEVER_IN_TAGS & set(tag)
        found.append(sa.func.lower(_marks.c.tags).contains(quoted, autoescape=True) if possible else sa.false())
    for word in composed(text).lower().split():
        columns = [_runs.c.title, _runs.c.checkpoint, _runs.c.verb, _runs.c.split, _marks.c.note]
        if not _NEVER_IN_TAGS & set(word):
            columns.append(_marks.c.tags)
        parts: list[sa.ColumnElement[bool]] = [sa.func.lower(c).contains(word, autoescape=True) for c in columns]
        if len(word) >= _PREFIX:
            parts.append(_runs.c.id.startswith(word, autoescape=True))
        found.append(sa.or_(*parts))
    return found


def fits(row: RunRow, text: str, tag: str | None, verb: str | None) -> bool:
    """Whether a row is found by that search."""
    if row.verb in UNLISTED if verb is None else row.verb != verb:
        return False
    if tag is not None and composed(tag).lower() not in {each.lower() for each in row.tags}:
        return False
    told = [each.lower() for each in (row.title, row.checkpoint, row.verb, row.split, row.note, *row.tags)]
    return all(
        any(word in each for each in told) or (len(word) >= _PREFIX and row.id.startswith(word))
        for word in composed(text).lower().split()
    )
