"""Conversion methods against each other: the same checkpoint, images and calibration data."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report, wilson_interval
from snnlab.analysis.reports.gain import RESAMPLES, t_interval
from snnlab.core.errors import SnnlabError

NOT_RUN = -1
"""In place of an answer: this cell was not run."""

COSTS = ("total_latency", "syn_ops", "calibration_seconds")
"""What an accuracy is paid with."""

_AT_ONCE = 50  # resamples drawn together, which bounds memory for 10,000 images


@dataclass(frozen=True)
class TournamentCell(Report):
    """What one conversion of a tournament cost, beside its accuracy curve.

    Args:
        calibration_seconds: Wall time of the conversion, calibration included.
        warm_up: Time-steps before t = 1 in which it decides how its neurons start.
        syn_ops: Synaptic operations per image up to t = 1..T, (T,), float64; NaN where they cannot be counted.
        micro_batch: Images at once, where memory was short; 0 else.
    """

    kind: ClassVar[str] = "tournament_cell"

    calibration_seconds: float
    warm_up: int
    syn_ops: np.ndarray
    micro_batch: int = 0

    def to_frame(self) -> pd.DataFrame:
        """One row per time-step."""
        steps = np.arange(1, len(self.syn_ops) + 1)
        return pd.DataFrame({"step": steps, "total_latency": self.warm_up + steps, "syn_ops": self.syn_ops}).assign(
            calibration_seconds=self.calibration_seconds
        )


@dataclass(frozen=True)
class Standing:
    """One method at one T.

    Args:
        entrant: Place in the tournament.
        step: T.
        accuracy: Mean over its networks, fraction.
        low: Lower end of the 95 % interval: t over calibration seeds where there are two or more, else over images.
        high: Upper end of it.
        images_low: Lower end of the 95 % interval over images: Wilson's for one network, else by bootstrap.
        images_high: Upper end of it.
        over_seeds: Whether ``low`` and ``high`` are over seeds.
        seeds: Networks.
        total_latency: Time-steps until the answer, a warm-up included.
        syn_ops: Synaptic operations per image, mean over networks; NaN where not counted.
        calibration_seconds: Wall time of one conversion, mean over networks.
    """

    entrant: int
    step: int
    accuracy: float
    low: float
    high: float
    images_low: float
    images_high: float
    over_seeds: bool
    seeds: int
    total_latency: int
    syn_ops: float
    calibration_seconds: float


@dataclass(frozen=True)
class PairedMethods:
    """Accuracy of one method minus that of another at one T, on the same images.

    Args:
        a: Place of the first.
        b: Place of the second.
        step: T.
        difference: Accuracy of ``a`` minus accuracy of ``b``, means over their networks, fraction.
        low: Lower end of the 95 % bootstrap interval over images.
        high: Upper end of it.
        p: McNemar's exact p between two single networks; None where a mean over seeds takes part.
    """

    a: int
    b: int
    step: int
    difference: float
    low: float
    high: float
    p: float | None


@dataclass(frozen=True)
class Tournament(Report):
    r"""Methods x T x calibration seeds: which images every network gets right.

    Intervals of means and of differences resample images, the same draws everywhere, so that every difference is
    paired: common images, common resamples.

    Args:
        entrants: One row a method: ``name`` (no two alike), ``method``, ``title`` (with its dagger), ``evidence``,
            ``parameters``, ``depends_on_num_steps``, ``seeds`` (number of its networks at each T; 0 where its needs are
            not met) and ``why`` (why it was not run; "" where it was).
        steps: T, ascending.
        labels: True classes, (images,), int16.
        ann_correct: Answers of the ANN, (images,), bool.
        correct: Answers, (entrants, seeds, steps, images), int8: 1 right, 0 wrong, ``NOT_RUN``.
        calibration_seconds: Wall time of each conversion, (entrants, seeds, steps), float64; NaN where not run.
        syn_ops: Synaptic operations per image, (entrants, seeds, steps), float64; NaN where not counted.
        total_latency: Time-steps until the answer, (entrants, steps), int64; 0 where not run.
        refused: Rows ``entrant``, ``steps``, ``why`` of conversions that could not be made.
        first_seed: Seed of the first draw of calibration images.
        calibration_images: Images of each draw; 0 for the whole split.
        split: Split of the images.
        num_classes: Number of classes.
    """

    kind: ClassVar[str] = "tournament"

    entrants: tuple[dict[str, Any], ...]
    steps: tuple[int, ...]
    labels: np.ndarray
    ann_correct: np.ndarray
    correct: np.ndarray
    calibration_seconds: np.ndarray
    syn_ops: np.ndarray
    total_latency: np.ndarray
    refused: tuple[dict[str, Any], ...]
    first_seed: int
    calibration_images: int
    split: str
    num_classes: int

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def ann_accuracy(self) -> float:
        """Accuracy of the ANN."""
        return float(self.ann_correct.mean())

    @property
    def names(self) -> tuple[str, ...]:
        """How the methods are called, in order."""
        return tuple(str(row["name"]) for row in self.entrants)

    @property
    def most_seeds(self) -> int:
        """Networks of the method that has most."""
        return max(int(row["seeds"]) for row in self.entrants)

    def whole(self, entrant: int, step: int) -> bool:
        """Whether every network of a method at a T was run."""
        seeds = int(self.entrants[entrant]["seeds"])
        return seeds > 0 and bool((self._at(entrant, step)[:seeds] != NOT_RUN).all())

    @cached_property
    def standings(self) -> tuple[Standing, ...]:
        """Every method and T of which all networks were run, methods in their order."""
        return tuple(
            self._standing(entrant, step)
            for entrant in range(len(self.entrants))
            for step in self.steps
            if self.whole(entrant, step)
        )

    def standing(self, entrant: int, step: int) -> Standing | None:
        """One method at one T; None where it was not run, or not to its last seed."""
        return next((one for one in self.standings if (one.entrant, one.step) == (entrant, step)), None)

    def best(self, step: int) -> tuple[int, ...]:
        """The methods of the largest accuracy at a T; more than one where they are equal."""
        found = [one for one in self.standings if one.step == step]
        most = max((one.accuracy for one in found), default=0.0)
        return tuple(one.entrant for one in found if one.accuracy == most) if len(found) > 1 else ()

    def paired(self, a: int, b: int, step: int) -> PairedMethods:
        """One method minus another on the same images.

        Raises:
            SnnlabError: One of them was not run at this T.
        """
        for entrant in (a, b):
            if not self.whole(entrant, step):
                raise SnnlabError(f"{self.names[entrant]} was not run at T = {step}, so there is no difference.")
        one, other = (self._place(entrant, step) for entrant in (a, b))
        low, high = np.quantile(self._resampled[:, one] - self._resampled[:, other], [0.025, 0.975])
        mine, theirs = self._networks(a, step), self._networks(b, step)
        p = mcnemar(mine[0], theirs[0]) if len(mine) == len(theirs) == 1 else None
        return PairedMethods(a, b, step, float(mine.mean() - theirs.mean()), float(low), float(high), p)

    def pairs(self) -> tuple[PairedMethods, ...]:
        """Every two methods at every T, T by T; a method is compared with those after it."""
        return tuple(
            self.paired(a, b, step)
            for step in self.steps
            for a in range(len(self.entrants))
            for b in range(a + 1, len(self.entrants))
            if self.whole(a, step) and self.whole(b, step)
        )

    def front(self, cost: str, step: int | None = None) -> tuple[Standing, ...]:
        """The Pareto front: no other is at least as accurate for at most this cost, and better in one of the two.

        Args:
            cost: One of ``COSTS``.
            step: Among the networks of this T; None for all.

        Raises:
            SnnlabError: No such cost.
        """
        if cost not in COSTS:
            raise SnnlabError(f"There is no cost {cost!r}; choose one of {', '.join(COSTS)}.")
        among = [(one.accuracy, float(getattr(one, cost)), one) for one in self.standings if step in (None, one.step)]
        known = [each for each in among if np.isfinite(each[1])]
        kept = [
            one
            for accuracy, price, one in known
            if not any(
                other >= accuracy and paid <= price and (other > accuracy or paid < price) for other, paid, _ in known
            )
        ]
        return tuple(sorted(kept, key=lambda one: (getattr(one, cost), one.accuracy)))

    def to_frame(self) -> pd.DataFrame:
        """One row per method and T that was run: accuracy, intervals, costs, and what the network is."""
        rows = []
        for one in self.standings:
            about = self.entrants[one.entrant]
            rows.append(
                {
                    "method": about["method"],
                    "name": about["name"],
                    "evidence": about["evidence"],
                    "num_steps": one.step,
                    "total_latency": one.total_latency,
                    "accuracy": one.accuracy,
                    "low": one.low,
                    "high": one.high,
                    "interval_over": "seeds" if one.over_seeds else "images",
                    "images_low": one.images_low,
                    "images_high": one.images_high,
                    "syn_ops": one.syn_ops,
                    "calibration_seconds": one.calibration_seconds,
                    "seeds": one.seeds,
                    "best": one.entrant in self.best(one.step),
                }
            )
        columns = list(rows[0]) if rows else ["method", "name", "num_steps", "accuracy"]
        return pd.DataFrame(rows, columns=columns).assign(images=self.images, split=self.split)

    def paired_frame(self) -> pd.DataFrame:
        """One row per two methods and T: accuracy of ``a`` minus that of ``b``."""
        rows = [
            {
                "a": self.names[pair.a],
                "b": self.names[pair.b],
                "num_steps": pair.step,
                "difference": pair.difference,
                "low": pair.low,
                "high": pair.high,
                "mcnemar_p": np.nan if pair.p is None else pair.p,
            }
            for pair in self.pairs()
        ]
        columns = ["a", "b", "num_steps", "difference", "low", "high", "mcnemar_p"]
        return pd.DataFrame(rows, columns=columns).assign(images=self.images, split=self.split)

    def _at(self, entrant: int, step: int) -> np.ndarray:
        """Answers of all networks of a method at a T, (seeds, images)."""
        return np.asarray(self.correct[entrant, :, self.steps.index(step)])

    def _networks(self, entrant: int, step: int) -> np.ndarray:
        """The same without seeds that it has not, (its seeds, images), bool."""
        return self._at(entrant, step)[: int(self.entrants[entrant]["seeds"])] == 1

    def _place(self, entrant: int, step: int) -> int:
        return entrant * len(self.steps) + self.steps.index(step)

    @cached_property
    def _resampled(self) -> np.ndarray:
        """Accuracy of every method and T on every resample of the images, (RESAMPLES, entrants x steps)."""
        pairs = [(entrant, step) for entrant in range(len(self.entrants)) for step in self.steps]
        means = np.stack(
            [
                self._networks(entrant, step).mean(axis=0) if self.whole(entrant, step) else np.zeros(self.images)
                for entrant, step in pairs
            ],
            axis=1,
        )
        generator, even = np.random.Generator(np.random.PCG64(0)), np.full(self.images, 1 / self.images)
        return np.concatenate(
            [
                generator.multinomial(self.images, even, size=min(_AT_ONCE, RESAMPLES - start)) @ means / self.images
                for start in range(0, RESAMPLES, _AT_ONCE)
            ]
        )

    def _standing(self, entrant: int, step: int) -> Standing:
        networks, at = self._networks(entrant, step), self.steps.index(step)
        seeds = len(networks)
        if seeds == 1:
            ends = wilson_interval(int(networks.sum()), self.images)
            images_low, images_high = float(ends[0]), float(ends[1])
        else:
            drawn = self._resampled[:, self._place(entrant, step)]
            images_low, images_high = (float(end) for end in np.quantile(drawn, [0.025, 0.975]))
        low, high = t_interval(networks.mean(axis=1)) if seeds > 1 else (images_low, images_high)
        low, high = max(low, 0.0), min(high, 1.0)  # Student's t does not know that accuracies end there
        return Standing(
            entrant=entrant,
            step=step,
            accuracy=float(networks.mean()),
            low=low,
            high=high,
            images_low=images_low,
            images_high=images_high,
            over_seeds=seeds > 1,
            seeds=seeds,
            total_latency=int(self.total_latency[entrant, at]),
            syn_ops=float(np.mean(self.syn_ops[entrant, :seeds, at])),
            calibration_seconds=float(np.mean(self.calibration_seconds[entrant, :seeds, at])),
        )


def mcnemar(one: np.ndarray, other: np.ndarray) -> float:
    r"""McNemar's exact two-sided p of two networks on the same images.

    With b images that only the first gets right and c that only the second does, both equally likely under the null:

    .. math:: p = \min\left(1, 2 \sum_{k \le \min(b, c)} \binom{b+c}{k} 2^{-(b+c)}\right)

    Args:
        one: Whether the first is right, (images,) bool.
        other: Whether the second is right on the same images, (images,) bool.

    Example:
        >>> first = np.array([True] * 9 + [False] * 2)
        >>> round(mcnemar(first, ~first), 4)
        0.0654
    """
    from scipy.stats import binom

    only_one, only_other = int(np.sum(one & ~other)), int(np.sum(other & ~one))
    differing = only_one + only_other
    return 1.0 if differing == 0 else min(1.0, 2 * float(binom.cdf(min(only_one, only_other), differing, 0.5)))
