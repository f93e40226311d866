"""Two or more runs side by side: their accuracy at every t, and what they leave behind at every site."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from snnlab.analysis.reports.base import Report
from snnlab.core.errors import SnnlabError

QUANTITIES = (
    "threshold",
    "firing_rate",
    "mean",
    "mean_abs",
    "at_zero",
    "right",
    "excess",
    "missing",
    "exact",
    "saturated",
    "silent",
)
"""Columns of numbers of ``site_frame``."""


@dataclass(frozen=True)
class Comparison(Report):
    """Runs side by side; the first is what the others are compared with.

    Args:
        runs: One row a run: ``run`` (id), ``name`` (no two alike), ``checkpoint``, ``sha256``, ``method`` (with its
            dagger), ``split``, ``images``, ``num_steps``, and ``why``: why it has no paired difference to the first
            one, empty where it has.
        accuracy: One row a run and step (0 for the ANN): ``run``, ``step``, ``role`` (ann, snn), ``accuracy`` with its
            Wilson interval ``low`` and ``high``; and minus the first run's on the same images ``difference`` with
            Newcombe's interval ``difference_low``, ``difference_high``, ``gained`` and ``lost`` images; None for the
            first run and where there is a ``why``.
        sites: One row a site that all runs have, run and common snapshot: ``site``, ``run``, ``step``, ``threshold``
            (mean over channels, activation units), ``firing_rate`` (spikes per neuron and step), of v / threshold
            ``mean``, ``mean_abs`` and ``at_zero`` (share of neurons within 1/64), and the shares of all neurons
            ``right``, ``excess``, ``missing``, ``exact``, ``saturated`` and ``silent``.
        unshared: Run id -> sites that are not in every run in this shape.
        why_no_sites: Why there is no row in ``sites``; empty where there is.
    """

    kind: ClassVar[str] = "comparison"

    runs: tuple[dict[str, Any], ...]
    accuracy: tuple[dict[str, Any], ...]
    sites: tuple[dict[str, Any], ...]
    unshared: dict[str, list[str]]
    why_no_sites: str

    @property
    def names(self) -> tuple[str, ...]:
        """How the runs are called, in order."""
        return tuple(row["name"] for row in self.runs)

    @property
    def steps(self) -> tuple[int, ...]:
        """Snapshots at which the sites are compared, ascending."""
        return tuple(sorted({row["step"] for row in self.sites}))

    def to_frame(self) -> pd.DataFrame:
        """One row per run and step (0 for the ANN): accuracy, and the paired difference to the first run."""
        named = {row["run"]: row["name"] for row in self.runs}
        frame = pd.DataFrame(list(self.accuracy))
        for column in ("difference", "difference_low", "difference_high"):
            frame[column] = frame[column].astype(float)
        for column in ("gained", "lost"):
            frame[column] = frame[column].astype("Int64")
        frame.insert(0, "name", frame["run"].map(named))
        return frame

    def site_frame(self, step: int) -> pd.DataFrame:
        """One row per site and run at a common snapshot, input first.

        Raises:
            SnnlabError: The sites are not compared at that step, or not at all.
        """
        if self.why_no_sites:
            raise SnnlabError(self.why_no_sites)
        if step not in self.steps:
            listed = ", ".join(map(str, self.steps))
            raise SnnlabError(f"These runs have no common snapshot at t = {step}; they have them at t = {listed}.")
        named = {row["run"]: row["name"] for row in self.runs}
        frame = pd.DataFrame([row for row in self.sites if row["step"] == step])
        frame.insert(1, "name", frame["run"].map(named))
        return frame

    def plain(self) -> dict[str, Any]:
        """All of it as JSON-ready values, None where there is no number."""
        rows = {"runs": self.runs, "accuracy": self.accuracy, "sites": self.sites}
        return {
            **{part: [{name: _plain(value) for name, value in row.items()} for row in rows[part]] for part in rows},
            "unshared": self.unshared,
            "why_no_sites": self.why_no_sites,
        }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
