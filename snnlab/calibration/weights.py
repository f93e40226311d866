"""Tune the weights of a network from site to site, each under the spiking network as tuned up to there."""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from snnlab.activations import switch_noise
from snnlab.calibration.context import BATCH, CalibrationContext
from snnlab.calibration.grid import least_squares_threshold
from snnlab.core.sites import NeuronSpec, Site
from snnlab.simulation.engine import Value, apply_node
from snnlab.simulation.images import check_finite
from snnlab.simulation.spiking_model import build_neuron

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class _Emitted:
    """What a site that is decided emits: ``threshold`` x ``spikes``, (T, N, ...), int8 as all of it is kept."""

    spikes: Tensor
    threshold: Tensor

    def mean(self) -> Tensor:
        """Over time, (N, ...), activation units."""
        total = sum(step.to(self.threshold.dtype) for step in self.spikes)
        assert isinstance(total, Tensor), "there is at least one step"
        return total / len(self.spikes) * self.threshold

    def steps(self, chosen: Tensor) -> Tensor:
        """Of some images, (T x n, ...), activation units."""
        return (self.spikes[:, chosen].to(self.threshold.dtype) * self.threshold).flatten(0, 1)


@dataclass(frozen=True)
class TunedSite:
    """A site in the walk, whose layers may still be changed.

    Between the sites before it and a site a network is affine, so that the mean over time of the site's input is the
    input for the mean of what those sites emit: tuning needs these means alone.

    Args:
        site: The site, with shape.
        activations: The ANN's own output, (N, ...), activation units.
        layers: Layers that feed this site before any other, by name; changing their weights in place tunes them.
        num_steps: T.
        walk: The walk that it belongs to.
    """

    site: Site
    activations: Tensor
    layers: dict[str, nn.Module]
    num_steps: int
    walk: "WeightWalk"

    def least_squares_threshold(self) -> float:
        """The threshold at which T spikes represent the ANN's activations best; 0 where they are all 0."""
        return least_squares_threshold((self.activations,), self.num_steps)

    def parameters(self, *, bias: bool) -> list[nn.Parameter]:
        """Weights of its layers, from now on with gradients, and their biases too."""
        found = [
            parameter
            for layer in self.layers.values()
            for name, parameter in layer.named_parameters(recurse=False)
            if name == "weight" or (bias and name == "bias")
        ]
        for parameter in found:
            parameter.requires_grad_(True)
        return found

    def mean_current(self, chosen: Tensor) -> Tensor:
        """Mean input over time of some images, (n, ...), differentiable in the weights, activation units."""
        return self.walk.mean_current(chosen)

    def mean_output(self, spec: NeuronSpec, chosen: Tensor) -> Tensor:
        """Mean over time of what such neurons emit with the weights as they are, (n, ...), without gradient."""
        neuron = build_neuron(spec, self.site)
        with torch.no_grad():
            return torch.stack(list(self.walk.fire(neuron, chosen))).mean(0)

    def decide(self, spec: NeuronSpec) -> None:
        """Put the neuron there, and go on with the weights as they are."""
        self.walk.decide(self.site, spec, list(self.layers))


