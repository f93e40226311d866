"""The gap between an ANN and its SNN at every site, and what noise of that size does to the ANN."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report, wilson_interval
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.errors import SnnlabError


@dataclass(frozen=True)
class Estimate:
    """An accuracy with its 95 % interval, all fractions.

    Args:
        value: Mean over images and noise seeds.
        low: Lower end.
        high: Upper end.
        seeds: Mean over images of each noise seed; of one entry where there is no noise.
    """

    value: float
    low: float
    high: float
    seeds: tuple[float, ...]


def estimate(correct: np.ndarray) -> Estimate:
    r"""Accuracy from answers (seeds, images), with an interval over images that carry all their noise seeds.

    With :math:`p_i` the share of seeds that get image i right and p their mean, the variance of p over images is that
    of :math:`n_\mathrm{eff} = n\,p(1-p)/\mathrm{var}(p_i)` independent answers, between n and n x seeds; the interval
    is Wilson's for so many [Wilson1927]. For one seed it is Wilson's for n.

    Args:
        correct: Answers, (seeds, images), bool.
    """
    shares = correct.mean(axis=0)
    images, value = shares.size, float(shares.mean())
    between = float(np.mean((shares - value) ** 2))
    ratio = value * (1 - value) / between if between > 0 else (1.0 if value in (0.0, 1.0) else np.inf)
    effective = images * float(np.clip(ratio, 1.0, len(correct)))
    low, high = wilson_interval(np.asarray(value * effective), effective)
    return Estimate(value, float(low), float(high), tuple(correct.mean(axis=1).tolist()))


@dataclass(frozen=True)
class NoiseReport(Report):
    r"""The gap g = (ANN activation) - threshold n(t)/t at every site, and the ANN under noise of its std.

    Each network propagates its own activations, so a gap holds the errors of the sites before it. Gaps are compared
    in spike counts: below 1e-6 of the threshold they are 0. The local gap is what a constant input would leave:
    :math:`h(z) - q_t(z)` at the ANN's own pre-activation z.

    Args:
        names: Site names, input first.
        shapes: Shape of one image's activation at each site.
        thresholds: Mean threshold of each site, activation units, (sites,).
        levels: Quantization levels L of each site; None where the activation is not quantized.
        steps: Steps t at which the gap was measured.
        std: Std of the gap, (sites, steps), activation units.
        mean: Mean of the gap, (sites, steps), activation units.
        local_std: Std of the local gap, (sites, steps), activation units.
        zero: Share of elements whose gap is 0, (sites, steps).
        count: Elements measured at each site, (sites,), int64.
        lattice: Bins a threshold of ``gap_counts`` at each step; all gaps of a quantized network lie on it where it is
            a common multiple of L and t.
        gap_counts: Elements by gap, (sites, steps, 2 GAP_REACH + 1), int64; bin GAP_REACH + j counts gaps nearest
            j / lattice thresholds.
        outside: Elements whose gap exceeds one threshold either way, (sites, steps), int64.
        fit_split: Split of the images that the gap was measured on.
        fit_images: Their number.
        paper_compat: The std is the root of the mean of batch variances, instead of pooled.
        split: Split of the images of all accuracies.
        num_classes: Number of classes.
        ann_correct: Answers of the ANN without noise, (images,), bool.
        snn_correct: Answers of the SNN, (steps, images), bool.
        targets: T at which the noisy ANN was evaluated.
        profile_std: Std injected at scale 1, (targets, sites), activation units.
        scales: Factors on that std, ascending, (scales,).
        noisy_correct: Answers of the noisy ANN, (targets, scales, seeds, images), bool.
        kappa: Scale at which the noisy ANN is as accurate as the SNN, with its 95 % interval, (targets, 3): NaN where
            there is none, inf above the largest scale.
        kappa_why: Why there is no number, per target; empty where there is one.
    """

    kind: ClassVar[str] = "noise"

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    thresholds: np.ndarray
    levels: tuple[int | None, ...]
    steps: tuple[int, ...]
    std: np.ndarray
    mean: np.ndarray
    local_std: np.ndarray
    zero: np.ndarray
    count: np.ndarray
    lattice: tuple[int, ...]
    gap_counts: np.ndarray
    outside: np.ndarray
    fit_split: str
    fit_images: int
    paper_compat: bool
    split: str
    num_classes: int
    ann_correct: np.ndarray
    snn_correct: np.ndarray
    targets: tuple[int, ...]
    profile_std: np.ndarray
    scales: np.ndarray
    noisy_correct: np.ndarray
    kappa: np.ndarray
    kappa_why: tuple[str, ...]

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        return super()._restore({**values, "shapes": tuple(tuple(shape) for shape in values["shapes"])})

    @property
    def images(self) -> int:
        """Number of images of all accuracies."""
        return len(self.ann_correct)

    @property
    def noise_seeds(self) -> int:
        """Number of noise seeds."""
        return int(self.noisy_correct.shape[2])

    def step_index(self, step: int) -> int:
        """Index of a step at which the gap was measured.

        Raises:
            SnnlabError: It was not measured there.
        """
        if step not in self.steps:
            raise SnnlabError(
                f"The gap was not measured at t = {step}; it was at t = {', '.join(map(str, self.steps))}."
            )
        return self.steps.index(step)

    def target_index(self, target: int) -> int:
        """Index of a T at which the noisy ANN was evaluated.

        Raises:
            SnnlabError: It was not evaluated there.
        """
        if target not in self.targets:
            raise SnnlabError(
                f"The noisy ANN was not evaluated for T = {target}; it was for T = {', '.join(map(str, self.targets))}."
            )
        return self.targets.index(target)

    def profile(self, step: int) -> NoiseProfile:
        """The noise profile measured at a step; errors as ``step_index``."""
        j = self.step_index(step)
        return NoiseProfile(
            names=self.names,
            thresholds=self.thresholds,
            std=self.std[:, j],
            num_steps=step,
            mean=self.mean[:, j],
            share_zero=self.zero[:, j],
            local_std=self.local_std[:, j],
            count=self.count,
        )

    def evaluated(self, target: int) -> NoiseProfile:
        """The noise profile that was injected at scale 1 for a target; errors as ``target_index``."""
        return self.profile(target).with_std(self.profile_std[self.target_index(target)].tolist())

    @property
    def ann(self) -> Estimate:
        """Accuracy of the ANN without noise."""
        return estimate(self.ann_correct[None])

    def snn(self, step: int) -> Estimate:
        """Accuracy of the SNN read out at a step; errors as ``step_index``."""
        return estimate(self.snn_correct[self.step_index(step)][None])

    def noisy(self, target: int, scale: float = 1.0) -> Estimate:
        """Accuracy of the noisy ANN for a target, at one of the scales.

        Raises:
            SnnlabError: Not evaluated for this target or scale.
        """
        at = np.flatnonzero(np.isclose(self.scales, scale))
        if not len(at):
            shown = ", ".join(f"{known:g}" for known in self.scales)
            raise SnnlabError(f"The noisy ANN was not evaluated at scale {scale:g}; it was at {shown}.")
        return estimate(self.noisy_correct[self.target_index(target), at[0]])

    def to_frame(self) -> pd.DataFrame:
        """One row per site and step: the gap in activation units and in thresholds."""
        rows = []
        for i, name in enumerate(self.names):
            for j, step in enumerate(self.steps):
                std = float(self.std[i, j])
                rows.append(
                    {
                        "site": name,
                        "threshold": float(self.thresholds[i]),
                        "levels": self.levels[i],
                        "step": step,
                        "std": std,
                        "relative_std": std / float(self.thresholds[i]),
                        "mean": float(self.mean[i, j]),
                        "share_zero": float(self.zero[i, j]),
                        "local_std": float(self.local_std[i, j]),
                        "outside": float(self.outside[i, j] / self.count[i]),
                        "count": int(self.count[i]),
                        "images": self.fit_images,
                        "split": self.fit_split,
                    }
                )
        return pd.DataFrame(rows)

    def accuracy_frame(self) -> pd.DataFrame:
        """One row per accuracy: name, role (ann, noisy_ann, snn), step, scale, accuracy, low, high, images, split."""
        rows = [
            _row("ANN", "ann", None, None, self.ann),
            *(_row("SNN", "snn", step, None, self.snn(step)) for step in self.steps),
            *(
                _row("noisy ANN", "noisy_ann", target, scale, self.noisy(target, scale))
                for target in self.targets
                for scale in self.scales.tolist()
            ),
        ]
        return pd.DataFrame(rows).assign(images=self.images, split=self.split)


def _row(name: str, role: str, step: int | None, scale: float | None, found: Estimate) -> dict[str, Any]:
    return {
        "name": name,
        "role": role,
        "step": step,
        "scale": scale,
        "accuracy": found.value,
        "low": found.low,
        "high": found.high,
    }
