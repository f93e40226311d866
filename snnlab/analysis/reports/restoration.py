"""What is regained where a site emits the ANN's activation."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report
from snnlab.analysis.reports.paired import PairedDifference, paired_difference
from snnlab.core.errors import SnnlabError


@dataclass(frozen=True)
class Restoration(Report):
    """Which images are right once one site, or all sites of a stage, emit the ANN's activations at every step.

    The rest is simulated, on what the restored sites emit: what is regained is what their error, own and inherited,
    costs. Values regained at single sites do not add up: a later site hands on what earlier ones got wrong.

    Args:
        names: Site names, input first.
        stages: Names of the stages, input first.
        stage_sizes: Number of sites in each.
        steps: Snapshots t, ascending.
        snn_correct: Right without restoration, (steps, images), bool.
        ann_correct: Right by the ANN, (images,), bool.
        site_correct: Right with one site restored, (sites, steps, images), bool.
        stage_correct: Right with a whole stage restored, (stages, steps, images), bool.
        split: Name of the data split.
        method: Name of the conversion method.
    """

    kind: ClassVar[str] = "restoration"

    names: tuple[str, ...]
    stages: tuple[str, ...]
    stage_sizes: tuple[int, ...]
    steps: tuple[int, ...]
    snn_correct: np.ndarray
    ann_correct: np.ndarray
    site_correct: np.ndarray
    stage_correct: np.ndarray
    split: str
    method: str = ""

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.ann_correct)

    def snapshot(self, step: int) -> int:
        """Index of a snapshot.

        Raises:
            SnnlabError: Nothing was restored at that step.
        """
        if step not in self.steps:
            raise SnnlabError(f"Nothing was restored at t = {step}; there are t = {', '.join(map(str, self.steps))}.")
        return self.steps.index(step)

    def regained(self, step: int) -> list[PairedDifference]:
        """Accuracy with one site restored minus that without, site by site, with Newcombe's interval for pairs."""
        j = self.snapshot(step)
        return [paired_difference(self.snn_correct[j], right[j]) for right in self.site_correct]

    def regained_by_stage(self, step: int) -> list[PairedDifference]:
        """The same with all sites of a stage restored at once."""
        j = self.snapshot(step)
        return [paired_difference(self.snn_correct[j], right[j]) for right in self.stage_correct]

    def turning_point(self, step: int) -> tuple[str, PairedDifference] | None:
        """The first site, input first, that returns at least half of what the conversion lost, and how much.

        None where nothing was lost. Sites further on return as much or more: they mend what it handed on.
        """
        lost = float(self.ann_correct.mean() - self.snn_correct[self.snapshot(step)].mean())
        found = zip(self.names, self.regained(step), strict=True)
        return None if lost <= 0 else next(((name, each) for name, each in found if each.value >= lost / 2), None)

    def to_frame(self) -> pd.DataFrame:
        """One row per restored site or stage and snapshot; accuracies and differences are fractions."""
        rows: list[dict[str, Any]] = []
        for step in self.steps:
            j = self.snapshot(step)
            parts = (
                ("site", self.names, self.regained(step), self.site_correct),
                ("stage", self.stages, self.regained_by_stage(step), self.stage_correct),
            )
            for part, names, found, right in parts:
                for name, each, correct in zip(names, found, right, strict=True):
                    rows.append(
                        {
                            "part": part,
                            "name": name,
                            "step": step,
                            "regained": each.value,
                            "low": each.low,
                            "high": each.high,
                            "gained": each.gained,
                            "lost": each.lost,
                            "accuracy": float(correct[j].mean()),
                            "snn_accuracy": float(self.snn_correct[j].mean()),
                            "ann_accuracy": float(self.ann_correct.mean()),
                            "images": self.images,
                            "split": self.split,
                        }
                    )
        return pd.DataFrame(rows)
