"""Where ANN and SNN disagree: predictions, margins, and the distance of their representations at every site."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from snnlab.analysis.accuracy import check_labels, num_outputs, predict_with_margins
from snnlab.analysis.reports import FlipReport
from snnlab.calibration.beside import AnnBeside
from snnlab.core.errors import DataError, SimulationError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.engine import simulate
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.recording import Recording
from snnlab.simulation.spiking_model import SpikingModel

MOST_PICTURES = 600
"""So many images are kept to look at; those that flip at the latest steps come first."""

MOST_PIXELS = 64
"""Pictures are at most so many pixels wide and high."""


def find_flips(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    steps: Sequence[int] | None = None,
    classes: Sequence[str] = (),
    progress: ProgressCallback = silent,
) -> FlipReport:
    """Images on which an ANN and its SNN disagree, at every t up to T.

    Args:
        snn: The converted network.
        ann: The network it was converted from; both are left alone.
        data: Labelled images, normalised; pictures of them are kept where they are a data split.
        num_steps: T, the last step simulated; agreement for good is judged up to it.
        steps: Steps at which representations are compared, each in 1..T; None for T alone.
        classes: Class names; numbers where there are none.
        progress: Called with images done and in all; cancels by raising ``Cancelled``.

    Raises:
        DataError: Images without labels, or a label that the network has no output for.
        SimulationError: T below 1, or a step outside 1..T.
        ConversionError: The two networks have different sites.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> ann, images = ckpt.build(), ckpt.data("dev", limit=64)
        >>> report = sl.analysis.find_flips(sl.convert(ann, "qcfs"), ann, images, num_steps=8, steps=[1, 2])
        >>> sum(report.counts(2).values()) == len(report.flips(2)) == int(report.flipped(2).sum())
        True
    """
    return flips_and_recording(snn, ann, data, num_steps=num_steps, steps=steps, classes=classes, progress=progress)[0]


def flips_and_recording(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Sequence[Tensor]",
    *,
    num_steps: int,
    steps: Sequence[int] | None = None,
    classes: Sequence[str] = (),
    dtype: torch.dtype = torch.float32,
    progress: ProgressCallback = silent,
) -> tuple[FlipReport, Recording]:
    """As ``find_flips``, with the recording of the simulation behind it."""
    images = as_images(data)
    if images.labels is None:
        raise DataError("Flips are told apart by labels; pass a pair (images, labels) or a data split.")
    at = tuple(sorted(set(steps))) if steps is not None else (num_steps,)
    if outside := [t for t in at if not 1 <= t <= num_steps]:
        raise SimulationError(f"Step t = {outside[0]} lies outside 1..{num_steps}, the simulated time-steps.")
    predictions, margins = predict_with_margins(ann, images, progress=progress)
    distances = _Distances(snn, ann, images, at, dtype)
    recording = simulate(snn, images, num_steps=num_steps, dtype=dtype, observe=distances.observe, progress=progress)
    labels = np.asarray(images.labels).astype(np.int16)
    outputs = num_outputs(ann, images)
    check_labels(labels, outputs)
    if classes and len(classes) != outputs:
        raise DataError(f"There are {len(classes)} class names, but the network tells {outputs} classes apart.")
    names = tuple(str(name) for name in classes or range(outputs))
    shown = _shown(recording.predictions != predictions)
    return FlipReport(
        name=snn.method,
        names=distances.names,
        steps=at,
        labels=labels,
        ann_predictions=predictions,
        ann_margins=margins,
        snn_predictions=recording.predictions,
        snn_margins=recording.margins,
        distances=distances.found,
        pictures=pictures(images, shown),
        pictured=shown.astype(np.int32),
        classes=names,
        split=images.name,
    ), recording


def distance(mean_output: Tensor, activation: Tensor) -> Tensor:
    r"""How far two activations are apart, relative to both: 0 equal, 1 nothing in common, for each image.

    .. math:: \lVert b - a \rVert / \sqrt{\lVert b \rVert^2 + \lVert a \rVert^2}

    Activations of either sign reach :math:`\sqrt 2`; where both are all zero the distance is 0.

    Args:
        mean_output: b, (images, ...).
        activation: a, the same shape.

    Returns:
        (images,), float64.

    Example:
        >>> distance(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        tensor([0., 1.], dtype=torch.float64)
    """
    b, a = mean_output.flatten(1).double(), activation.flatten(1).double()
    apart, size = ((b - a) ** 2).sum(1), (b**2).sum(1) + (a**2).sum(1)
    return torch.where(size > 0, apart / torch.where(size > 0, size, 1.0), 0.0).sqrt()


def pictures(images: ImageSource, which: np.ndarray) -> np.ndarray:
    """Images to look at, (len(which), height, width, channels), uint8; none where the source keeps no pixels."""
    pixels, scale = getattr(images, "pixels", None), getattr(images, "scale", None)
    if pixels is None or scale is None:
        return np.zeros((0, 1, 1, 1), np.uint8)
    stride = max(1, -(-max(pixels.shape[2:]) // MOST_PIXELS))
    chosen = np.asarray(pixels[which])[:, :, ::stride, ::stride].astype(np.float64) / scale
    return np.round(255 * np.clip(chosen, 0, 1)).astype(np.uint8).transpose(0, 2, 3, 1)


def _shown(apart: np.ndarray) -> np.ndarray:
    """Images that flip at some step, at most ``MOST_PICTURES``, those first that flip latest; ascending."""
    last = len(apart) - np.argmax(apart[::-1], axis=0)
    flipped = np.flatnonzero(apart.any(axis=0))
    return np.sort(flipped[np.argsort(-last[flipped], kind="stable")][:MOST_PICTURES])


class _Distances:
    """Compares what the SNN emits at every site with the ANN's activation of the same images, as they stream by."""

    def __init__(
        self, snn: SpikingModel, ann: nn.Module, images: ImageSource, steps: tuple[int, ...], dtype: torch.dtype
    ) -> None:
        self.beside, self.steps = AnnBeside(ann, snn, images, dtype), steps
        self.names = self.beside.names
        self.found = np.zeros((len(steps), len(self.names), len(images)), np.float16)

    def observe(self, name: str, emitted: Tensor, start: int) -> None:
        """Take one site of one micro-batch; ``emitted`` is what went out, (T, n, ...), activation units."""
        if name not in self.names:
            return
        stop = start + emitted.shape[1]
        _, activation = self.beside.at(name, start, stop)
        total = torch.zeros(emitted.shape[1:], dtype=torch.float64)
        before = 0
        for place, t in enumerate(self.steps):
            total = total + emitted[before:t].sum(0, dtype=torch.float64).cpu()
            before = t
            self.found[place, self.names.index(name), start:stop] = distance(total / t, activation).numpy()
