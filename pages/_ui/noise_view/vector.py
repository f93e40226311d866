"""A vector that the user pastes: a JSON list or a column of numbers, one a site."""

import json
import math
import re

MOST_TEXT = 100_000


class VectorError(ValueError):
    """What is wrong with a pasted vector, one sentence for the user."""


def parse(text: str, names: tuple[str, ...], what: str) -> list[float]:
    """The numbers, one a site, input first.

    Args:
        text: What was pasted.
        names: Site names.
        what: What the numbers are, plural, for the sentence.

    Raises:
        VectorError: Too few or many, negative, or no numbers; says how many are needed.
    """
    needed = f"{len(names)} {what} are needed, one a site, input first"
    words = _words(text.strip()[:MOST_TEXT])
    if not words:
        raise VectorError(f"There are no numbers in what was pasted; {needed}.")
    values = []
    for place, word in enumerate(words, 1):
        value = _number(word)
        if not math.isfinite(value):
            raise VectorError(f"Entry {place} of what was pasted is {str(word)[:20]!r}, not a number; {needed}.")
        values.append(value)
    if len(values) != len(names):
        raise VectorError(f"{len(values)} numbers were pasted; {needed}.")
    for place, value in enumerate(values, 1):
        if value < 0:
            raise VectorError(f"Entry {place} of what was pasted is negative ({value:g}); {needed}, each 0 or more.")
        if value > 1e4:
            raise VectorError(f"Entry {place} of what was pasted is {value:g}; {needed}, each at most 10,000.")
    return values


def _number(word: object) -> float:
    if isinstance(word, bool) or not isinstance(word, str | int | float):
        return math.nan
    try:
        return float(word)
    except (ValueError, OverflowError):
        return math.nan


def _words(text: str) -> list[object]:
    if text.startswith("["):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return found
    return list(re.findall(r"[^\s,;\[\]]+", text))
