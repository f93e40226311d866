"""A conversion method of one's own, for ``--load``: a margin above the learned threshold, so that less is clipped."""

from dataclasses import dataclass
from typing import ClassVar

import snnlab as sl


@sl.register
@dataclass(frozen=True)
class Margin(sl.Converter):
    """Threshold = margin x the learned threshold of the site."""

    card: ClassVar[sl.MethodCard] = sl.MethodCard(
        name="margin",
        kind="converter",
        title="Margin",
        summary="The learned threshold times a factor.",
        citation="",
        year=2026,
        evidence="official_code",
        needs=("learned_thresholds",),
        parameters=(sl.Parameter("margin", 1.1, "Factor on the learned threshold.", low=0.5, high=4.0),),
        equation=r"\theta = m\,\lambda,\quad v(0) = \theta/2",
    )

    margin: float = 1.1

    def neuron_for(self, site: sl.Site) -> sl.NeuronSpec:
        """The neuron of one site."""
        if site.threshold is None:
            raise sl.ConversionError(f"{site.name} has no learned threshold; choose percentile_norm for this network.")
        return sl.NeuronSpec(threshold=self.margin * site.threshold, initial_fraction=0.5)
