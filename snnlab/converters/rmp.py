"""Residual membrane potential neurons: thresholds balanced against the input that spikes really bring."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from snnlab.converters.base import CALIBRATION_IMAGES, SequentialConverter, half_or_zero
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext, SiteInput


@register
@dataclass(frozen=True)
class ResidualMembrane(SequentialConverter):
    r"""Threshold = largest input of one step, site after site, under the spiking network up to there.

    .. math:: \theta^l = \alpha \max_{images,\,neurons,\,t} I^l_t

    Args:
        scale: alpha, applied to all thresholds at the end; the code of the same group takes 0.7 for few steps.
        steps: Time-steps of the measurement.
        images: Images of the measurement.
        initial_fraction: v(0) / threshold.

    With v(0) = 0 no spike reaches the last layer of a deep network within the first steps, and the prediction is that
    of its biases alone; published numbers begin at 32 steps. Sites to which no spike came in the measurement have
    thresholds from biases alone: ``findings`` names them, and more ``steps`` are the remedy.

    Source: [Han2020]; its text was not read, this is the balancing in later code of the same group. Deviation: the
    image is shown as it is at every step, where that code draws 1,000 steps of random spikes.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="rmp",
        kind="converter",
        title="RMP",
        summary="Thresholds from the largest input that the spiking network before a site brings in one step.",
        citation="Han2020",
        year=2020,
        evidence="related_code",
        needs=("calibration_data",),
        parameters=(
            Parameter("scale", 1.0, "Factor on all thresholds; 0.7 is in use for few steps.", low=0.05, high=2.0),
            Parameter("steps", 32, "Time-steps of the measurement.", low=1, high=1000),
            CALIBRATION_IMAGES,
            half_or_zero(0.0),
        ),
        equation=r"\theta^l = \alpha \max I^l_t",
    )

    scale: float = 1.0
    steps: int = 32
    initial_fraction: float = 0.0

    @property
    def calibration_steps(self) -> int:
        """As ``steps``."""
        return self.steps

    def calibrate_site(self, at: "SiteInput") -> NeuronSpec:
        """Threshold = largest input."""
        largest = max(float(current.max()) for current in at.currents)
        if not largest > 0:
            raise ConversionError(
                f"{at.site.name}: no input is positive on the {self.images} calibration images, so there is no "
                "threshold to set; use more images or max_norm."
            )
        return NeuronSpec(threshold=largest, initial_fraction=self.initial_fraction)

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The measured neurons, scaled together."""
        specs = super().calibrate(context)
        return {name: replace(spec, threshold=self.scale * spec.threshold) for name, spec in specs.items()}
