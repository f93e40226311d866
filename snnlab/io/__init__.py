"""Checkpoints: the native format, foreign layouts, and opening files safely."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "Checkpoint": "checkpoint",
    "CheckpointCard": "card",
    "MismatchError": "key_maps.table",
    "candidates": "checkpoint",
    "example": "checkpoint",
    "examples": "checkpoint",
    "load_checkpoint": "checkpoint",
    "open_foreign": "opening",
}

__all__ = [
    "Checkpoint",
    "CheckpointCard",
    "MismatchError",
    "candidates",
    "example",
    "examples",
    "load_checkpoint",
    "open_foreign",
]

if TYPE_CHECKING:
    from snnlab.io.card import CheckpointCard
    from snnlab.io.checkpoint import Checkpoint, candidates, example, examples, load_checkpoint
    from snnlab.io.key_maps.table import MismatchError
    from snnlab.io.opening import open_foreign


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: cards are read without torch."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
