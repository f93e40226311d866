"""The converted network: a torch.fx graph with snnTorch neurons at its sites."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from snnlab.core.errors import ConversionError, SimulationError
from snnlab.core.sites import NeuronSpec, Site
from snnlab.graph.prepare import PreparedNetwork
from snnlab.neurons import (
    MAX_POOLS,
    GroupIntegrateFire,
    IntegrateFire,
    MaskedIntegrateFire,
    OffsetIntegrateFire,
    RunningMaxPool,
    SignedIntegrateFire,
    WarmUpIntegrateFire,
    pooled_over_time,
)
from snnlab.simulation.read_out import mean_logits


class SpikingModel(nn.Module):
    """A spiking network, in the user's own loop or in the engine. It does not know T.

    In a loop of one's own: ``reset()``, then ``step(x)`` gives one time-step's logits. ``snn(x, num_steps=T)`` resets
    itself and returns all of them; ``read_out`` makes predictions of them. Where neurons decide in a warm-up, the first
    step of a sequence runs it before, on the images of that step.

    Args:
        graph: Folded graph whose sites are ``IntegrateFire`` neurons, or of its subclasses, and whose max-pools are
            ``RunningMaxPool``.
        sites: Facts about each site, input first.
        method: Name of the conversion method.
        parameters: Its parameters.
        coverage: Rows of the coverage report.
        replaced: Site name -> what was folded and replaced there.
        edited: Sites set by hand.
        converted_for: T that the conversion depends on; None where it depends on none.
        findings: What the method measured to decide, by name, plain values.
        changed_weights: Names of the weights that the method changed, as in the state dict of ``graph``.
        read_out_delay: Steps that the read-out leaves out, see ``window_start``; None where it takes all.
    """

    def __init__(
        self,
        graph: fx.GraphModule,
        *,
        sites: tuple[Site, ...],
        method: str,
        parameters: dict[str, Any],
        coverage: tuple[dict[str, Any], ...],
        replaced: dict[str, str],
        edited: tuple[str, ...] = (),
        converted_for: int | None = None,
        findings: Mapping[str, Any] | None = None,
        changed_weights: tuple[str, ...] = (),
        read_out_delay: int | None = None,
    ) -> None:
        super().__init__()
        self.graph = graph
        self.site_facts = sites
        self.method = method
        self.parameters_used = parameters
        self.coverage = coverage
        self.replaced = replaced
        self.edited = edited
        self.converted_for = converted_for
        self.findings = dict(findings or {})
        self.changed_weights = changed_weights
        self.read_out_delay = read_out_delay
        self.eval()

    @property
    def sites(self) -> dict[str, IntegrateFire]:
        """The neurons by site name, input first."""
        modules = dict(self.graph.named_modules())
        return {site.name: modules[site.name] for site in self.site_facts}

    @property
    def warm_up_steps(self) -> int:
        """Steps before the first one that counts; 0 for most methods."""
        return max(neuron.warm_up_steps for neuron in self.sites.values())

    @property
    def least_steps(self) -> int:
        """Steps that a sequence must have; 1 for most methods."""
        return max(neuron.least_steps for neuron in self.sites.values())

    def total_latency(self, num_steps: int) -> int:
        """Steps until the prediction at T is there: the warm-up and T."""
        return self.warm_up_steps + num_steps

    def check_steps(self, num_steps: int) -> None:
        """Raise unless a sequence can have this many steps.

        Raises:
            SimulationError: It is too short; says what to do.
        """
        if num_steps < 1:
            raise SimulationError(f"num_steps is {num_steps}; a simulation needs at least 1 time-step.")
        least = self.least_steps
        if num_steps < least:
            raise SimulationError(
                f"num_steps is {num_steps}, and {self.method} corrects by what the first {least} time-steps of a "
                f"sequence show; simulate at least {least} and read an earlier one, or convert with a shorter warm-up."
            )

    def reset(self) -> None:
        """Start a new sequence: every neuron returns to v(0), and no max-pool has seen a spike."""
        for module in self.graph.modules():
            if isinstance(module, IntegrateFire | RunningMaxPool):
                module.reset()

    def step(self, images: Tensor) -> Tensor:
        """One time-step.

        Args:
            images: Normalised images, (N, C, H, W).

        Returns:
            This step's logits, (N, classes).
        """
        if any(isinstance(neuron, WarmUpIntegrateFire) and neuron.start is None for neuron in self.sites.values()):
            self._warm_up(images)
        return self.graph(images)

    def _warm_up(self, images: Tensor) -> None:
        """Let every neuron decide, input first, from the steps of the warm-up; time is folded into the batch."""
        steps = self.warm_up_steps
        with torch.no_grad():
            _WarmUp(self.graph, steps).run(images.repeat(steps, *[1] * (images.ndim - 1)))

    def forward(self, images: Tensor, num_steps: int) -> Tensor:
        """Reset, then simulate.

        Args:
            images: Normalised images, (N, C, H, W); shown at every step.
            num_steps: T, at least 1.

        Returns:
            Logits of each step, (T, N, classes); the prediction at t is the argmax of ``read_out`` there, for most
            methods of their sum over steps 1..t.

        Raises:
            SimulationError: ``num_steps`` is below 1, or below what the method's correction looks at.
        """
        self.check_steps(num_steps)
        self.reset()
        return torch.stack([self.step(images) for _ in range(num_steps)])

    def read_out(self, logits: Tensor) -> Tensor:
        """The mean logits from which the class at every t is read, see ``mean_logits``.

        Args:
            logits: Of each step, (T, N, classes).

        Returns:
            (T, N, classes), float64.
        """
        return mean_logits(logits, self.read_out_delay)


class _WarmUp(fx.Interpreter):
    """The first steps of a sequence through a graph, (steps x N, ...); a site's neurons decide before the next site."""

    def __init__(self, graph: fx.GraphModule, steps: int) -> None:
        super().__init__(graph)
        self.steps = steps

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        """One module of the graph."""
        module = self.fetch_attr(target)
        if isinstance(module, IntegrateFire):
            return module.warm_up(args[0].unflatten(0, (self.steps, -1))).flatten(0, 1)
        if isinstance(module, RunningMaxPool):
            return pooled_over_time(module.pool, args[0].unflatten(0, (self.steps, -1))).flatten(0, 1)
        return super().call_module(target, args, kwargs)