class WeightWalk:
    """Goes through the sites of a network, input first, with its spiking version beside it.

    Iterating gives a ``TunedSite``; before the next one the caller calls its ``decide`` once.

    Args:
        context: The conversion; its network is left alone.
        num_steps: T.
        limit: Images, the first ones of the calibration data.

    Raises:
        DataError: NaN in an image.
    """

    def __init__(self, context: CalibrationContext, *, num_steps: int, limit: int) -> None:
        images = context.images
        self.images = images.batch(0, min(limit, len(images))).clone()
        check_finite(self.images, 0)
        self.num_steps = num_steps
        self.specs: dict[str, NeuronSpec] = {}
        self.weights: dict[str, Tensor] = {}
        graph = switch_noise(copy.deepcopy(context.network.graph), False).requires_grad_(False)
        self._facts = {site.name: site for site in context.sites}
        self._nodes = list(context.network.graph.graph.nodes)
        self._ann = dict(graph.named_modules())
        self._snn = dict(copy.deepcopy(graph).named_modules())
        self._emitted: dict[fx.Node, _Emitted] = {}
        self._segment: list[fx.Node] = []
        self._site = self._nodes[0]
        self._means: dict[fx.Node, Tensor] = {}

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def __iter__(self) -> Iterator[TunedSite]:
        sites = [node for node in self._nodes if node.op == "call_module" and node.target in self._facts]
        ends = {leaf: site for site in sites for leaf in self._before(site)[1]}
        activations: dict[fx.Node, Tensor] = {}
        tuned: set[str] = set()
        for site in sites:
            self._site, (self._segment, leaves) = site, self._before(site)
            name = str(site.target)
            with torch.no_grad():
                known = {leaf: self.images if leaf.op == "placeholder" else activations[leaf] for leaf in leaves}
                activations[site] = self._ann[name](self._run(self._ann, known))
                self._means = {
                    leaf: self.images if leaf.op == "placeholder" else self._emitted[leaf].mean() for leaf in leaves
                }
            layers = {
                str(node.target): self._snn[str(node.target)]
                for node in self._segment
                if isinstance(self._snn.get(str(node.target)), _LAYERS) and node.target not in tuned
            }
            tuned.update(layers)
            facts = replace(self._facts[name], shape=tuple(activations[site].shape[1:]))
            yield TunedSite(facts, activations[site], layers, self.num_steps, self)
            assert name in self.specs, "the caller decides every site"
            for leaf in [leaf for leaf in self._emitted if ends.get(leaf) is site]:
                del self._emitted[leaf], activations[leaf]

    def mean_current(self, chosen: Tensor) -> Tensor:
        """As ``TunedSite.mean_current``."""
        return self._run(self._snn, {leaf: mean[chosen] for leaf, mean in self._means.items()})

    def fire(self, neuron: nn.Module, chosen: Tensor) -> Iterator[Tensor]:
        """What a neuron at the site at hand emits at each step, (n, ...), for some images."""
        known = {
            leaf: Value(self._emitted[leaf].steps(chosen), True)
            if leaf in self._emitted
            else Value(self.images[chosen], False)
            for leaf in self._means
        }
        current = self._value(self._snn, known)
        by_step = current.data.unflatten(0, (self.num_steps, -1)) if current.varies else None
        for t in range(self.num_steps):
            yield neuron(current.data if by_step is None else by_step[t])

    def decide(self, site: Site, spec: NeuronSpec, layers: list[str]) -> None:
        """As ``TunedSite.decide``."""
        neuron = build_neuron(spec, site)
        spikes = torch.empty(self.num_steps, len(self), *site.shape, dtype=torch.int8)
        with torch.no_grad():
            for start in range(0, len(self), BATCH):
                chosen = torch.arange(start, min(start + BATCH, len(self)))
                neuron.reset()
                for t, emitted in enumerate(self.fire(neuron, chosen)):
                    spikes[t, chosen] = (emitted / neuron.threshold).round().to(torch.int8)
        self._emitted[self._site] = _Emitted(spikes, neuron.threshold)
        self.specs[site.name] = spec
        for layer in layers:
            for name, parameter in self._snn[layer].named_parameters(recurse=False):
                original = self._ann[layer].get_parameter(name)
                parameter.requires_grad_(False)
                if not torch.equal(parameter, original):
                    self.weights[f"{layer}.{name}"] = parameter.detach().clone()

    def _before(self, site: fx.Node) -> tuple[list[fx.Node], list[fx.Node]]:
        """Nodes between a site and the sites before it, and those sites, or the input, in the order of the graph."""
        inner, leaves, queue = set[fx.Node](), set[fx.Node](), list(site.all_input_nodes)
        while queue:
            node = queue.pop()
            if node.op == "placeholder" or (node.op == "call_module" and node.target in self._facts):
                leaves.add(node)
            elif node not in inner:
                inner.add(node)
                queue.extend(node.all_input_nodes)
        return [node for node in self._nodes if node in inner], [node for node in self._nodes if node in leaves]

    def _run(self, modules: dict[str, nn.Module], known: dict[fx.Node, Tensor]) -> Tensor:
        found: Tensor = self._value(modules, {leaf: Value(data, False) for leaf, data in known.items()}).data
        return found

    def _value(self, modules: dict[str, nn.Module], known: dict[fx.Node, Value]) -> Value:
        """Input of the site at hand."""
        env = dict(known)
        for node in self._segment:
            env[node] = apply_node(node, modules, env, self.num_steps)
        return env[self._site.all_input_nodes[0]]


def descend(
    at: TunedSite,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Tensor],
    output: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[None]:
    r"""Steps on the squared error between what a site will emit and the ANN's activation.

    .. math:: \mathrm{mean} \left(\phi(W \bar x + b) - a\right)^2

    Args:
        at: The site.
        optimizer: Of its parameters.
        batches: Indices of images, one step each.
        output: ``output(mean input, indices)`` gives the mean output, with its gradient.

    Yields:
        After every step.
    """
    for chosen in batches:
        loss = F.mse_loss(output(at.mean_current(chosen), chosen), at.activations[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def straight_through(value: Tensor, clipped: Tensor) -> Tensor:
    """``value`` with the gradient of ``clipped``."""
    return clipped + (value - clipped).detach()
