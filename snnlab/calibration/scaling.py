"""The scale of threshold and output at which T steps lose and win as much as each other."""

import numpy as np

GRID = np.arange(201) / 100
"""Output scales beta that are tried."""


def loss_percentiles(preactivations: np.ndarray) -> np.ndarray:
    """Percentiles 0 to 100 of the pre-activations of a site, (101,), float64; below 0 both networks give 0."""
    return np.maximum(np.percentile(preactivations.astype(np.float64).ravel(), np.arange(101)), 0.0)


def balanced_scales(percentiles: np.ndarray, clip: float, num_steps: int) -> tuple[float, float, float]:
    r"""The pair (alpha, beta) with the least magnitude of the signed loss, summed over percentiles P.

    .. math:: \ell(\alpha, \beta) = \sum_{P_i} \min(P_i, \mu) - \alpha\beta\mu
        \begin{cases} \lfloor P_i T / (\alpha\mu) \rfloor / T & P_i < \alpha\mu \\ 1 & P_i \ge \alpha\mu \end{cases}

    Candidates for alpha mu are the percentiles in (0, mu]; of equal losses the smaller alpha, then the smaller beta.

    Args:
        percentiles: P, ascending, 0 or above, activation units.
        clip: mu, the clipping threshold of the source, activation units.
        num_steps: T.

    Returns:
        ``(alpha, beta, loss)``; alpha is 0 where no percentile lies in (0, mu].

    Source: [Datta2022], as recalled.

    Example:
        >>> balanced_scales(np.array([0.0, 0.5, 0.75]), 1.0, 1)
        (0.5, 1.25, 0.0)
    """
    thresholds = np.unique(percentiles[(percentiles > 0) & (percentiles <= clip)])
    if not len(thresholds):
        return 0.0, 1.0, 0.0
    counts = np.floor(percentiles * num_steps / thresholds[:, None])
    # By comparison, not by the quotient: a percentile that is the threshold itself may round to T - 1.
    counts = np.where(percentiles >= thresholds[:, None], num_steps, counts)
    emitted = thresholds * counts.sum(axis=1) / num_steps  # of every candidate, at beta = 1
    losses = np.minimum(percentiles, clip).sum() - emitted[:, None] * GRID
    i, j = np.unravel_index(np.abs(losses).argmin(), losses.shape)
    return float(thresholds[i] / clip), float(GRID[j]), float(losses[i, j])
