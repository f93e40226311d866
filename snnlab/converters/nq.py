"""NQ conversion: a network trained with the noise of its own conversion error; thresholds as for QCFS."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import Converter, half_or_zero
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class NQConverter(Converter):
    r"""Replace QCFS that was trained with additive noise by an IF neuron; the noise stays behind.

    .. math:: \theta = \lambda, \quad v(0) = \theta / 2

    Nothing is added at inference, so on the same weights this is the conversion of QCFS; what differs is the training.

    Args:
        initial_fraction: v(0) / threshold.

    Source: [Huang2024], the authors' code.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="nq",
        kind="converter",
        title="NQ",
        summary="For networks trained with the noise of their conversion error; uses the thresholds that it learned.",
        citation="Huang2024",
        year=2025,
        evidence="official_code",
        needs=("learned_thresholds",),
        parameters=(half_or_zero(0.5),),
        equation=r"a = \mathrm{QCFS}(z) + \sigma\,\epsilon,\quad \theta = \lambda,\quad v(0) = \theta/2",
    )

    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = the site's learned threshold.

        Raises:
            ConversionError: The activation is not quantized.
        """
        if site.threshold is None or site.levels is None:
            raise ConversionError(
                f"{site.name} is a {site.activation}, and nq needs QCFS or NQ activations with learned thresholds; "
                "use percentile_norm or max_norm for this network."
            )
        return NeuronSpec(threshold=site.threshold, initial_fraction=self.initial_fraction)
