"""The difference of two accuracies on the same images."""

import math
from dataclasses import dataclass

import numpy as np

from snnlab.analysis.reports.base import wilson_interval
from snnlab.core.errors import DataError


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of B minus accuracy of A on the same images.

    Args:
        value: The difference, a fraction.
        low: Lower end of its 95 % interval.
        high: Upper end.
        gained: Images that only B gets right.
        lost: Images that only A gets right.
        images: Images in all.
    """

    value: float
    low: float
    high: float
    gained: int
    lost: int
    images: int


def paired_difference(before: np.ndarray, after: np.ndarray) -> PairedDifference:
    r"""Difference of two accuracies with Newcombe's 95 % interval for pairs (his method 10).

    With Wilson's limits :math:`l_i, u_i` of :math:`p_1` (after) and :math:`p_2` (before):

    .. math:: \sqrt{(p_1-l_1)^2 - 2\varphi (p_1-l_1)(u_2-p_2) + (u_2-p_2)^2}

    is what the interval reaches below :math:`p_1 - p_2`, and the same with 1 and 2 exchanged is what it reaches above.
    :math:`\varphi` is the correlation of the two, continuity-corrected.

    Args:
        before: Whether A is right, (images,) bool.
        after: Whether B is right on the same images, (images,) bool.

    Raises:
        DataError: No image, or not the same number of them.

    Source: [Newcombe1998].

    Example:
        >>> both, first, second = [True, True], [True, False], [False, True]
        >>> pairs = 36 * [both] + 12 * [first] + 2 * [second]
        >>> found = paired_difference(np.array(pairs)[:, 1], np.array(pairs)[:, 0])
        >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
        (0.2, 0.0569, 0.3404)
    """
    if len(before) != len(after) or len(before) == 0:
        raise DataError(f"A paired difference needs the same images twice; found {len(before)} and {len(after)}.")
    images = len(before)
    both, neither = int(np.sum(before & after)), int(np.sum(~before & ~after))
    gained, lost = int(np.sum(~before & after)), int(np.sum(before & ~after))
    p1, p2 = (both + gained) / images, (both + lost) / images
    (low1, low2), (high1, high2) = wilson_interval(np.array([both + gained, both + lost]), images)
    phi = _correlation(both, gained, lost, neither)
    value = (gained - lost) / images
    below = _combined(p1 - low1, high2 - p2, phi)
    above = _combined(high1 - p1, p2 - low2, phi)
    return PairedDifference(value, value - below, value + above, gained, lost, images)


def _combined(one: float, two: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * two + two**2, 0.0))


def _correlation(both: int, gained: int, lost: int, neither: int) -> float:
    margins = (both + gained) * (both + lost) * (neither + gained) * (neither + lost)
    if margins == 0:
        return 0.0
    product, images = both * neither - gained * lost, both + gained + lost + neither
    if product > 0:
        product = max(product - images / 2, 0)  # type: ignore[assignment]
    return product / math.sqrt(margins)
