"""The network as a torch.fx graph: tracing, batch-norm folding, and the rules that decide what may be converted."""

from snnlab.graph.coverage import Coverage, inspect
from snnlab.graph.prepare import prepare
from snnlab.graph.rules import Rule, rule_for

__all__ = ["Coverage", "Rule", "inspect", "prepare", "rule_for"]
