"""Analysis: from recordings to reports. The report classes import without torch."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "ActivityCounter": "activity",
    "synaptic_operations": "activity",
    "accuracy_vs_steps": "accuracy",
    "error_budget": "budget",
    "attribute": "attribution",
    "predict": "accuracy",
    "rank_normalizations": "normalization",
    "residuals": "residual_membrane",
    "conversion_report": "conversion",
    "traces": "neuron_traces",
    "trace_neuron": "neuron_traces",
    "kappa": "noise",
    "noisy_correct": "noise",
    "largest_scale": "which_site",
    "sensitivity": "which_site",
    "find_flips": "flips",
    "FLIP_KINDS": "reports",
    "Flip": "reports",
    "FlipReport": "reports",
    "AccuracyCurve": "reports",
    "ActivityReport": "reports",
    "ENERGY_COSTS": "reports",
    "Conventions": "reports",
    "AttributionReport": "reports",
    "Comparison": "reports",
    "ErrorBudget": "reports",
    "Estimate": "reports",
    "FinalEvaluation": "reports",
    "Gain": "reports",
    "NoiseGain": "reports",
    "ConversionReport": "reports",
    "EnergyReport": "reports",
    "NeuronTraces": "reports",
    "NoiseReport": "reports",
    "NormalizationReport": "reports",
    "PairedDifference": "reports",
    "PairedMethods": "reports",
    "Probe": "reports",
    "Report": "reports",
    "ResidualReport": "reports",
    "SeedGroup": "reports",
    "LargestScale": "reports",
    "SensitivityReport": "reports",
    "SiteLoss": "reports",
    "Standing": "reports",
    "Tournament": "reports",
    "TournamentCell": "reports",
    "paired_difference": "reports",
    "probe_conversion": "probe",
    "wilson_interval": "reports",
}

__all__ = [
    "ENERGY_COSTS",
    "FLIP_KINDS",
    "AccuracyCurve",
    "ActivityCounter",
    "ActivityReport",
    "AttributionReport",
    "Comparison",
    "Conventions",
    "ConversionReport",
    "EnergyReport",
    "ErrorBudget",
    "Estimate",
    "FinalEvaluation",
    "Flip",
    "FlipReport",
    "Gain",
    "LargestScale",
    "NeuronTraces",
    "NoiseGain",
    "NoiseReport",
    "NormalizationReport",
    "PairedDifference",
    "PairedMethods",
    "Probe",
    "Report",
    "ResidualReport",
    "SeedGroup",
    "SensitivityReport",
    "SiteLoss",
    "Standing",
    "Tournament",
    "TournamentCell",
    "accuracy_vs_steps",
    "attribute",
    "conversion_report",
    "error_budget",
    "find_flips",
    "kappa",
    "largest_scale",
    "noisy_correct",
    "paired_difference",
    "predict",
    "probe_conversion",
    "rank_normalizations",
    "residuals",
    "sensitivity",
    "synaptic_operations",
    "trace_neuron",
    "traces",
    "wilson_interval",
]

if TYPE_CHECKING:
    from snnlab.analysis.accuracy import accuracy_vs_steps, predict
    from snnlab.analysis.activity import ActivityCounter, synaptic_operations
    from snnlab.analysis.attribution import attribute
    from snnlab.analysis.budget import error_budget
    from snnlab.analysis.conversion import conversion_report
    from snnlab.analysis.flips import find_flips
    from snnlab.analysis.neuron_traces import trace_neuron, traces
    from snnlab.analysis.noise import kappa, noisy_correct
    from snnlab.analysis.normalization import rank_normalizations
    from snnlab.analysis.probe import probe_conversion
    from snnlab.analysis.reports import (
        ENERGY_COSTS,
        FLIP_KINDS,
        AccuracyCurve,
        ActivityReport,
        AttributionReport,
        Comparison,
        Conventions,
        ConversionReport,
        EnergyReport,
        ErrorBudget,
        Estimate,
        FinalEvaluation,
        Flip,
        FlipReport,
        Gain,
        LargestScale,
        NeuronTraces,
        NoiseGain,
        NoiseReport,
        NormalizationReport,
        PairedDifference,
        PairedMethods,
        Probe,
        Report,
        ResidualReport,
        SeedGroup,
        SensitivityReport,
        SiteLoss,
        Standing,
        Tournament,
        TournamentCell,
        paired_difference,
        wilson_interval,
    )
    from snnlab.analysis.residual_membrane import residuals
    from snnlab.analysis.which_site import largest_scale, sensitivity


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
