"""Single neurons, step by step."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report


@dataclass(frozen=True)
class NeuronTraces(Report):
    """Single neurons drawn at random, by site, snapshot and class: what came in at every step.

    Potential and spikes follow exactly from the input, v(0) and the threshold, so only the input is kept.

    Args:
        currents: Input per step over the threshold, (traces, num_steps), float32.
        site: Site index of each trace, (traces,).
        image: Image index within the split, (traces,).
        position: Flat neuron index within the site's shape, (traces,).
        initial: v(0) over the threshold of each trace, (traces,).
        members: Rows (site, snapshot, class, trace): which traces illustrate which class, (rows, 4).
    """

    kind: ClassVar[str] = "neuron_traces"

    currents: np.ndarray
    site: np.ndarray
    image: np.ndarray
    position: np.ndarray
    initial: np.ndarray
    members: np.ndarray

    def to_frame(self) -> pd.DataFrame:
        """One row per trace: site index, image, position, v(0), then the input of each step."""
        steps = {f"input_{t + 1}": self.currents[:, t] for t in range(self.currents.shape[1])}
        return pd.DataFrame(
            {"site": self.site, "image": self.image, "position": self.position, "initial": self.initial} | steps
        )
