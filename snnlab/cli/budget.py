"""The verbs ``budget`` and ``restore``: where the error comes from, and which layer is to blame."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, warn
from snnlab.cli.running import carry_out, check_figure_path, simulated_until

if TYPE_CHECKING:
    from snnlab.analysis.reports import ErrorBudget, Restoration

Out = Annotated[Path | None, typer.Option(help="Write the figure: FILE.pdf, .svg or .png.")]
Channels = Annotated[str | None, typer.Option(metavar="SITE", help="Say too what every channel of a site adds.")]
_TERMS = ("uneven", "quantization", "clipping", "activation", "propagated")


@opt.takes_flags()
def budget(
    flags: opt.Flags,
    until: opt.Until = None,
    out: Out = None,
    channels: Channels = None,
    json: opt.Json = False,
) -> None:
    """Split SNN minus ANN at T into uneven, quantization, clipping, activation and propagated error, site by site.

    Means over neurons and images, in activation units; the five add up to the total, exactly.
    """
    from snnlab.runs.budget import budget_run

    if out is not None:
        check_figure_path(out)
    made = opt.make_recipe(flags, snapshots=())
    run, looks = carry_out(budget_run, simulated_until(made, until))
    step, report = made.num_steps, cast("ErrorBudget", run.reports["budget"])
    by_channel = None if channels is None else report.channel_frame(channels, step)
    if out is not None:
        from snnlab import figures

        figures.error_terms(report, step).save(out, preset="double")
        warn(f"wrote {out}, the error budget at t = {step}")
    if json:
        told = budget_as_json(report, step)
        if by_channel is not None:
            told["channels"] = {"site": channels, "rows": by_channel.to_dict("records")}
        print_json(told | ({"test_looks": looks} if looks else {}))
        return
    frame = report.to_frame()
    frame = frame[frame["step"] == step][["site", "threshold", *_TERMS, "resolution", "own", "total"]]
    typer.echo(f"{run.title}, T = {step}, {report.images} images of {report.split}: means in activation units")
    typer.echo(frame.to_string(index=False, float_format=lambda value: f"{value:.5f}"))
    if report.changed_weights:
        typer.echo(f"{len(report.changed_weights)} weights are not the ANN's: what they change counts as propagated.")
    typer.echo(f"largest violation of the sum: {report.largest_sum_error:.2g} thresholds")
    if by_channel is not None:
        typer.echo(f"\n{channels}, channel by channel")
        typer.echo(by_channel.to_string(index=False, float_format=lambda value: f"{value:.5f}"))


@opt.takes_flags()
def restore(flags: opt.Flags, until: opt.Until = None, out: Out = None, json: opt.Json = False) -> None:
    """Let one site at a time emit the ANN's activation, simulate the rest, and say how much accuracy that regains."""
    from snnlab.runs.budget import restore_run

    if out is not None:
        check_figure_path(out)
    made = opt.make_recipe(flags, snapshots=())
    run, looks = carry_out(restore_run, simulated_until(made, until))
    step, report = made.num_steps, cast("Restoration", run.reports["restoration"])
    if out is not None:
        from snnlab import figures

        figures.restoration(report, step).save(out, preset="double")
        warn(f"wrote {out}, restoration at t = {step}")
    if json:
        print_json(restoration_as_json(report, step) | ({"test_looks": looks} if looks else {}))
        return
    frame = report.to_frame()[["part", "name", "regained", "low", "high", "accuracy"]]
    ann, snn = report.ann_correct.mean(), report.snn_correct[report.snapshot(step)].mean()
    typer.echo(f"{run.title}, T = {step}, {report.images} images of {report.split}: ANN {ann:.2%}, SNN {snn:.2%}")
    frame[["regained", "low", "high", "accuracy"]] *= 100
    typer.echo("points regained where a site, or all of a stage, emits the ANN's activation; 95 % intervals")
    typer.echo(frame.to_string(index=False, float_format=lambda value: f"{value:.2f}"))


def budget_as_json(report: "ErrorBudget", step: int) -> dict[str, Any]:
    """The budget at one t as the command line prints it: means over elements in activation units."""
    rows = report.to_frame()
    rows = rows[rows["step"] == step]
    kept = ("threshold", *_TERMS, "resolution", "own", "total", "total_direct")
    sites = [
        {
            "name": row["site"],
            **{name: row[name] for name in kept},
            "mean_absolute": {name: row[f"mean_absolute_{name}"] for name in (*_TERMS, "resolution", "own", "total")},
            "sum_error": row["sum_error"],
        }
        for row in rows.to_dict("records")
    ]
    return {
        "sites": sites,
        "largest_sum_error": float(report.sum_error[:, report.snapshot(step)].max()),
        "num_steps": step,
        "images": report.images,
        "split": report.split,
        "changed_weights": list(report.changed_weights),
    }


def restoration_as_json(report: "Restoration", step: int) -> dict[str, Any]:
    """What is regained at one t as the command line prints it: fractions, as accuracies are."""

    def rows(names: tuple[str, ...], found: list[Any]) -> list[dict[str, Any]]:
        return [
            {"name": name, "regained": each.value, "low": each.low, "high": each.high}
            for name, each in zip(names, found, strict=True)
        ]

    return {
        "sites": rows(report.names, report.regained(step)),
        "stages": rows(report.stages, report.regained_by_stage(step)),
        "num_steps": step,
        "ann_accuracy": float(report.ann_correct.mean()),
        "snn_accuracy": float(report.snn_correct[report.snapshot(step)].mean()),
        "images": report.images,
        "split": report.split,
    }
