"""What verbs that run a recipe share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from snnlab.cli.console import progress_bar
from snnlab.cli.stored import keep
from snnlab.core.errors import RecipeError
from snnlab.core.registry import card

if TYPE_CHECKING:
    from snnlab.core.recipe import Recipe
    from snnlab.runs.run import Run


def execute(recipe: "Recipe", device: str) -> "tuple[Run, int | None]":
    """Run a recipe on a device and store it; (run, looks at its test set: None when they could not be counted)."""
    from snnlab.runs.execute import analyse_prepared, resolve

    started = time.perf_counter()
    with progress_bar() as progress:
        prepared = resolve(recipe, progress=progress)
        run = analyse_prepared(prepared, started=started, device=device, progress=progress)
    return run, keep(run)


def carry_out(analysis: "Callable[..., Run]", recipe: "Recipe") -> "tuple[Run, int | None]":
    """Run an analysis of a recipe, ``analysis(recipe, progress=...)``, and store it; returns as ``execute``."""
    with progress_bar() as progress:
        run = analysis(recipe, progress=progress)
    return run, keep(run)


def simulated_until(made: "Recipe", last: int | None) -> "Recipe":
    """The recipe of numbers at T that simulates on up to ``last``: T is its only snapshot. As it was for None.

    Raises:
        RecipeError: ``last`` lies before T, or after it where the network is converted for one T.
    """
    step, method = made.num_steps, made.converter.method
    if last is None:
        return made
    if last < step:
        raise RecipeError(f"--until {last} lies before T = {step}; numbers at T need all steps up to it.")
    if last > step and card(method).depends_on_num_steps:
        raise RecipeError(
            f"{method} converts for one number of time-steps: nothing is simulated after T = {step}; leave --until out."
        )
    return made.changed(num_steps=last, snapshots=(step,))


def steps_of(text: str, option: str) -> tuple[int, ...]:
    """The time-steps that an option names.

    Raises:
        RecipeError: It is not a list of whole numbers.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise RecipeError(f"{option} {text!r} is not a list of whole numbers such as 1,2,4.") from None


def check_figure_path(path: Path) -> None:
    """Refuse a file that no figure can be written to, before anything takes time.

    Raises:
        RecipeError: Another ending, or a folder that does not exist.
    """
    if path.suffix.lower() not in (".pdf", ".svg", ".png"):
        raise RecipeError(f"--out {str(path)!r} must end in .pdf, .svg or .png.")
    if not path.parent.exists():
        raise RecipeError(f"--out {str(path)!r}: the folder {str(path.parent)!r} does not exist.")
