"""COS: the first steps show who fires once too often or too rarely; these start a spike lower or higher."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import WARM_UP_MARGIN, Converter, half_or_zero, learned_threshold
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class OffsetSpike(Converter):
    r"""Layer after layer, v(0) moves by a threshold or more where the first rho steps end outside [0, threshold).

    .. math:: v'(0) = \frac{\lambda}{2} - \max\!\left(\lambda, \min_{s_t = 1} u_t - \lambda + \epsilon\lambda\right)
        \quad\text{where } v(\rho) < 0,\ n(\rho) > 0
    .. math:: v'(0) = \frac{\lambda}{2} + \max\!\left(\lambda, \lambda - \max_{s_t = 0} v_t + \epsilon\lambda\right)
        \quad\text{where } v(\rho) \ge \lambda

    The correction is that of one image and one neuron, under the sequence of the layers before as corrected; the T
    steps then run from there. T is at least rho. Latency counts both: rho + T. Residuals are counted against the even
    input that starts from ``initial_fraction``, whatever the correction.

    Args:
        rho: Steps that the correction looks at.
        margin: epsilon.
        initial_fraction: v(0) / threshold before the correction.

    Source: [Hao2023COS], the authors' code, one iteration. Deviation: see ``snnlab.neurons.offset_start``.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="cos",
        kind="converter",
        title="COS",
        summary="Gives a missing spike, or takes an excess one back, by moving v(0) neuron by neuron, image by image.",
        citation="Hao2023COS",
        year=2023,
        evidence="official_code",
        needs=("learned_thresholds",),
        parameters=(
            Parameter("rho", 4, "Steps that the correction looks at; T must be as many.", low=1, high=256),
            WARM_UP_MARGIN,
            half_or_zero(0.5),
        ),
        equation=r"v'(0) = \lambda/2 \mp \max(\lambda, \ldots)\ \text{ where } v(\rho) \notin [0, \lambda)",
        looks_at="rho",
    )

    rho: int = 4
    margin: float = 1e-3
    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """A neuron at the site's learned threshold, whose v(0) the simulation decides."""
        return NeuronSpec(
            threshold=learned_threshold(site, self.card.name),
            initial_fraction=self.initial_fraction,
            reference_fraction=self.initial_fraction,
            model="offset_integrate_fire",
            warm_up_steps=self.rho,
            margin_fraction=self.margin,
        )