def assemble(
    network: PreparedNetwork,
    facts: tuple[Site, ...],
    specs: Mapping[str, NeuronSpec],
    method: str,
    parameters: dict[str, Any],
    *,
    edited: tuple[str, ...] = (),
    converted_for: int | None = None,
    findings: Mapping[str, Any] | None = None,
    weights: Mapping[str, Tensor] | None = None,
    read_out_delay: int | None = None,
) -> SpikingModel:
    """Put neurons at the sites of a prepared network, which becomes the model's own, and other weights in its layers.

    Raises:
        ConversionError: A threshold is not positive and finite; names the site.
    """
    neurons = {site.name: build_neuron(specs[site.name], site) for site in facts}
    replaced = {site.name: replaced_at(network, site.name, specs[site.name].model) for site in facts}
    for name, neuron in neurons.items():
        network.graph.set_submodule(name, neuron)
    for name, module in list(network.graph.named_modules()):
        if isinstance(module, MAX_POOLS):
            network.graph.set_submodule(name, RunningMaxPool(module))
    network.graph.recompile()
    with torch.no_grad():
        for name, weight in (weights or {}).items():
            network.graph.get_parameter(name).copy_(weight)
    return SpikingModel(
        network.graph,
        sites=tuple(replace(site, statistics=None) for site in facts),
        method=method,
        parameters=parameters,
        coverage=network.coverage.to_rows(),
        replaced=replaced,
        edited=edited,
        converted_for=converted_for,
        findings=findings,
        changed_weights=tuple(weights or ()),
        read_out_delay=read_out_delay,
    )


