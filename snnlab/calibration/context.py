"""What a method may ask for while it decides the neurons of a network, and the walk from site to site."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from snnlab.activations import switch_noise
from snnlab.calibration.clipping import Clipping, learn_clipping
from snnlab.calibration.grid import least_squares_threshold
from snnlab.calibration.thresholds import Recorder
from snnlab.core.errors import ConversionError
from snnlab.core.progress import ProgressCallback
from snnlab.core.sites import NeuronSpec, Site
from snnlab.graph.prepare import PreparedNetwork
from snnlab.neurons import IntegrateFire
from snnlab.simulation.engine import simulate
from snnlab.simulation.images import ImageSource, check_finite
from snnlab.simulation.lockstep import Lockstep
from snnlab.simulation.spiking_model import assemble, build_neuron

BATCH = 16
"""Images at once in a walk."""


@dataclass(frozen=True)
class SiteInput:
    """A site in the walk: what comes in from the spiking network up to here, and what the ANN has in its place.

    Args:
        site: The site, with shape.
        currents: Input at every step, one tensor a batch of images, (T or 1, n, ...), activation units; one step where
            all are equal.
        preactivations: The ANN's own input of the site, (n, ...), one a batch.
        activations: Its output, (n, ...), one a batch.
        num_steps: T.
        function: The ANN's activation itself, element by element, without noise.
    """

    site: Site
    currents: tuple[Tensor, ...]
    preactivations: tuple[Tensor, ...]
    activations: tuple[Tensor, ...]
    num_steps: int
    function: Callable[[Tensor], Tensor]

    def emitted(self, spec: NeuronSpec) -> tuple[Tensor, ...]:
        """Threshold x spikes of a neuron of that specification, (T, n, ...), one tensor a batch."""
        neuron = build_neuron(spec, self.site)
        return tuple(_run(neuron, current, self.num_steps) for current in self.currents)

    @property
    def is_unreached(self) -> bool:
        """Whether the input is the same for all images at all steps, as where no spike has come in."""
        first, images = self.currents[0][0, 0], sum(current.shape[1] for current in self.currents)
        return images > 1 and all(bool((current == first).all()) for current in self.currents)

    def preactivation_values(self) -> np.ndarray:
        """The ANN's own input of the site over all images, (images, ...), activation units."""
        values: np.ndarray = torch.cat(self.preactivations).numpy()
        return values

    def least_squares_threshold(self) -> float:
        """The threshold at which T spikes represent the ANN's activations best; 0 where they are all 0."""
        return least_squares_threshold(self.activations, self.num_steps)

    def mean_error(self, spec: NeuronSpec) -> np.ndarray:
        """Mean over the images of ANN activation - mean output of such a neuron, shaped like an activation, float64."""
        sums = [
            (activation.double() - emitted.double().mean(0)).sum(0)
            for activation, emitted in zip(self.activations, self.emitted(spec), strict=True)
        ]
        total: np.ndarray = torch.stack(sums).sum(0).numpy()
        return total / sum(len(activation) for activation in self.activations)


