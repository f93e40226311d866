"""Reports: numbers that answer one question. They import without torch and are what figures and pages draw.

A Report is a frozen dataclass of plain values and NumPy arrays. ``to_frame`` gives tidy pandas;
``payload`` and ``from_payload`` carry it to and from the run store without loss.
"""

from snnlab.analysis.reports.accuracy import AccuracyCurve
from snnlab.analysis.reports.base import WILSON_Z, Report, wilson_interval
from snnlab.analysis.reports.conversion import ConversionReport
from snnlab.analysis.reports.neuron_traces import NeuronTraces
from snnlab.analysis.reports.normalization import NormalizationReport
from snnlab.analysis.reports.residuals import ResidualReport

__all__ = [
    "WILSON_Z",
    "AccuracyCurve",
    "ConversionReport",
    "NeuronTraces",
    "NormalizationReport",
    "Report",
    "ResidualReport",
    "wilson_interval",
]
