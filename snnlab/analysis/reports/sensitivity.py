"""Which site matters: what noise at one site alone costs the ANN, and how much noise it bears."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report

RESAMPLES = 2000


@dataclass(frozen=True)
class SiteLoss:
    """Accuracy of the ANN minus that of the ANN with noise at one site, fractions.

    Args:
        name: Site.
        value: Mean over images and noise seeds.
        low: Lower end of the 95 % bootstrap interval over images, each with all its noise seeds.
        high: Upper end of it.
        rank: 1 where the loss is largest; equal losses share a rank.
        rank_low: Lower end of the 95 % interval of the rank, from the same samples of images.
        rank_high: Upper end of it.
    """

    name: str
    value: float
    low: float
    high: float
    rank: int
    rank_low: int
    rank_high: int


@dataclass(frozen=True)
class SensitivityReport(Report):
    r"""The ANN under noise :math:`\sigma^l \epsilon` at one site l at a time.

    All sites are seen by the same images, and a site's noise is the same alone and in the whole profile. Losses do not
    add up to that of the whole profile: noise that the network bears at any one site can destroy it at all together.

    Args:
        names: Site names, input first.
        thresholds: Mean threshold of each site, activation units, (sites,).
        std: Std of the noise at each site, activation units, (sites,).
        num_steps: T at which the gap behind the profile was measured.
        noise_seeds: Noise seeds.
        ann_correct: Answers of the ANN without noise, (images,), bool.
        right: Noise seeds under which the ANN with noise at one site is right, (sites, images), uint8.
        together: The same with noise at every site, (images,), uint8.
        split: Split of the images.
    """

    kind: ClassVar[str] = "sensitivity"

    names: tuple[str, ...]
    thresholds: np.ndarray
    std: np.ndarray
    num_steps: int
    noise_seeds: int
    ann_correct: np.ndarray
    right: np.ndarray
    together: np.ndarray
    split: str

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        kinds = {"thresholds": float, "std": float, "ann_correct": bool, "right": np.uint8, "together": np.uint8}
        # Lists where it came through a pipe.
        return super()._restore(values | {name: np.asarray(values[name], dtype) for name, dtype in kinds.items()})

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.ann_correct)

    @cached_property
    def losses(self) -> tuple[SiteLoss, ...]:
        """What noise at each site alone costs, input first."""
        lost = self.noise_seeds * self.ann_correct.astype(np.int64) - self.right  # (sites, images), whole numbers
        samples = _samples(self.images) @ lost.T  # (RESAMPLES, sites)
        low, high = np.quantile(samples / (self.images * self.noise_seeds), [0.025, 0.975], axis=0)
        ends = np.quantile(_ranks(samples), [0.025, 0.975], axis=0, method="nearest")
        rank, value = _ranks(lost.sum(axis=1)[None])[0], lost.mean(axis=1) / self.noise_seeds
        return tuple(
            SiteLoss(name, float(value[i]), float(low[i]), float(high[i]), int(rank[i]), *map(int, ends[:, i]))
            for i, name in enumerate(self.names)
        )

    @cached_property
    def whole(self) -> tuple[float, float, float]:
        """What the noise of all sites together costs, with its interval: a fraction, low, high."""
        lost = self.noise_seeds * self.ann_correct.astype(np.int64) - self.together
        low, high = np.quantile(_samples(self.images) @ lost / (self.images * self.noise_seeds), [0.025, 0.975])
        return float(lost.mean() / self.noise_seeds), float(low), float(high)

    def to_frame(self) -> pd.DataFrame:
        """One row a site, input first; losses in points."""
        rows: list[dict[str, Any]] = [
            {
                "site": loss.name,
                "threshold": float(self.thresholds[i]),
                "std": float(self.std[i]),
                "relative_std": float(self.std[i] / self.thresholds[i]),
                "loss": 100 * loss.value,
                "low": 100 * loss.low,
                "high": 100 * loss.high,
                "rank": loss.rank,
                "rank_low": loss.rank_low,
                "rank_high": loss.rank_high,
            }
            for i, loss in enumerate(self.losses)
        ]
        return pd.DataFrame(rows).assign(
            step=self.num_steps, noise_seeds=self.noise_seeds, images=self.images, split=self.split
        )


@dataclass(frozen=True)
class LargestScale(Report):
    """The largest scale of a profile that costs the ANN at most so many points.

    Args:
        points: Points of accuracy that may be lost.
        scale: The scale and its 95 % interval over images, (3,); inf above the largest scale that was tried.
        why: Why there is no number; empty where there is one.
        num_steps: T at which the gap behind the profile was measured.
        noise_seeds: Noise seeds.
        images: Number of images.
        split: Their split.
    """

    kind: ClassVar[str] = "largest_scale"

    points: float
    scale: np.ndarray
    why: str
    num_steps: int
    noise_seeds: int
    images: int
    split: str

    def told(self) -> dict[str, float | str | None]:
        """JSON-ready: a scale that is no number is None."""
        values = dict(zip(("value", "low", "high"), self.scale.tolist(), strict=True))
        finite = {name: value if np.isfinite(value) else None for name, value in values.items()}
        return {"points": self.points, **finite, "why": self.why}

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        value, low, high = self.scale.tolist()
        row = {"points": self.points, "scale": value, "low": low, "high": high, "why": self.why}
        return pd.DataFrame([row]).assign(
            step=self.num_steps, noise_seeds=self.noise_seeds, images=self.images, split=self.split
        )


def _samples(images: int) -> np.ndarray:
    """How often every image is in each bootstrap sample, (RESAMPLES, images)."""
    shares = np.full(images, 1 / images)
    return np.random.Generator(np.random.PCG64(0)).multinomial(images, shares, size=RESAMPLES)


def _ranks(lost: np.ndarray) -> np.ndarray:
    """1 for the largest of each row, equal ones alike, (samples, sites)."""
    return np.stack([1 + (lost > lost[:, [i]]).sum(axis=1) for i in range(lost.shape[1])], axis=1)
