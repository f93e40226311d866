"""Which normalisation a network expects."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report, wilson_interval


@dataclass(frozen=True)
class NormalizationReport(Report):
    """Accuracy of the ANN under each known normalisation, on labelled training images.

    Args:
        names: Presets tried, best first.
        correct: Images right under each, (presets,).
        images: Images tried.
        dataset: Dataset they come from.
        chosen: Preset in use; empty when none was.
    """

    kind: ClassVar[str] = "normalization"

    names: tuple[str, ...]
    correct: np.ndarray
    images: int
    dataset: str
    chosen: str = ""

    @property
    def best(self) -> str:
        """The preset with the highest accuracy."""
        return self.names[0]

    def chosen_is_clearly_worse(self) -> bool:
        """The 95 % intervals of the chosen and the best preset do not touch."""
        if self.chosen not in self.names:
            return False
        low, high = wilson_interval(self.correct, self.images)
        return bool(high[self.names.index(self.chosen)] < low[0])

    def to_frame(self) -> pd.DataFrame:
        """One row per preset: normalization, accuracy, low, high, images, dataset."""
        low, high = wilson_interval(self.correct, self.images)
        return pd.DataFrame(
            {
                "normalization": self.names,
                "accuracy": self.correct / self.images,
                "low": low,
                "high": high,
                "images": self.images,
                "dataset": self.dataset,
            }
        )
