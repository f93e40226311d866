"""The network that a training starts from: new, a checkpoint, or a checkpoint with other activations."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from snnlab.activations import ActivationSpec, GaussianNoise, describe, is_activation, is_quantized, with_noise
from snnlab.calibration.thresholds import measure_activations
from snnlab.core.errors import ConversionError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.sites import Site
from snnlab.data import ImageSplit
from snnlab.graph import prepare
from snnlab.io import Checkpoint
from snnlab.models import build

FIRST_THRESHOLD = 4.0
"""Start of the learned thresholds of a new network; at 1 they can turn negative."""

PERCENTILE = 99.9
"""Of the activations, where thresholds start that are not kept."""


def new_network(architecture: Mapping[str, Any], activation: ActivationSpec, *, seed: int) -> nn.Module:
    """A network with random weights, in training mode."""
    return build(architecture, activation, seed=seed).train()


def start_network(
    checkpoint: Checkpoint,
    activation: str,
    *,
    levels: int | None = None,
    calibration: ImageSplit | None = None,
    progress: ProgressCallback = silent,
    **quantizer: Any,
) -> nn.Module:
    """A checkpoint's network, its activations exchanged for ``activation`` where they differ. The checkpoint stays.

    QCFS and NQ keep learned thresholds. Those of a ReLU network, and of ``lsq_noise`` put in place of anything else,
    start at a high percentile of the activations on the calibration images.

    Args:
        checkpoint: Weights.
        activation: ``"qcfs"``, ``"nq"``, ``"lsq_noise"``, or the name of one from a user's file.
        levels: Quantization levels L, 2^b - 1 for ``lsq_noise``; None keeps the checkpoint's. An activation that has
            none needs none.
        calibration: Images that give the first thresholds where they are measured.
        progress: Called during calibration.
        quantizer: For ``lsq_noise``: ``noise_mode``, ``noise_amp``, ``noise_prob``, ``gradient_scale``.

    Raises:
        ConversionError: Levels neither given nor known, no images where thresholds must be measured, or a site whose
            activations are all 0 there.
    """
    network = checkpoint.build()
    levels = (levels or checkpoint.card.levels) if is_quantized(activation) else None
    if levels is None and is_quantized(activation):
        raise ConversionError(
            f"{checkpoint.card.name} has no quantization levels of its own; give L, for example levels=4."
        )
    names = {name: spec for name, module in network.named_modules() if (spec := describe(module)) is not None}
    thresholds = {name: spec.threshold for name, spec in names.items()}
    # A scale for other levels is no old threshold: s starts from data, as LSQ does.
    kept = activation != "lsq_noise" or (checkpoint.card.activation, checkpoint.card.levels) == (activation, levels)
    if not kept or any(spec.kind == "relu" for spec in names.values()):
        if calibration is None:
            raise ConversionError(
                f"{checkpoint.card.name} has no thresholds to start {activation} from; pass calibration images."
            )
        prepared = prepare(network)
        sites = [Site(name, index, "relu") for index, name in enumerate(prepared.sites)]
        measured = measure_activations(prepared.graph, sites, calibration, percentiles=(PERCENTILE,), progress=progress)
        for site in measured:
            assert site.statistics is not None, "just measured"
            thresholds[site.name] = float(site.statistics.quantiles[PERCENTILE])
            if not thresholds[site.name] > 0:
                raise ConversionError(
                    f"{site.name}: its activations are 0 on the calibration images, so no threshold can start there; "
                    "use more images, or a network in which that site is alive."
                )
    for name in names:
        network.set_submodule(name, ActivationSpec(activation, levels, thresholds[name], **quantizer).make())
    return network.train()


def made_noisy(network: nn.Module) -> nn.Module:
    """Let the activations of a network take noise, whose std is 0 until it is set; changes the network itself."""
    for name, module in dict(network.named_modules()).items():
        if is_activation(module) and not isinstance(module, GaussianNoise):
            network.set_submodule(name, with_noise(module, 0.0))
    return network
