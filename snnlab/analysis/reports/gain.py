"""What training with noise brings over the same training without."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES, EXACT, EXCESS, K_LIMIT, MISSING, SATURATED, SILENT

RESAMPLES = 2000
BASE, CONTROL = "base", "control"
OWN_CONTROLS = {"noise_adaptor": "noise_adaptor_none", "ecl": "clipped", "ttrbr": "clipped"}
"""Arms that differ from ``control`` in more than their idea -> the arm that differs from them in the idea alone."""

OWN_WORDS = {"noise_adaptor": ("quantizer", "noise"), "ecl": ("activation", "conversion")}
OWN_WORDS["ttrbr"] = OWN_WORDS["ecl"]
"""Arm -> what else differs from ``control``, and the idea that its own control is without."""

WHOLE = "whole network"
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
class Share:
    """A share of neurons x images, or another number of a network, of one arm.

    Args:
        value: Mean over seeds.
        low: Lower end of the 95 % t interval over training seeds; NaN for one network.
        high: Upper end of it.
    """

    value: float
    low: float
    high: float


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
        classes_before: Neurons x images of the base by class of spike-count error at the first of ``steps``, as
            ``ResidualReport`` has them, (sites, classes), int64; None where an earlier version did not keep them.
        classes_after: The same of every trained network, (arms, seeds, sites, classes).
        errors_before: Neurons x images of the base by k = -K_LIMIT..K_LIMIT, ends open, (sites, 2 K_LIMIT + 1), int64.
        errors_after: The same of every trained network, (arms, seeds, sites, 2 K_LIMIT + 1).
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
    classes_before: np.ndarray | None = None
    classes_after: np.ndarray | None = None
    errors_before: np.ndarray | None = None
    errors_after: np.ndarray | None = None

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
        at = self._arm(arm)
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

    def own_control(self, arm: str) -> str | None:
        """The trained arm that differs from this one in its idea alone, where that is not ``control``; else None."""
        other = OWN_CONTROLS.get(arm)
        return other if other in self.arms and arm in self.arms else None

    def own_gain(self, arm: str, step: int | None) -> Gain:
        """What the idea of an arm with a control of its own brings over that control; paired by seed.

        Raises:
            SnnlabError: No such arm or step, or no own control of it was trained.
        """
        other = self.own_control(arm)
        if other is None:
            raise SnnlabError(f"The arm {arm!r} has no trained control of its own; compare it with {CONTROL!r}.")
        return _gain(self.correct(arm, step), self.correct(other, step))

    def base_gain(self, step: int | None) -> Gain:
        """The untouched checkpoint minus the control."""
        base = self.base_ann if step is None else self.base_snn[self._step(step)]
        return _gain(np.broadcast_to(base, self.correct(CONTROL, step).shape), self.correct(CONTROL, step))

    def to_frame(self) -> pd.DataFrame:
        """One row per arm and step (0 for the ANN): accuracy, gain over the control with both intervals.

        Where an arm has a control of its own, columns tell its gain over that; empty for the other arms.
        """
        rows, owned = [], any(self.own_control(arm) for arm in self.arms)
        for arm in (BASE, *self.arms):
            for step in (None, *self.steps):
                gain = self.base_gain(step) if arm == BASE else self.gain(arm, step)
                value = self.base_accuracy(step) if arm == BASE else self.accuracy(arm, step)
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
                        **(self._own_columns(arm, step) if owned else {}),
                    }
                )
        return pd.DataFrame(rows).assign(seeds=len(self.seeds), images=self.images, split=self.split)

    def _own_columns(self, arm: str, step: int | None) -> dict[str, str | float]:
        other = self.own_control(arm)
        if other is None:
            return {"own_control": "", "own_gain": np.nan, "own_low": np.nan, "own_high": np.nan}
        own = self.own_gain(arm, step)
        return {"own_control": other, "own_gain": own.value, "own_low": own.low, "own_high": own.high}

    @property
    def looked_inside(self) -> bool:
        """Whether residual classes before and after were kept."""
        return self.classes_before is not None and self.classes_after is not None

    def share(self, arm: str, kind: str, site: str | None = None) -> Share:
        """How many of the neurons that are not silent are off, at T of the question; of an arm or of the base.

        Args:
            arm: Arm, or ``base``.
            kind: ``"excess"`` or ``"missing"``.
            site: Site; None for the whole network.

        Raises:
            SnnlabError: No such arm or site, or residual classes were not kept.
        """
        counts = self._at(self._inside(arm)[0], site)
        index = {"excess": EXCESS, "missing": MISSING}[kind]
        heard = counts.sum(axis=1) - counts[:, SILENT]
        return _mean(counts[:, index] / np.maximum(heard, 1))

    def gap(self, arm: str, site: str | None = None) -> Share:
        """Std / threshold of the gap at T of the question; of the whole network its root mean square over sites."""
        gaps = self.gap_before[None] if arm == BASE else self.gap_after[self._arm(arm)]
        whole = np.sqrt(np.mean(gaps**2, axis=1))
        return _mean(whole if site is None else gaps[:, self._site(site)])

    def inside_frame(self) -> pd.DataFrame:
        """One row per arm, the base among them, and site, the whole network first: residual classes and gap.

        Shares are of all neurons x images, means over seeds; ``k=+1`` is one spike too many.

        Raises:
            SnnlabError: Residual classes were not kept.
        """
        rows = []
        for arm in (BASE, *self.arms):
            classes, errors = self._inside(arm)
            for site in (None, *self.names):
                counts, k = self._at(classes, site), self._at(errors, site)
                total = counts.sum(axis=1, keepdims=True)
                shares = (counts / total).mean(axis=0)
                off, right = (k / total).mean(axis=0).tolist(), [SILENT, EXACT, SATURATED]
                gap = self.gap(arm, site)
                rows.append(
                    {"arm": arm, "site": site or WHOLE}
                    | dict(zip(CLASSES, shares.tolist(), strict=True))
                    | {"right": float(shares[right].sum())}
                    | {"k<=-2": sum(off[: K_LIMIT - 1]), "k=-1": off[K_LIMIT - 1]}
                    | {"k=+1": off[K_LIMIT + 1], "k>=+2": sum(off[K_LIMIT + 2 :])}
                    | {"relative_gap": gap.value, "gap_low": gap.low, "gap_high": gap.high}
                    | {"seeds": len(counts)}
                )
        return pd.DataFrame(rows).assign(step=self.target, images=self.images, split=self.split)

    def _inside(self, arm: str) -> tuple[np.ndarray, np.ndarray]:
        """Counts by class and by k of an arm or of the base, (seeds, sites, ...) each."""
        before, after = (self.classes_before, self.errors_before), (self.classes_after, self.errors_after)
        if any(part is None for part in (*before, *after)):
            raise SnnlabError(
                "An earlier version stored this experiment without its residual classes; run it again to see them: "
                "what was trained is kept."
            )
        chosen = [part[None] for part in before] if arm == BASE else [part[self._arm(arm)] for part in after]  # type: ignore[index]
        return chosen[0], chosen[1]

    def _at(self, counts: np.ndarray, site: str | None) -> np.ndarray:
        return np.asarray(counts.sum(axis=1) if site is None else counts[:, self._site(site)])

    def _site(self, site: str) -> int:
        if site not in self.names:
            raise SnnlabError(f"There is no site {site!r} in this experiment; it has {', '.join(self.names)}.")
        return self.names.index(site)

    def _arm(self, arm: str) -> int:
        if arm not in self.arms:
            raise SnnlabError(f"There is no arm {arm!r} in this experiment; it has {', '.join(self.arms)}.")
        return self.arms.index(arm)

    def _step(self, step: int) -> int:
        if step not in self.steps:
            raise SnnlabError(
                f"The experiment was not read at T = {step}; it was at T = {', '.join(map(str, self.steps))}."
            )
        return self.steps.index(step)


def _mean(values: np.ndarray) -> Share:
    return Share(float(np.mean(values)), *t_interval(values))


def t_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % t interval of the mean of independent values; NaN for fewer than two."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    half = student_t(n - 1) * float(np.std(values, ddof=1)) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def paired_difference(values: Sequence[float], control: Sequence[float]) -> dict[str, float | None]:
    """Mean of the differences pair by pair and its 95 % t interval, plain values; without bounds for a single pair.

    Args:
        values: One value a seed.
        control: The control's, on the same seeds.

    Example:
        >>> paired_difference([0.75], [0.5])
        {'mean': 0.25, 'low': None, 'high': None}
    """
    differences = np.asarray(values) - np.asarray(control)
    bounds = t_interval(differences) if len(differences) > 1 else (None, None)
    return {"mean": float(differences.mean()), "low": bounds[0], "high": bounds[1]}


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
