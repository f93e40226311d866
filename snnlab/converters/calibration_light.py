"""SNN calibration, light: a current a channel that cancels the mean error of a site, site after site."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from snnlab.converters.base import CALIBRATION_IMAGES, SequentialConverter, shifted_neuron
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec

if TYPE_CHECKING:
    from snnlab.calibration.context import SiteInput


@register
@dataclass(frozen=True)
class LightCalibration(SequentialConverter):
    r"""Least-squares thresholds and the shift; then each channel's mean error is added to its input at every step.

    .. math:: I_t \leftarrow I_t + \frac{\theta}{2T} + e_c,\quad
        e_c = \mathop{\mathrm{mean}}_{images,\,positions} \left(a - \theta N(T)/T\right)

    The published form adds the error to the bias of the layer before the site, which is the same current.

    The error is that under the spiking network as calibrated up to the site. Residuals are counted against the even
    input without the correction that starts from half a threshold.

    Args:
        images: Images of the calibration.

    Source: [Li2021], the authors' code. Deviation: T is that of the conversion, where the code has 32 throughout.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="calibration_light",
        kind="converter",
        title="SNN calibration, light",
        summary="Adds one current a channel so that the mean output of the channel is the ANN's.",
        citation="Li2021",
        year=2021,
        evidence="official_code",
        needs=("calibration_data",),
        parameters=(CALIBRATION_IMAGES,),
        equation=r"I^l_{c,t} \leftarrow I^l_{c,t} + \theta/(2T) + e_c",
        depends_on_num_steps=True,
    )

    def calibrate_site(self, at: "SiteInput") -> NeuronSpec:
        """The shifted neuron, its channels corrected."""
        shifted = shifted_neuron(at)
        error = at.mean_error(shifted) / shifted.threshold
        by_channel = error.reshape(len(error), -1).mean(axis=1)
        return replace(shifted, added_fraction=shifted.added_fraction + by_channel)
