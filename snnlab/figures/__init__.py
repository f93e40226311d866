"""Figures and tables from Reports: plotly on screen, matplotlib on paper. Imports neither torch nor Streamlit."""

from snnlab.core.stages import stage_of
from snnlab.figures import export, style, tables
from snnlab.figures.accuracy import accuracy_vs_steps
from snnlab.figures.arms import arm_name, arm_note, arm_role, gain_table, gain_text, own_gains_told
from snnlab.figures.attribution import (
    attribution_convergence,
    attribution_curves,
    attribution_maps,
    attribution_restoration,
    attribution_sites,
)
from snnlab.figures.budget import error_channels, error_terms, error_waterfall
from snnlab.figures.compare import comparison
from snnlab.figures.early_exit import early_exit
from snnlab.figures.edits import conversion_change
from snnlab.figures.energy import energy_vs_steps, layer_activity
from snnlab.figures.export import bundle
from snnlab.figures.figure import Figure
from snnlab.figures.final import final_accuracy, ordinal
from snnlab.figures.flips import FLIP_NAMES, FLIP_ROLES, flip_confusion, flip_sites, flips_over_steps
from snnlab.figures.gain import noise_gain
from snnlab.figures.gap import gap_over_depth, noise_by_epoch, std_by_epoch
from snnlab.figures.gap_quantiles import gap_quantiles
from snnlab.figures.group import seed_group
from snnlab.figures.inside import errors_over_depth, inside_change
from snnlab.figures.neuron import neuron_trace
from snnlab.figures.noise import noise_gap, noise_profile, noise_scales
from snnlab.figures.overview import residual_overview
from snnlab.figures.paper_table import PaperTable, paper_table
from snnlab.figures.residuals import residual_site, spike_errors
from snnlab.figures.restored import restoration
from snnlab.figures.sites import site_profile
from snnlab.figures.tournament import (
    COST_NAMES,
    tournament_paired,
    tournament_pareto,
    tournament_role,
    tournament_table,
)
from snnlab.figures.training import training_curves
from snnlab.figures.tuning import threshold_tuning
from snnlab.figures.which_site import sensitivity

__all__ = [
    "COST_NAMES",
    "FLIP_NAMES",
    "FLIP_ROLES",
    "Figure",
    "PaperTable",
    "accuracy_vs_steps",
    "arm_name",
    "arm_note",
    "arm_role",
    "attribution_convergence",
    "attribution_curves",
    "attribution_maps",
    "attribution_restoration",
    "attribution_sites",
    "bundle",
    "comparison",
    "conversion_change",
    "early_exit",
    "energy_vs_steps",
    "error_channels",
    "error_terms",
    "error_waterfall",
    "errors_over_depth",
    "export",
    "final_accuracy",
    "flip_confusion",
    "flip_sites",
    "flips_over_steps",
    "gain_table",
    "gain_text",
    "gap_over_depth",
    "gap_quantiles",
    "inside_change",
    "layer_activity",
    "neuron_trace",
    "noise_by_epoch",
    "noise_gain",
    "noise_gap",
    "noise_profile",
    "noise_scales",
    "ordinal",
    "own_gains_told",
    "paper_table",
    "residual_overview",
    "residual_site",
    "restoration",
    "seed_group",
    "sensitivity",
    "site_profile",
    "spike_errors",
    "stage_of",
    "std_by_epoch",
    "style",
    "tables",
    "threshold_tuning",
    "tournament_paired",
    "tournament_pareto",
    "tournament_role",
    "tournament_table",
    "training_curves",
]
