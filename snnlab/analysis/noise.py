"""How much noise makes the ANN as inaccurate as its SNN: accuracy under noise, and kappa."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from snnlab.analysis.noisy_network import NoisyNetwork
from snnlab.calibration.profile import NoiseProfile
from snnlab.core.errors import DataError, SnnlabError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.simulation.images import ImageSource, as_images

SCALES = tuple(0.5 * i for i in range(9))
"""Scales that kappa is sought on: nine from 0 to 4."""

BISECTIONS = 4
RESAMPLES = 1000

Evaluate = Callable[[tuple[float, ...]], np.ndarray]
"""``evaluate(scales)`` -> answers of the noisy ANN, (scales, seeds, images), bool."""


def noisy_correct(
    ann: nn.Module | NoisyNetwork,
    std_by_site: Mapping[str, float] | NoiseProfile,
    data: "ImageSource | Sequence[Tensor]",
    *,
    scales: Sequence[float] = (1.0,),
    seeds: int = 8,
    seed: int = 0,
    progress: ProgressCallback = silent,
) -> np.ndarray:
    r"""Which images the ANN gets right under noise :math:`s\,\sigma^l \epsilon` after every activation.

    Args:
        ann: The network; left alone.
        std_by_site: Site -> std in activation units, sites that are not named have none; or a profile.
        data: Labelled images, normalised.
        scales: Factors s, each at least 0.
        seeds: Noise seeds, at least 1; all scales and profiles see the same noise.
        seed: Seed of all of them.
        progress: Called after every block of images; cancels by raising ``Cancelled``.

    Returns:
        (scales, seeds, images), bool.

    Raises:
        SnnlabError: No noise seed; a scale or a std that is negative or not a number; a site that does not exist.
        DataError: Images without labels.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> images = ckpt.data("dev", limit=32)
        >>> right = sl.analysis.noisy_correct(ckpt.build(), {"stage1.act1": 0.1}, images, scales=[0, 1, 40])
        >>> right.shape
        (3, 8, 32)
    """
    images = labelled(as_images(data))
    if seeds < 1:
        raise SnnlabError(f"The noisy ANN needs at least 1 noise seed; found {seeds}.")
    for scale in scales:
        if not (math.isfinite(scale) and scale >= 0):
            raise SnnlabError(f"The scale {scale:g} of the noise must be a finite number, 0 or more.")
    network = ann if isinstance(ann, NoisyNetwork) else NoisyNetwork(ann)
    std = std_by_site.std_by_site() if isinstance(std_by_site, NoiseProfile) else std_by_site
    return network.correct(std, images, scales=scales, seeds=seeds, seed=seed, progress=progress)


def labelled(images: ImageSource) -> ImageSource:
    """The images themselves.

    Raises:
        DataError: They have no labels.
    """
    if images.labels is None:
        raise DataError("The accuracy of a noisy ANN needs labels; pass a pair (images, labels) or a data split.")
    return images


@dataclass(frozen=True)
class Kappa:
    """Scale at which the noisy ANN is as accurate as the SNN.

    Args:
        value: The scale; NaN where there is none, inf above the largest one.
        low: Lower end of the 95 % interval over images.
        high: Upper end of it; inf above the largest scale.
        why: Why there is no number; empty where there is one.
    """

    value: float
    low: float
    high: float
    why: str = ""

    def plain(self) -> dict[str, float | str | None]:
        """JSON-ready: what is not a number is None."""
        values = {name: getattr(self, name) for name in ("value", "low", "high")}
        return {name: value if math.isfinite(value) else None for name, value in values.items()} | {"why": self.why}


def kappa(
    snn_correct: np.ndarray,
    evaluate: Evaluate,
    *,
    scales: Sequence[float] = SCALES,
    known: np.ndarray | None = None,
    seed: int = 0,
) -> Kappa:
    """Scan the scales, fit a falling curve, find where it first meets the SNN's accuracy, and bisect there.

    The interval is from 1,000 bootstrap samples of the images, with the answers of SNN and noisy ANN resampled
    together; a sample in which the SNN reaches the clean ANN counts as 0, one without crossing as infinite.

    Args:
        snn_correct: Answers of the SNN, (images,), bool.
        evaluate: Gives the answers of the noisy ANN at more scales.
        scales: Ascending, from 0, which is the clean ANN.
        known: Answers at ``scales``, (scales, seeds, images), if they are known.
        seed: Seed of the bootstrap.

    Raises:
        SnnlabError: The first scale is not 0.
    """
    answers = evaluate(tuple(scales)) if known is None else known
    found, low, high = meeting(snn_correct, evaluate, scales=scales, known=answers, seed=seed)
    if snn_correct.mean() >= answers[0].mean():
        return Kappa(math.nan, math.nan, math.nan, "the SNN is as accurate as the ANN without noise")
    if math.isinf(found):
        return Kappa(math.inf, low, math.inf, f"above {scales[-1]:g}: the noisy ANN stays more accurate than the SNN")
    return Kappa(found, low, high)


def meeting(
    target: np.ndarray, evaluate: Evaluate, *, scales: Sequence[float], known: np.ndarray, seed: int
) -> tuple[float, float, float]:
    """Scale at which the noisy ANN's accuracy has fallen to a target, and its 95 % bootstrap interval over images.

    Args:
        target: What each image adds to the accuracy that is sought, (images,).
        evaluate: Gives the answers of the noisy ANN at more scales.
        scales: Ascending, from 0, which is the clean ANN.
        known: Answers at ``scales``, (scales, seeds, images).
        seed: Seed of the bootstrap.

    Returns:
        ``(scale, low, high)``: 0 where the clean ANN is at the target, inf where the largest scale stays above it.

    Raises:
        SnnlabError: The first scale is not 0.
    """
    at = tuple(float(scale) for scale in scales)
    if not at or at[0] != 0.0:
        raise SnnlabError("Scales are scanned from scale 0 on, the ANN without noise; let them begin with 0.")
    shares, sought = known.mean(axis=1), float(target.mean())  # (scales, images)
    if sought < shares[0].mean():
        for _ in range(BISECTIONS):
            bracket = _bracket(np.array(at), shares.mean(axis=1), sought)
            if bracket is None:
                break
            middle = (0.5 * sum(bracket),)
            order = np.argsort((*at, *middle))
            shares = np.concatenate([shares, evaluate(middle).mean(axis=1)])[order]
            at = tuple(np.array((*at, *middle))[order].tolist())
    found = crossings(np.array(at), shares.mean(axis=1)[None], np.array([sought]))[0]
    images = shares.shape[1]
    weights = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), RESAMPLES)
    resampled = crossings(np.array(at), weights @ shares.T / images, weights @ target / images)
    low, high = np.quantile(resampled, [0.025, 0.975], method="nearest")
    return float(found), float(low), float(high)


def crossings(scales: np.ndarray, accuracy: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where falling fits first reach their targets.

    Args:
        scales: Ascending, (scales,).
        accuracy: Accuracies at them, (samples, scales).
        target: (samples,).

    Returns:
        Scales, (samples,): 0 where the first accuracy is at or below the target, inf where the fit stays above it.
    """
    fitted = falling(accuracy)
    reached = fitted <= target[:, None] + 1e-12
    first = np.argmax(reached, axis=1)
    rows = np.arange(len(fitted))
    before = np.maximum(first - 1, 0)
    above, below = fitted[rows, before], fitted[rows, first]
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(above > below, (above - target) / (above - below), 0.0)
    inside = scales[before] + part * (scales[first] - scales[before])
    inside = np.where(reached.any(axis=1), inside, np.inf)
    return np.asarray(np.where(accuracy[:, 0] <= target + 1e-12, 0.0, inside))


def falling(values: np.ndarray) -> np.ndarray:
    r"""Least-squares fit that never rises, row by row.

    .. math:: f_k = \min_{i \le k} \max_{j \ge k} \mathrm{mean}(y_i, \dots, y_j)

    Args:
        values: (samples, points).
    """
    points = values.shape[1]
    sums = np.concatenate([np.zeros((len(values), 1)), values.cumsum(axis=1)], axis=1)
    means = np.full((len(values), points, points), -np.inf)
    for i in range(points):
        means[:, i, i:] = (sums[:, i + 1 :] - sums[:, i : i + 1]) / np.arange(1, points - i + 1)
    largest = np.maximum.accumulate(means[:, :, ::-1], axis=2)[:, :, ::-1]  # over j from k on
    upper = np.triu(np.ones((points, points), bool))
    return np.asarray(np.where(upper, largest, np.inf).min(axis=1))


def _bracket(scales: np.ndarray, accuracy: np.ndarray, target: float) -> tuple[float, float] | None:
    """Neighbouring scales between which the falling fit meets the target; None where it does not."""
    reached = np.flatnonzero(falling(accuracy[None])[0] <= target)
    return (float(scales[reached[0] - 1]), float(scales[reached[0]])) if len(reached) and reached[0] else None
