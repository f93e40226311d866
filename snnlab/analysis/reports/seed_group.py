"""Several checkpoints of one recipe, trained with different seeds, as one curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.accuracy import AccuracyCurve
from snnlab.analysis.reports.base import Report
from snnlab.analysis.reports.gain import student_t
from snnlab.core.errors import RecipeError
from snnlab.core.recipe import Recipe

RESAMPLES = 2000
ONE_SEED = (
    "One checkpoint says nothing about the spread over training seeds: an interval over seeds needs two or more that "
    "were trained with different ones."
)

_SAME_CHECKPOINT = ("architecture", "activation", "levels", "dataset")  # fields of a card that a seed does not change
_SAME_RECIPE = ("data", "converter", "num_steps", "noise", "training", "experiment", "dtype")


class Evaluated(Protocol):
    """What a run has that a group is made of."""

    @property
    def id(self) -> str:
        """Random, 32 hexadecimal digits."""

    @property
    def recipe(self) -> Recipe:
        """What was run."""

    @property
    def card(self) -> dict[str, Any]:
        """The checkpoint's card."""

    @property
    def accuracy(self) -> AccuracyCurve:
        """Predictions of ANN and SNN."""


@dataclass(frozen=True)
class SeedGroup(Report):
    """Answers of networks that differ in their training seed alone, on the same images.

    Two spreads stand beside each other: over training seeds (would another training give this?) and over images
    (would other images?). Neither contains the other.

    Args:
        name: How the group is called in legends.
        members: One row a checkpoint: ``run``, ``checkpoint``, ``sha256``.
        ann_correct: Answers of each ANN, (seeds, images), bool.
        snn_correct: Answers of its SNN at t = 1..T, (seeds, num_steps, images), bool.
        split: Split of the images.
    """

    kind: ClassVar[str] = "seed_group"

    name: str
    members: tuple[dict[str, Any], ...]
    ann_correct: np.ndarray
    snn_correct: np.ndarray
    split: str

    @classmethod
    def of(cls, runs: Sequence[Evaluated], *, name: str = "") -> Self:
        """Group runs whose recipes differ in the checkpoint alone.

        Args:
            runs: One of each checkpoint.
            name: How the group is called; "" for what the checkpoints' names have in common, and the method.

        Raises:
            RecipeError: No run, one checkpoint twice, or runs that differ in more; names the first such field.
        """
        if not runs:
            raise RecipeError("A seed group needs runs; none was given.")
        first = runs[0]
        for run in runs[1:]:
            _check_alike(first, run)
        hashes = [run.card["sha256"] for run in runs]
        for place, sha256 in enumerate(hashes):
            if sha256 in hashes[:place]:
                raise RecipeError(
                    f"{runs[place].card['name']} is in this group twice; a seed group has every checkpoint once."
                )
        curves = [run.accuracy for run in runs]
        return cls(
            name=name or f"{_common([run.card['name'] for run in runs])} · {first.recipe.converter.method}",
            members=tuple(
                {"run": run.id, "checkpoint": run.card["name"], "sha256": run.card["sha256"]} for run in runs
            ),
            ann_correct=np.stack([curve.ann_predictions == curve.labels for curve in curves]),
            snn_correct=np.stack([curve.snn_predictions == curve.labels for curve in curves]),
            split=curves[0].split,
        )

    @property
    def seeds(self) -> int:
        """Number of checkpoints."""
        return len(self.members)

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.ann_correct.shape[1])

    @property
    def num_steps(self) -> int:
        """T."""
        return int(self.snn_correct.shape[1])

    @property
    def why_no_seed_interval(self) -> str:
        """Why there is neither a standard deviation nor an interval over seeds; empty where there is."""
        return ONE_SEED if self.seeds < 2 else ""

    @cached_property
    def by_seed(self) -> np.ndarray:
        """Accuracy of each ANN, then of its SNN at t = 1..T, (seeds, 1 + num_steps)."""
        return np.concatenate([self.ann_correct.mean(axis=1)[:, None], self.snn_correct.mean(axis=2)], axis=1)

    @property
    def mean(self) -> np.ndarray:
        """Mean over seeds, of the ANN and at t = 1..T, (1 + num_steps,)."""
        return np.asarray(self.by_seed.mean(axis=0))

    @property
    def std(self) -> np.ndarray:
        """Sample standard deviation over training seeds, (1 + num_steps,); NaN for one seed."""
        if self.seeds < 2:
            return np.full(1 + self.num_steps, np.nan)
        return np.asarray(self.by_seed.std(axis=0, ddof=1))

    @property
    def seed_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % t interval of the mean over training seeds, two (1 + num_steps,); NaN for one seed."""
        if self.seeds < 2:
            return self.std, self.std
        half = student_t(self.seeds - 1) * self.std / math.sqrt(self.seeds)
        return self.mean - half, self.mean + half

    @cached_property
    def image_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % bootstrap interval of the mean over images, each image carrying all its seeds, two (1 + num_steps,)."""
        answers = np.concatenate([self.ann_correct[:, None], self.snn_correct], axis=1).mean(axis=0)  # (1 + T, images)
        draws = np.random.Generator(np.random.PCG64(0)).multinomial(
            self.images, np.full(self.images, 1 / self.images), size=RESAMPLES
        )
        low, high = np.quantile(draws @ answers.T / self.images, [0.025, 0.975], axis=0)
        return low, high

    def to_frame(self) -> pd.DataFrame:
        """One row per step (0 for the ANN): mean, std over seeds, both intervals, and the accuracy of every seed."""
        (low, high), (images_low, images_high) = self.seed_interval, self.image_interval
        frame = pd.DataFrame(
            {
                "name": self.name,
                "role": ["ann", *["snn"] * self.num_steps],
                "step": np.arange(self.num_steps + 1),
                "accuracy": self.mean,
                "std": self.std,
                "low": low,
                "high": high,
                "images_low": images_low,
                "images_high": images_high,
                "seeds": self.seeds,
                "images": self.images,
                "split": self.split,
            }
        )
        each = {f"seed_{number}": values for number, values in enumerate(self.by_seed, start=1)}
        return frame.assign(**each)


