"""The verb ``residuals``: what was left in the membranes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, warn
from snnlab.cli.running import check_figure_path, execute, steps_of


@opt.takes_flags()
def residuals(
    flags: opt.Flags,
    snapshots: Annotated[
        str | None, typer.Option(help="Time-steps, 1,2,4; default: every t up to 8, then powers of two.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the figure: FILE.pdf, .svg or .png.")] = None,
    device: opt.Device = "cpu",
    json: opt.Json = False,
) -> None:
    """How the residual membrane potential v(t) is distributed at every site, by class of spike-count error."""
    from snnlab.runs.defaults import default_snapshots

    made = opt.make_recipe(flags, snapshots=None if snapshots is None else steps_of(snapshots, "--snapshots"))
    if not made.snapshots:
        made = made.changed(snapshots=default_snapshots(made.num_steps))
    if out is not None:
        check_figure_path(out)
    run, _ = execute(made.changed(traces=0), device)
    report = run.residuals
    assert report is not None, "the recipe has snapshots"
    if json:
        print_json(residuals_as_json(report))
    elif out is None:
        columns = ["site", "step", "mean", "std", "silent", "exact", "excess", "missing", "saturated", "right"]
        typer.echo(report.to_frame()[columns].to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    if out is not None:
        from snnlab import figures

        figures.residual_overview(report, report.steps[-1]).save(out, preset="double")
        warn(f"wrote {out}, residuals at t = {report.steps[-1]}")


def residuals_as_json(report: Any) -> dict[str, Any]:
    """The residual report as the command line prints it: potentials in thresholds, shares of all neurons x images."""
    from snnlab.core.histogram import EDGES

    columns = (
        "mean", "std", "min", "max", "below_zero", "at_or_above_threshold", "silent", "exact", "excess", "missing",
        "saturated", "right",
    )  # fmt: skip
    frame = report.to_frame()
    edges = EDGES.tolist()
    sites = []
    for i, name in enumerate(report.names):
        rows = frame[frame["site"] == name].to_dict("records")
        counts = report.histogram[i].sum(axis=1)
        sites.append(
            {
                "name": name,
                "threshold": float(report.thresholds[i]),
                "largest_identity_error": float(report.identity_error[i]),
                "snapshots": [
                    {"step": row["step"]}
                    | {column: row[column] for column in columns}
                    | {"histogram": {"edges": edges, "counts": counts[j].tolist()}}
                    for j, row in enumerate(rows)
                ],
            }
        )
    return {"sites": sites, "changed_weights": list(report.changed_weights)}
