"""Group neurons: m members share one potential, so that a step brings up to m spikes."""

from dataclasses import dataclass
from typing import ClassVar

from snnlab.converters.base import Converter, half_or_zero, learned_threshold
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site


@register
@dataclass(frozen=True)
class GroupNeuron(Converter):
    r"""Member i of m fires at i/m of the learned threshold; a step is worth m steps of a single neuron.

    .. math:: k_t = \sum_{i=1}^{m} [u \ge i\lambda/m],\quad v_t = u - k_t\lambda/m,\quad v(0) = \lambda/(2m)

    The threshold shown is that of the first member, the worth of one spike. A step costs up to m spikes: compare it
    with m T steps of a single neuron.

    Args:
        members: m.
        initial_fraction: v(0) / threshold of the first member.

    Source: [Lv2024], the authors' code.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="group_neuron",
        kind="converter",
        title="Group neuron",
        summary="Several spikes a step; compare T of its steps with T times the members of any other method.",
        citation="Lv2024",
        year=2024,
        evidence="official_code",
        needs=("learned_thresholds",),
        parameters=(
            Parameter("members", 4, "Members m of a group, and spikes that one step can bring.", low=1, high=64),
            half_or_zero(0.5),
        ),
        equation=r"k_t = \sum_{i \le m} [u \ge i\lambda/m],\quad v(0) = \lambda/(2m)",
    )

    members: int = 4
    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """A group over the site's learned threshold."""
        return NeuronSpec(
            threshold=learned_threshold(site, self.card.name) / self.members,
            initial_fraction=self.initial_fraction,
            model="group_integrate_fire",
            members=self.members,
        )
