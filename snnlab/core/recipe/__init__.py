"""The Recipe and its parts, each a validated group of choices."""

from snnlab.core.recipe.attribution import AttributionChoice
from snnlab.core.recipe.chain import CalibrationChoice, CheckpointChoice, ConverterChoice, DataChoice, SiteChoice
from snnlab.core.recipe.code import CodeChoice
from snnlab.core.recipe.noise import NoiseChoice
from snnlab.core.recipe.recipe import (
    BESIDE_CONVERSION,
    MAX_STEPS,
    MAX_YAML_BRACKETS,
    MAX_YAML_BYTES,
    RESULTS_VERSION,
    Recipe,
)
from snnlab.core.recipe.tournament import TournamentChoice
from snnlab.core.recipe.training import AdaptorChoice, Arm, ClippingChoice, ExperimentChoice, TrainingChoice

__all__ = [
    "BESIDE_CONVERSION",
    "MAX_STEPS",
    "MAX_YAML_BRACKETS",
    "MAX_YAML_BYTES",
    "RESULTS_VERSION",
    "AdaptorChoice",
    "Arm",
    "AttributionChoice",
    "CalibrationChoice",
    "CheckpointChoice",
    "ClippingChoice",
    "CodeChoice",
    "ConverterChoice",
    "DataChoice",
    "ExperimentChoice",
    "NoiseChoice",
    "Recipe",
    "SiteChoice",
    "TournamentChoice",
    "TrainingChoice",
]