class CalibrationContext:
    """The network under conversion, images, and T; what was found on the way.

    A method that tells what it found puts it into ``findings``; one that leaves the first steps out of the read-out
    puts their number into ``read_out_delay``.

    Args:
        network: The prepared ANN; left alone.
        sites: Facts about its sites, input first.
        method: Name of the method, for messages.
        images: Calibration images; None when none were given.
        validation: Labelled images; None when none were given.
        steps: T to convert for; None when none was given.
        progress: Called on the way; cancels by raising ``Cancelled``.
    """

    def __init__(
        self,
        network: PreparedNetwork,
        sites: tuple[Site, ...],
        *,
        method: str,
        images: ImageSource | None,
        validation: ImageSource | None,
        steps: int | None,
        progress: ProgressCallback,
    ) -> None:
        self.network, self.sites, self.method, self.progress = network, sites, method, progress
        self._images, self._validation, self._steps = images, validation, steps
        self.findings: dict[str, Any] = {}
        self.weights: dict[str, Tensor] = {}
        """Weights that take the place of the ANN's in the spiking network, by name in the prepared graph."""
        self.read_out_delay: int | None = None

    @property
    def num_steps(self) -> int:
        """T to convert for.

        Raises:
            ConversionError: None was given, or it is below 1.
        """
        if self._steps is None:
            raise ConversionError(f"{self.method} converts for one number of time-steps; pass num_steps=T.")
        if self._steps < 1:
            raise ConversionError(f"num_steps is {self._steps}; {self.method} converts for at least 1 time-step.")
        return self._steps

    @property
    def images(self) -> ImageSource:
        """Calibration images.

        Raises:
            ConversionError: None were given.
        """
        if self._images is None:
            raise ConversionError(f"{self.method} needs calibration images; pass data=.")
        return self._images

    @property
    def validation(self) -> ImageSource:
        """Labelled images on which candidates are compared.

        Raises:
            ConversionError: None were given, or without labels.
        """
        if self._validation is None or self._validation.labels is None:
            raise ConversionError(f"{self.method} chooses on labelled validation images; pass validation=.")
        return self._validation

    def accuracy(
        self, specs: Mapping[str, NeuronSpec], *, images: ImageSource | None = None, num_steps: int | None = None
    ) -> float:
        """Accuracy of the network with these neurons, on the validation images at T unless others are given."""
        network = copy.deepcopy(self.network)
        snn = assemble(
            network, self.sites, specs, self.method, {}, weights=self.weights, read_out_delay=self.read_out_delay
        )
        recording = simulate(
            snn,
            self.validation if images is None else images,
            num_steps=num_steps or self.num_steps,
            progress=self.progress,
        )
        return float((recording.predictions[-1] == recording.labels).mean())

    def largest_activations(self) -> dict[str, Tensor]:
        """The ANN's largest activation of every single neuron on the calibration images, by site, activation units.

        Raises:
            DataError: NaN in an image.
        """
        images, largest = self.images, dict[str, Tensor]()
        recorder = Recorder(self.network.graph, {site.name for site in self.sites})
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                stop = min(start + BATCH, len(images))
                x = images.batch(start, stop)
                check_finite(x, start)
                for name, activation in recorder.activations(x).items():
                    found = activation.amax(0)
                    largest[name] = torch.maximum(largest[name], found) if name in largest else found
                self.progress(stop, len(images), "calibration images")
        return largest

    def learn_clipping(self, *, iterations: int, batch: int) -> dict[str, Clipping]:
        """Clipping thresholds by site, learned on the calibration images with frozen weights.

        Raises:
            DataError: NaN in an image.
        """
        own = {site.name: site.threshold for site in self.sites}
        return learn_clipping(
            self.network.graph, own, self.images, iterations=iterations, batch=batch, progress=self.progress
        )

    def walk(self, decide: Callable[[SiteInput], NeuronSpec], *, num_steps: int, limit: int) -> dict[str, NeuronSpec]:
        """Decide the neurons site after site; every site sees the spiking network as decided up to there.

        ANN and spiking network go through the graph side by side, so that each layer is computed once. All live values
        of T steps are held in memory.

        Args:
            decide: Gives the neuron of a site.
            num_steps: T of the walk.
            limit: Images, the first ones of the calibration data.

        Sites to which no spike came are told in ``findings``: what was decided there rests on biases alone.

        Raises:
            DataError: NaN in an image.
        """
        images = self.images
        count = min(limit, len(images))
        batches = [images.batch(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]
        for index, batch in enumerate(batches):
            check_finite(batch, index * BATCH)
        facts, specs = {site.name: site for site in self.sites}, {}
        graph = copy.deepcopy(self.network.graph)
        switch_noise(graph, False)
        unreached: list[str] = []
        pairs = Lockstep(graph, batches, num_steps, set(facts))
        for done, (name, currents, preactivations, activations) in enumerate(pairs):
            site = replace(facts[name], shape=tuple(activations[0].shape[1:]))
            at = SiteInput(site, currents, preactivations, activations, num_steps, graph.get_submodule(name))
            specs[name] = decide(at)
            if at.is_unreached:
                unreached.append(name)
            pairs.emit(at.emitted(specs[name]))
            self.progress(done + 1, len(facts), "sites calibrated")
        if unreached:
            self.findings["unreached"] = {
                "sites": unreached,
                "num_steps": num_steps,
                "note": f"{self.method}: in {num_steps} steps on {count} calibration images no spike came to "
                f"{len(unreached)} of {len(specs)} sites ({unreached[0]} is the first), which were set by biases "
                "alone; calibrate with more steps.",
            }
        return specs


def _run(neuron: IntegrateFire, current: Tensor, num_steps: int) -> Tensor:
    """Threshold x spikes, (T, n, ...), for input (T or 1, n, ...)."""
    neuron.reset()
    with torch.inference_mode():
        return torch.stack([neuron(current[t if len(current) > 1 else 0]) for t in range(num_steps)])
