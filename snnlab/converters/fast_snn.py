"""Fast-SNN: learned quantizers become signed neurons; the layers may be fine-tuned one after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from snnlab.converters.base import Converter, half_or_zero
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from snnlab.calibration.context import CalibrationContext
    from snnlab.calibration.weights import TunedSite

NEGATIVE_THRESHOLD = -1e-3
"""In activation units, whatever the threshold."""


@register
@dataclass(frozen=True)
class FastSNN(Converter):
    r"""Threshold = the quantizer's learned range, v(0) = half of it, negative spikes below -0.001.

    .. math:: \theta = \alpha,\quad v(0) = \theta/2,\quad T = 2^b - 1,\quad
        s_t = [u \ge \theta] - [u \le -0.001]\,[n_t > 0]

    It fits networks with learned, quantized thresholds: a quantizer of b bits has 2^b - 1 levels, and at that many
    steps a constant input gives exactly the quantizer. ``findings`` names that T; every other T is allowed.

    With ``epochs`` the layers before each site are fine-tuned, site after site: forward counts the mean output of the
    spiking neurons, gradients are those of the quantized layer at the mean of its spiking input, the target is the
    ANN's activation. SGD with momentum 0.9 and weight decay 1e-4 on weights and biases; thresholds stay.

    Args:
        epochs: Epochs of fine-tuning a site; 0 for none. The authors take 1, or 8 for a ResNet-56.
        learning_rate: Of the fine-tuning.
        batch_size: Images a step.
        images: Images of the fine-tuning.
        keep: ``"better"``: the tuned weights stay only where the accuracy on these images rises; ``"always"``.
        seed: Seed of their order.
        initial_fraction: v(0) / threshold.

    Source: [Hu2023], the authors' code. Deviation: calibration images, not all of the training set; batch-norm is
    folded, where its statistics move in the code; whether to keep is decided once, after the last site.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="fast_snn",
        kind="converter",
        title="Fast-SNN",
        summary="For learned quantized thresholds: signed neurons at T = levels, layers fine-tuned on request.",
        citation="Hu2023",
        year=2023,
        evidence="official_code",
        needs=("learned_thresholds", "levels"),
        parameters=(
            Parameter(
                "epochs", 0, "Epochs of fine-tuning a site; 0 for none.", low=0, high=100, needs=("calibration_data",)
            ),
            Parameter("learning_rate", 1e-3, "Of the fine-tuning.", low=0.0, high=1.0),
            Parameter("batch_size", 32, "Images a step of the fine-tuning.", low=1, high=4096),
            Parameter("images", 1024, "Images of the fine-tuning, the first ones of its data.", low=1, high=16_384),
            Parameter(
                "keep",
                "better",
                "better: tuned weights stay only where the accuracy on these images rises; always: they stay.",
                choices=("better", "always"),
            ),
            Parameter("seed", 0, "Seed of the order of these images.", low=0, high=2**31 - 1),
            half_or_zero(0.5),
        ),
        equation=r"\theta = \alpha,\quad v(0) = \theta/2,\quad \theta_\mathrm{neg} = -0.001,\quad T = 2^b - 1",
        changes_weights=True,
    )

    epochs: int = 0
    learning_rate: float = 1e-3
    batch_size: int = 32
    images: int = 1024
    keep: str = "better"
    seed: int = 0
    initial_fraction: float = 0.5

    def neuron_for(self, site: Site) -> NeuronSpec:
        """A signed neuron at the site's learned threshold.

        Raises:
            ConversionError: The site's activation has no learned threshold, or is not quantized.
        """
        if site.threshold is None or site.levels is None:
            raise ConversionError(
                f"{site.name} is a {site.activation}, and fast_snn needs activations with learned quantized "
                "thresholds, such as QCFS; train with those, or use "
                + ("percentile_norm or snm for this network." if site.threshold is None else "ecl for this network.")
            )
        return NeuronSpec(
            threshold=site.threshold,
            initial_fraction=self.initial_fraction,
            model="signed_integrate_fire",
            negative_fraction=NEGATIVE_THRESHOLD / site.threshold,
        )

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The neurons; with ``epochs``, tuned weights go into the context.

        Raises:
            ConversionError: As ``neuron_for``, or no labels where the accuracy decides.
        """
        specs = super().calibrate(context)
        steps = max(site.levels or 1 for site in context.sites)
        context.findings["natural_num_steps"] = {"num_steps": steps}
        if not self.epochs:
            return specs
        if self.keep == "better" and context.images.labels is None:
            raise ConversionError(
                "fast_snn keeps its fine-tuning only where the accuracy rises, and these calibration images have no "
                "labels; pass data=(images, labels), or keep='always'."
            )
        weights = self._tuned(context, specs, steps)
        told: dict[str, Any] = {"epochs": self.epochs, "num_steps": steps, "kept": True}
        if self.keep == "better":
            before = context.accuracy(specs, images=context.images, num_steps=steps)
            context.weights.update(weights)
            after = context.accuracy(specs, images=context.images, num_steps=steps)
            kept = after > before
            told |= {
                "accuracy_before": before,
                "accuracy_after": after,
                "kept": kept,
                "images": len(context.images),
                "note": f"fast_snn: fine-tuning took the accuracy on {len(context.images)} calibration images at "
                f"T = {steps} from {before:.2%} to {after:.2%}, so it was {'kept' if kept else 'taken back'}.",
            }
            if not kept:
                context.weights.clear()
        else:
            context.weights.update(weights)
        context.findings["fine_tuning"] = told
        return specs

    def _tuned(
        self, context: "CalibrationContext", specs: Mapping[str, NeuronSpec], steps: int
    ) -> "Mapping[str, Tensor]":
        """Weights and biases after the epochs at every site."""
        import torch

        from snnlab.calibration.weights import WeightWalk

        order = torch.Generator().manual_seed(self.seed)
        with torch.inference_mode(False), torch.enable_grad():
            walk = WeightWalk(context, num_steps=steps, limit=self.images)
            for number, at in enumerate(walk):
                for epoch, _ in enumerate(self._epochs(at, specs[at.site.name], order), number * self.epochs + 1):
                    context.progress(epoch, self.epochs * len(context.sites), "epochs of fine-tuning")
                at.decide(specs[at.site.name])
        return walk.weights

    def _epochs(self, at: "TunedSite", spec: NeuronSpec, order: "Generator") -> Iterator[None]:
        """The epochs at one site; none where no layer is left to tune."""
        import torch

        from snnlab.calibration.weights import descend, straight_through

        def output(current: "Tensor", chosen: "Tensor") -> "Tensor":
            return straight_through(at.mean_output(spec, chosen), current.clamp(0, float(spec.threshold)))

        parameters = at.parameters(bias=True)
        if not parameters:
            return
        optimizer = torch.optim.SGD(parameters, lr=self.learning_rate, momentum=0.9, weight_decay=1e-4)
        for _ in range(self.epochs):
            batches = torch.randperm(len(at.activations), generator=order).split(self.batch_size)
            for _ in descend(at, optimizer, batches, output):
                pass
            yield
