"""Stopping each image when its margin passes a limit: accuracy against the time-steps that are spent."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report
from snnlab.core.errors import SnnlabError

LIMITS = 65
"""Limits that are tried: quantiles of the margins on the images that choose, evenly apart."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Exit:
    """What one limit gives on one set of images; accuracies are fractions, ends are of 95 % bootstrap intervals.

    Args:
        limit: Margin at which an image stops, logits; inf where every image runs to T.
        steps: Mean time-steps an image.
        steps_low: Lower end of its interval over images.
        steps_high: Upper end.
        accuracy: Share of images that are right when they stop.
        low: Lower end of its interval.
        high: Upper end.
        difference: Accuracy minus that of the same images after T steps.
        difference_low: Lower end of its interval, in pairs.
        difference_high: Upper end.
    """

    limit: float
    steps: float
    steps_low: float
    steps_high: float
    accuracy: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True)
class EarlyExit(Report):
    r"""Margins and answers of an SNN at every t, on images that choose the limit and on others that show its worth.

    With the margin m(i, t), largest minus second largest mean logit up to t, image i stops at

    .. math:: \tau(i) = \min\{ t : m(i, t) \ge \mu \}, \quad \tau(i) = T \text{ where there is none}

    and is answered by the read-out of that step. The limit :math:`\mu` is chosen on other images: the smallest one from
    which on every larger limit loses at most ``within`` points of the accuracy after T steps.

    Args:
        name: How the conversion is called.
        margins: On the images that are shown, (num_steps, images), logits.
        correct: Whether they are right at t, (num_steps, images), bool.
        ann_correct: Whether the ANN is right, (images,), bool.
        split: Their split.
        choosing_margins: On the images that choose, (num_steps, images).
        choosing_correct: Whether those are right at t, (num_steps, images), bool.
        choosing_split: Their split.
        within: Points of accuracy that the limit may cost on the images that choose.
        warm_up_steps: Steps that every image runs before t = 1; no mean of steps counts them.
    """

    kind: ClassVar[str] = "early_exit"

    name: str
    margins: np.ndarray
    correct: np.ndarray
    ann_correct: np.ndarray
    split: str
    choosing_margins: np.ndarray
    choosing_correct: np.ndarray
    choosing_split: str
    within: float = 0.0
    warm_up_steps: int = 0

    @property
    def warm_up_told(self) -> str:
        """A sentence on the warm-up; empty where there is none."""
        if not self.warm_up_steps:
            return ""
        return f"Every image runs {self.warm_up_steps} time-steps of warm-up besides, which no T here counts."

    @property
    def images(self) -> int:
        """Images that are shown."""
        return self.margins.shape[1]

    @property
    def choosing_images(self) -> int:
        """Images that choose the limit."""
        return self.choosing_margins.shape[1]

    @property
    def num_steps(self) -> int:
        """T, at which every image stops."""
        return len(self.margins)

    def up_to(self, step: int) -> "EarlyExit":
        """The same networks and images with an earlier last step; the limit is chosen anew.

        Raises:
            SnnlabError: The step lies outside 1..T.
        """
        if not 1 <= step <= self.num_steps:
            raise SnnlabError(f"t = {step} lies outside 1..{self.num_steps}, the simulated time-steps.")
        names = ("margins", "correct", "choosing_margins", "choosing_correct")
        return replace(self, **{name: getattr(self, name)[:step] for name in names})

    @cached_property
    def limits(self) -> np.ndarray:
        """Limits that are tried, ascending; 0 stops every image at t = 1, inf none before T."""
        quantiles = np.quantile(self.choosing_margins.astype(np.float64), np.linspace(0, 1, LIMITS))
        return np.unique(np.concatenate([[0.0], quantiles, [np.inf]]))

    @cached_property
    def chosen(self) -> float:
        """The limit that the choosing images give."""
        full = int(self.choosing_correct[-1].sum())
        found = np.inf
        for limit in self.limits[::-1]:
            right = int(_answers(self.choosing_margins, self.choosing_correct, float(limit))[1].sum())
            if (full - right) * 100.0 > self.within * self.choosing_images:  # counts: 1 point of 200 is exactly 2
                break
            found = float(limit)
        return found

    def at(self, limit: float) -> Exit:
        """What a limit gives on the images that are shown.

        Raises:
            SnnlabError: The limit is negative or not a number.
        """
        if not limit >= 0:
            raise SnnlabError(f"A limit of {limit:g} is no margin: it must be 0 or more.")
        steps, right = _answers(self.margins, self.correct, limit)
        values = np.stack([steps, right, right - self.correct[-1].astype(np.float64)])  # (3, images)
        low, high = np.quantile(self._samples @ values.T / self.images, [0.025, 0.975], axis=0)
        mean = values.mean(axis=1)
        ends = [float(value) for triple in zip(mean, low, high, strict=True) for value in triple]
        return Exit(float(limit), *ends)

    @cached_property
    def curve(self) -> tuple[Exit, ...]:
        """Every limit that is tried, ascending."""
        return tuple(self.at(float(limit)) for limit in self.limits)

    @cached_property
    def found(self) -> Exit:
        """The chosen limit on the images that are shown."""
        return self.at(self.chosen)

    def fixed_steps(self, accuracy: float) -> int | None:
        """First T that gives every image the same time and reaches an accuracy; None if none does."""
        reached = np.flatnonzero(self.correct.mean(axis=1) >= accuracy - 1e-12)
        return int(reached[0]) + 1 if len(reached) else None

    def to_frame(self) -> pd.DataFrame:
        """One row a limit: mean steps and accuracy with intervals, whether it is the chosen one."""
        frame = pd.DataFrame([vars(each) for each in self.curve])
        return frame.assign(
            chosen=frame["limit"] == self.chosen,
            images=self.images,
            split=self.split,
            chosen_on=self.choosing_split,
            choosing_images=self.choosing_images,
        )

    @cached_property
    def _samples(self) -> np.ndarray:
        """How often every image is in each bootstrap sample, (RESAMPLES, images)."""
        shares = np.full(self.images, 1 / self.images)
        return np.random.Generator(np.random.PCG64(0)).multinomial(self.images, shares, size=RESAMPLES)


def _answers(margins: np.ndarray, correct: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Step at which each image stops, and whether it is right then; two (images,), float64."""
    passed = margins >= limit
    passed[-1] = True
    stop = passed.argmax(axis=0)
    return stop + 1.0, correct[stop, np.arange(correct.shape[1])].astype(np.float64)
