"""How residual membrane potentials are distributed."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES, EDGES, EXACT, EXCESS, MISSING, SATURATED, SILENT


@dataclass(frozen=True)
class ResidualReport(Report):
    r"""How v(t) is distributed at every site and snapshot, by class of spike-count error.

    With N the spikes fired and :math:`N^* = \mathrm{clip}(\lfloor (v(0) + \sum I)/\theta \rfloor, 0, t)` those that
    the charge pays for, k = N - N*: silent (N = N* = 0), saturated (N = N* = t), exact (else k = 0),
    excess (k > 0), missing (k < 0). Potentials are in units of the threshold, counts are neurons x images.

    Args:
        names: Site names, input first.
        shapes: Shape of one image's activation at each site.
        thresholds: Mean threshold of each site, activation units, (sites,).
        steps: Snapshot steps t.
        histogram: Counts on ``snnlab.core.histogram.EDGES``, (sites, snapshots, classes, NUM_BINS), int64.
        spike_errors: Counts of k = -K_LIMIT..K_LIMIT, ends open, (sites, snapshots, 2 K_LIMIT + 1), int64.
        moments: Sum, sum of squares, minimum, maximum of v/threshold per class, (sites, snapshots, classes, 4);
            minimum and maximum are inf, -inf where a class is empty.
        fired_moments: Count, sum, sum of squares over neurons with N > 0 and abs(v) < 2 thresholds,
            (sites, snapshots, 3).
        spikes: Spikes fired up to t, (sites, snapshots), int64.
        nan: Potentials that are not a number, (sites, snapshots), int64.
        identity_error: Largest abs(v(0) + sum I - threshold N - v(t)) / threshold per site, (sites,).
        identity_tolerance: What float arithmetic allows for it, (sites,).
        images: Number of images.
        split: Name of the data split.
        initial_fraction: Mean v(0) / threshold per site, (sites,).
        changed_weights: Weights of the spiking network that are not the ANN's, by name: z and N* are those of the
            changed network, and what the change does to a site is propagated error.
    """

    kind: ClassVar[str] = "residuals"

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    thresholds: np.ndarray
    steps: tuple[int, ...]
    histogram: np.ndarray
    spike_errors: np.ndarray
    moments: np.ndarray
    fired_moments: np.ndarray
    spikes: np.ndarray
    nan: np.ndarray
    identity_error: np.ndarray
    identity_tolerance: np.ndarray
    images: int
    split: str
    initial_fraction: np.ndarray
    changed_weights: tuple[str, ...] = ()

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        return super()._restore({**values, "shapes": tuple(tuple(shape) for shape in values["shapes"])})

    @property
    def elements(self) -> np.ndarray:
        """Neurons x images at each site, (sites,)."""
        return np.array([int(np.prod(shape)) * self.images for shape in self.shapes])

    @property
    def class_counts(self) -> np.ndarray:
        """Neurons x images in each class, (sites, snapshots, classes)."""
        return self.histogram.sum(axis=-1)

    def snapshot(self, step: int) -> int:
        """Index of a snapshot step.

        Raises:
            SnnlabError: No snapshot was kept at that step.
        """
        if step not in self.steps:
            raise SnnlabError(f"No residuals were kept at t = {step}; kept are t = {', '.join(map(str, self.steps))}.")
        return self.steps.index(step)

    def fired_gaussian(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of v/threshold over neurons that fired, abs(v) < 2; two (sites, snapshots).

        Plain moments are ruled by the tails, hence the window. NaN where no neuron fired.
        """
        count, total, squares = np.moveaxis(self.fired_moments, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / count
            return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))

    def to_frame(self) -> pd.DataFrame:
        """One row per site and snapshot: moments of v/threshold, and the shares of the classes among all neurons."""
        counts, elements = self.class_counts, self.elements[:, None]
        mean = self.moments[..., 0].sum(axis=-1) / elements
        std = np.sqrt(np.maximum(self.moments[..., 1].sum(axis=-1) / elements - mean**2, 0.0))
        fit_mean, fit_std = self.fired_gaussian()
        zero, one = (int(np.searchsorted(EDGES, edge, side="right")) for edge in (0.0, 1.0))
        bins = self.histogram.sum(axis=2)
        rows = []
        for i, name in enumerate(self.names):
            for j, step in enumerate(self.steps):
                shares = dict(zip(CLASSES, (counts[i, j] / elements[i, 0]).tolist(), strict=True))
                rows.append(
                    {
                        "site": name,
                        "threshold": float(self.thresholds[i]),
                        "step": step,
                        "mean": float(mean[i, j]),
                        "std": float(std[i, j]),
                        "min": float(self.moments[i, j, :, 2].min()),
                        "max": float(self.moments[i, j, :, 3].max()),
                        "below_zero": float(bins[i, j, :zero].sum() / elements[i, 0]),
                        "at_or_above_threshold": float(bins[i, j, one:].sum() / elements[i, 0]),
                        **shares,
                        "right": float(counts[i, j, [SILENT, EXACT, SATURATED]].sum() / elements[i, 0]),
                        "fired_mean": float(fit_mean[i, j]),
                        "fired_std": float(fit_std[i, j]),
                        "firing_rate": float(self.spikes[i, j] / (elements[i, 0] * step)),
                        "images": self.images,
                        "split": self.split,
                    }
                )
        return pd.DataFrame(rows)

    def worst(self, step: int, kind: str) -> tuple[str, float]:
        """Site with the largest share of ``"excess"`` or ``"missing"`` among neurons that are not silent, and it."""
        index = {"excess": EXCESS, "missing": MISSING}[kind]
        counts = self.class_counts[:, self.snapshot(step)]
        shares = counts[:, index] / np.maximum(counts[:, SILENT + 1 :].sum(axis=1), 1)
        site = int(np.argmax(shares))
        return self.names[site], float(shares[site])
