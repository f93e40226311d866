"""The verb ``energy``: operations of every layer, and what they cost against the ANN."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, warn
from snnlab.cli.running import carry_out, check_figure_path, simulated_until

if TYPE_CHECKING:
    from snnlab.analysis.reports import ActivityReport, EnergyReport

FirstLayer = Annotated[
    str, typer.Option(help="Layers that see the analog image: each_step (default), or once, as it does not change.")
]
Biases = Annotated[bool, typer.Option("--biases", help="Count one addition an output and step for a bias.")]
WithoutAdds = Annotated[
    bool, typer.Option("--no-residual-adds", help="Leave the additions of shortcuts out, in SNN and ANN.")
]
Pooled = Annotated[str, typer.Option(help="Average pools: folded into the layer behind (default), or separate.")]
Costs = Annotated[
    list[str] | None,
    typer.Option("--costs", help="Costs of an operation, by name; repeatable; default: those of arithmetic."),
]
Out = Annotated[Path | None, typer.Option(help="Write the figure: FILE.pdf, .svg or .png.")]


@opt.takes_flags()
def energy(
    flags: opt.Flags,
    first_layer: FirstLayer = "each_step",
    biases: Biases = False,
    no_residual_adds: WithoutAdds = False,
    pooled: Pooled = "folded",
    costs: Costs = None,
    until: opt.Until = None,
    out: Out = None,
    json: opt.Json = False,
) -> None:
    """Count spikes and the operations that they cause, exactly, and compare their energy with the ANN's."""
    from snnlab.analysis.reports import Conventions, EnergyReport
    from snnlab.core.energy import ARITHMETIC_COSTS, energy_costs

    if out is not None:
        check_figure_path(out)
    rule = Conventions(cast("Any", first_layer), biases, not no_residual_adds, cast("Any", pooled))
    names = [energy_costs(name).name for name in costs or ARITHMETIC_COSTS]  # before anything takes time
    recipe = opt.make_recipe(flags, snapshots=()).changed(traces=0)
    step = recipe.num_steps

    from snnlab.runs.energy import energy_run

    run, looks = carry_out(energy_run, simulated_until(recipe, until))
    activity = cast("ActivityReport", run.reports["activity"])
    report = EnergyReport.of(activity, rule, costs=names)
    if json:
        print_json(energy_as_json(activity, report, step) | ({"test_looks": looks} if looks else {}))
    elif out is None:
        _print(run.title, activity, report, step)
    if out is not None:
        from snnlab import figures

        figures.energy_vs_steps(report).stamped(recipe_sha=run.recipe_sha, run_id=run.id).save(out, preset="double")
        warn(f"wrote {out}, energy over T against the ANN")


def energy_as_json(activity: "ActivityReport", report: "EnergyReport", step: int) -> dict[str, Any]:
    """Counts and energies at t = ``step`` as the command line prints them: of one image, means over images."""
    rule = report.conventions
    macs, acs = activity.layer_operations(step, rule)
    ann_macs, ann_acs = activity.ann_operations(rule)
    frame = activity.to_frame()
    rows = frame[frame["step"] == step].to_dict("records")
    layers = [
        {
            "name": row["layer"],
            "kind": row["kind"],
            "input": row["input"],
            "sources": row["sources"].split(" + ") if row["sources"] else [],
            "firing_rate": row["firing_rate"] if row["sources"] else None,
            "syn_ops": row["syn_ops"],
            "snn_macs": float(macs[i]),
            "snn_acs": float(acs[i]),
            "ann_macs": row["ann_macs"],
            "nominal_macs": row["nominal_macs"],
            "ann_acs": float(ann_acs[i]),
        }
        for i, row in enumerate(rows)
    ]
    ends = [float(end) if activity.images > 1 else None for end in activity.interval(step)]
    sets = []
    for costs in report.chosen:
        low, high = (float(end[step - 1]) if report.images > 1 else None for end in report.interval(costs.name))
        sets.append(
            {
                "costs": costs.name,
                "title": costs.title,
                "source": costs.source,
                "mac_pj": costs.mac,
                "ac_pj": costs.ac,
                "sop_pj": costs.sop,
                "across_technologies": costs.across,
                "snn_pj": float(report.snn(costs.name)[step - 1]),
                "low": low,
                "high": high,
                "ann_pj": report.ann(costs.name),
                "ratio": float(report.ratio(costs.name)[step - 1]),
                "crossover": report.crossover(costs.name).told(),
            }
        )
    rates = dict(zip(activity.sites, activity.firing_rates(step).tolist(), strict=True))
    return {
        "num_steps": step,
        "warm_up_steps": activity.warm_up_steps,
        "split": activity.split,
        "images": activity.images,
        "layers": layers,
        "sites": [{"name": name, "firing_rate": rate} for name, rate in rates.items()],
        "totals": {
            "syn_ops": activity.per_image(step),
            "low": ends[0],
            "high": ends[1],
            "snn_macs": float(macs.sum()),
            "snn_acs": float(acs.sum()),
            "ann_macs": int(ann_macs.sum()),
            "ann_acs": float(ann_acs.sum()),
            "nominal_macs": int(activity.nominal_macs.sum()),
        },
        "conventions": {
            "first_layer": rule.first_layer,
            "biases": rule.biases,
            "residual_adds": rule.residual_adds,
            "pooled": rule.pooled,
            "memory": False,
        },
        "energy": sets,
        "crossover": {costs.name: report.crossover(costs.name).told()["value"] for costs in report.chosen},
    }


def _print(title: str, activity: "ActivityReport", report: "EnergyReport", step: int) -> None:
    frame = activity.to_frame()
    shown = frame[frame["step"] == step][["layer", "input", "firing_rate", "syn_ops", "ann_macs"]]
    typer.echo(f"{title}, T = {step}, {activity.split}, {activity.images} images; operations of one image")
    typer.echo(shown.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.4g}"))
    across = any(costs.across for costs in report.chosen)
    told = "chips across technologies, with their memory; the ANN without" if across else "arithmetic alone"
    typer.echo(f"\nEnergy of one image, {told}; 95 % intervals over images")
    columns = ["costs", "mac_pj", "ac_pj", "sop_pj", "ann_nj", "snn_nj", "ratio", "low", "high", "crossover"]
    summary = report.summary(step)
    typer.echo(summary[columns].to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.4g}"))
    for row in summary.to_dict("records"):
        if row["why"]:
            typer.echo(f"  {row['costs']}: {row['why']}")
