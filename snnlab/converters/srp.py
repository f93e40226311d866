"""SRP: a warm-up shows which neurons fire too often, and these are silenced."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import WARM_UP_MARGIN, Converter, half_or_zero, learned_threshold
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class ResidualPotential(Converter):
    r"""After tau steps, neurons with a residual potential of 0 or below are silenced; then T steps from v(0).

    .. math:: M = 1\!\left[v(\tau) > \epsilon\lambda\right],\quad x_t = M \lambda s_t,\quad v(0) = \lambda/2

    The mask is that of one image and one neuron; a masked neuron integrates and resets as before. All layers run the
    warm-up together and unmasked. Steps are counted after it: the prediction at T takes tau + T steps.

    Args:
        tau: Steps of the warm-up.
        margin: epsilon.
        initial_fraction: v(0) / threshold.

    Source: [Hao2023SRP], the authors' code.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="srp",
        kind="converter",
        title="SRP",
        summary="Silences the neurons that a warm-up of tau steps shows to fire too often.",
        citation="Hao2023SRP",
        year=2023,
        evidence="official_code",
        needs=("learned_thresholds",),
        parameters=(
            Parameter("tau", 4, "Steps of the warm-up, before t = 1.", low=1, high=256),
            WARM_UP_MARGIN,
            half_or_zero(0.5),
        ),
        equation=r"M = 1[v(\tau) > \epsilon\lambda],\quad x_t = M \lambda s_t",
    )

    tau: int = 4
    margin: float = 1e-3
    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """A neuron at the site's learned threshold, with a mask."""
        return NeuronSpec(
            threshold=learned_threshold(site, self.card.name),
            initial_fraction=self.initial_fraction,
            model="masked_integrate_fire",
            warm_up_steps=self.tau,
            margin_fraction=self.margin,
        )
