"""Edits of a conversion: what each run's conversion is changed to in this session, with undo and redo."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import state

_KEPT = "edits"
FIELDS = ("threshold", "v0")
NOT_DRAWN: tuple[str, tuple[str, ...]] = ("none", ())

Choice = dict[str, Any]
"""The converter part of a recipe: method, parameters, sites."""


class EditError(ValueError):
    """An edit that cannot be made; the message is one sentence."""


@dataclass
class History:
    """The conversions that a run was changed to, the run's own first.

    Args:
        steps: Converter choices.
        at: Which of them is shown.
        revision: Raised whenever something else than the site table changes it: the table then starts afresh.
        seen: Site -> cells of the site table that are already part of the steps.
        drawn: Key of the site table that was drawn last, and its sites.
    """

    steps: list[Choice]
    at: int = 0
    revision: int = 0
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    drawn: tuple[str, tuple[str, ...]] = NOT_DRAWN

    @property
    def now(self) -> Choice:
        """The conversion as edited."""
        return self.steps[self.at]

    @property
    def edited(self) -> bool:
        """Whether it differs from the run's own."""
        return self.now != self.steps[0]

    def push(self, choice: Choice) -> None:
        """Take a further step; what was undone is forgotten."""
        if choice != self.now:
            self.steps = [*self.steps[: self.at + 1], choice]
            self.at += 1

    def go(self, to: int) -> None:
        """Show another step."""
        self.at = min(max(to, 0), len(self.steps) - 1)
        self.refresh()

    def refresh(self) -> None:
        """Let the site table start afresh."""
        self.revision += 1
        self.seen, self.drawn = {}, NOT_DRAWN


def of(run: "sl.runs.Run") -> History:
    """The edits of a run in this session; they stay while other runs are looked at."""
    kept: dict[str, History] = st.session_state.setdefault(_KEPT, {})
    if run.id not in kept:
        kept[run.id] = History([run.recipe.to_dict()["converter"]])
    return kept[run.id]


def recipe(run: "sl.runs.Run", choice: Choice) -> "sl.Recipe":
    """The run's recipe under another conversion; the run's own where nothing is changed.

    Raises:
        RecipeError: A value is not valid; says which.
    """
    if choice == run.recipe.to_dict()["converter"]:
        return run.recipe
    return run.recipe.changed(converter=choice, noise=None)


def change(run: "sl.runs.Run", choice: Choice) -> None:
    """Make an edit; the address no longer names the run, as the page shows something else.

    Raises:
        RecipeError: A value is not valid; nothing is changed then.
    """
    if choice == of(run).now:
        return
    valid = recipe(run, choice).to_dict()["converter"]
    of(run).push(valid)
    _tell_address(run)


def go(run: "sl.runs.Run", to: int) -> None:
    """Undo or redo to a step."""
    of(run).go(to)
    _tell_address(run)


def reset(run: "sl.runs.Run") -> None:
    """Drop every edit of the run; the last one can still be had back by undoing."""
    history = of(run)
    history.push(history.steps[0])
    history.refresh()
    _tell_address(run)


def _tell_address(run: "sl.runs.Run") -> None:
    if of(run).edited:
        state.drop_run()
    else:
        state.show_run(run.id, by_hand=False)


def with_sites(choice: Choice, changes: Mapping[str, Mapping[str, float | None]]) -> Choice:
    """A conversion with other values at some sites; None takes a value back to the method's."""
    sites = {name: dict(values) for name, values in choice.get("sites", {}).items()}
    for name, values in changes.items():
        merged = {**sites.get(name, {}), **values}
        sites[name] = {key: value for key, value in merged.items() if value is not None}
    return {**choice, "sites": {name: values for name, values in sites.items() if values}}


def checked(name: str, quantity: str, value: Any) -> float:
    """A number that a site can take.

    Raises:
        EditError: It is none; names the site and says what would do.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise EditError(f"{name}: {value!r} is no number, so {quantity} stays as it was.") from None
    if not math.isfinite(number):
        raise EditError(f"{name}: {quantity} must be a finite number, so it stays as it was.")
    if quantity != "v(0)" and number <= 0:
        raise EditError(f"{name}: {quantity} must be above 0, not {number:g}; it stays as it was.")
    return number


def wild(choice: Choice, num_steps: int) -> list[str]:
    """Sites whose v(0) alone decides what they fire, one sentence each."""
    found = []
    for name, values in choice.get("sites", {}).items():
        v0 = values.get("v0", 0.0)
        if v0 >= num_steps:
            found.append(f"{name}: v(0) = {v0:g} thresholds pay for a spike at every one of {num_steps} time-steps.")
        elif v0 <= -num_steps:
            found.append(f"{name}: v(0) = {v0:g} thresholds must be filled before the first spike.")
    return found


def sites_in(names: Sequence[str], scope: str) -> list[str]:
    """The sites that a scope of ``scopes`` means."""
    kind, _, which = scope.partition(":")
    if kind == "site":
        return [which]
    return [name for name in names if kind == "all" or sl.figures.stage_of(name) == which]


def scopes(names: Sequence[str]) -> dict[str, str]:
    """What an edit may apply to: scope -> how it is called; all sites, each stage, each site."""
    stages: dict[str, int] = {}
    for name in names:
        stages[sl.figures.stage_of(name)] = stages.get(sl.figures.stage_of(name), 0) + 1
    found = {"all:": f"All {len(names)} sites"}
    if len(stages) < len(names):
        found |= {f"stage:{stage}": f"Stage {stage}, {count}" for stage, count in stages.items() if count > 1}
    return found | {f"site:{name}": name for name in names}
