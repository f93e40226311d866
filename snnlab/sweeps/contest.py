"""The plan of a tournament: its methods, its cells, and which of them the store holds. Imports without torch.

A cell is one conversion on one draw of calibration images: a recipe of its own, which ``snnlab evaluate --recipe``
runs too. Its key in the store is that of the recipe, so a tournament that was stopped or changed runs what is missing,
and nothing twice.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snnlab.core.errors import RecipeError
from snnlab.core.recipe import BESIDE_CONVERSION, ConverterChoice, Recipe, TournamentChoice
from snnlab.core.registry import card as method_card
from snnlab.runs.defaults import why_unfit
from snnlab.runs.store import Store
from snnlab.sweeps.snippets import source_words

VERB, CELL = "tournament", "cell"


@dataclass(frozen=True)
class CellPlan:
    """One cell.

    Args:
        entrant: Place of its method.
        seed: Place of its calibration seed, from 0.
        steps: T that are read from it, ascending.
        recipe: What it runs.
        told: What it is, in words.
    """

    entrant: int
    seed: int
    steps: tuple[int, ...]
    recipe: Recipe
    told: str

    @property
    def weight(self) -> int:
        """What it costs to simulate, in steps of an image where the number of images is equal."""
        return self.recipe.num_steps


@dataclass(frozen=True)
class LiveTournament:
    """How far a tournament is.

    Args:
        cells: Its cells in the order in which they run.
        kept: Which of them the store holds.
    """

    cells: tuple[CellPlan, ...]
    kept: tuple[bool, ...]

    @property
    def done(self) -> int:
        """Finished cells."""
        return sum(self.kept)

    @property
    def next(self) -> CellPlan | None:
        """The cell that runs, or runs next; None where none is left."""
        return next((cell for cell, kept in zip(self.cells, self.kept, strict=True) if not kept), None)


def contest_of(recipe: Recipe) -> TournamentChoice:
    """The recipe's tournament.

    Raises:
        RecipeError: It names none.
    """
    if recipe.tournament is None:
        raise RecipeError("The recipe names no tournament; give its methods and its T in the part `tournament`.")
    return recipe.tournament


def entrants(recipe: Recipe, card: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The rows of the methods as ``Tournament`` has them.

    Args:
        recipe: With ``tournament``.
        card: Card of the checkpoint, as plain values.
    """
    contest, rows = contest_of(recipe), []
    for choice in contest.methods:
        known = method_card(choice.method)
        why = why_unfit(known, card, choice.parameters)
        if not why:
            try:
                choice.check_code()
            except RecipeError as error:
                why = str(error)
        suffix = _told_apart(choice, contest)
        rows.append(
            {
                "name": choice.method + suffix,
                "method": choice.method,
                "title": known.title + suffix + known.display_name.removeprefix(known.title),
                "evidence": known.evidence,
                "parameters": choice.parameters,
                "depends_on_num_steps": known.depends_on_num_steps,
                "seeds": 0 if why else contest.seeds if _draws(choice) else 1,
                "why": why,
            }
        )
    return tuple(rows)


def plan(recipe: Recipe, card: Mapping[str, Any]) -> tuple[CellPlan, ...]:
    """The cells of a tournament, all methods of a seed before the next seed, few time-steps before many.

    So who stops early has whole comparisons. A method that is converted for one T has a cell for each T; of the others
    one simulation holds every T.

    Args:
        recipe: With ``tournament``, complete as ``resolve`` makes it.
        card: Card of the checkpoint, as plain values.
    """
    contest, cells = contest_of(recipe), []
    rows = entrants(recipe, card)
    for seed in range(contest.seeds):
        for place, (choice, row) in enumerate(zip(contest.methods, rows, strict=True)):
            if seed >= row["seeds"]:
                continue
            each = [(step,) for step in contest.steps] if row["depends_on_num_steps"] else [contest.steps]
            drawn = contest.calibration_images > 0 and _draws(choice)
            for steps in each:
                at = f" at T = {steps[0]}" if len(steps) == 1 else ""
                which = f", seed {recipe.seed + seed}" if row["seeds"] > 1 else ""
                cells.append(
                    CellPlan(place, seed, steps, cell_recipe(recipe, choice, steps[-1], seed, drawn=drawn),
                             f"{row['title']}{at}{which}")
                )  # fmt: skip
    return tuple(sorted(cells, key=lambda cell: (cell.seed, cell.weight)))


