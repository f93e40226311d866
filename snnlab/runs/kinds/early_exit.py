"""Find out what early exit saves, and store the run."""

from snnlab.runs.early_exit import early_exit_run
from snnlab.runs.kinds import context

run_early_exit = context.stored(early_exit_run)
"""Execute a recipe for early exit, its limit as accurate on validation as T, and store the run."""
