"""What runs are called in menus and legends: as short as still tells them apart, the whole name in a tooltip."""

from collections.abc import Callable, Sequence

import snnlab as sl
from pages._ui import label

_LONGEST = 40


def data(row: "sl.runs.RunRow") -> str:
    """Dataset, split, images, and the normalisation where it was chosen."""
    chosen = row.recipe.data
    normalize = f", {label.name(chosen.normalize, 16)}" if chosen.normalize else ""
    return f"{chosen.dataset}, {chosen.split}, {row.images:,}{normalize}"


def data_key(row: "sl.runs.RunRow") -> str:
    """Equal for runs on the same images."""
    chosen = row.recipe.data
    return f"{chosen.dataset}|{chosen.split}|{row.images}|{chosen.normalize}|{chosen.sha256}"


def whole(row: "sl.runs.RunRow") -> str:
    """Everything that a menu leaves out."""
    parameters = label.parameters(row.recipe, None)
    method = label.method(row.recipe) + (f", {parameters}" if parameters else "")
    what = f"{label.name(row.checkpoint, 90)}: {_prefix(row)}{method}"
    return f"{what}, T {row.recipe.num_steps}, {data(row)}, run {row.id[:12]}"


def among(rows: "Sequence[sl.runs.RunRow]") -> dict[str, str]:
    """Run id -> its name beside these others: the checkpoint and method, and of the rest only what differs.

    Args:
        rows: Everything that is listed or drawn together.
    """
    checkpoints = {row.sha256 for row in rows}
    names = {row.id: conversion for row, conversion in zip(rows, _conversions(rows), strict=True)}
    if len(checkpoints) > 1:
        names = {row.id: f"{label.name(row.checkpoint, _LONGEST)} · {names[row.id]}" for row in rows}
    return _distinct(names)


def beside(current: "sl.runs.RunRow", others: "Sequence[sl.runs.RunRow]") -> dict[str, str]:
    """Run id -> its name in a list of what the current run may be compared with; of its own checkpoint the conversion.

    Args:
        current: The run in view.
        others: The list.
    """
    names: dict[str, str] = {}
    for sha in dict.fromkeys(row.sha256 for row in others):
        of = [row for row in others if row.sha256 == sha]
        with_current = [*of, current] if sha == current.sha256 else of
        for row, conversion in zip(of, _conversions(with_current), strict=False):
            checkpoint = label.name(row.checkpoint, _LONGEST)
            if sha == current.sha256:
                names[row.id] = conversion
            else:
                names[row.id] = checkpoint if len(of) == 1 else f"{checkpoint} · {conversion}"
    return _distinct(names)


def marked(names: dict[str, str], mark: str, which: Callable[[str], bool]) -> dict[str, str]:
    """The same names, those of some runs with a remark.

    Args:
        names: Run id -> name.
        mark: The remark.
        which: Run id -> whether it gets one.
    """
    return {run_id: f"{name} · {mark}" if which(run_id) else name for run_id, name in names.items()}


def _conversions(rows: "Sequence[sl.runs.RunRow]") -> list[str]:
    """Method, and what differs of parameters, edits, T and images."""
    steps = {row.recipe.num_steps for row in rows}
    choices: dict[str, set[str]] = {}
    images: dict[str, set[str]] = {}
    for row in rows:
        choices.setdefault(row.recipe.converter.method, set()).add(row.recipe.converter.model_dump_json())
        images.setdefault(row.sha256, set()).add(data_key(row))
    found = []
    for row in rows:
        recipe = row.recipe
        parts = [_prefix(row) + label.method(recipe)]
        if len(choices[recipe.converter.method]) > 1:
            parts.append(label.parameters(recipe, None))
        if len(steps) > 1:
            parts.append(f"T {recipe.num_steps}")
        if len(images[row.sha256]) > 1:
            parts.append(data(row))
        found.append(", ".join(part for part in parts if part))
    return found


def _prefix(row: "sl.runs.RunRow") -> str:
    """What kind of run it is, before its name; nothing for a conversion."""
    return "" if sl.runs.is_conversion(row.verb) else sl.runs.VERBS[row.verb].prefix


def _distinct(names: dict[str, str]) -> dict[str, str]:
    shown = list(names.values())
    return {run_id: f"{name} · {run_id[:6]}" if shown.count(name) > 1 else name for run_id, name in names.items()}
