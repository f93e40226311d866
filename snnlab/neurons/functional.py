"""Neuron equations, one function each, without state."""

import torch
from torch import Tensor

from snnlab.core.errors import ShapeError


def if_step(
    membrane: Tensor, current: Tensor, threshold: Tensor, *, fires_at_equality: bool = True
) -> tuple[Tensor, Tensor]:
    r"""Advance integrate-and-fire neurons one time-step with soft reset.

    .. math:: s_t = [v_{t-1} + I_t \ge \theta],\quad v_t = v_{t-1} + I_t - \theta s_t

    Args:
        membrane: Potential before the step, (N, ...), activation units.
        current: Weighted input of this step, (N, ...), activation units.
        threshold: Positive, broadcastable to ``membrane``, activation units.
        fires_at_equality: Fire on ``>=`` (True) or on ``>``.

    Returns:
        ``(spikes, membrane)``: 0/1, and potential after reset; both (N, ...).

    Raises:
        ShapeError: ``membrane`` and ``current`` differ in shape.

    Source: [Rueckauer2017], Eq. 3 and 4. Deviation: fires at equality, as the floor in QCFS requires.

    Example:
        >>> if_step(torch.tensor([0.5]), torch.tensor([0.75]), torch.tensor(1.0))
        (tensor([1.]), tensor([0.2500]))
    """
    check_shapes(membrane, current)
    potential = membrane + current
    fires = potential >= threshold if fires_at_equality else potential > threshold
    # A select, not `threshold * spikes`: v - 0 is exactly v, and the fused kernel does the same.
    return fires.to(current.dtype), torch.where(fires, potential - threshold, potential)


def signed_if_step(
    membrane: Tensor,
    current: Tensor,
    count: Tensor,
    threshold: Tensor,
    negative_threshold: Tensor,
    *,
    gated: bool = True,
    fires_at_equality: bool = True,
    negative_at_equality: bool = True,
) -> tuple[Tensor, Tensor]:
    r"""Advance neurons with a second, negative threshold one time-step; a negative spike takes a spike back.

    .. math:: u = v_{t-1} + I_t,\quad s_t = [u \ge \theta] - [u \le \theta_\mathrm{neg}]\,[n_{t-1} > 0],\quad
        v_t = u - \theta s_t

    Published variants test for the negative spike before or after the positive reset, and count with or without the
    present step. For a negative threshold below 0, or at 0 with ``<``, these are one neuron: a positive spike leaves
    the potential at 0 or above, so a negative one never follows it in the same step.

    Args:
        membrane: Potential before the step, (N, ...), activation units.
        current: Weighted input of this step, (N, ...), activation units.
        count: Positive minus negative spikes before the step, (N, ...).
        threshold: Positive, broadcastable to ``membrane``, activation units.
        negative_threshold: Not above 0, broadcastable to ``membrane``, activation units.
        gated: Only a neuron with a positive count fires negatively, so that the count never falls below 0.
        fires_at_equality: Positive spike on ``>=`` (True) or on ``>``.
        negative_at_equality: Negative spike on ``<=`` (True) or on ``<``.

    Returns:
        ``(spikes, membrane)``: -1/0/1, and potential after reset; both (N, ...).

    Raises:
        ShapeError: ``membrane`` and ``current`` differ in shape.

    Source: [Wang2022], [Hu2023], [Li2022].

    Example:
        >>> one = torch.tensor([1.0])
        >>> signed_if_step(0.0 * one, -0.75 * one, one, one, -0.5 * one)
        (tensor([-1.]), tensor([0.2500]))
    """
    fires, after = if_step(membrane, current, threshold, fires_at_equality=fires_at_equality)
    potential = membrane + current
    below = potential <= negative_threshold if negative_at_equality else potential < negative_threshold
    takes_back = below & (count > 0) if gated else below
    return fires - takes_back.to(fires.dtype), torch.where(takes_back, potential + threshold, after)


