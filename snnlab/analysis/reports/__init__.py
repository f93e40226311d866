"""Reports: numbers that answer one question. They import without torch and are what figures and pages draw.

A Report is a frozen dataclass of plain values and NumPy arrays. ``to_frame`` gives tidy pandas;
``payload`` and ``from_payload`` carry it to and from the run store without loss.
"""

from snnlab.analysis.reports.accuracy import AccuracyCurve
from snnlab.analysis.reports.activity import ActivityReport, Conventions, Operations
from snnlab.analysis.reports.attribution import AttributionReport
from snnlab.analysis.reports.base import WILSON_Z, Report, wilson_interval
from snnlab.analysis.reports.budget import ErrorBudget
from snnlab.analysis.reports.comparison import Comparison
from snnlab.analysis.reports.conversion import ConversionReport
from snnlab.analysis.reports.diagnosis import Diagnosis, Finding
from snnlab.analysis.reports.early_exit import EarlyExit, Exit
from snnlab.analysis.reports.energy import Crossover, EnergyReport
from snnlab.analysis.reports.final import FinalEvaluation
from snnlab.analysis.reports.flips import FEWEST_ALIKE, FLIP_KINDS, Flip, FlipReport
from snnlab.analysis.reports.gain import BASE, CONTROL, CURVES, OWN_CONTROLS, OWN_WORDS, Gain, NoiseGain
from snnlab.analysis.reports.neuron_traces import NeuronTraces, replay
from snnlab.analysis.reports.noise import Estimate, NoiseReport, estimate
from snnlab.analysis.reports.normalization import NormalizationReport
from snnlab.analysis.reports.paired import PairedDifference, paired_difference
from snnlab.analysis.reports.probe import Probe
from snnlab.analysis.reports.residuals import ResidualReport
from snnlab.analysis.reports.restoration import Restoration
from snnlab.analysis.reports.seed_group import SeedGroup
from snnlab.analysis.reports.sensitivity import LargestScale, SensitivityReport, SiteLoss
from snnlab.analysis.reports.tournament import COSTS, PairedMethods, Standing, Tournament, TournamentCell
from snnlab.core.energy import ENERGY_COSTS

__all__ = [
    "BASE",
    "CONTROL",
    "COSTS",
    "CURVES",
    "ENERGY_COSTS",
    "FEWEST_ALIKE",
    "FLIP_KINDS",
    "WILSON_Z",
    "AccuracyCurve",
    "ActivityReport",
    "AttributionReport",
    "Comparison",
    "Conventions",
    "ConversionReport",
    "Crossover",
    "Diagnosis",
    "EarlyExit",
    "EnergyReport",
    "ErrorBudget",
    "Estimate",
    "Exit",
    "FinalEvaluation",
    "Finding",
    "Flip",
    "FlipReport",
    "Gain",
    "LargestScale",
    "NeuronTraces",
    "NoiseGain",
    "NoiseReport",
    "NormalizationReport",
    "Operations",
    "PairedDifference",
    "PairedMethods",
    "Probe",
    "Report",
    "ResidualReport",
    "Restoration",
    "SeedGroup",
    "SensitivityReport",
    "SiteLoss",
    "Standing",
    "Tournament",
    "TournamentCell",
    "estimate",
    "paired_difference",
    "replay",
    "wilson_interval",
]
