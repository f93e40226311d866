"""ANN -> SpikingModel: prepare the graph, calibrate if asked, put the converter's neuron at every site."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from snnlab.activations import describe
from snnlab.calibration import CalibrationContext, measure_activations
from snnlab.converters.base import Converter
from snnlab.core.errors import ConversionError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.registry import method_class
from snnlab.core.sites import Site
from snnlab.graph import prepare
from snnlab.graph.prepare import PreparedNetwork, with_output_site
from snnlab.simulation.edits import with_edits
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.spiking_model import SpikingModel, assemble


def convert(
    ann: nn.Module,
    method: str | Converter,
    *,
    data: "ImageSource | Tensor | Sequence[Tensor] | None" = None,
    validation: "ImageSource | Sequence[Tensor] | None" = None,
    num_steps: int | None = None,
    sites: Mapping[str, Mapping[str, float | None]] | None = None,
    progress: ProgressCallback = silent,
    **parameters: Any,
) -> SpikingModel:
    """Convert an ANN into a spiking network. ``ann`` is left alone.

    Args:
        ann: Trained network, one activation module per site.
        method: Registered name, or a configured converter.
        data: Calibration images, normalised, for methods that need them.
        validation: Labelled images, normalised, for methods that choose among candidates.
        num_steps: T to convert for, for methods that depend on it; others take no notice.
        sites: Edits by hand: site name -> ``threshold`` (activation units) and / or ``v0`` (fraction of it).
        progress: Called during calibration; cancels by raising ``Cancelled``.
        **parameters: Hyper-parameters of a method given by name.

    Returns:
        The spiking network.

    Raises:
        ConversionError: The network, or one of its sites, cannot be converted so; names the node and the fix.
        RecipeError: Unknown method or parameter.

    Example:
        >>> import snnlab as sl
        >>> snn = sl.convert(sl.example("digits-vgg-qcfs-L8").build(), "qcfs")
        >>> len(snn.sites)
        9
    """
    converter = method if isinstance(method, Converter) else method_class(method).create(**parameters)  # type: ignore[attr-defined]
    network = prepare(ann)
    facts = _site_facts(network)
    if converter.spikes_at_output:
        network = with_output_site(network)
        facts = (*facts, Site(network.sites[-1], len(facts), "identity"))
    if "calibration_data" in converter.card.needs_of(converter.parameters):
        if data is None:
            raise ConversionError(f"{converter.card.name} needs calibration images; pass data=.")
        facts = measure_activations(
            network.graph,
            facts,
            as_images(data),
            percentiles=converter.percentiles,
            per_channel=converter.wants_channels,
            statistic=converter.calibration,
            progress=progress,
        )
    context = CalibrationContext(
        network,
        facts,
        method=converter.card.name,
        images=None if data is None else as_images(data),
        validation=None if validation is None else as_images(validation),
        steps=num_steps,
        progress=progress,
    )
    specs = converter.calibrate(context)
    snn = assemble(
        network,
        facts,
        specs,
        converter.card.name,
        converter.parameters,
        converted_for=context.num_steps if converter.card.depends_on_num_steps else None,
        findings=context.findings,
        weights=context.weights,
        read_out_delay=context.read_out_delay,
    )
    return with_edits(snn, sites) if sites else snn


def _site_facts(network: PreparedNetwork) -> tuple[Site, ...]:
    modules = dict(network.graph.named_modules())
    facts = []
    for index, name in enumerate(network.sites):
        spec = describe(modules[name])
        assert spec is not None, "prepare() lists activations only"
        learned = None if spec.kind == "relu" else spec.threshold
        if learned is not None and not (np.isfinite(learned) and learned > 0):
            raise ConversionError(f"{name}: its learned threshold is {learned:g}; a threshold must be positive.")
        facts.append(Site(name, index, spec.kind, learned, spec.levels))
    return tuple(facts)
