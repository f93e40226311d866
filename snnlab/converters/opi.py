"""Optimized potential initialisation: percentile thresholds, and a start that is half full."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import Converter, half_or_zero, usable_thresholds
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class OptimizedInitialization(Converter):
    r"""Threshold = percentile p of the activations, v(0) = half of it: the expected conversion error is 0.

    .. math:: \theta^l = Q_{p}(a^l), \quad v^l(0) = \theta^l / 2

    Args:
        percentile: p, in percent.
        initial_fraction: v(0) / threshold.

    Source: [Bu2022OPI], abstract. How the paper sets its thresholds was not read: the percentile is ours.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="opi",
        kind="converter",
        title="OPI",
        summary="Starts every neuron half full, so that its count rounds instead of being cut off.",
        citation="Bu2022OPI",
        year=2022,
        evidence="interpretation",
        needs=("calibration_data",),
        parameters=(
            Parameter("percentile", 99.9, "Percentile of the activations, in percent.", low=50.0, high=100.0),
            half_or_zero(0.5),
        ),
        equation=r"\theta^l = Q_p(a^l),\quad v(0) = \theta/2",
    )

    percentile: float = 99.9
    initial_fraction: float = 0.5

    @property
    def percentiles(self) -> tuple[float, ...]:
        """The one it needs."""
        return (self.percentile,)

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = measured percentile."""
        assert site.statistics is not None, "convert() measures before it asks for neurons"
        threshold = usable_thresholds(site, site.statistics.quantiles[self.percentile])
        return NeuronSpec(threshold=threshold, initial_fraction=self.initial_fraction)
