"""QCFS conversion: learned thresholds become firing thresholds, v(0) is half of them."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import Converter, half_or_zero, learned_threshold
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class QCFSConverter(Converter):
    r"""Replace :math:`\lambda \lfloor L\,\mathrm{clip}(z/\lambda,0,1) + 1/2 \rfloor / L` by an IF neuron.

    .. math:: \theta = \lambda, \quad v(0) = \theta / 2

    Zero expected conversion error for every T and L when inputs are even and uniform within a bin.

    Args:
        initial_fraction: v(0) / threshold.

    Source: [Bu2022], Theorems 1 and 2.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="qcfs",
        kind="converter",
        title="QCFS",
        summary="Uses the thresholds that training learned; the neuron starts half full.",
        citation="Bu2022",
        year=2022,
        evidence="official_code",
        needs=("learned_thresholds",),
        parameters=(half_or_zero(0.5),),
        equation=r"\theta = \lambda,\quad v(0) = \theta/2",
    )

    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = the site's learned threshold."""
        return NeuronSpec(threshold=learned_threshold(site, self.card.name), initial_fraction=self.initial_fraction)
