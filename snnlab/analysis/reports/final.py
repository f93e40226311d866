"""The accuracy of one experiment on the sealed test set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.accuracy import AccuracyCurve
from snnlab.analysis.reports.base import Report, wilson_interval
from snnlab.analysis.reports.noise import Estimate
from snnlab.analysis.reports.paired import PairedDifference, paired_difference

FRESH, WHOLE = "fresh", "all"
"""Image sets: test images that no exploring page ever showed, and the whole test set."""
NOT_SIMULATED = -1
"""Prediction beyond the last time-step of an arm."""


@dataclass(frozen=True)
class FinalEvaluation(Report):
    """Predictions of every arm of an experiment on the official test set, opened once for all of them.

    Args:
        dataset: Dataset of the test set.
        target: The primary T, declared before the test set was opened.
        arms: One row an arm: ``name``, ``title`` of the method with its dagger, ``run`` (id of the stored run that was
            chosen), ``recipe`` (what was run here, complete), ``recipe_sha``, ``checkpoint``, ``sha256`` and
            ``lineage`` of its weights, ``foreign``, ``interpretation``.
        looks: Lineage -> which look at this test set this is, 1 for the first.
        labels: True classes in file order, (images,).
        explored: Images that ``dev`` of an arm was drawn from, (images,), bool; none for networks of our own.
        ann_predictions: Classes predicted by each arm's ANN, (arms, images).
        snn_predictions: Classes predicted by each arm's SNN at t = 1..T, (arms, num_steps, images);
            ``NOT_SIMULATED`` beyond an arm's own T.
        num_classes: Number of classes.
    """

    kind: ClassVar[str] = "final_evaluation"

    dataset: str
    target: int
    arms: tuple[dict[str, Any], ...]
    looks: dict[str, int]
    labels: np.ndarray
    explored: np.ndarray
    ann_predictions: np.ndarray
    snn_predictions: np.ndarray
    num_classes: int

    @property
    def images(self) -> int:
        """Number of test images."""
        return len(self.labels)

    @property
    def sets(self) -> tuple[str, ...]:
        """Image sets, the one that the final figure is given for first."""
        return (FRESH, WHOLE) if self.explored.any() else (WHOLE,)

    @property
    def look(self) -> int:
        """Which look this is; of several lineages, the one looked at most often."""
        return max(self.looks.values())

    def mask(self, which: str) -> np.ndarray:
        """The images of a set, (images,), bool."""
        return ~self.explored if which == FRESH else np.ones(self.images, dtype=bool)

    def num_steps(self, arm: int) -> int:
        """T up to which an arm was simulated."""
        return int(np.sum(self.snn_predictions[arm, :, 0] != NOT_SIMULATED))

    def ann_correct(self, arm: int) -> np.ndarray:
        """Images that an arm's ANN gets right, (images,), bool."""
        return np.asarray(self.ann_predictions[arm] == self.labels)

    def snn_correct(self, arm: int, step: int) -> np.ndarray:
        """Images that an arm's SNN gets right when read out at ``step``, (images,), bool."""
        assert 1 <= step <= self.num_steps(arm), "a step that the arm was simulated to"
        return np.asarray(self.snn_predictions[arm, step - 1] == self.labels)

    def ann(self, arm: int, which: str) -> Estimate:
        """Accuracy of an arm's ANN, Wilson 95 % interval over images."""
        return _share(self.ann_correct(arm)[self.mask(which)])

    def snn(self, arm: int, step: int, which: str) -> Estimate:
        """Accuracy of an arm's SNN at ``step``, Wilson 95 % interval over images."""
        return _share(self.snn_correct(arm, step)[self.mask(which)])

    def gap(self, arm: int, step: int, which: str) -> PairedDifference:
        """SNN minus ANN on the same images."""
        mask = self.mask(which)
        return paired_difference(self.ann_correct(arm)[mask], self.snn_correct(arm, step)[mask])

    def difference(self, arm: int, other: int, step: int, which: str) -> PairedDifference:
        """SNN of ``arm`` minus SNN of ``other`` on the same images."""
        mask = self.mask(which)
        return paired_difference(self.snn_correct(other, step)[mask], self.snn_correct(arm, step)[mask])

    def curve(self, arm: int, which: str) -> AccuracyCurve:
        """An arm's accuracy curve on a set, for figures."""
        mask = self.mask(which)
        return AccuracyCurve(
            name=self.arms[arm]["name"],
            labels=self.labels[mask],
            ann_predictions=self.ann_predictions[arm][mask],
            snn_predictions=self.snn_predictions[arm][: self.num_steps(arm), mask],
            split="test" if which == WHOLE else "test images not explored",
            num_classes=self.num_classes,
        )

    def counted(self, looks: dict[str, int]) -> Self:
        """The same evaluation as such a look."""
        return replace(self, looks=looks)

    def to_frame(self) -> pd.DataFrame:
        """One row per image set, arm and step; step 0 is the ANN.

        Columns: images (``fresh`` or ``all``), count, arm, network, step, primary, accuracy, low, high, gap, gap_low,
        gap_high (SNN minus ANN, fractions).
        """
        rows: list[dict[str, Any]] = []
        for which in self.sets:
            count = int(self.mask(which).sum())
            for arm, row in enumerate(self.arms):
                shared = {"images": which, "count": count, "arm": row["name"]}
                rows.append({**shared, "network": "ANN", "step": 0, "primary": False, **_named(self.ann(arm, which))})
                for step in range(1, self.num_steps(arm) + 1):
                    accuracy, gap = self.snn(arm, step, which), self.gap(arm, step, which)
                    primary = step == self.target and which == self.sets[0]
                    bounds = {"gap": gap.value, "gap_low": gap.low, "gap_high": gap.high}
                    told = {**shared, "network": "SNN", "step": step, "primary": primary}
                    rows.append({**told, **_named(accuracy), **bounds})
        return pd.DataFrame(rows)

    def differences(self, steps: Sequence[int] = ()) -> pd.DataFrame:
        """One row per image set, step and arm but the first: its SNN minus the first arm's.

        Args:
            steps: Steps to compare at; empty for the primary T.
        """
        rows = []
        for which in self.sets:
            for step in steps or (self.target,):
                for arm in range(1, len(self.arms)):
                    if step <= min(self.num_steps(arm), self.num_steps(0)):
                        found = self.difference(arm, 0, step, which)
                        told = {"images": which, "step": step, "arm": self.arms[arm]["name"]}
                        against = {"against": self.arms[0]["name"], "difference": found.value}
                        rows.append({**told, **against, "low": found.low, "high": found.high})
        return pd.DataFrame(rows)


def _share(correct: np.ndarray) -> Estimate:
    low, high = wilson_interval(int(correct.sum()), len(correct))
    value = float(correct.mean())
    return Estimate(value, float(low), float(high), (value,))


def _named(found: Estimate) -> dict[str, float]:
    return {"accuracy": found.value, "low": found.low, "high": found.high}
