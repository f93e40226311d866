"""``snnlab train-new``: a source network from random weights, as a checkpoint file."""

import hashlib
import json as jsonlib
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli import train as fine
from snnlab.cli.console import print_json, progress_bar, warn
from snnlab.core.errors import RecipeError, StoreError

Architecture = Annotated[
    str | None,
    typer.Option(help="Name (resnet20-A, vgg16, ...), for the dataset's images; a YAML file; or fields as JSON."),
]
Block = Annotated[
    str | None, typer.Option(help="Residual blocks: post_act, pre_act or dual_neuron. Default: post_act.")
]
Activation = Annotated[str, typer.Option(help="relu, clipped_relu or qcfs.")]
Levels = Annotated[int | None, typer.Option(help="Quantization levels L, for qcfs.")]
FirstThreshold = Annotated[float | None, typer.Option(help="Start of the learned thresholds. Default: 4.")]
DatasetName = Annotated[str, typer.Option(help=opt.DATASET_NAMES)]
Epochs = Annotated[int, typer.Option(help="Epochs.")]
LearningRate = Annotated[float, typer.Option(help="At the start; a cosine takes it to 0.")]
Seed = Annotated[int, typer.Option(help="Seed of weights and batches.")]
Out = Annotated[Path | None, typer.Option(help="Checkpoint file to write, NAME.safetensors.")]


def train_new(
    architecture: Architecture = None,
    block_form: Block = None,
    activation: Activation = "clipped_relu",
    levels: Levels = None,
    first_threshold: FirstThreshold = None,
    dataset: DatasetName = "digits",
    data_dir: opt.DataDir = None,
    normalize: opt.Normalize = None,
    epochs: Epochs = 30,
    images: fine.Images = None,
    batch_size: fine.BatchSize = None,
    learning_rate: LearningRate = 0.1,
    augment: fine.Augment = None,
    label_smoothing: fine.Smoothing = None,
    average: fine.Average = None,
    seed: Seed = 0,
    out: Out = None,
    state: fine.State = None,
    device: fine.Device = "cpu",
    json: opt.Json = False,
) -> None:
    """Train a source network from random weights, without noise: final weights, no selection.

    Finished epochs are kept: the same line goes on where it was stopped. ``train`` fine-tunes a checkpoint.
    """
    if architecture is None:
        raise RecipeError("Name the network to train with --architecture, for example resnet20-A.")
    if out is None:
        raise RecipeError("Name the checkpoint to write with --out FILE.safetensors.")
    _check_file(out)
    chosen: dict[str, Any] = {
        "images": images,
        "batch_size": batch_size,
        "augment": None if augment is None else fine.augmentations(augment),
        "label_smoothing": label_smoothing,
        "average": average,
        "first_threshold": first_threshold,
    }
    asked = {
        "architecture": _architecture(architecture, block_form),
        "activation": activation,
        "levels": levels,
        "dataset": dataset,
        "folder": None if data_dir is None else str(Path(data_dir).expanduser().resolve()),
        "normalize": normalize,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "seed": seed,
        **{name: value for name, value in chosen.items() if value is not None},
    }
    told = _trained(asked, out, state, device)
    if json:
        print_json(told)
        return
    typer.echo(f"wrote {out}: {told['name']}, {told['sites']} sites")
    if told["ann_accuracy"] is not None:
        low, high = told["ann_interval"]
        typer.echo(f"  ANN {told['ann_accuracy']:8.2%}  {low:.2%} to {high:.2%}, dev, {told['images']} images, 95 %")


def _trained(asked: dict[str, Any], out: Path, state: Path | None, device: str) -> dict[str, Any]:
    """Train, write the file, and tell it in plain values."""
    from snnlab.analysis.accuracy import predict
    from snnlab.analysis.reports import wilson_interval
    from snnlab.runs.storage import enforce_training_quota, training_in_use
    from snnlab.runs.store import Store
    from snnlab.sweeps.places import tagged_trainings
    from snnlab.training import train_new as train

    place = state or _kept(asked)
    with training_in_use([place]) if state is None else nullcontext():
        if state is None:
            with suppress(StoreError):  # without the store nobody knows what is spared
                enforce_training_quota(tagged_trainings(Store()))
        try:
            with progress_bar() as progress:
                made = train(**asked, state=place, device=device, progress=progress)
        except KeyboardInterrupt:
            warn("finished epochs are kept: the same line goes on from there.")
            raise
    written = made.save(out)
    card, dev = written.card, written.data("dev", folder=asked["folder"])
    right = int((predict(written.build(), dev) == dev.labels).sum()) if len(dev) else None
    return {
        "file": str(out),
        "sha256": card.sha256,
        "name": card.name,
        "architecture": dict(card.architecture),
        "activation": card.activation,
        "levels": card.levels,
        "sites": len(written.sites),
        "dataset": card.dataset,
        "normalization": card.normalization,
        "epochs": asked["epochs"],
        "seed": asked["seed"],
        "split": "dev",
        "images": len(dev),
        "ann_accuracy": None if right is None else right / len(dev),
        "ann_interval": None if right is None else [float(side) for side in wilson_interval(right, len(dev))],
    }


def _kept(asked: dict[str, Any]) -> Path:
    """Where the epochs of a training are kept that is given no folder: one for each way to ask."""
    from snnlab.core.recipe import RESULTS_VERSION
    from snnlab.runs.paths import training_folder

    values = {"results_version": RESULTS_VERSION, "new": asked}
    return training_folder() / hashlib.sha256(jsonlib.dumps(values, sort_keys=True).encode()).hexdigest()[:32]


def _architecture(text: str, block: str | None) -> Any:
    """A name, or the fields of an architecture, with this form of its blocks."""
    from snnlab.io.declared import read_yaml
    from snnlab.models import check_architecture
    from snnlab.models.architecture import BLOCKS

    if block is not None and block not in BLOCKS:
        raise RecipeError(f"--block-form {block[:80]!r} is none of {', '.join(BLOCKS)}.")
    found = opt.read_architecture(text)
    if isinstance(found, str) and Path(found).suffix in (".yaml", ".yml"):
        found = read_yaml(found)
    if block is None:
        return found
    return f"{found}-{block}" if isinstance(found, str) else {**check_architecture(found), "block": block}


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise RecipeError(f"--out {str(path)!r} is a folder; name a file, NAME.safetensors.")
    if path.suffix != ".safetensors":
        raise RecipeError(f"--out {str(path)!r} has not the suffix of a checkpoint; name it NAME.safetensors.")
    if not path.parent.exists():
        raise RecipeError(f"--out {str(path)!r}: the folder {str(path.parent)!r} does not exist.")
