"""Optimal shift: max-norm thresholds, and half a threshold spread over the steps as a constant current."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snnlab.converters.base import OUTPUT_LAYER, Converter, usable_thresholds
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext


@register
@dataclass(frozen=True)
class OptimalShift(Converter):
    r"""Threshold = maximum activation; every step adds the threshold over twice the number of steps.

    .. math:: \theta^l = \max a^l, \quad I_t \leftarrow I_t + \frac{\theta^l}{2T}, \quad v(0) = 0

    At T this has added as much as v(0) = threshold / 2, before that less. Residuals are counted against the even
    input that starts from half a threshold, so that at T they stand for themselves.

    Args:
        reference_steps: T of the shift; 0 for the number of steps that the network is converted for.
        output_layer: ``"spikes"``: the last layer ends in neurons of the same kind, and the class with the most spikes
            is predicted, of equal ones the first; ``"logits"``: its input is summed up.

    Source: [Deng2021], the authors' code, whose default for T is 32. Deviation: the source network's activation need
    not be clipped.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="opt_shift",
        kind="converter",
        title="Optimal shift",
        summary="Spreads half a threshold over the steps, so that the count at T rounds instead of being cut off.",
        citation="Deng2021",
        year=2021,
        evidence="official_code",
        needs=("calibration_data",),
        parameters=(
            Parameter("reference_steps", 0, "T of the shift; 0 for the T of the conversion.", low=0, high=4096),
            OUTPUT_LAYER,
        ),
        equation=r"I_t \leftarrow I_t + \theta/(2T),\quad \theta^l = \max a^l",
        depends_on_num_steps=True,
    )

    reference_steps: int = 0
    output_layer: str = "spikes"

    @property
    def spikes_at_output(self) -> bool:
        """As ``output_layer``."""
        return self.output_layer == "spikes"

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Threshold = measured maximum; without the shift, which depends on T."""
        assert site.statistics is not None, "convert() measures before it asks for neurons"
        return NeuronSpec(threshold=usable_thresholds(site, site.statistics.maximum), reference_fraction=0.5)

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons with their shift."""
        shift = 1 / (2 * (self.reference_steps or context.num_steps))
        return {
            name: NeuronSpec(spec.threshold, added_fraction=shift, reference_fraction=spec.reference_fraction)
            for name, spec in super().calibrate(context).items()
        }