def build_neuron(spec: NeuronSpec, site: Site) -> IntegrateFire:
    """The neuron that a converter specified for a site.

    Raises:
        ConversionError: Unknown neuron model, or a threshold that is not positive and finite; names the site.
    """
    spatial = (1,) * max(len(site.shape) - 1, 0)

    def shaped(value: Any) -> Tensor:
        tensor = torch.as_tensor(value, dtype=torch.get_default_dtype())
        return tensor.reshape(*tensor.shape, *spatial) if tensor.ndim == 1 else tensor

    constants: dict[str, Any] = {
        "initial_fraction": shaped(spec.initial_fraction),
        "added_fraction": None if spec.added_fraction is None else shaped(spec.added_fraction),
        "reference_fraction": None if spec.reference_fraction is None else shaped(spec.reference_fraction),
        "output_fraction": None if spec.output_fraction is None else shaped(spec.output_fraction),
        "fires_at_equality": spec.fires_at_equality,
    }
    try:
        if spec.model == "signed_integrate_fire":
            return SignedIntegrateFire(
                shaped(spec.threshold),
                negative_fraction=shaped(spec.negative_fraction),
                negative_at_equality=spec.negative_at_equality,
                gated=spec.gated,
                **constants,
            )
        if spec.model == "group_integrate_fire":
            return GroupIntegrateFire(shaped(spec.threshold), members=spec.members, **constants)
        if spec.model in _WARM_UPS:
            return _WARM_UPS[spec.model](
                shaped(spec.threshold),
                warm_up_steps=spec.warm_up_steps,
                margin_fraction=shaped(spec.margin_fraction),
                **constants,
            )
        if spec.model != "integrate_fire":
            raise ConversionError(f"There is no neuron model {spec.model!r}.")
        return IntegrateFire(shaped(spec.threshold), **constants)
    except ConversionError as error:
        raise ConversionError(f"{site.name}: {error}") from None


def spec_of(neuron: IntegrateFire) -> NeuronSpec:
    """The specification that ``build_neuron`` would make this neuron from."""

    def numbers(name: str) -> Any:
        value: Tensor | None = getattr(neuron, name)
        return None if value is None else value.cpu().numpy()

    constants: dict[str, Any] = {
        **{
            name: numbers(name)
            for name in ("threshold", "initial_fraction", "added_fraction", "reference_fraction", "output_fraction")
        },
        "fires_at_equality": neuron.fires_at_equality,
    }
    if isinstance(neuron, SignedIntegrateFire):
        return NeuronSpec(
            model="signed_integrate_fire",
            negative_fraction=numbers("negative_fraction"),
            negative_at_equality=neuron.negative_at_equality,
            gated=neuron.gated,
            **constants,
        )
    if isinstance(neuron, GroupIntegrateFire):
        return NeuronSpec(model="group_integrate_fire", members=neuron.most_spikes, **constants)
    if isinstance(neuron, WarmUpIntegrateFire):
        return NeuronSpec(
            model=next(model for model, cls in _WARM_UPS.items() if isinstance(neuron, cls)),
            warm_up_steps=neuron.warm_up_steps,
            margin_fraction=numbers("margin_fraction"),
            **constants,
        )
    return NeuronSpec(**constants)


_WARM_UPS: dict[str, type[WarmUpIntegrateFire]] = {
    "masked_integrate_fire": MaskedIntegrateFire,
    "offset_integrate_fire": OffsetIntegrateFire,
}
_SHORT = {
    "integrate_fire": "IF",
    "signed_integrate_fire": "signed IF",
    "group_integrate_fire": "group IF",
    "masked_integrate_fire": "masked IF",
    "offset_integrate_fire": "offset IF",
}


def replaced_at(network: PreparedNetwork, site: str, model: str) -> str:
    """In words, what stands at a site now: ``qcfs -> IF; conv1 + bn1 folded``."""
    modules = dict(network.graph.named_modules())
    node = next(node for node in network.graph.graph.nodes if node.target == site)
    folds, queue = [], list(node.all_input_nodes)
    while queue:  # layers that feed this site without another site between
        source = queue.pop()
        if source.op == "call_module" and source.target in network.folded:
            folds.append(f"{network.folded[source.target]} folded into {source.target}")
        elif source.op != "call_module" or source.target not in network.sites:
            queue.extend(source.all_input_nodes)
    kind = type(modules[site]).__name__
    return "; ".join([f"{kind} → {_SHORT[model]}", *sorted(folds)])
