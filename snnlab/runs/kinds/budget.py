"""Make the error budget of a conversion, or restore its sites, and store the run."""

from snnlab.runs.budget import budget_run, restore_run
from snnlab.runs.kinds import context

run_budget = context.stored(budget_run)
"""Execute a recipe's error budget and store the run."""

run_restore = context.stored(restore_run)
"""Restore the sites of a recipe's conversion and store the run."""
