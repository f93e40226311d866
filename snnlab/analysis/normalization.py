"""The normalisation detective: which preset does this network expect?"""

from collections.abc import Callable, Mapping

import numpy as np
from torch import nn

from snnlab.analysis.accuracy import check_labels, predict
from snnlab.analysis.reports import NormalizationReport
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.images import ImageSource


def rank_normalizations(
    ann: nn.Module,
    sources: Mapping[str, Callable[[], ImageSource]],
    *,
    dataset: str,
    num_classes: int,
    chosen: str = "",
    progress: ProgressCallback = silent,
) -> NormalizationReport:
    """Accuracy of the ANN on the same labelled training images under each normalisation.

    Training images, because test images never choose anything.

    Args:
        ann: The network.
        sources: Preset name -> the images under it.
        dataset: Name of the dataset, for the report.
        num_classes: Outputs of the network.
        chosen: Preset in use, to be warned about.
        progress: Called after every batch.

    Raises:
        DataError: The images do not fit the network, or have more classes.
    """
    correct: dict[str, int] = {}
    images = 0
    for name, make in sources.items():
        source = make()
        labels = np.asarray(source.labels)
        check_labels(labels, num_classes)
        images = len(source)
        correct[name] = int((predict(ann, source, progress=progress) == labels).sum())
    # Stable: of equal presets the one in use stands first, then the order given.
    order = sorted(correct, key=lambda name: (-correct[name], name != chosen))
    return NormalizationReport(
        names=tuple(order),
        correct=np.array([correct[name] for name in order]),
        images=images,
        dataset=dataset,
        chosen=chosen,
    )
