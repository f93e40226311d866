"""Diagnose a conversion and store the run."""

from snnlab.runs.diagnosis import diagnosis_run
from snnlab.runs.kinds import context

run_diagnosis = context.stored(diagnosis_run)
"""Execute a recipe of a diagnosis and store the run."""
