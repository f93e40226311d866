"""Error compensation learning: learned thresholds, a half-full start, and a negative threshold chosen on validation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from snnlab.converters.base import Converter, half_or_zero
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext

CANDIDATES = (-1e-3, -0.25, -0.5, -1.0)
"""Negative thresholds / threshold that are tried; the first is the neuron of [Hu2023] up to rounding."""


@register
@dataclass(frozen=True)
class ErrorCompensation(Converter):
    r"""Threshold = the learned clipping threshold, v(0) = half of it, negative spikes below a negative threshold.

    .. math:: \theta = \lambda,\quad v(0) = \theta/2,\quad
        s_t = [u \ge \theta] - [u \le \theta_\mathrm{neg}]\,[n_{t-1} > 0]

    The negative threshold is one fraction of the threshold for all sites. Unless it is given, the conversion is tried
    with each of -0.001, -0.25, -0.5 and -1 on validation images at T, and the most accurate is taken, of equal ones
    the first. The comparison is kept in the network's ``findings``.

    Args:
        negative_fraction: Negative threshold / threshold, below 0; 0 to choose it on validation images.
        initial_fraction: v(0) / threshold.

    Source: [Liu2025]; its text was not read, only its abstract and a public review. Clipping, the second threshold and
    v(0) are theirs; that a neuron fires negatively only after it fired, and the candidates, are ours.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="ecl",
        kind="converter",
        title="ECL",
        summary="Negative spikes take back what uneven input fired too often; their threshold is chosen on validation.",
        citation="Liu2025",
        year=2025,
        evidence="interpretation",
        needs=("learned_thresholds", "validation_data"),
        parameters=(
            Parameter(
                "negative_fraction",
                0.0,
                "Negative threshold / threshold; 0 chooses among -0.001, -0.25, -0.5 and -1 on validation images.",
                low=-1.0,
                high=0.0,
            ),
            half_or_zero(0.5),
        ),
        equation=r"\theta = \lambda,\quad v(0) = \theta/2,\quad \theta_\mathrm{neg} < 0",
        depends_on_num_steps=True,
    )

    negative_fraction: float = 0.0
    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """A signed neuron at the site's learned threshold."""
        if site.threshold is None:
            raise ConversionError(
                f"{site.name} is a {site.activation} without a learned threshold, which ecl needs; train with "
                "clipped_relu or QCFS activations, or use snm for this network."
            )
        return NeuronSpec(
            threshold=site.threshold,
            initial_fraction=self.initial_fraction,
            model="signed_integrate_fire",
            negative_fraction=self.negative_fraction,
        )

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons, at the negative threshold that was given or chosen."""
        specs = super().calibrate(context)
        if self.negative_fraction < 0:
            return specs
        tried = [
            {name: replace(spec, negative_fraction=fraction) for name, spec in specs.items()} for fraction in CANDIDATES
        ]
        accuracies = [context.accuracy(candidate) for candidate in tried]
        best = accuracies.index(max(accuracies))
        split, images = context.validation.name or "validation", len(context.validation)
        reached = ", ".join(f"{a:.2%} at {fraction:g}" for a, fraction in zip(accuracies, CANDIDATES, strict=True))
        context.findings["negative_fraction"] = {
            "note": f"ecl chose negative_fraction = {CANDIDATES[best]:g} on {images} {split} images at "
            f"T = {context.num_steps}: {reached}.",
            "chosen": CANDIDATES[best],
            "candidates": list(CANDIDATES),
            "accuracy": accuracies,
            "num_steps": context.num_steps,
            "split": split,
            "images": images,
        }
        return tried[best]
