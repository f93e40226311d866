"""Threshold and output scaled apart, so that what T steps lose and win cancels over the percentiles of the input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from snnlab.calibration.scaling import balanced_scales, loss_percentiles
from snnlab.converters.base import CALIBRATION_IMAGES, SequentialConverter, half_or_zero, learned_threshold
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext, SiteInput


@register
@dataclass(frozen=True)
class AlphaBeta(SequentialConverter):
    r"""Threshold alpha mu, spikes worth beta times that, the pair with the least magnitude of the signed loss.

    .. math:: \theta = \alpha\mu,\quad x_t = \beta\theta s_t,\quad
        \min_{\alpha, \beta} \Big| \sum_i \min(P_i, \mu) - \beta\theta \min(\lfloor P_i T/\theta \rfloor, T) / T \Big|

    mu is the clipping threshold that training learned; P_i are the percentiles 0 to 100 of the ANN's own
    pre-activations, 0 where negative; alpha mu is one of them, beta one of 0, 0.01, ..., 2. The reset takes the
    threshold, whatever a spike is worth: residuals and counts are those of a neuron with threshold alpha mu.

    Args:
        images: Images of the calibration.
        initial_fraction: v(0) / threshold; the loss is that of 0.

    Source: [Datta2022], the conversion alone, as recalled: its body was not read. The paper goes on to train the
    spiking network, this does not.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="alpha_beta",
        kind="converter",
        title="Alpha-beta scaling",
        summary="Scales thresholds and the worth of a spike apart, so that errors cancel over the percentiles.",
        citation="Datta2022",
        year=2022,
        evidence="interpretation",
        needs=("learned_thresholds", "calibration_data"),
        parameters=(CALIBRATION_IMAGES, half_or_zero(0.0)),
        equation=r"\theta = \alpha\mu,\quad x_t = \beta\theta s_t",
        depends_on_num_steps=True,
    )

    initial_fraction: float = 0.0

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons of all sites; the scales are told."""
        specs = super().calibrate(context)
        rows: list[dict[str, Any]] = []
        for site in context.sites:
            spec = specs[site.name]
            alpha = float(spec.threshold) / learned_threshold(site, self.card.name)
            rows.append({"site": site.name, "alpha": alpha, "beta": spec.output_fraction})
        alphas, betas = ([row[key] for row in rows] for key in ("alpha", "beta"))
        context.findings["scales"] = {
            "note": f"alpha_beta scaled the thresholds by {min(alphas):.2f} to {max(alphas):.2f} and the worth of a "
            f"spike by {min(betas):.2f} to {max(betas):.2f} at T = {context.num_steps}.",
            "num_steps": context.num_steps,
            "sites": rows,
        }
        return specs

    def calibrate_site(self, at: "SiteInput") -> NeuronSpec:
        """The neuron at the scales that balance the site's percentiles."""
        clip = learned_threshold(at.site, self.card.name)
        percentiles = loss_percentiles(at.preactivation_values())
        alpha, beta, _ = balanced_scales(percentiles, clip, at.num_steps)
        if alpha == 0:
            raise ConversionError(
                f"{at.site.name}: no percentile of its input lies between 0 and the threshold {clip:g} on the "
                "calibration images; use more images, or qcfs."
            )
        return NeuronSpec(alpha * clip, self.initial_fraction, output_fraction=beta)
