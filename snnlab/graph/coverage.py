"""Coverage: every operation of a network, the rule applied to it, and whether the network may be converted."""

import copy
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd
from torch import fx, nn

from snnlab.core.errors import ConversionError
from snnlab.graph.rules import Rule, rule_for
from snnlab.graph.tracer import trace


@dataclass(frozen=True)
class Coverage:
    """What would happen to each operation.

    Args:
        rows: (node name, operation, rule), in execution order.
        sites: Names of the activation modules, input first.
        shared: Activation modules that are used more than once.
    """

    rows: tuple[tuple[str, str, Rule], ...]
    sites: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def refused(self) -> tuple[tuple[str, str, Rule], ...]:
        """Operations that stop a conversion."""
        return tuple(row for row in self.rows if row[2].verdict == "refused")

    def require_convertible(self) -> None:
        """Raise unless every operation has a rule and there is a site.

        Raises:
            ConversionError: Names the first node in the way and the fix.
        """
        if self.refused:
            node, operation, rule = self.refused[0]
            more = f" ({len(self.refused) - 1} more)" if len(self.refused) > 1 else ""
            raise ConversionError(f"{node} ({operation}) cannot be converted: {rule.note}{more}.")
        if self.shared:
            raise ConversionError(
                f"{self.shared[0]} is used more than once; a neuron has one state, so give each use its own module."
            )
        if not self.sites:
            raise ConversionError("The network has no activation module to convert; nothing would spike.")

    def to_rows(self) -> tuple[dict[str, Any], ...]:
        """Plain rows: node, operation, rule, verdict, note."""
        return tuple(
            {"node": node, "operation": operation, "rule": rule.name, "verdict": rule.verdict, "note": rule.note}
            for node, operation, rule in self.rows
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per operation."""
        return pd.DataFrame(list(self.to_rows()))


def coverage_of(graph_module: fx.GraphModule) -> Coverage:
    """Coverage of a traced network."""
    modules = dict(graph_module.named_modules())
    rows, sites = [], []
    for node in graph_module.graph.nodes:
        rule = rule_for(node, modules)
        name = str(node.target) if node.op == "call_module" else node.name
        rows.append((name, _operation(node, modules), rule))
        if rule.name == "site":
            sites.append(name)
    shared = tuple(name for name, count in Counter(sites).items() if count > 1)
    return Coverage(tuple(rows), tuple(dict.fromkeys(sites)), shared)


def inspect(ann: nn.Module) -> Coverage:
    """Coverage of an ANN, without converting it. The argument is left alone.

    Raises:
        ConversionError: The network has no fixed graph.
    """
    return coverage_of(trace(copy.deepcopy(ann).eval()))


def _operation(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    if node.op == "call_module":
        return type(modules[str(node.target)]).__name__
    if node.op == "call_function":
        return str(getattr(node.target, "__name__", node.target))
    return str(node.target) if node.op == "call_method" else node.op
