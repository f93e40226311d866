"""Training from random weights in one call: an architecture in, a checkpoint out."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from snnlab.activations import ActivationSpec
from snnlab.core.errors import DataError, RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import TrainingChoice
from snnlab.data import Dataset, load_dataset, parse_normalization
from snnlab.io import Checkpoint
from snnlab.models import architecture_name, check_architecture, input_shape, named_architecture, num_classes
from snnlab.training.batches import Batches
from snnlab.training.start import FIRST_THRESHOLD, new_network
from snnlab.training.trainer import fit

SOURCES = ("relu", "clipped_relu", "qcfs")
"""Activations that a source network is trained with from random weights."""


def train_new(
    architecture: str | Mapping[str, Any],
    *,
    activation: str = "clipped_relu",
    levels: int | None = None,
    first_threshold: float = FIRST_THRESHOLD,
    dataset: str = "digits",
    folder: str | Path | None = None,
    normalize: str | None = None,
    epochs: int = 30,
    learning_rate: float = 0.1,
    seed: int = 0,
    state: Path | None = None,
    device: str = "cpu",
    progress: ProgressCallback = silent,
    **training: Any,
) -> Checkpoint:
    """Train a source network from random weights, without noise; final weights, no selection.

    So the residual blocks of TTRBR get their network: ``{"family": "resnet", ..., "block": "pre_act"}`` or a name such
    as ``"resnet20-B-pre_act"``, with ``activation="clipped_relu"`` or, quantized, ``"qcfs"`` with ``levels``.

    Args:
        architecture: Name, built for the size and the channels of the dataset's images, or fields as
            ``check_architecture`` takes them.
        activation: One of ``SOURCES``.
        levels: Quantization levels L, for ``qcfs``.
        first_threshold: Start of the learned thresholds, activation units.
        dataset: Its name.
        folder: Where it lies; None for the bundled one.
        normalize: Preset or ``"m1,m2,m3/s1,s2,s3"``; None for the dataset's own.
        epochs: Epochs.
        learning_rate: At the start; a cosine takes it to 0.
        seed: Seed of weights and batches.
        state: Folder that keeps every epoch, from which a stopped training goes on; None keeps nothing.
        device: ``"cpu"`` or ``"cuda"``, as ``fit`` knows them.
        progress: Called after every batch; cancels by raising ``Cancelled``, and finished epochs are kept.
        training: Other fields of ``TrainingChoice``: ``batch_size``, ``images``, ``augment``, ...

    Returns:
        A new checkpoint whose card tells that ``validation``, ``dev`` and ``test`` were not trained on.

    Raises:
        CheckpointError: The architecture is not valid.
        DataError: The dataset cannot be read, or its images have another shape, or other classes, than the network.
        RecipeError: A field that is not valid, or ``state`` holds another training.
        SimulationError: The loss is no longer a number, or this machine has not the device.
    """
    if activation not in SOURCES:
        raise RecipeError(f"activation is {activation[:80]!r}; a new network is trained with {', '.join(SOURCES)}.")
    if (activation == "qcfs") != (levels is not None):
        raise RecipeError("levels belong to qcfs: give L with qcfs, for example levels=4, and none with the others.")
    if not 0 < first_threshold < math.inf:
        raise RecipeError(f"first_threshold is {first_threshold:g}; thresholds start at a number above 0.")
    opened = load_dataset(dataset, folder)
    fields = _sized(architecture, opened) if isinstance(architecture, str) else check_architecture(architecture)
    _check_fit(fields, opened)
    if dataset in ("digits", "mnist"):
        training.setdefault("augment", ("crop",))  # digits are not mirrored
    try:
        choice = TrainingChoice(epochs=epochs, learning_rate=learning_rate, levels=levels, **training)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    spec, normalization = ActivationSpec(activation, levels, first_threshold), normalize or opened.normalization.name
    images = opened.split("train").normalized(parse_normalization(normalization))
    settings = choice.settings() | {"activation": activation, "first_threshold": first_threshold}
    fitted = fit(
        new_network(fields, spec, seed=seed),
        Batches(images, choice.batch_size, choice.augment, seed, choice.images),
        choice,
        folder=state,
        settings=settings | {"architecture": fields, "dataset": dataset, "normalize": normalization, "seed": seed},
        device=device,
        progress=progress,
    )
    name = architecture_name(fields)
    return Checkpoint.from_network(
        fitted.network,
        fields,
        spec,
        name=f"{dataset}-{name.partition(' ')[0]}-{activation}{'' if levels is None else f'-L{levels}'}-seed{seed}",
        dataset=dataset,
        normalization=normalization,
        seen={"train": "yes", "calibration": "yes", "validation": "no", "dev": "no", "test": "no"},
        notes=(f"Trained by snnlab from random weights, {epochs} epochs, seed {seed}.",),
    )


def _sized(name: str, dataset: Dataset) -> dict[str, Any]:
    """A named architecture for the images of a dataset."""
    channels, size, _ = dataset.image_shape
    return check_architecture(
        {**named_architecture(name, dataset.num_classes), "in_channels": channels, "input_size": size}
    )


def _check_fit(architecture: Mapping[str, Any], dataset: Dataset) -> None:
    shape, classes = input_shape(architecture), num_classes(architecture)
    if shape != tuple(dataset.image_shape):
        raise DataError(
            f"The network takes images of shape {shape}, {dataset.name} has {tuple(dataset.image_shape)} (channels, "
            "height, width); set in_channels and input_size."
        )
    if classes != dataset.num_classes:
        raise DataError(f"The network tells {classes} classes apart, {dataset.name} has {dataset.num_classes}.")
