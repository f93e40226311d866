"""Explain one image and store the run."""

from snnlab.runs.attribution import attribution_run
from snnlab.runs.kinds import context

run_attribution = context.stored(attribution_run)
"""Execute a recipe's ``attribution`` and store the run."""