def group_step(
    membrane: Tensor, current: Tensor, threshold: Tensor, members: int, *, fires_at_equality: bool = True
) -> tuple[Tensor, Tensor]:
    r"""Advance groups of neurons one time-step: member i of m fires at i times the threshold of the first.

    .. math:: k_t = \sum_{i=1}^{m} [v_{t-1} + I_t \ge i\,\theta],\quad v_t = v_{t-1} + I_t - \theta k_t

    Args:
        membrane: Potential before the step, (N, ...), activation units.
        current: Weighted input of this step, (N, ...), activation units.
        threshold: Of the first member, positive, broadcastable to ``membrane``, activation units.
        members: m, at least 1.
        fires_at_equality: Fire on ``>=`` (True) or on ``>``.

    Returns:
        ``(spikes, membrane)``: 0..m, and potential after reset; both (N, ...).

    Raises:
        ShapeError: ``membrane`` and ``current`` differ in shape.

    Source: [Lv2024]; there the threshold of the whole group is the unit, here that of its first member.

    Example:
        >>> group_step(torch.tensor([0.5]), torch.tensor([2.25]), torch.tensor(1.0), 4)
        (tensor([2.]), tensor([0.7500]))
    """
    check_shapes(membrane, current)
    potential = membrane + current
    spikes = torch.zeros_like(potential)
    for member in range(1, members + 1):
        level = member * threshold
        spikes += potential >= level if fires_at_equality else potential > level
    return spikes, potential - threshold * spikes


def residual_mask(membrane: Tensor, threshold: Tensor, margin: Tensor) -> Tensor:
    r"""Neurons whose residual potential after a warm-up says that they have not fired too often.

    .. math:: M = 1\!\left[v(\tau) > \epsilon\theta\right]

    Args:
        membrane: v(tau), (N, ...), activation units.
        threshold: Broadcastable to ``membrane``, activation units.
        margin: epsilon, broadcastable to ``membrane``.

    Returns:
        bool, (N, ...).

    Source: [Hao2023SRP], the authors' code, margin 0.001.

    Example:
        >>> residual_mask(torch.tensor([-0.5, 0.0, 0.5]), torch.tensor(1.0), torch.tensor(1e-3))
        tensor([False, False,  True])
    """
    return membrane > margin * threshold


def offset_start(
    initial: Tensor, before: Tensor, spikes: Tensor, membrane: Tensor, threshold: Tensor, margin: Tensor
) -> Tensor:
    r"""The v(0) that takes one spike back from neurons that fired too often, or gives one to those that lack it.

    .. math:: v'(0) = v(0) - \max(\theta, \min_{t: s_t = 1} u_t - \theta + \epsilon\theta)
        \quad\text{where } v(\rho) < 0,\ n(\rho) > 0
    .. math:: v'(0) = v(0) + \max(\theta, \theta - \max_{t: s_t = 0} v_t + \epsilon\theta)
        \quad\text{where } v(\rho) \ge \theta

    Args:
        initial: v(0), (N, ...), activation units.
        before: u_t, potentials before the reset, (rho, N, ...), activation units.
        spikes: 0/1, (rho, N, ...).
        membrane: v(rho), (N, ...), activation units.
        threshold: Broadcastable to ``membrane``, activation units.
        margin: epsilon, broadcastable to ``membrane``.

    Returns:
        (N, ...), activation units.

    Source: [Hao2023COS], the authors' code, margin 0.001. Deviation: a neuron that fired at every step lacks no spike
    of these; it starts one threshold higher, where the code's placeholder for the missing maximum starts it 1,001
    thresholds higher, so that it fires for ever.

    Example:
        >>> before = torch.tensor([[1.25], [-0.5]])  # fires at the first step, then is driven below 0
        >>> one = torch.tensor([1.0])
        >>> offset_start(0.5 * one, before, torch.tensor([[1.0], [0.0]]), -0.5 * one, one, 0.0 * one)
        tensor([-0.5000])
    """
    fired, slack = spikes > 0, margin * threshold
    lowest = torch.where(fired, before, torch.inf).amin(0)
    highest = torch.where(fired, -torch.inf, before).amax(0)  # a silent step resets nothing
    takes = torch.maximum(threshold, lowest - threshold + slack)
    gives = torch.where(fired.all(0), threshold, torch.maximum(threshold, threshold - highest + slack))
    start = torch.where((membrane < 0) & fired.any(0), initial - takes, initial)
    return torch.where(membrane >= threshold, initial + gives, start)


def check_shapes(membrane: Tensor, current: Tensor) -> None:
    """Raise unless potential and input have one shape.

    Raises:
        ShapeError: They have not; says both.
    """
    if membrane.shape != current.shape:
        raise ShapeError(f"membrane is {tuple(membrane.shape)} but current is {tuple(current.shape)}; make them equal.")
