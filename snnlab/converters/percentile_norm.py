"""Percentile normalisation: the threshold is a high percentile of the activations."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import Converter, half_or_zero, usable_thresholds
from snnlab.converters.max_norm import PER_CHANNEL
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class PercentileNorm(Converter):
    r"""Threshold = percentile p of the activations on the calibration images.

    .. math:: \theta^l = Q_{p}(a^l)

    The quantile is exact, over all activations, zeros included, interpolated linearly.

    Args:
        percentile: p, in percent.
        initial_fraction: v(0) / threshold; the paper starts empty.
        per_channel: One threshold a channel.

    Source: [Rueckauer2017], section 2.3.2. Deviation: the authors' toolbox takes the percentile over non-zero
    activations, which is a higher threshold.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="percentile_norm",
        kind="converter",
        title="Percentile norm",
        summary="Clips the largest activations so that the others reach their rate sooner.",
        citation="Rueckauer2017",
        year=2017,
        evidence="paper_text",
        needs=("calibration_data",),
        parameters=(
            Parameter("percentile", 99.9, "Percentile of the activations, in percent.", low=50.0, high=100.0),
            half_or_zero(0.0),
            PER_CHANNEL,
        ),
        equation=r"\theta^l = Q_p(a^l)",
    )

    percentile: float = 99.9
    initial_fraction: float = 0.0
    per_channel: bool = False

    @property
    def percentiles(self) -> tuple[float, ...]:
        """The one it needs."""
        return (self.percentile,)

    @property
    def wants_channels(self) -> bool:
        """As ``per_channel``."""
        return self.per_channel

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = measured percentile."""
        assert site.statistics is not None, "convert() measures before it asks for neurons"
        threshold = usable_thresholds(site, site.statistics.quantiles[self.percentile])
        return NeuronSpec(threshold=threshold, initial_fraction=self.initial_fraction)
