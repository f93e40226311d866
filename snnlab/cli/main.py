"""The verbs of the ``snnlab`` command."""

import functools
import inspect as inspect_module
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from snnlab import __version__
from snnlab.cli import options as opt
from snnlab.cli import runs
from snnlab.cli.attribute import attribute
from snnlab.cli.budget import budget, restore
from snnlab.cli.checkpoint import convert, info, inspect
from snnlab.cli.console import one_line_errors, print_json, progress_bar
from snnlab.cli.diagnose import diagnose
from snnlab.cli.early_exit import early_exit
from snnlab.cli.energy import energy
from snnlab.cli.evaluate import evaluate
from snnlab.cli.flips import flips
from snnlab.cli.launcher import DEFAULT_PORT, LOOPBACK, start_app
from snnlab.cli.noise import fit_noise
from snnlab.cli.residuals import residuals
from snnlab.cli.tournament import tournament
from snnlab.cli.train import train
from snnlab.cli.train_new import train_new

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


app.command()(_verb(info))
app.command()(_verb(inspect))
app.command()(_verb(evaluate))
app.command()(_verb(residuals))
app.command("fit-noise")(_verb(fit_noise))
app.command()(_verb(flips))
app.command()(_verb(attribute))
app.command()(_verb(energy))
app.command("early-exit")(_verb(early_exit))
app.command()(_verb(budget))
app.command()(_verb(restore))
app.command()(_verb(diagnose))
app.command()(_verb(convert))


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
