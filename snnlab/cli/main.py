"""The verbs of the ``snnlab`` command."""

import functools
import inspect as inspect_module
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab import __version__
from snnlab.cli import options as opt
from snnlab.cli import runs
from snnlab.cli.attribute import attribute
from snnlab.cli.budget import budget, restore
from snnlab.cli.console import one_line_errors, print_json, progress_bar, warn
from snnlab.cli.diagnose import diagnose
from snnlab.cli.early_exit import early_exit
from snnlab.cli.energy import energy
from snnlab.cli.flips import flips
from snnlab.cli.launcher import DEFAULT_PORT, LOOPBACK, start_app
from snnlab.cli.noise import fit_noise
from snnlab.cli.running import check_figure_path, execute, steps_of
from snnlab.cli.tournament import tournament
from snnlab.cli.train import train
from snnlab.cli.train_new import train_new
from snnlab.core.errors import CheckpointError, RecipeError
from snnlab.core.registry import card

if TYPE_CHECKING:
    from snnlab.runs.run import Run

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Convert ANNs to spiking networks and see where the error comes from.",
)  # fmt: skip
data_app = typer.Typer(no_args_is_help=True, help="Datasets.")
app.add_typer(data_app, name="data")

_state = {"debug": False}


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    _state["debug"] = debug
    # Before torch is imported: threads that spin while they wait take the cores from those that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if version:
        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _verb(function: Callable[..., None]) -> Callable[..., None]:
    """Errors of a verb become one line."""

    @functools.wraps(function)
    def wrapped(**values: Any) -> None:
        with one_line_errors(_state["debug"]):
            function(**values)

    wrapped.__signature__ = inspect_module.signature(function)  # type: ignore[attr-defined]  # what typer reads
    return wrapped


app.add_typer(runs.commands(_verb), name="runs")


@app.command("app")
@_verb
def run_app(
    port: Annotated[int, typer.Option(help="TCP port.")] = DEFAULT_PORT,
    address: Annotated[str, typer.Option(help="Address to listen on; others than loopback: --trusted-network.")] = (
        LOOPBACK
    ),
    trusted_network: Annotated[
        bool, typer.Option("--trusted-network", help="Let other machines in: everyone who reaches the address.")
    ] = False,
    workers: Annotated[int | None, typer.Option(metavar="N", help="Batch jobs at once (default: cores).")] = None,
    load: opt.Load = None,
) -> None:
    """Open the workbench in the browser."""
    start_app(port, address, trusted_network=trusted_network, workers=workers, load=load or ())


@app.command()
@_verb
def info(
    checkpoint: Annotated[str, typer.Argument(metavar="CKPT", help="Checkpoint file or bundled name.")],
    architecture: opt.Architecture = None,
    levels: opt.Levels = None,
    dataset: opt.DatasetOption = None,
    data_dir: opt.DataDir = None,
    json: opt.Json = False,
) -> None:
    """Say what a checkpoint is: architecture, sites, learned thresholds, and what its file cannot tell.

    With --dataset, rank the networks that the file may hold by their accuracy on 500 training images.
    """
    from snnlab.io import load_checkpoint

    if dataset is not None:
        _rank(checkpoint, dataset, data_dir, json)
        return
    card = load_checkpoint(checkpoint, architecture=architecture, levels=levels).card
    if json:
        print_json(
            {
                "architecture": card.architecture_name,
                "classes": card.num_classes,
                "sites": card.to_dict()["sites"],
                "activation": card.activation,
                "levels": card.levels,
                "source": card.source,
                "sha256": card.sha256,
                "parameters": card.parameters,
                "input_shape": list(card.input_shape),
                "normalization": card.normalization,
                "dataset": card.dataset,
                "unknown": list(card.unknown),
                "notes": list(card.notes),
            }
        )
        return
    levels_text = f", L = {card.levels}" if card.levels else ""
    typer.echo(f"{card.name}: {card.architecture_name}, {card.activation}{levels_text}, {card.num_classes} classes")
    typer.echo(f"{card.parameters:,} parameters, {len(card.sites)} sites, recognised as {card.source}")
    typer.echo(f"SHA-256 {card.sha256}")
    for site in card.sites:
        threshold = "" if site["threshold"] is None else f"  threshold {site['threshold']:.4f}"
        typer.echo(f"  {site['name']}{threshold}")
    if card.unknown:
        typer.echo(f"The file does not tell: {', '.join(card.unknown)}.")
    for note in card.notes:
        warn(note)


def _rank(checkpoint: str, dataset: str, data_dir: str | None, json: bool) -> None:
    import yaml

    from snnlab.data import load_dataset
    from snnlab.runs.execute import rank_architectures

    with progress_bar() as progress:
        rows = rank_architectures(checkpoint, load_dataset(dataset, data_dir), progress=progress)
    if json:
        print_json({"candidates": rows})
        return
    for row in rows:
        typer.echo(
            f"{row['accuracy']:8.2%}  {row['low']:.2%} to {row['high']:.2%} on {row['images']} training images, "
            f"normalisation {row['normalization']}"
        )
    typer.echo("\nThe best as a file for --architecture:\n" + yaml.safe_dump(rows[0]["architecture"], sort_keys=False))


