"""Count the operations of a conversion and store the run."""

from snnlab.runs.energy import energy_run
from snnlab.runs.kinds import context

run_energy = context.stored(energy_run)
"""Execute a recipe, count its operations and store the run."""
