"""An ANN and its spiking network side by side, one layer at a time, for calibration from site to site."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, fx

from snnlab.simulation.engine import Value, apply_node, last_uses

Pairs = tuple[str, tuple[Tensor, ...], tuple[Tensor, ...], tuple[Tensor, ...]]


class Lockstep:
    """Runs a graph of an ANN twice at once: as it is, and with what the caller emits at its sites.

    Iterating gives, for every site in the order of the graph, its name, the spiking network's input (T or 1, n, ...),
    the ANN's input (n, ...) and the ANN's output (n, ...), each one tensor a batch. Before the next site the caller
    calls ``emit`` once.

    Args:
        graph: Prepared ANN; left alone.
        batches: Normalised images, each (n, C, H, W).
        num_steps: T.
        sites: Names of its sites.
    """

    def __init__(self, graph: fx.GraphModule, batches: Sequence[Tensor], num_steps: int, sites: set[str]) -> None:
        self.graph, self.batches, self.num_steps, self.sites = graph, batches, num_steps, sites
        self._emitted: tuple[Tensor, ...] | None = None

    def emit(self, spikes: tuple[Tensor, ...]) -> None:
        """What the spiking network emits at the site at hand, threshold x spikes, (T, n, ...), one a batch."""
        self._emitted = spikes

    def __iter__(self) -> Iterator[Pairs]:
        modules = dict(self.graph.named_modules())
        ann: list[dict[fx.Node, Value]] = [{} for _ in self.batches]
        snn: list[dict[fx.Node, Value]] = [{} for _ in self.batches]
        ends = last_uses(self.graph)
        for node in self.graph.graph.nodes:
            if node.op == "output":
                return
            if node.op == "call_module" and node.target in self.sites:
                source = node.args[0]
                before = [envs[source].data for envs in ann]
                with torch.inference_mode():
                    after = [modules[str(node.target)](value) for value in before]
                yield (
                    str(node.target),
                    tuple(self._by_step(envs[source]) for envs in snn),
                    tuple(before),
                    tuple(after),
                )
                assert self._emitted is not None, "the caller decides what a site emits"
                for index, spikes in enumerate(self._emitted):
                    ann[index][node] = Value(after[index], False)
                    snn[index][node] = Value(spikes.flatten(0, 1), True)
                self._emitted = None
            else:
                for index, batch in enumerate(self.batches):
                    for envs in (ann[index], snn[index]):
                        with torch.inference_mode():
                            envs[node] = (
                                Value(batch, False)
                                if node.op == "placeholder"
                                else apply_node(node, modules, envs, self.num_steps)
                            )
            for done in ends.get(node, ()):
                for envs in (*ann, *snn):
                    del envs[done]

    def _by_step(self, value: Value) -> Tensor:
        data: Tensor = value.data
        return data.unflatten(0, (self.num_steps, -1)) if value.varies else data.unsqueeze(0)
