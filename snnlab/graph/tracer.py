"""Trace a network into a graph in which every activation and neuron is one node."""

from torch import fx, nn

from snnlab.activations import is_activation
from snnlab.core.errors import ConversionError
from snnlab.models import PadShortcut
from snnlab.neurons import IntegrateFire


class Tracer(fx.Tracer):
    """Plain symbolic tracing walks into a neuron and leaves a Proxy in its state; here such modules are leaves."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Activations, neurons, our shortcuts, and torch's own layers are single operations."""
        # Not describe(): while tracing, reading a Parameter's value would put a Proxy into it.
        return (
            isinstance(m, IntegrateFire | PadShortcut)
            or is_activation(m)
            or super().is_leaf_module(m, module_qualified_name)
        )


def trace(network: nn.Module) -> fx.GraphModule:
    """The graph of ``network``; its modules are shared with the graph, not copied.

    Raises:
        ConversionError: The forward pass depends on the data and has no graph.
    """
    try:
        return fx.GraphModule(network, Tracer().trace(network))
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConversionError(
            f"{type(network).__name__} has no fixed graph ({reason}); "
            "remove control flow that depends on tensor values from its forward()."
        ) from None
