"""What a conversion does on a few images."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report, wilson_interval


@dataclass(frozen=True)
class Probe(Report):
    """One conversion on a few images up to one T: which it gets right, and what every site does.

    Args:
        names: Sites, input first.
        threshold: Mean threshold over channels, (sites,), activation units.
        threshold_low: Smallest threshold of a channel, (sites,), activation units.
        threshold_high: Largest threshold of a channel, (sites,), activation units.
        v0: v(0) as a fraction of the threshold, mean over channels, (sites,).
        firing_rate: Spikes per neuron and time-step, (sites,).
        excess: Share of neurons that fired more often than their charge pays for, (sites,).
        missing: Share of neurons that fired less often, (sites,).
        correct: Whether the read-out at T is right, (images,) bool.
        num_steps: T.
        split: Where the images come from.
    """

    kind: ClassVar[str] = "probe"

    names: tuple[str, ...]
    threshold: np.ndarray
    threshold_low: np.ndarray
    threshold_high: np.ndarray
    v0: np.ndarray
    firing_rate: np.ndarray
    excess: np.ndarray
    missing: np.ndarray
    correct: np.ndarray
    num_steps: int
    split: str

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.correct)

    @property
    def accuracy(self) -> float:
        """Fraction of images that are right."""
        return float(np.mean(self.correct))

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of the accuracy over images."""
        low, high = wilson_interval(int(np.sum(self.correct)), self.images)
        return float(low), float(high)

    def to_frame(self) -> pd.DataFrame:
        """One row per site: thresholds, v(0), firing rate, shares of excess, missing and right."""
        return pd.DataFrame(
            {
                "site": self.names,
                "threshold": self.threshold,
                "threshold_low": self.threshold_low,
                "threshold_high": self.threshold_high,
                "v0": self.v0,
                "firing_rate": self.firing_rate,
                "excess": self.excess,
                "missing": self.missing,
                "right": 1 - self.excess - self.missing,
                "num_steps": self.num_steps,
                "images": self.images,
                "split": self.split,
            }
        )
