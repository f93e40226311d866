"""The ANN beside a simulation of its conversion: what it computes at every site, one pass a micro-batch."""

import torch
from torch import Tensor, fx, nn

from snnlab.activations import describe, is_activation, switch_noise
from snnlab.core.errors import ConversionError
from snnlab.graph import prepare
from snnlab.simulation.images import ImageSource
from snnlab.simulation.spiking_model import SpikingModel


class AnnBeside(fx.Interpreter):
    """Input and activation of an ANN's sites for the images that a simulation is at, taken in float64. Without hooks.

    The graph is folded as the SNN's is: what both compute before the first site is equal bitwise. Noise is off.

    Args:
        ann: The network that ``snn`` was converted from; left alone.
        snn: The conversion.
        images: What is simulated, in this order.
        dtype: Of convolutions and sums between sites.

    Raises:
        ConversionError: The two networks have different sites.
    """

    def __init__(self, ann: nn.Module, snn: SpikingModel, images: ImageSource, dtype: torch.dtype) -> None:
        graph = prepare(ann).graph.to(dtype)
        graph.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        super().__init__(switch_noise(graph, False))
        self.images, self.dtype = images, dtype
        # Behind the last layer, where the output may spike, the ANN has no activation.
        self.names = tuple(site.name for site in snn.site_facts if not site.is_output)
        sites = {name for name, module in graph.named_modules() if is_activation(module)}
        if sites != set(self.names):
            other = sorted(sites.symmetric_difference(self.names))[0]
            raise ConversionError(f"ANN and SNN differ at {other}; pass the network that the SNN was converted from.")
        self.activations: dict[str, nn.Module] = {name: graph.get_submodule(name).double() for name in self.names}
        self.predictions: list[Tensor] = []
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}
        self._start = -1

    @property
    def levels(self) -> tuple[int | None, ...]:
        """Quantization levels L of every site; None where it is not quantized."""
        specs = (describe(module) for module in self.activations.values())
        return tuple(None if spec is None else spec.levels for spec in specs)

    def at(self, name: str, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Pre-activation and activation of images ``start`` to ``stop`` at a site, (n, ...) each, float64, once.

        Raises:
            ConversionError: An activation is not finite; names the site.
        """
        if self._start != start:
            self._start, self._kept = start, {}
            with torch.inference_mode():
                self.predictions.append(self.run(self.images.batch(start, stop).to(self.dtype)).argmax(1))
        z, activation = self._kept.pop(name)
        if not bool(torch.isfinite(activation.sum())):  # one pass over memory, and no array of booleans
            raise ConversionError(f"{name}: an activation is not finite; check weights and images.")
        return z, activation

    def call_module(self, target: str, args: tuple, kwargs: dict) -> Tensor:  # type: ignore[override]
        """One module of the graph; of an activation input and output are kept."""
        if target not in self.activations:
            return super().call_module(target, args, kwargs)
        z: Tensor = args[0].double()
        activation: Tensor = super().call_module(target, (z,), kwargs)
        self._kept[target] = (z, activation)
        return activation.to(args[0].dtype)
