"""The kinds of work a worker does for the app: each takes plain values and returns plain values.

A kind is named by module and function and imported when it is first asked for. It is called with its arguments and
with ``progress``; results go through a pipe as JSON, whatever is large goes into the run store.
"""

import importlib
from collections.abc import Callable
from typing import Any

KINDS = {
    "open": "checkpoint:open_checkpoint",
    "normalization": "checkpoint:rank_normalization",
    "candidates": "checkpoint:rank_candidates",
    "evaluate_ann": "checkpoint:evaluate_ann",
    "analyse": "analysis:run_analysis",
    "trace": "analysis:trace",
}
"""Kind -> module of this package and function in it."""


def find(kind: str) -> Callable[..., dict[str, Any]]:
    """The function that does this kind of work."""
    module, _, function = KINDS[kind].partition(":")
    found: Callable[..., dict[str, Any]] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return found
