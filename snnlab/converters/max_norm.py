"""Max normalisation: the threshold of a site is the largest activation seen in calibration."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import Converter, half_or_zero, usable_thresholds
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site

PER_CHANNEL = Parameter("per_channel", False, "One threshold a channel instead of one a site.", choices=(False, True))


@register
@dataclass(frozen=True)
class MaxNorm(Converter):
    r"""Threshold = maximum activation on the calibration images.

    .. math:: \theta^l = \max_{images, neurons} a^l

    The published form rescales weights and keeps thresholds at 1; thresholds in activation units with spikes worth a
    threshold are the same network.

    Args:
        initial_fraction: v(0) / threshold; the paper starts empty.
        per_channel: One threshold a channel.

    Source: [Diehl2015], model-based and data-based normalisation.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="max_norm",
        kind="converter",
        title="Max norm",
        summary="No activation is clipped; rare large ones make all others slow.",
        citation="Diehl2015",
        year=2015,
        evidence="paper_text",
        needs=("calibration_data",),
        parameters=(half_or_zero(0.0), PER_CHANNEL),
        equation=r"\theta^l = \max a^l",
    )

    initial_fraction: float = 0.0
    per_channel: bool = False

    @property
    def wants_channels(self) -> bool:
        """As ``per_channel``."""
        return self.per_channel

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = measured maximum."""
        assert site.statistics is not None, "convert() measures before it asks for neurons"
        threshold = usable_thresholds(site, site.statistics.maximum)
        return NeuronSpec(threshold=threshold, initial_fraction=self.initial_fraction)
