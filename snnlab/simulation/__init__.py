"""Simulation: the spiking model, the layer-by-layer engine, its recordings."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "simulate": "engine",
    "Recording": "recording",
    "SiteRecording": "recording",
    "SpikingModel": "spiking_model",
    "load_snn": "storage",
    "save_snn": "storage",
    "with_edits": "edits",
}

__all__ = ["Recording", "SiteRecording", "SpikingModel", "load_snn", "save_snn", "simulate", "with_edits"]

if TYPE_CHECKING:
    from snnlab.simulation.edits import with_edits
    from snnlab.simulation.engine import simulate
    from snnlab.simulation.recording import Recording, SiteRecording
    from snnlab.simulation.spiking_model import SpikingModel
    from snnlab.simulation.storage import load_snn, save_snn


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
