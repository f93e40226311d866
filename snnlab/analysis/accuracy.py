"""Accuracy of ANN and SNN, each from one pass over the images."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from snnlab.analysis.reports import AccuracyCurve
from snnlab.core.errors import DataError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.devices import exact_arithmetic, find_device
from snnlab.simulation.engine import simulate
from snnlab.simulation.images import ImageSource, as_images, check_finite
from snnlab.simulation.recording import Recording
from snnlab.simulation.spiking_model import SpikingModel

_BATCH = 128


def predict(
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    device: str = "cpu",
    progress: ProgressCallback = silent,
) -> np.ndarray:
    """Classes predicted by an ANN in evaluation mode, (images,), int16. The network is left as it was.

    Raises:
        DataError: No image, NaN in one, or images that do not fit the network.
        SimulationError: A device that is not there.
    """
    return predict_with_margins(ann, data, device=device, progress=progress)[0]


def predict_with_margins(
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    device: str = "cpu",
    progress: ProgressCallback = silent,
) -> tuple[np.ndarray, np.ndarray]:
    """``predict``, and the largest minus the second largest logit: (images,) int16, (images,) float32."""
    images, place = as_images(data), find_device(device)
    found, margins = [], []
    if device != "cpu":
        ann = copy.deepcopy(ann).to(place)  # the caller's stays where it is
    with _evaluating(ann), exact_arithmetic():
        for start in range(0, len(images), _BATCH):
            stop = min(start + _BATCH, len(images))
            x = images.batch(start, stop)
            check_finite(x, start)
            logits = _logits(ann, x.to(place))
            best = logits.topk(min(2, logits.shape[1]), dim=1).values
            found.append(logits.argmax(1).cpu().numpy().astype(np.int16))
            margins.append((best[:, 0] - best[:, -1]).float().cpu().numpy())
            progress(stop, len(images), "images through the ANN")
    return np.concatenate(found), np.concatenate(margins)


def num_outputs(ann: nn.Module, images: ImageSource) -> int:
    """How many classes a network tells apart."""
    with _evaluating(ann):
        return int(_logits(ann, images.batch(0, 1)).shape[1])


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _logits(ann: nn.Module, x: Tensor) -> Tensor:
    try:
        return ann(x)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"Images of shape {tuple(x.shape[1:])} do not fit this network: {reason}.") from None


def curve_of(recording: Recording, ann_predictions: np.ndarray, *, name: str, num_classes: int) -> AccuracyCurve:
    """The accuracy curve of a recording.

    Raises:
        DataError: The images had no labels, or a label that the network has no output for.
    """
    if recording.labels is None:
        raise DataError("Accuracy needs labels; pass a pair (images, labels) or a data split.")
    check_labels(recording.labels, num_classes)
    return AccuracyCurve(
        name=name,
        labels=np.asarray(recording.labels).astype(np.int16),
        ann_predictions=ann_predictions,
        snn_predictions=recording.predictions,
        split=recording.split,
        num_classes=num_classes,
    )


def check_labels(labels: np.ndarray, num_classes: int) -> None:
    """Raise if the data has classes that the network does not.

    Raises:
        DataError: Says how many classes each has.
    """
    if len(labels) and int(np.max(labels)) >= num_classes:
        raise DataError(
            f"The data has labels up to {int(np.max(labels))}, but the network tells only {num_classes} classes "
            f"apart (0..{num_classes - 1}); choose the dataset it was trained on."
        )


def accuracy_vs_steps(
    models: Mapping[str, nn.Module],
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    progress: ProgressCallback = silent,
) -> tuple[AccuracyCurve, ...]:
    """Accuracy of conversions of one ANN against t = 1..T, one simulation each.

    Args:
        models: Exactly one ANN and one or more ``SpikingModel``, by the name shown.
        data: Labelled images, normalised.
        num_steps: T.
        progress: Called with images done and in all.

    Returns:
        One curve per spiking model, in the order given.

    Raises:
        DataError: Not exactly one ANN, or images without labels.
    """
    anns = [model for model in models.values() if not isinstance(model, SpikingModel)]
    if len(anns) != 1:
        raise DataError(f"accuracy_vs_steps compares conversions with one ANN; found {len(anns)} ANNs.")
    images = as_images(data)
    ann_predictions = predict(anns[0], images, progress=progress)
    num_classes = num_outputs(anns[0], images)
    return tuple(
        curve_of(
            simulate(model, images, num_steps=num_steps, progress=progress),
            ann_predictions,
            name=name,
            num_classes=num_classes,
        )
        for name, model in models.items()
        if isinstance(model, SpikingModel)
    )
