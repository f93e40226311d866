"""Calibration: statistics and corrections measured on calibration images. A noise profile imports without torch."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "CalibrationContext": "context",
    "NoiseProfile": "profile",
    "SiteInput": "context",
    "fit_noise": "noise",
    "measure_activations": "thresholds",
}

__all__ = ["CalibrationContext", "NoiseProfile", "SiteInput", "fit_noise", "measure_activations"]

if TYPE_CHECKING:
    from snnlab.calibration.context import CalibrationContext, SiteInput
    from snnlab.calibration.noise import fit_noise
    from snnlab.calibration.profile import NoiseProfile
    from snnlab.calibration.thresholds import measure_activations


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
