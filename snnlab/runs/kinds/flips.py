"""Find flips and store the run."""

from snnlab.runs.flips import flips_run
from snnlab.runs.kinds import context

run_flips = context.stored(flips_run)
"""Execute a recipe for its flips and store the run."""
