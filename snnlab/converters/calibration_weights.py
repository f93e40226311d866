"""SNN calibration, weights: the layer before a site is tuned until its spikes give the ANN's activation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from snnlab.converters.base import Converter, shifted_neuron
from snnlab.core.registry import MethodCard, Parameter, register
from snnlab.core.sites import NeuronSpec, Site

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from snnlab.calibration.context import CalibrationContext
    from snnlab.calibration.weights import TunedSite


@register
@dataclass(frozen=True)
class WeightCalibration(Converter):
    r"""Least-squares thresholds and the shift; then the weights before each site are tuned, site after site.

    .. math:: \min_W \; \Big\| a - \frac{\theta}{T} \Big\lfloor \mathrm{clip}\Big(
        \frac{T}{\theta} (W \bar x + b) + \frac12, 0, T \Big) \Big\rfloor \Big\|^2,\quad
        I_t \leftarrow I_t + \frac{\theta}{2T}

    The mean input comes from the spiking network as tuned up to the site, the target from the ANN. The floor passes
    gradients as if it were not there. Adam, its rate falling to 0 along a cosine; biases stay. Where several layers
    feed a site, all are tuned together; a layer that feeds several sites is tuned for the first.

    Args:
        iterations: Steps of the optimizer a site.
        learning_rate: At the start.
        batch_size: Images a step, drawn anew each time.
        images: Images of the calibration.
        seed: Seed of the draws.

    Source: [Li2021], the authors' code. Deviation: T is that of the conversion, where the code has 32 throughout; that
    the loss knows of the shift is ours.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="calibration_weights",
        kind="converter",
        title="SNN calibration, weights",
        summary="Tunes the weights before every site so that the spikes give the ANN's activations.",
        citation="Li2021",
        year=2021,
        evidence="official_code",
        needs=("calibration_data",),
        parameters=(
            Parameter("iterations", 5000, "Steps of the optimizer a site.", low=1, high=100_000),
            Parameter("learning_rate", 1e-5, "Of Adam, at the start; falls to 0.", low=0.0, high=1.0),
            Parameter("batch_size", 32, "Images a step.", low=1, high=4096),
            Parameter("images", 1024, "Images of the calibration, the first ones of its data.", low=1, high=16_384),
            Parameter("seed", 0, "Seed of the images drawn for each step.", low=0, high=2**31 - 1),
        ),
        equation=r"\min_W \| a - \frac{\theta}{T} \lfloor \mathrm{clip}(T z_W/\theta + \frac12, 0, T) \rfloor \|^2",
        depends_on_num_steps=True,
        changes_weights=True,
    )

    iterations: int = 5000
    learning_rate: float = 1e-5
    batch_size: int = 32
    images: int = 1024
    seed: int = 0

    def neuron_for(self, site: Site) -> NeuronSpec:
        """Not asked for."""
        raise AssertionError("calibration_weights decides site after site, in calibrate")

    def calibrate(self, context: "CalibrationContext") -> Mapping[str, NeuronSpec]:
        """The shifted neurons; the tuned weights go into the context.

        Raises:
            ConversionError: A site is 0 on every image.
        """
        import torch

        from snnlab.calibration.weights import WeightWalk

        total = self.iterations * len(context.sites)
        draws = torch.Generator().manual_seed(self.seed)
        with torch.inference_mode(False), torch.enable_grad():
            walk = WeightWalk(context, num_steps=context.num_steps, limit=self.images)
            for number, at in enumerate(walk):
                neuron = shifted_neuron(at)
                for done, _ in enumerate(self._tune(at, float(neuron.threshold), draws), number * self.iterations + 1):
                    context.progress(done, total, "iterations of weight calibration")
                at.decide(neuron)
        context.weights.update(walk.weights)
        return walk.specs

    def _tune(self, at: "TunedSite", threshold: float, draws: "Generator") -> Iterator[None]:
        """The iterations at one site; none where no layer is left to tune."""
        import torch

        from snnlab.calibration.weights import descend, straight_through

        def output(current: "Tensor", _: "Tensor") -> "Tensor":
            count = (current * (at.num_steps / threshold) + 0.5).clamp(0, at.num_steps)
            return threshold / at.num_steps * straight_through(count.floor(), count)

        parameters = at.parameters(bias=False)
        if not parameters:
            return
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.iterations)
        images = len(at.activations)
        batches = (torch.randperm(images, generator=draws)[: self.batch_size] for _ in range(self.iterations))
        for _ in descend(at, optimizer, batches, output):
            cosine.step()
            yield
