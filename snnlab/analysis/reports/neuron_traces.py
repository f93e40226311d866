"""Single neurons, step by step."""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report


class Replay(NamedTuple):
    """Potential before and after the reset, in thresholds, and spikes -1..m, (..., num_steps) each."""

    before: np.ndarray
    after: np.ndarray
    spikes: np.ndarray


def replay(
    currents: np.ndarray,
    initial: np.ndarray | float,
    *,
    negative: np.ndarray | float = -np.inf,
    most: np.ndarray | int = 1,
    slack: float = 0.0,
) -> Replay:
    r"""Potential and spikes of plain, signed and group neurons, which follow from their input; threshold 1, soft reset.

    .. math:: u_t = v_{t-1} + I_t,\quad
        s_t = \mathrm{clip}(\lfloor u_t \rfloor, 0, m) - [u_t \le \theta_\mathrm{neg}]\,[n_{t-1} > 0],\quad
        v_t = u_t - s_t

    These are ``if_step``, ``signed_if_step`` and ``group_step`` of ``snnlab.neurons``, in units of the threshold.

    Args:
        currents: Input of every step over the threshold, (..., num_steps).
        initial: v(0) over the threshold, (...).
        negative: Largest potential over the threshold at which a neuron with a positive count takes a spike back,
            (...); -inf for one that never does.
        most: m, spikes that one step can bring, (...).
        slack: Fires by so much below a whole number, too.

    Example:
        >>> replay(np.array([1.0, -0.75, 2.5]), 0.0, negative=-0.5, most=2).spikes.tolist()
        [1.0, -1.0, 2.0]
    """
    membrane = np.asarray(initial, currents.dtype) * np.ones_like(currents[..., 0])
    count = np.zeros_like(membrane)
    found = Replay(*(np.empty_like(currents) for _ in range(3)))
    for t in range(currents.shape[-1]):
        found.before[..., t] = potential = membrane + currents[..., t]
        fired = np.clip(np.floor(potential + slack), 0, most)
        found.spikes[..., t] = fired - ((potential <= negative) & (count > 0))
        found.after[..., t] = membrane = potential - found.spikes[..., t]
        count = count + found.spikes[..., t]
    return found


@dataclass(frozen=True)
class NeuronTraces(Report):
    """Single neurons drawn at random, by site, snapshot and class: what came in at every step.

    Potential and spikes follow exactly from it by ``replay``, so only the input is kept.

    Args:
        currents: Input per step over the threshold, (traces, num_steps), float32.
        site: Site index of each trace, (traces,).
        image: Image index within the split, (traces,).
        position: Flat neuron index within the site's shape, (traces,).
        initial: v(0) over the threshold of each trace, (traces,).
        members: Rows (site, snapshot, class, trace): which traces illustrate which class, (rows, 4).
        negative: Largest potential over the threshold at which each takes a spike back, (traces,), float32; -inf where
            it never does.
        most: Spikes that one step can bring, (traces,).
    """

    kind: ClassVar[str] = "neuron_traces"

    currents: np.ndarray
    site: np.ndarray
    image: np.ndarray
    position: np.ndarray
    initial: np.ndarray
    members: np.ndarray
    negative: np.ndarray
    most: np.ndarray

    def replay(self, index: int) -> Replay:
        """Potential and spikes of one trace, (num_steps,) each, float32 as in the simulation."""
        return replay(
            self.currents[index],
            float(self.initial[index]),
            negative=float(self.negative[index]),
            most=int(self.most[index]),
        )

    def to_frame(self) -> pd.DataFrame:
        """One row per trace: site index, image, position, v(0), then the input of each step."""
        steps = {f"input_{t + 1}": self.currents[:, t] for t in range(self.currents.shape[1])}
        return pd.DataFrame(
            {"site": self.site, "image": self.image, "position": self.position, "initial": self.initial} | steps
        )

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        count = len(values["initial"])  # older runs kept plain neurons only, which need no more
        plain = {"negative": np.full(count, -np.inf, np.float32), "most": np.ones(count, np.int16)}
        return super()._restore(plain | values)
