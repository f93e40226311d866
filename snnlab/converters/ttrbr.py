"""TTRBR: thresholds tuned site after site under the running spiking network, for networks of a hundred layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from snnlab.converters.base import CALIBRATION_IMAGES, SequentialConverter, half_or_zero
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, register
from snnlab.core.sites import NeuronSpec

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext, SiteInput

PERCENTILES = tuple(float(percentile) for percentile in range(90, 101))
"""Of the ANN's activations, zeros included."""

REFERENCE, FACTORS = 99.9, (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)
"""A percentile, and what it is multiplied by."""


@register
@dataclass(frozen=True)
class ThresholdTuning(SequentialConverter):
    r"""Of about 20 thresholds the one at which spikes come nearest to the ANN's activations, site after site.

    .. math:: \theta^l = \arg\min_\theta \mathrm{mean}\,(\phi^l - a^l)^2,\quad \phi^l = \theta N^l / T,\quad
        v(0) = \theta / 2

    :math:`\phi` is what a neuron emits on the input that the spiking sites before it bring in T steps, so the search
    meets the deviation error of uneven input as well as quantization and clipping: a higher threshold lowers the first
    and the last and raises the other. The candidates are the percentiles 90, 91, ..., 100 of the activations and 0.6 to
    1.4 times their percentile 99.9; of equally good ones the smallest is taken. All errors, and the terms that they
    consist of, are kept in the network's ``findings``.

    The second half of the method, restructured residual blocks, is the ``block`` of a ResNet's architecture: the source
    network is trained with it.

    Args:
        images: Images of the walk.
        initial_fraction: v(0) / threshold.

    Source: [Meng2022]; no text or code of it was read. That thresholds are tuned and blocks restructured, against a
    quantization and a deviation error, is theirs; how the thresholds are searched is ours.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="ttrbr",
        kind="converter",
        title="TTRBR",
        summary="Thresholds searched site after site, on the uneven input that the spiking sites before really bring.",
        citation="Meng2022",
        year=2022,
        evidence="interpretation",
        needs=("calibration_data",),
        parameters=(CALIBRATION_IMAGES, half_or_zero(0.5)),
        equation=r"\theta^l = \arg\min_\theta \mathrm{mean}\,(\phi^l - a^l)^2,\quad v(0) = \theta/2",
        depends_on_num_steps=True,
    )

    initial_fraction: float = 0.5

    def calibrate_site(self, at: "SiteInput") -> NeuronSpec:
        """The neuron at the best candidate."""
        return self._tuned(at)[0]

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons of all sites; what was tried is put into the findings."""
        rows: list[dict[str, Any]] = []

        def decide(at: "SiteInput") -> NeuronSpec:
            spec, row = self._tuned(at)
            rows.append(row)
            return spec

        specs = context.walk(decide, num_steps=context.num_steps, limit=self.images)
        split, images = context.images.name or "calibration", min(self.images, len(context.images))
        uneven = [row["deviation"]["mean_abs"] / row["chosen"] for row in rows]
        worst = int(np.argmax(uneven))
        context.findings["thresholds"] = {
            "note": f"ttrbr tried up to {max(len(row['candidates']) for row in rows)} thresholds at each of "
            f"{len(rows)} sites on {images} {split} images at T = {context.num_steps}; the deviation error of uneven "
            f"input is largest at {rows[worst]['site']}, {uneven[worst]:.1%} of the threshold on average.",
            "num_steps": context.num_steps,
            "split": split,
            "images": images,
            "sites": rows,
        }
        return specs

    def _tuned(self, at: "SiteInput") -> tuple[NeuronSpec, dict[str, Any]]:
        from snnlab.calibration.site_error import error_terms, squared_errors

        candidates = self._candidates(at)
        errors = squared_errors(at, candidates, self.initial_fraction)
        spec = NeuronSpec(candidates[int(np.argmin(errors))], initial_fraction=self.initial_fraction)
        row = {
            "site": at.site.name,
            "chosen": spec.threshold,
            "candidates": list(candidates),
            "error": errors,
            **error_terms(at, spec),
        }
        return spec, row

    def _candidates(self, at: "SiteInput") -> tuple[float, ...]:
        """Thresholds to be tried, ascending, activation units."""
        values = np.concatenate([batch.numpy().ravel() for batch in at.activations])
        *percentiles, reference = np.percentile(values, [*PERCENTILES, REFERENCE])
        tried = np.array([*percentiles, *(factor * reference for factor in FACTORS)], dtype=np.float32)
        candidates = tuple(float(value) for value in np.unique(tried[tried > 0]))
        if not candidates:
            raise ConversionError(
                f"{at.site.name}: every activation is 0 on the calibration images, so there is no threshold to try; "
                "use more images."
            )
        return candidates
