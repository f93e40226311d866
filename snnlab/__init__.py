"""snnlab: convert ANNs to spiking networks, see where the error comes from, and leave with figures."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "load_checkpoint": "snnlab.io",
    "example": "snnlab.io",
    "examples": "snnlab.io",
    "inspect": "snnlab.graph",
    "convert": "snnlab.converters.apply",
    "simulate": "snnlab.simulation",
    "load_snn": "snnlab.simulation",
    "save_snn": "snnlab.simulation",
    "Recipe": "snnlab.core.recipe",
    "MethodCard": "snnlab.core.registry",
    "Parameter": "snnlab.core.registry",
    "methods": "snnlab.core.registry",
    "register": "snnlab.core.registry",
    "Activation": "snnlab.activations.base",
    "Calibration": "snnlab.converters.calibration",
    "Converter": "snnlab.converters.base",
    "ConversionError": "snnlab.core.errors",
    "NeuronSpec": "snnlab.core.sites",
    "Site": "snnlab.core.sites",
    "load_file": "snnlab.core.loaded",
    "loaded_files": "snnlab.core.loaded",
    "adopt_named": "snnlab.core.loaded",
    "references": "snnlab.core.references",
    "literature": "snnlab.core.literature",
    "open_app": "snnlab.cli.opened",
    "PublishedNumber": "snnlab.core.literature",
}
_NAMESPACES = ("analysis", "calibration", "data", "figures", "runs", "sweeps", "training")

__all__ = [*_WHERE, *_NAMESPACES]

if TYPE_CHECKING:
    from snnlab import analysis, calibration, data, figures, runs, sweeps, training
    from snnlab.activations.base import Activation
    from snnlab.cli.opened import open_app
    from snnlab.converters.apply import convert
    from snnlab.converters.base import Converter
    from snnlab.converters.calibration import Calibration
    from snnlab.core.errors import ConversionError
    from snnlab.core.literature import PublishedNumber, literature
    from snnlab.core.loaded import adopt_named, load_file, loaded_files
    from snnlab.core.recipe import Recipe
    from snnlab.core.references import references
    from snnlab.core.registry import MethodCard, Parameter, methods, register
    from snnlab.core.sites import NeuronSpec, Site
    from snnlab.graph import inspect
    from snnlab.io import example, examples, load_checkpoint
    from snnlab.simulation import load_snn, save_snn, simulate


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that ``import snnlab`` costs nothing."""
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name in _NAMESPACES:
        return importlib.import_module(f"snnlab.{name}")
    raise AttributeError(f"module 'snnlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
