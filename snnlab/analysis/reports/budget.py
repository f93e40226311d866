"""Where the difference between SNN and ANN comes from, site by site."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import WILSON_Z, Report
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES, K_LIMIT

TERMS = ("uneven", "quantization", "clipping", "activation", "propagated")
"""The five terms; they add up to SNN minus ANN."""

HEADLINE = ("uneven", "resolution", "propagated")
"""The three that quantized sources are read by."""

SIZED = (*TERMS, "resolution", "own", "inherited", "total")
"""Of these the mean absolute value and the mean square are known too."""

QUANTITIES = (*SIZED, "total_direct", "ann", "input_variance")
"""What is known of every site and snapshot; the last one in squares of the threshold, the others as activations."""

CHANNEL_QUANTITIES = (*TERMS, "own")
"""What is kept of every channel."""


@dataclass(frozen=True)
class ErrorBudget(Report):
    r"""The error of every site at every snapshot t, split without a rest.

    With z the mean input of t steps, N the spikes fired, N* those that the charge pays for, h the activation of the
    ANN and :math:`z_A` its own input of it:

    .. math:: \theta N/t - h(z_A) = \underbrace{\theta (N - N^*)/t}_{\text{uneven}}
        + \underbrace{\theta N^*/t - c(z)}_{\text{quantization}} + \underbrace{c(z) - r(z)}_{\text{clipping}}
        + \underbrace{r(z) - h(z)}_{\text{activation}} + \underbrace{h(z) - h(z_A)}_{\text{propagated}}

    c clips to [0, threshold], of a group of m neurons to m times that of one; r is ReLU. ``resolution`` is
    quantization + clipping + activation. ``own`` is what the site would add by itself, given the ANN's input at every
    step; ``inherited``, which holds what timing does too, is the rest of the total. Means add up; absolute values and
    squares do not.

    Args:
        names: Site names, input first.
        shapes: Shape of one image's activation at each site.
        thresholds: Mean threshold of each site, activation units, (sites,).
        levels: Quantization levels L of each site's activation; None where it is not quantized.
        steps: Snapshots t, ascending.
        mean: Mean over elements of ``QUANTITIES``, (sites, steps, quantities).
        mean_absolute: Of the absolute values of those in ``SIZED``; 0 for the others.
        mean_square: Likewise of their squares.
        image_std: Std over images of the mean of one image, for intervals; NaN for one image.
        classes: Elements by class of spike-count error, ``CLASSES``, (sites, steps, 5), int64.
        spike_errors: Elements by k = N - N*, -K_LIMIT to K_LIMIT, ends open, (sites, steps, 2 K_LIMIT + 1), int64.
        channel_mean: Mean of ``CHANNEL_QUANTITIES`` in each channel, sites one after the other,
            (steps, channels of all sites, quantities), float32.
        sum_error: Largest abs(sum of the five terms - theta N / t + a) of an element, in thresholds, (sites, steps).
        sum_ratio: The same as a share of what rounding allows.
        ideal_error: How far the residual of N* lies outside its range, at most, in thresholds, (sites, steps).
        ideal_ratio: The same as a share of what rounding allows.
        charge_error: Largest violation of charge balance, in thresholds, (sites,).
        images: Number of images.
        split: Name of their split.
        method: Name of the conversion method.
        changed_weights: Weights that are not the ANN's; what they change is propagated error.
    """

    kind: ClassVar[str] = "budget"

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    thresholds: np.ndarray
    levels: tuple[int | None, ...]
    steps: tuple[int, ...]
    mean: np.ndarray
    mean_absolute: np.ndarray
    mean_square: np.ndarray
    image_std: np.ndarray
    classes: np.ndarray
    spike_errors: np.ndarray
    channel_mean: np.ndarray
    sum_error: np.ndarray
    sum_ratio: np.ndarray
    ideal_error: np.ndarray
    ideal_ratio: np.ndarray
    charge_error: np.ndarray
    images: int
    split: str
    method: str = ""
    changed_weights: tuple[str, ...] = ()

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        return super()._restore({**values, "shapes": tuple(tuple(shape) for shape in values["shapes"])})

    @property
    def largest_sum_error(self) -> float:
        """Largest violation of the sum at any site, snapshot and element, in thresholds."""
        return float(self.sum_error.max())

    @property
    def is_quantized(self) -> bool:
        """Whether every activation of the source is quantized; then ``resolution`` says more than its parts."""
        return all(level is not None for level in self.levels)

    def snapshot(self, step: int) -> int:
        """Index of a snapshot.

        Raises:
            SnnlabError: No budget was made at that step.
        """
        if step not in self.steps:
            raise SnnlabError(f"No budget was made at t = {step}; there are t = {', '.join(map(str, self.steps))}.")
        return self.steps.index(step)

    def site(self, name: str) -> int:
        """Index of a site.

        Raises:
            SnnlabError: No such site.
        """
        if name not in self.names:
            raise SnnlabError(f"There is no site {name!r} in this budget; sites are: {', '.join(self.names)}.")
        return self.names.index(name)

    def values(self, quantity: str, step: int, *, of: str = "mean", thresholds: bool = False) -> np.ndarray:
        """One of ``QUANTITIES`` at a snapshot, (sites,).

        Args:
            quantity: Which.
            step: t.
            of: ``"mean"``, ``"mean_absolute"`` or ``"mean_square"``.
            thresholds: In units of the mean threshold of the site (or its square), not of the activation.
        """
        found: np.ndarray = getattr(self, of)[:, self.snapshot(step), QUANTITIES.index(quantity)]
        return found / self.thresholds ** (2 if of == "mean_square" else 1) if thresholds else found

    def interval(self, quantity: str, step: int) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of the mean over images, two (sites,), activation units; NaN for one image."""
        mean = self.values(quantity, step)
        half = WILSON_Z * self.image_std[:, self.snapshot(step), QUANTITIES.index(quantity)] / np.sqrt(self.images)
        return mean - half, mean + half

    def shares(self, step: int) -> np.ndarray:
        """Shares of ``CLASSES`` among all elements, (sites, 5)."""
        counts = self.classes[:, self.snapshot(step)]
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    def to_frame(self) -> pd.DataFrame:
        """One row per site and snapshot: means in activation units, their intervals, magnitudes, classes, checks."""
        rows = []
        for j, step in enumerate(self.steps):
            shares, low, high = self.shares(step), *self.interval("total", step)
            for i, name in enumerate(self.names):
                mean = dict(zip(QUANTITIES, self.mean[i, j].tolist(), strict=True))
                rows.append(
                    {
                        "site": name,
                        "threshold": float(self.thresholds[i]),
                        "step": step,
                        **mean,
                        "total_low": float(low[i]),
                        "total_high": float(high[i]),
                        **self._magnitudes("mean_absolute", i, j),
                        **self._magnitudes("mean_square", i, j),
                        **dict(zip(CLASSES, shares[i].tolist(), strict=True)),
                        "sum_error": float(self.sum_error[i, j]),
                        "images": self.images,
                        "split": self.split,
                    }
                )
        return pd.DataFrame(rows)

    def channel_frame(self, site: str, step: int) -> pd.DataFrame:
        """One row per channel of a site: means in activation units.

        Raises:
            SnnlabError: No such site or snapshot.
        """
        i = self.site(site)
        first = sum(shape[0] for shape in self.shapes[:i])
        found = self.channel_mean[self.snapshot(step), first : first + self.shapes[i][0]].astype(float)
        frame = pd.DataFrame(found, columns=CHANNEL_QUANTITIES)
        frame.insert(0, "channel", np.arange(len(frame)))
        return frame.assign(
            resolution=frame[["quantization", "clipping", "activation"]].sum(axis=1),
            total=frame[list(TERMS)].sum(axis=1),
        )

    def spike_error_frame(self, site: str, step: int) -> pd.DataFrame:
        """Elements by k = N - N* at a site; the two ends are open."""
        counts = self.spike_errors[self.site(site), self.snapshot(step)]
        return pd.DataFrame({"k": np.arange(-K_LIMIT, K_LIMIT + 1), "elements": counts, "share": counts / counts.sum()})

    def _magnitudes(self, of: str, i: int, j: int) -> dict[str, float]:
        values = getattr(self, of)[i, j]
        return {f"{of}_{name}": float(values[QUANTITIES.index(name)]) for name in SIZED}
