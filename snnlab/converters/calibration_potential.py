"""SNN calibration, potential: a start a neuron that cancels the mean error of a site, site after site."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from snnlab.converters.base import CALIBRATION_IMAGES, SequentialConverter, shifted_neuron
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec

if TYPE_CHECKING:
    from snnlab.calibration.context import SiteInput


@register
@dataclass(frozen=True)
class PotentialCalibration(SequentialConverter):
    r"""Least-squares thresholds and the shift; then every neuron starts at T times its mean error.

    .. math:: I_t \leftarrow I_t + \frac{\theta}{2T},\quad v_i(0) = T e_i,\quad
        e_i = \mathop{\mathrm{mean}}_{images} \left(a_i - \theta N_i(T)/T\right)

    The error is that under the spiking network as calibrated up to the site. Residuals are counted against the even
    input without the correction that starts from half a threshold.

    Args:
        images: Images of the calibration.

    Source: [Li2021], the authors' code. Deviation: T is that of the conversion, where the code has 32 throughout.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="calibration_potential",
        kind="converter",
        title="SNN calibration, potential",
        summary="Starts every single neuron at the potential that makes its mean output the ANN's.",
        citation="Li2021",
        year=2021,
        evidence="official_code",
        needs=("calibration_data",),
        parameters=(CALIBRATION_IMAGES,),
        equation=r"v^l_i(0) = T e_i",
        depends_on_num_steps=True,
    )

    def calibrate_site(self, at: "SiteInput") -> NeuronSpec:
        """The shifted neuron, each corrected."""
        shifted = shifted_neuron(at)
        error = at.mean_error(shifted) / shifted.threshold
        return replace(shifted, initial_fraction=at.num_steps * error)
