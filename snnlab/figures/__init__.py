"""Figures and tables from Reports: plotly on screen, matplotlib on paper. Imports neither torch nor Streamlit."""

from snnlab.figures import export, style, tables
from snnlab.figures.accuracy import accuracy_vs_steps
from snnlab.figures.export import bundle
from snnlab.figures.figure import Figure
from snnlab.figures.neuron import neuron_trace
from snnlab.figures.overview import residual_overview
from snnlab.figures.residuals import residual_site, spike_errors
from snnlab.figures.sites import site_profile

__all__ = [
    "Figure",
    "accuracy_vs_steps",
    "bundle",
    "export",
    "neuron_trace",
    "residual_overview",
    "residual_site",
    "site_profile",
    "spike_errors",
    "style",
    "tables",
]