def _check_alike(first: Evaluated, other: Evaluated) -> None:
    """Raise, with the name of the field, where two runs differ in more than the checkpoint.

    Raises:
        RecipeError: They do.
    """
    pair = f"{first.card['name']} and {other.card['name']} are no seed group"
    for field in _SAME_CHECKPOINT:
        one, two = first.card.get(field), other.card.get(field)
        if one != two:
            shown = "" if isinstance(one, dict) else f" ({one} and {two})"
            raise RecipeError(f"{pair}: their checkpoints differ in {field}{shown}.")
    mine, theirs = first.recipe.identity(), other.recipe.identity()
    for part in _SAME_RECIPE:
        if (difference := _first_difference(mine.get(part), theirs.get(part), part)) is not None:
            field, one, two = difference
            raise RecipeError(f"{pair}: their recipes differ in {field} ({one} and {two}).")
    if not np.array_equal(first.accuracy.labels, other.accuracy.labels):
        raise RecipeError(f"{pair}: they were evaluated on other images ({first.accuracy.split}).")


def _first_difference(one: Any, two: Any, path: str) -> tuple[str, Any, Any] | None:
    if one == two:
        return None
    if isinstance(one, dict) and isinstance(two, dict):
        for name in dict.fromkeys([*one, *two]):
            if (found := _first_difference(one.get(name), two.get(name), f"{path}.{name}")) is not None:
                return found
    return path, one, two


def _common(names: Sequence[str]) -> str:
    """What the names begin with, without the part that tells them apart."""
    shortest = min(names, key=len)
    length = next((i for i, c in enumerate(shortest) if any(name[i] != c for name in names)), len(shortest))
    return shortest[:length].rstrip("-_. ·") or names[0]
