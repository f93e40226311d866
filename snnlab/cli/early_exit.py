"""The verb ``early-exit``: stop each image when its margin passes a limit."""

import math
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json
from snnlab.cli.running import carry_out

if TYPE_CHECKING:
    from snnlab.analysis.reports import EarlyExit, Exit

Within = Annotated[float, typer.Option(help="Points of accuracy that the limit may cost on validation.")]


@opt.takes_flags()
def early_exit(flags: opt.Flags, within: Within = 0.0, json: opt.Json = False) -> None:
    """Mean time-steps and accuracy when each image stops as soon as its margin passes a limit.

    The limit is chosen on validation: the smallest one that keeps the accuracy after T steps, apart from --within
    points. --split and --limit name the images that it is applied to.
    """
    from snnlab.analysis.reports import EarlyExit
    from snnlab.runs.early_exit import early_exit_run

    run, looks = carry_out(partial(early_exit_run, within=within), opt.make_recipe(flags, snapshots=()))
    report = run.reports["early_exit"]
    assert isinstance(report, EarlyExit), "stored under its own name"
    if json:
        print_json(early_exit_as_json(report) | {"recipe_sha": run.recipe_sha, "test_looks": looks})
        return
    found, full = report.found, report.correct[-1].mean()
    limit = "none before T" if math.isinf(found.limit) else f"{found.limit:.4f}"
    typer.echo(f"{run.title}, {report.split}, {report.images} images, 95 % bootstrap intervals over images")
    typer.echo(f"  limit of the margin  {limit}, chosen on {report.choosing_images} images of {report.choosing_split}")
    typer.echo(f"  mean time-steps      {found.steps:.2f}  {found.steps_low:.2f} to {found.steps_high:.2f}")
    typer.echo(f"  accuracy             {found.accuracy:.2%}  {found.low:.2%} to {found.high:.2%}")
    low, high = 100 * found.difference_low, 100 * found.difference_high
    typer.echo(
        f"  T = {report.num_steps} for all        {full:.2%}; early exit {100 * found.difference:+.2f} points "
        f"[{low:+.2f}, {high:+.2f}]"
    )
    if report.warm_up_told:
        typer.echo(f"  {report.warm_up_told}")


def early_exit_as_json(report: "EarlyExit") -> dict[str, Any]:
    """Early exit as the command line prints it; a limit that no margin reaches is None."""
    return {
        "num_steps": report.num_steps,
        "within": report.within,
        "warm_up_steps": report.warm_up_steps,
        "chosen": _plain(report.found),
        "accuracy_at_T": float(report.correct[-1].mean()),
        "fixed_T_of_equal_accuracy": report.fixed_steps(report.found.accuracy),
        "ann_accuracy": float(report.ann_correct.mean()),
        "curve": [_plain(each) for each in report.curve],
        "images": report.images,
        "split": report.split,
        "chosen_on": {"split": report.choosing_split, "images": report.choosing_images},
    }


def _plain(found: "Exit") -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in asdict(found).items()}
