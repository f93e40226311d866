"""Analysis: from recordings to reports. The report classes import without torch."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "accuracy_vs_steps": "accuracy",
    "predict": "accuracy",
    "rank_normalizations": "normalization",
    "residuals": "residual_membrane",
    "conversion_report": "conversion",
    "traces": "neuron_traces",
    "trace_neuron": "neuron_traces",
    "AccuracyCurve": "reports",
    "ConversionReport": "reports",
    "NeuronTraces": "reports",
    "NormalizationReport": "reports",
    "Report": "reports",
    "ResidualReport": "reports",
    "wilson_interval": "reports",
}

__all__ = [
    "AccuracyCurve",
    "ConversionReport",
    "NeuronTraces",
    "NormalizationReport",
    "Report",
    "ResidualReport",
    "accuracy_vs_steps",
    "conversion_report",
    "predict",
    "rank_normalizations",
    "residuals",
    "trace_neuron",
    "traces",
    "wilson_interval",
]

if TYPE_CHECKING:
    from snnlab.analysis.accuracy import accuracy_vs_steps, predict
    from snnlab.analysis.conversion import conversion_report
    from snnlab.analysis.neuron_traces import trace_neuron, traces
    from snnlab.analysis.normalization import rank_normalizations
    from snnlab.analysis.reports import (
        AccuracyCurve,
        ConversionReport,
        NeuronTraces,
        NormalizationReport,
        Report,
        ResidualReport,
        wilson_interval,
    )
    from snnlab.analysis.residual_membrane import residuals


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
