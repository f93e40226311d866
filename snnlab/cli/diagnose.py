"""The verb ``diagnose``: what is to blame for a conversion's loss, and what could be tried."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json
from snnlab.cli.noise import read_profile
from snnlab.cli.running import carry_out

if TYPE_CHECKING:
    from snnlab.analysis.reports import Diagnosis
    from snnlab.core.recipe import Recipe

NoiseFile = Annotated[
    Path | None, typer.Option("--noise", metavar="FILE", help="A noise profile to compare with the measured gap.")
]


@opt.takes_flags()
def diagnose(flags: opt.Flags, noise: NoiseFile = None, json: opt.Json = False) -> None:
    """Say in at most five findings what is to blame for the loss at T, each with its size and something to try.

    Nothing is predicted: every finding has the line that measures what its proposal brings.
    """
    from snnlab.runs.defaults import DIAGNOSED_IMAGES
    from snnlab.runs.diagnosis import diagnosis_run

    recipe = opt.make_recipe(flags, snapshots=())
    if flags.limit is None and flags.recipe is None:
        recipe = recipe.changed(data={"limit": DIAGNOSED_IMAGES})
    if noise is not None:
        recipe = recipe.changed(noise={"std": read_profile(noise, recipe.num_steps)})
    run, _ = carry_out(diagnosis_run, recipe)
    report: Diagnosis = run.reports["diagnosis"]  # type: ignore[assignment]  # stored under its own name
    if json:
        print_json(diagnosis_as_json(report, run.recipe) | {"recipe_sha": run.recipe_sha})
        return
    ann, snn = report.ann_correct.mean(), report.snn_correct.mean()
    where = f"{report.split}, {report.images:,} images"
    typer.echo(f"{run.title}, T = {report.num_steps}, {where}: ANN {ann:.2%}, SNN {snn:.2%}")
    if not report.findings:
        typer.echo(f"Nothing stands out; looked for: {', '.join(report.considered).replace('_', ' ')}.")
    for place, row in enumerate(diagnosis_as_json(report, run.recipe)["findings"], start=1):
        typer.echo(f"{place}. {row['words']}")
        if row["regained"] is not None:
            span = f"[{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
            typer.echo(f"   Restoring this site regains {100 * row['regained']:+.1f} points {span}.")
        if row["command"]:
            typer.echo(f"   {row['experiment']} Try it:\n   {row['command']}")


def diagnosis_as_json(report: "Diagnosis", recipe: "Recipe") -> dict[str, Any]:
    """The findings as the command line prints them; ``command`` is the line that measures what a proposal brings."""
    from dataclasses import asdict

    from snnlab.runs.proposals import command_for

    labelled = len(report.ann_correct) > 0
    return {
        "findings": [
            {"rank": place, **asdict(finding), "command": command_for(recipe, finding)}
            for place, finding in enumerate(report.found(), start=1)
        ],
        "considered": list(report.considered),
        "num_steps": report.num_steps,
        "ann_accuracy": float(report.ann_correct.mean()) if labelled else None,
        "snn_accuracy": float(report.snn_correct.mean()) if labelled else None,
        "images": report.images,
        "split": report.split,
        "method": report.method,
    }
