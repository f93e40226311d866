"""Accuracy of an ANN and of its SNN at every step."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report, wilson_interval


@dataclass(frozen=True)
class AccuracyCurve(Report):
    """Predictions of an ANN and of its SNN at every step, from one simulation.

    Args:
        name: How the conversion is called in legends.
        labels: True classes, (images,).
        ann_predictions: Classes predicted by the ANN, (images,).
        snn_predictions: Classes predicted by the SNN read out at t = 1..T, (num_steps, images).
        split: Name of the data split.
        num_classes: Number of classes.
    """

    kind: ClassVar[str] = "accuracy_curve"

    name: str
    labels: np.ndarray
    ann_predictions: np.ndarray
    snn_predictions: np.ndarray
    split: str
    num_classes: int

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.snn_predictions)

    @property
    def ann_accuracy(self) -> float:
        """Fraction of images that the ANN gets right."""
        return float(np.mean(self.ann_predictions == self.labels))

    @property
    def snn_accuracy(self) -> np.ndarray:
        """Fraction of images that the SNN gets right at t = 1..T, (num_steps,)."""
        return np.mean(self.snn_predictions == self.labels, axis=1)

    @property
    def ann_interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of the ANN's accuracy over images."""
        low, high = wilson_interval(np.sum(self.ann_predictions == self.labels), self.images)
        return float(low), float(high)

    @property
    def snn_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Wilson 95 % interval of the SNN's accuracy at each step, two (num_steps,)."""
        return wilson_interval(np.sum(self.snn_predictions == self.labels, axis=1), self.images)

    def first_step_within(self, points: float = 1.0) -> int | None:
        """First t from which on the SNN stays within ``points`` percentage points of the ANN; None if it never does."""
        # Counts, not fractions: 1 point of 200 images is exactly 2 images.
        missed = np.sum(self.ann_predictions == self.labels) - np.sum(self.snn_predictions == self.labels, axis=1)
        outside = np.flatnonzero(missed * 100.0 > points * self.images)
        first = 1 if len(outside) == 0 else int(outside[-1]) + 2
        return first if first <= self.num_steps else None

    def first_step_above_chance(self) -> int | None:
        """First t whose interval lies above chance (the largest class's share); None if none does."""
        chance = np.bincount(self.labels).max() / self.images
        above = np.flatnonzero(self.snn_interval[0] > chance)
        return int(above[0]) + 1 if len(above) else None

    def to_frame(self) -> pd.DataFrame:
        """One row per series and step: name, role (ann, snn), step, accuracy, low, high, images, split."""
        low, high = self.snn_interval
        ann = pd.DataFrame(
            {"name": "ANN", "role": "ann", "step": [0], "accuracy": self.ann_accuracy}
            | dict(zip(("low", "high"), self.ann_interval, strict=True))
        )
        snn = pd.DataFrame(
            {
                "name": self.name,
                "role": "snn",
                "step": np.arange(1, self.num_steps + 1),
                "accuracy": self.snn_accuracy,
                "low": low,
                "high": high,
            }
        )
        return pd.concat([ann, snn], ignore_index=True).assign(images=self.images, split=self.split)