def cell_recipe(recipe: Recipe, choice: ConverterChoice, num_steps: int, seed: int, *, drawn: bool) -> Recipe:
    """What one cell runs: the tournament's recipe with one method, one T and one draw, and nothing else.

    Args:
        recipe: Of the tournament.
        choice: Method.
        num_steps: T to convert for and to simulate to.
        seed: Place of the calibration seed.
        drawn: Whether the method calibrates on a draw.
    """
    values = recipe.to_dict()
    for part in (*BESIDE_CONVERSION, "calibration", "seed"):
        values.pop(part, None)
    draw = {"images": contest_of(recipe).calibration_images, "seed": recipe.seed + seed}
    return Recipe.parse(
        {
            **values,
            "converter": choice.model_dump(mode="json", exclude_none=True),
            "num_steps": num_steps,
            "snapshots": (),
            "traces": 0,
            **({"calibration": draw} if drawn else {}),
        }
    )


def live_tournament(recipe: Recipe, card: Mapping[str, Any], store: Store, device: str = "cpu") -> LiveTournament:
    """What of a tournament is done, by whomever; reads the list of cells.

    Args:
        recipe: With ``tournament``, complete.
        card: Card of the checkpoint, as plain values.
        store: Where cells are kept.
        device: Kind of device that it runs on.

    Raises:
        StoreError: The store cannot be read.
    """
    cells = plan(recipe, card)
    keys = {row.key for row in store.list(verb=CELL)}
    return LiveTournament(cells, tuple(cell.recipe.key(device) in keys for cell in cells))


def as_tournament_cli(recipe: Recipe, *, file: str = "recipe.yaml") -> str:
    """The ``snnlab tournament`` line that gives the same numbers.

    Args:
        recipe: With ``tournament``.
        file: File that holds the recipe, for what options cannot say.
    """
    contest = contest_of(recipe)
    plain = all(not choice.sites and not _changed(choice) for choice in contest.methods)
    if not plain or recipe.own_files:
        loads = [word for name in recipe.own_files for word in ("--load", name)]
        return shlex.join(["snnlab", "tournament", "--recipe", file, *loads])
    words = ["snnlab", "tournament", *source_words(recipe)]
    words += ["--methods", ",".join(choice.method for choice in contest.methods)]
    words += ["--num-steps", ",".join(map(str, contest.steps)), "--seeds", str(contest.seeds)]
    words += ["--calibration-images", str(contest.calibration_images)]
    if recipe.dtype != "float32":
        words += ["--dtype", recipe.dtype]
    if recipe.seed:
        words += ["--seed", str(recipe.seed)]
    return shlex.join(words)


def _draws(choice: ConverterChoice) -> bool:
    return "calibration_data" in method_card(choice.method).needs_of(choice.parameters)


def _changed(choice: ConverterChoice) -> dict[str, Any]:
    defaults = {parameter.name: parameter.default for parameter in method_card(choice.method).parameters}
    return {name: value for name, value in choice.parameters.items() if value != defaults.get(name)}


def _told_apart(choice: ConverterChoice, contest: TournamentChoice) -> str:
    """What stands behind the name of a method that takes part more than once."""
    same = [each for each in contest.methods if each.method == choice.method]
    if len(same) == 1:
        return ""
    differing = [name for name in choice.parameters if len({repr(each.parameters.get(name)) for each in same}) > 1]
    told = ", ".join(f"{name} = {choice.parameters[name]}" for name in differing)
    return f" ({told})" if told else f" ({1 + same.index(choice)})"
