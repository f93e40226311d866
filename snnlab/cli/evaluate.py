"""The verb ``evaluate``: accuracy over time-steps, of one conversion or of one for each T."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, warn
from snnlab.cli.running import execute, steps_of
from snnlab.core.errors import RecipeError

if TYPE_CHECKING:
    from snnlab.runs.run import Run


@opt.takes_flags()
def evaluate(
    flags: opt.Flags,
    curve: Annotated[
        str, typer.Option(help="prefix: converted for T, read at t = 1..T; exact: converted anew for each of --steps.")
    ] = "prefix",
    steps: Annotated[str | None, typer.Option(help="Time-steps of --curve exact, 4,8,16.")] = None,
    device: opt.Device = "cpu",
    json: opt.Json = False,
) -> None:
    """Accuracy of the ANN and of its SNN at t = 1..T.

    The two curves differ for methods that depend on T alone; for all others every t of one run is exact.
    """
    if curve not in ("prefix", "exact"):
        raise RecipeError(f"--curve {curve!r} is neither prefix nor exact.")
    if (curve == "exact") != (steps is not None):
        raise RecipeError("--steps names the time-steps of --curve exact, and goes with it; for example 4,8,16.")
    if steps is not None:
        _evaluate_exactly(flags, steps_of(steps, "--steps"), device, json)
        return
    run, looks = execute(opt.make_recipe(flags, snapshots=()), device)
    _print_prefix(run, looks, json)


def _evaluate_exactly(flags: opt.Flags, steps: tuple[int, ...], device: str, json: bool) -> None:
    """One run for each T, each converted for it."""
    # Without noise, whose targets may lie beyond a smaller T and which has no part in this.
    recipe = opt.make_recipe(replace(flags, num_steps=max(steps)), snapshots=()).changed(noise=None)
    found = [(t, *execute(recipe.changed(num_steps=t), device)) for t in sorted(set(steps))]
    first = found[0][1].accuracy
    rows = [(t, run.accuracy.snn_accuracy[-1], [side[-1] for side in run.accuracy.snn_interval]) for t, run, _ in found]
    if json:
        print_json(
            {
                "curve": "exact",
                "ann_accuracy": first.ann_accuracy,
                "ann_interval": list(first.ann_interval),
                "steps": [t for t, _, _ in rows],
                "snn_accuracy": [float(accuracy) for _, accuracy, _ in rows],
                "snn_interval": [[float(interval[side]) for _, _, interval in rows] for side in (0, 1)],
                "converted_for": [run.conversion.converted_for for _, run, _ in found],
                "findings": [run.conversion.findings for _, run, _ in found],
                "images": first.images,
                "split": first.split,
                "test_looks": found[-1][2],
                "recipe_sha": [run.recipe_sha for _, run, _ in found],
                "notes": list(found[0][1].notes),
                **_latency(found[0][1], [t for t, _, _ in rows]),
            }
        )
        return
    typer.echo(f"{found[0][1].title}, {first.split}, {first.images} images, 95 % intervals, converted for each T")
    _tell_latency(found[0][1])
    typer.echo(f"  ANN      {first.ann_accuracy:8.2%}  {first.ann_interval[0]:.2%} to {first.ann_interval[1]:.2%}")
    for t, accuracy, (low, high) in rows:
        typer.echo(f"  T = {t:<4} {accuracy:8.2%}  {low:.2%} to {high:.2%}")
    _tell_chosen(found[0][1])


def _latency(run: "Run", steps: Iterable[int]) -> dict[str, Any]:
    """The total latency at these steps, where it is not t itself."""
    return {"total_latency": [run.conversion.total_latency(t) for t in steps]} if run.conversion.warm_up_steps else {}


def _tell_latency(run: "Run") -> None:
    if run.conversion.warm_up_steps:
        typer.echo(f"  counted after {run.conversion.warm_up_steps} steps of warm-up: total latency T + that")


def _tell_chosen(run: "Run") -> None:
    for sentence in run.conversion.chosen_on(run.recipe.data.split):
        warn(sentence)


def _print_prefix(run: "Run", looks: int | None, json: bool) -> None:
    curve = run.accuracy
    if json:
        print_json(
            {
                "curve": "prefix",
                "converted_for": run.conversion.converted_for,
                "findings": run.conversion.findings,
                "ann_accuracy": curve.ann_accuracy,
                "steps": list(range(1, curve.num_steps + 1)),
                "snn_accuracy": curve.snn_accuracy.tolist(),
                "images": curve.images,
                "split": curve.split,
                "test_looks": looks,
                "sites": len(run.card["sites"]),
                "recipe": run.recipe.to_dict(),
                "recipe_sha": run.recipe_sha,
                "seconds": run.environment["seconds"],
                "ann_interval": list(curve.ann_interval),
                "snn_interval": [side.tolist() for side in curve.snn_interval],
                "notes": list(run.notes),
                **_latency(run, range(1, curve.num_steps + 1)),
            }
        )
        return
    low, high = curve.snn_interval
    ann_low, ann_high = curve.ann_interval
    typer.echo(f"{run.title}, {curve.split}, {curve.images} images, 95 % intervals")
    _tell_latency(run)
    typer.echo(f"  ANN      {curve.ann_accuracy:8.2%}  {ann_low:.2%} to {ann_high:.2%}")
    for t, accuracy in enumerate(curve.snn_accuracy):
        typer.echo(f"  T = {t + 1:<4} {accuracy:8.2%}  {low[t]:.2%} to {high[t]:.2%}")
    _tell_chosen(run)