@app.command()
@_verb
def inspect(
    checkpoint: Annotated[str, typer.Argument(metavar="CKPT", help="Checkpoint file or bundled name.")],
    architecture: opt.Architecture = None,
    levels: opt.Levels = None,
    json: opt.Json = False,
) -> None:
    """List every operation of a network and the rule that conversion applies to it."""
    from snnlab.graph import inspect as inspect_network
    from snnlab.io import load_checkpoint

    coverage = inspect_network(load_checkpoint(checkpoint, architecture=architecture, levels=levels).build())
    if json:
        print_json({"operations": list(coverage.to_rows()), "sites": list(coverage.sites)})
    else:
        typer.echo(coverage.to_frame().to_string(index=False))
    coverage.require_convertible()


@app.command()
@_verb
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


@app.command()
@_verb
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


app.command("fit-noise")(_verb(fit_noise))
app.command("flips")(_verb(flips))
app.command("attribute")(_verb(attribute))
app.command("energy")(_verb(energy))
app.command("early-exit")(_verb(early_exit))
app.command("budget")(_verb(budget))
app.command("restore")(_verb(restore))
app.command()(_verb(diagnose))


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


@app.command()
@_verb
@opt.takes_flags(without=("split", "limit", "seed", "dtype"))
def convert(
    flags: opt.Flags,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("snn.safetensors"),
    json: opt.Json = False,
) -> None:
    """Write the converted network as one file, for ``snnlab.load_snn``."""
    from snnlab.runs.execute import convert_prepared, resolve
    from snnlab.simulation import save_snn

    if out.suffix != ".safetensors":
        raise RecipeError(f"--out {str(out)!r} must end in .safetensors.")
    without_steps = flags.num_steps is None and flags.recipe is None
    recipe = opt.make_recipe(replace(flags, num_steps=1) if without_steps else flags, snapshots=())
    method = recipe.converter.method
    if without_steps and card(method).depends_on_num_steps:
        raise RecipeError(f"{method} converts for one number of time-steps; give it with --num-steps T.")
    with progress_bar() as progress:
        prepared = resolve(recipe, progress=progress)
        snn = convert_prepared(prepared, progress=progress)
    source = Path(prepared.recipe.checkpoint.source)
    if out.exists() and source.exists() and out.samefile(source):
        raise CheckpointError(f"--out {str(out)!r} is the checkpoint itself; give the converted network another name.")
    save_snn(snn, out, checkpoint=prepared.checkpoint)
    for note in prepared.notes:
        warn(note)
    rows = [
        {"name": name, "threshold": float(neuron.threshold.mean()), "v0": float(neuron.initial_fraction.mean())}
        for name, neuron in snn.sites.items()
    ]
    if json:
        told = {"converted_for": snn.converted_for, "findings": snn.findings}
        print_json({"file": str(out), "method": snn.method, "sites": rows, **told})
    else:
        typer.echo(f"{out}: {len(rows)} sites, {snn.method}")


@app.command()
@_verb
def methods(load: opt.Load = None, json: opt.Json = False) -> None:
    """List the conversion methods, and the activations of your own files."""
    from dataclasses import asdict

    from snnlab.core.registry import methods

    opt.load_code(load or ())
    if json:
        print_json([asdict(known) for known in (*methods(), *methods("activation"))])
        return
    for known in (*methods(), *methods("activation")):
        parameters = ", ".join(f"{parameter.name}={parameter.default}" for parameter in known.parameters)
        typer.echo(f"{known.name:21} {known.year}  {known.evidence:15} {parameters}\n{'':22}{known.summary}")


@app.command()
@_verb
def doctor(json: opt.Json = False) -> None:
    """Versions, threads, fonts, browser, and a self-test of the identities."""
    from snnlab.cli.doctor import examine

    findings = examine()
    if json:
        print_json({finding.name: {"value": finding.value, "ok": finding.ok} for finding in findings})
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.value}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


app.command("tournament")(_verb(opt.takes_flags(without=("method", "set", "site", "num_steps"))(tournament)))
app.command("train")(_verb(opt.takes_flags(without=("num_steps",))(train)))
app.command("train-new")(_verb(train_new))


@data_app.command("fetch")
@_verb
def fetch(
    name: Annotated[str, typer.Argument(help="cifar10, cifar100 or mnist.")],
    data_dir: opt.DataDir = None,
) -> None:
    """Download a dataset with its checksum (needs the internet)."""
    from snnlab.data import fetch as fetch_dataset

    with progress_bar() as progress:
        folder = fetch_dataset(name, data_dir, progress=progress)
    typer.echo(f"{name} is in {folder}")


if __name__ == "__main__":
    app()
