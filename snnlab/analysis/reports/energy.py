"""Energy of an SNN against its ANN, under published costs of an operation and named conventions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.activity import ActivityReport, Conventions
from snnlab.analysis.reports.base import WILSON_Z, Report
from snnlab.core.energy import ARITHMETIC_COSTS, ENERGY_COSTS, EnergyCosts, energy_costs
from snnlab.core.errors import SnnlabError


@dataclass(frozen=True)
class Crossover:
    """The T at which an SNN costs as much as its ANN.

    Args:
        value: T*, between two steps by linear interpolation; NaN where there is none among the counted ones.
        low: Lower end of its 95 % interval over images; NaN where there is none.
        high: Upper end of it; inf where the interval reaches beyond the counted steps.
        cheaper_up_to: Last t at which the SNN costs no more; 0 where it costs more from the first step on.
        why: Why there is no value; empty where there is one.
    """

    value: float
    low: float
    high: float
    cheaper_up_to: int
    why: str

    def told(self) -> dict[str, Any]:
        """JSON-ready: what is no number is None."""
        finite = {name: value if np.isfinite(value) else None for name, value in self._numbers().items()}
        return {**finite, "cheaper_up_to": self.cheaper_up_to, "why": self.why}

    def _numbers(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class EnergyReport(Report):
    r"""Energy of one image in SNN and ANN: operations times what one costs.

    .. math:: E_\mathrm{SNN}(t) = e_\mathrm{MAC}\, \mathrm{MAC}(t) + e_\mathrm{SOP}\, \mathrm{AC}(t), \quad
        E_\mathrm{ANN} = e_\mathrm{MAC}\, \mathrm{MAC} + e_\mathrm{AC}\, \mathrm{AC}

    In arithmetic :math:`e_\mathrm{SOP} = e_\mathrm{AC}`, and memory access, neuron updates and thresholds are left out
    on both sides. On a chip :math:`e_\mathrm{SOP}` is a synaptic operation as published, which includes its memory,
    while the ANN's arithmetic does not: a comparison across technologies.

    Args:
        macs: Multiply-accumulates of one image in the SNN up to t, mean over images, (num_steps,).
        acs: Accumulates likewise, (num_steps,).
        spread: Covariance of the two over images, (num_steps, 2, 2).
        ann_macs: Multiply-accumulates of one image in the ANN.
        ann_acs: Accumulates of one image in the ANN.
        costs: Names of the costs, in ``snnlab.core.energy.ENERGY_COSTS``.
        first_layer: Convention, see ``Conventions``.
        biases: Convention.
        residual_adds: Convention.
        pooled: Convention.
        images: Number of images.
        split: Their split.
    """

    kind: ClassVar[str] = "energy"

    macs: np.ndarray
    acs: np.ndarray
    spread: np.ndarray
    ann_macs: float
    ann_acs: float
    costs: tuple[str, ...]
    first_layer: str
    biases: bool
    residual_adds: bool
    pooled: str
    images: int
    split: str

    @classmethod
    def of(
        cls,
        activity: ActivityReport,
        conventions: Conventions | None = None,
        *,
        costs: Sequence[str] = ARITHMETIC_COSTS,
    ) -> Self:
        """The energy of counted operations.

        Args:
            activity: What was counted.
            conventions: What counts as an operation; None for the defaults.
            costs: Names of published costs, at least one; those of arithmetic by default, which price both alike.

        Raises:
            SnnlabError: Costs that are not known, or none.
        """
        if not costs:
            raise SnnlabError(f"An energy needs the costs of an operation; choose among {', '.join(ENERGY_COSTS)}.")
        for name in costs:
            energy_costs(name)
        rule = conventions or Conventions()
        found = [activity.operations(step, rule) for step in range(1, activity.num_steps + 1)]
        ann_macs, ann_acs = activity.ann_operations(rule)
        return cls(
            macs=np.array([each.macs for each in found]),
            acs=np.array([each.acs for each in found]),
            spread=np.array(
                [[[each.macs_std**2, each.covariance], [each.covariance, each.acs_std**2]] for each in found]
            ),
            ann_macs=float(ann_macs.sum()),
            ann_acs=float(ann_acs.sum()),
            costs=tuple(dict.fromkeys(costs)),
            images=activity.images,
            split=activity.split,
            **asdict(rule),
        )

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.macs)

    @property
    def chosen(self) -> tuple[EnergyCosts, ...]:
        """The costs."""
        return tuple(energy_costs(name) for name in self.costs)

    @property
    def conventions(self) -> Conventions:
        """What counts as an operation."""
        names = ("first_layer", "biases", "residual_adds", "pooled")
        return Conventions(**{name: getattr(self, name) for name in names})

    def ann(self, costs: str) -> float:
        """Energy of one image in the ANN, pJ."""
        known = energy_costs(costs)
        return known.mac * self.ann_macs + known.ac * self.ann_acs

    def snn(self, costs: str) -> np.ndarray:
        """Energy of one image in the SNN up to t = 1..T, mean over images, pJ, (num_steps,)."""
        known = energy_costs(costs)
        return known.mac * self.macs + known.sop * self.acs

    def interval(self, costs: str) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of ``snn`` over images by the normal approximation, two (num_steps,); NaN for one image."""
        known = energy_costs(costs)
        weights = np.array([known.mac, known.sop])
        variance = np.maximum(weights @ self.spread @ weights, 0.0)
        half = WILSON_Z * np.sqrt(variance / self.images) if self.images > 1 else np.full(self.num_steps, np.nan)
        mean = self.snn(costs)
        return mean - half, mean + half

    def ratio(self, costs: str) -> np.ndarray:
        """Energy of the SNN up to t over that of the ANN, (num_steps,)."""
        return self.snn(costs) / self.ann(costs)

    @cached_property
    def ratio_range(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest ratio over the costs at t = 1..T, two (num_steps,)."""
        ratios = np.stack([self.ratio(name) for name in self.costs])
        return ratios.min(axis=0), ratios.max(axis=0)

    def crossover(self, costs: str) -> Crossover:
        """The T at which the SNN's energy reaches the ANN's."""
        ann, mean = self.ann(costs), self.snn(costs)
        value, cheaper = _crossing(mean, ann)
        if cheaper == 0:
            return Crossover(np.nan, np.nan, np.nan, 0, "the SNN costs more than the ANN from t = 1 on")
        if not np.isfinite(value):
            why = f"the SNN costs less than the ANN up to t = {self.num_steps}, the last that was counted"
            return Crossover(np.nan, np.nan, np.nan, cheaper, why)
        low, high = self.interval(costs)
        if self.images < 2:
            return Crossover(value, np.nan, np.nan, cheaper, "")
        # The dearer end of the energy crosses first.
        first, last = _crossing(high, ann), _crossing(low, ann)[0]
        return Crossover(value, first[0] if first[1] else 1.0, last, cheaper, "")

    def to_frame(self) -> pd.DataFrame:
        """One row a set of costs and step: energies of one image in pJ."""
        frames = []
        for costs in self.chosen:
            low, high = self.interval(costs.name)
            frames.append(
                pd.DataFrame(
                    {
                        "costs": costs.name,
                        "mac_pj": costs.mac,
                        "ac_pj": costs.ac,
                        "sop_pj": costs.sop,
                        "source": costs.source,
                        "step": np.arange(1, self.num_steps + 1),
                        "snn_macs": self.macs,
                        "snn_acs": self.acs,
                        "snn_pj": self.snn(costs.name),
                        "low": low,
                        "high": high,
                        "ann_pj": self.ann(costs.name),
                        "ratio": self.ratio(costs.name),
                    }
                )
            )
        told = asdict(self.conventions)
        return pd.concat(frames, ignore_index=True).assign(**told, images=self.images, split=self.split)

    def summary(self, step: int) -> pd.DataFrame:
        """One row a set of costs: energies at t, their ratio with its interval, and T*.

        Raises:
            SnnlabError: No such step was counted.
        """
        if not 1 <= step <= self.num_steps:
            raise SnnlabError(f"Operations were counted for t = 1..{self.num_steps}; t = {step} lies outside.")
        rows = []
        for costs in self.chosen:
            ann, found = self.ann(costs.name), self.crossover(costs.name)
            low, high = (float(end[step - 1]) / ann for end in self.interval(costs.name))
            rows.append(
                {
                    "costs": costs.title,
                    "mac_pj": costs.mac,
                    "ac_pj": costs.ac,
                    "sop_pj": costs.sop,
                    "ann_nj": ann / 1000,
                    "snn_nj": float(self.snn(costs.name)[step - 1]) / 1000,
                    "ratio": float(self.ratio(costs.name)[step - 1]),
                    "low": low,
                    "high": high,
                    "crossover": found.value,
                    "cheaper_up_to": found.cheaper_up_to,
                    "why": found.why,
                }
            )
        return pd.DataFrame(rows).assign(step=step, images=self.images, split=self.split)


def _crossing(energy: np.ndarray, limit: float) -> tuple[float, int]:
    """Where a rising curve over t = 1.. passes a limit, and the last t at or below it; inf, NaN where it does not."""
    below = int(np.searchsorted(energy, limit, side="right"))
    if below == 0:
        return float("nan"), 0
    if below == len(energy):
        return (float(below) if energy[-1] == limit else float("inf")), below
    before, after = energy[below - 1], energy[below]
    return float(below + (limit - before) / (after - before)), below
