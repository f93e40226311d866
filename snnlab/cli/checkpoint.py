"""The verbs ``info``, ``inspect`` and ``convert``: what a checkpoint is, what conversion does to it, and its SNN."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, progress_bar, warn
from snnlab.core.errors import CheckpointError, RecipeError
from snnlab.core.registry import card as method_card


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
    if without_steps and method_card(method).depends_on_num_steps:
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
