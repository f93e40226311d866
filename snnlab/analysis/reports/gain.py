"""What training with noise brings over the same training without."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report
from snnlab.core.errors import SnnlabError

RESAMPLES = 2000
CONTROL = "control"
CURVES = ("loss", "ann", "noisy_ann", "snn")
"""What is watched after every epoch: training loss, and accuracies on ``validation``, the SNN's at the first step."""


@dataclass(frozen=True)
class Gain:
    """Accuracy of an arm minus that of the control, fractions.

    Args:
        value: Mean over seeds.
        low: Lower end of the 95 % t interval over the per-seed differences; NaN for one seed.
        high: Upper end of it.
        images_low: Lower end of the 95 % bootstrap interval over images, each with all its seeds.
        images_high: Upper end of it.
        seeds: Difference of each seed.
    """

    value: float
    low: float
    high: float
    images_low: float
    images_high: float
    seeds: tuple[float, ...]


@dataclass(frozen=True)
class NoiseGain(Report):
    """Arms of fine-tuning on the same seeds, batches and schedule, and the checkpoint they started from.

    Args:
        arms: Names; ``control`` is among them.
        seeds: Training seeds.
        steps: T at which the SNN was read; the first is the question, the others are exploratory.
        names: Site names, input first.
        labels: True classes, (images,), int16.
        ann_correct: Answers of each trained ANN without noise, (arms, seeds, images), bool.
        snn_correct: Answers of its SNN, (arms, seeds, steps, images), bool.
        base_ann: Answers of the ANN before fine-tuning, (images,), bool.
        base_snn: Answers of its SNN, (steps, images), bool.
        std: Std / threshold that acted, (arms, seeds, epochs, sites); NaN for epochs that were not run.
        gap_before: Std / threshold of the gap of the base at the first of ``steps``, (sites,).
        gap_after: The same of every trained network, (arms, seeds, sites).
        curves: What was watched while training, (arms, seeds, epochs, 4), in the order of ``CURVES``; NaN where nothing
            was.
        epochs: Epochs of every arm.
        split: Split of the images.
        num_classes: Number of classes.
    """

    kind: ClassVar[str] = "noise_gain"

    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    names: tuple[str, ...]
    labels: np.ndarray
    ann_correct: np.ndarray
    snn_correct: np.ndarray
    base_ann: np.ndarray
    base_snn: np.ndarray
    std: np.ndarray
    gap_before: np.ndarray
    gap_after: np.ndarray
    curves: np.ndarray
    epochs: int
    split: str
    num_classes: int

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def target(self) -> int:
        """T of the question."""
        return self.steps[0]

    def correct(self, arm: str, step: int | None) -> np.ndarray:
        """Answers of an arm, (seeds, images), bool: of the SNN at a step, or of the ANN for None.

        Raises:
            SnnlabError: No such arm or step.
        """
        if arm not in self.arms:
            raise SnnlabError(f"There is no arm {arm!r} in this experiment; it has {', '.join(self.arms)}.")
        at = self.arms.index(arm)
        if step is None:
            return np.asarray(self.ann_correct[at])
        return np.asarray(self.snn_correct[at][:, self._step(step)])

    def accuracy(self, arm: str, step: int | None) -> float:
        """Mean accuracy of an arm over seeds and images; None as step for the ANN."""
        return float(self.correct(arm, step).mean())

    def base_accuracy(self, step: int | None) -> float:
        """Accuracy of the checkpoint before fine-tuning; None as step for the ANN."""
        return float((self.base_ann if step is None else self.base_snn[self._step(step)]).mean())

    def gain(self, arm: str, step: int | None) -> Gain:
        """What an arm brings over the control, paired by seed; errors as ``correct``."""
        return _gain(self.correct(arm, step), self.correct(CONTROL, step))

    def base_gain(self, step: int | None) -> Gain:
        """The untouched checkpoint minus the control."""
        base = self.base_ann if step is None else self.base_snn[self._step(step)]
        return _gain(np.broadcast_to(base, self.correct(CONTROL, step).shape), self.correct(CONTROL, step))

    def to_frame(self) -> pd.DataFrame:
        """One row per arm and step (0 for the ANN): accuracy, gain over the control with both intervals."""
        rows = []
        for arm in ("base", *self.arms):
            for step in (None, *self.steps):
                gain = self.base_gain(step) if arm == "base" else self.gain(arm, step)
                value = self.base_accuracy(step) if arm == "base" else self.accuracy(arm, step)
                rows.append(
                    {
                        "arm": arm,
                        "step": step or 0,
                        "role": "ann" if step is None else "snn",
                        "accuracy": value,
                        "gain": gain.value,
                        "low": gain.low,
                        "high": gain.high,
                        "images_low": gain.images_low,
                        "images_high": gain.images_high,
                        "exploratory": step != self.target,
                    }
                )
        return pd.DataFrame(rows).assign(seeds=len(self.seeds), images=self.images, split=self.split)

    def _step(self, step: int) -> int:
        if step not in self.steps:
            raise SnnlabError(
                f"The experiment was not read at T = {step}; it was at T = {', '.join(map(str, self.steps))}."
            )
        return self.steps.index(step)


def t_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % t interval of the mean of independent values; NaN for fewer than two."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = student_t(n - 1) * float(np.std(values, ddof=1)) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


@lru_cache(maxsize=128)
def student_t(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t.

    Example:
        >>> [round(student_t(n), 3) for n in (1, 2, 4, 30)]
        [12.706, 4.303, 2.776, 2.042]
    """
    from scipy.stats import t

    return float(t.ppf(0.975, freedom))


def _gain(arm: np.ndarray, control: np.ndarray) -> Gain:
    difference = arm.astype(float) - control.astype(float)  # (seeds, images)
    by_seed = difference.mean(axis=1)
    low, high = t_interval(by_seed)
    by_image = difference.mean(axis=0)
    draws = np.random.Generator(np.random.PCG64(0)).multinomial(
        len(by_image), np.full(len(by_image), 1 / len(by_image)), size=RESAMPLES
    )
    images_low, images_high = np.quantile(draws @ by_image / len(by_image), [0.025, 0.975])
    return Gain(float(by_seed.mean()), low, high, float(images_low), float(images_high), tuple(by_seed.tolist()))
