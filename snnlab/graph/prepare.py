"""From an ANN to the graph that is converted: copied, checked, traced, batch-norm folded."""

import copy
import operator
from dataclasses import dataclass, replace

import torch
from torch import fx, nn

from snnlab.core.errors import ConversionError
from snnlab.graph.coverage import Coverage, coverage_of
from snnlab.graph.fold import fold_batch_norm
from snnlab.graph.rules import MAX_POOL_FUNCTIONS, pool_arguments
from snnlab.graph.tracer import trace
from snnlab.neurons import MAX_POOLS


@dataclass(frozen=True)
class PreparedNetwork:
    """An ANN ready for conversion.

    Args:
        graph: Its graph with batch-norm folded; owns its modules.
        sites: Names of the activation modules, input first.
        folded: Layer name -> batch-norm folded into it.
        coverage: The rule applied to every operation of the unfolded graph.
    """

    graph: fx.GraphModule
    sites: tuple[str, ...]
    folded: dict[str, str]
    coverage: Coverage


def prepare(ann: nn.Module) -> PreparedNetwork:
    """Copy ``ann``, trace it, check every operation, fold batch-norm. The argument is left alone.

    Raises:
        ConversionError: No spiking site, an operation without a rule, a shared activation, NaN or inf in a weight.
    """
    for name, tensor in [*ann.named_parameters(), *ann.named_buffers()]:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ConversionError(f"{name} holds NaN or infinite values; the checkpoint is damaged.")
    graph_module = trace(copy.deepcopy(ann).eval())
    coverage = coverage_of(graph_module)
    coverage.require_convertible()
    for module in graph_module.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]  # a value may still be needed by a second branch
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and node.target is operator.iadd:
            node.target = operator.add
        elif node.op == "call_method" and node.target == "view":
            node.target = "reshape"  # the engine's channels-last memory has no such view
    _give_each_use_its_own_pool(graph_module)
    folded = fold_batch_norm(graph_module)
    return PreparedNetwork(graph_module, coverage.sites, folded, coverage)


def _give_each_use_its_own_pool(graph_module: fx.GraphModule) -> None:
    """Put a module of its own at every max-pooling: in the spiking network each keeps running sums."""
    modules, used = dict(graph_module.named_modules()), set[str]()
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and node.target in MAX_POOL_FUNCTIONS:
            pool: nn.Module = MAX_POOL_FUNCTIONS[node.target](**pool_arguments(node))
        elif node.op == "call_module" and isinstance(modules[node.target], MAX_POOLS) and node.target in used:
            pool = copy.deepcopy(modules[node.target])
        else:
            used.add(str(node.target))
            continue
        name = free_name(graph_module, node.name)
        graph_module.add_submodule(name, pool)
        node.op, node.target, node.args, node.kwargs = "call_module", name, (node.all_input_nodes[0],), {}
    graph_module.recompile()


def free_name(graph_module: fx.GraphModule, name: str) -> str:
    """A name that no module of the graph has."""
    while hasattr(graph_module, name):
        name += "_"
    return name


OUTPUT_SITE = "spiking_output"
"""Name of the site behind the last layer, where a method lets the output spike."""


def with_output_site(network: PreparedNetwork) -> PreparedNetwork:
    """Put one more site behind the last layer: an identity, in whose place a neuron turns logits into spikes.

    The graph is changed in place.
    """
    graph, name = network.graph, free_name(network.graph, OUTPUT_SITE)
    graph.add_submodule(name, nn.Identity())
    output = next(node for node in graph.graph.nodes if node.op == "output")
    with graph.graph.inserting_before(output):
        spiking = graph.graph.call_module(name, (output.args[0],))
    output.args = (spiking,)
    graph.recompile()
    return replace(network, sites=(*network.sites, name))
