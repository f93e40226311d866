"""Signed neurons with memory: one threshold a neuron, and negative spikes for what was transmitted too much."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from snnlab.converters.base import OUTPUT_LAYER, Converter, half_or_zero, usable_thresholds
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext


@register
@dataclass(frozen=True)
class SignedNeuronWithMemory(Converter):
    r"""Threshold = maximum activation of every single neuron; a spike is taken back below minus the threshold.

    .. math:: \theta^l_i = \max_{images} a^l_i,\quad
        s_t = [u \ge \theta] - [u \le -\theta]\,[n_{t-1} > 0],\quad v(0) = 0

    A neuron that is 0 on every image takes its site's largest threshold.

    Args:
        initial_fraction: v(0) / threshold; the paper starts empty.
        output_layer: ``"spikes"``: the last layer ends in such neurons, one threshold a class, and the class with the
            largest threshold x count is predicted, of equal ones the first; ``"logits"``: its input is summed up.

    Source: [Wang2022], the authors' code. Deviation: maxima over calibration images alone.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="snm",
        kind="converter",
        title="SNM",
        summary="One threshold for every single neuron, and negative spikes that take back what was fired too often.",
        citation="Wang2022",
        year=2022,
        evidence="official_code",
        needs=("calibration_data",),
        parameters=(half_or_zero(0.0), OUTPUT_LAYER),
        equation=r"\theta^l_i = \max a^l_i,\quad \theta_\mathrm{neg} = -\theta",
    )

    initial_fraction: float = 0.0
    output_layer: str = "spikes"

    @property
    def spikes_at_output(self) -> bool:
        """As ``output_layer``."""
        return self.output_layer == "spikes"

    def neuron_for(self, site: Site) -> NeuronSpec:
        """A signed neuron at the site's largest activation."""
        assert site.statistics is not None, "convert() measures before it asks for neurons"
        return self._neuron(site, site.statistics.maximum)

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """Signed neurons, each at its own largest activation."""
        largest = context.largest_activations()
        return {site.name: self._neuron(site, largest[site.name].double().numpy()) for site in context.sites}

    def _neuron(self, site: Site, largest: np.ndarray) -> NeuronSpec:
        return NeuronSpec(
            threshold=usable_thresholds(site, largest),
            initial_fraction=self.initial_fraction,
            model="signed_integrate_fire",
            negative_fraction=-1.0,
        )
