"""Spikes and the operations that they cause, layer by layer and step by step."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import WILSON_Z, Report
from snnlab.core.errors import SnnlabError

STREAMS = ("direct", "pooled", "pool_adds", "pooled_levels", "shortcut")
"""What one image's counts are added up in: spikes into a layer; spikes into a layer behind a pool, pool folded into
it; the same with the pool by itself: its additions, and its values that are not 0 into the layer; spikes that a
shortcut adds to neurons."""

FirstLayer = Literal["each_step", "once"]
Pooled = Literal["folded", "separate"]


@dataclass(frozen=True)
class Conventions:
    """What counts as an operation. Spikes always count by amount: a negative one as 1, one of a group as its number.

    Every simulated step counts, warm-up included. Leaving memory, neuron updates and thresholds out is not a choice:
    they are never counted.

    Args:
        first_layer: Layers that see the analog image: their multiply-accumulates ``each_step``, as direct coding does;
            or ``once``, as the image does not change, with one addition an output and step for what is kept of it.
        biases: Count one addition an output and step for each layer with a bias, in the ANN once.
        residual_adds: Count the additions of shortcuts: one a spike and neuron, in the ANN one an element.
        pooled: Average pools ``folded`` into the layer behind: a spike costs one addition an output that it reaches.
            ``separate``: one addition a spike and pool window, and one multiply-accumulate an output for every pooled
            value that is not 0, as such values have several levels.
    """

    first_layer: FirstLayer = "each_step"
    biases: bool = False
    residual_adds: bool = True
    pooled: Pooled = "folded"

    def __post_init__(self) -> None:
        for name, known in (("first_layer", ("each_step", "once")), ("pooled", ("folded", "separate"))):
            if getattr(self, name) not in known:
                raise SnnlabError(f"{name} is {getattr(self, name)!r}; it is {' or '.join(known)}.")


@dataclass(frozen=True)
class Operations:
    """Operations of one image.

    Args:
        macs: Multiply-accumulates, mean over images.
        acs: Accumulates, mean over images.
        macs_std: Standard deviation over images.
        acs_std: Standard deviation over images.
        covariance: Of the two over images.
        images: Number of images.
    """

    macs: float
    acs: float
    macs_std: float
    acs_std: float
    covariance: float
    images: int


@dataclass(frozen=True)
class ActivityReport(Report):
    r"""Spikes of every site and operations of every layer, at every step, summed over images.

    The accumulates of a layer are those that its incoming spikes cause, each with its own fan-out:

    .. math:: \mathrm{ops}_l(t) = \sum_i \sum_{\tau \le t} |s_i(\tau)| \, f_{l,i}

    where :math:`f_{l,i}` is the number of outputs of layer l that depend on input i; at the border of a padded or
    strided convolution it is smaller. Additions of a shortcut have a row of their own.

    Args:
        names: Layers; ``"SITE (shortcut)"`` where shortcuts are added; ``"SITE (no layer before)"`` where spikes reach
            a site, or the logits as ``"read-out"``, without a layer between; ``"POOL (max-pool)"`` for the counters of
            one; input first.
        kinds: ``"conv"``, ``"linear"``, or ``"shortcut"`` for all others.
        inputs: What arrives: ``"image"``; ``"spikes"``; ``"pooled"`` spikes behind an average pool; ``"analog"``
            values that are no spikes, as of a layer without a site before it.
        sources: Site names whose spikes arrive, also through a max-pool, joined by ``" + "``; empty for none.
        ann_macs: Multiply-accumulates of one image in the ANN, those with padding left out, (layers,), int64.
        nominal_macs: The same as usually told, padding counted, (layers,), int64.
        ann_adds: Additions of one image in the ANN where shortcuts are added, (layers,), int64.
        outputs: Outputs of one image, (layers,), int64.
        has_bias: Whether the layer adds one, (layers,), bool.
        syn_ops: Accumulates at each step, pools folded, (layers, num_steps), int64.
        pool_adds: Additions of pools by themselves, (layers, num_steps), int64.
        pooled_levels: Pooled values that are not 0 times fan-out, (layers, num_steps), int64.
        sites: Site names, input first.
        neurons: Neurons of each site, (sites,), int64.
        spikes: Spikes at each step, by amount, (sites, num_steps), int64.
        image_sums: Sum over images of one image's count up to t, (num_steps, streams), float64.
        image_products: Sum over images of products of two such counts, (num_steps, streams, streams), float64.
        images: Number of images.
        split: Their split.
        warm_up_steps: Steps before t = 1. What their spikes cause is in the counts of t = 1, and so of every t; the
            firing rates leave them out.
    """

    kind: ClassVar[str] = "activity"

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    inputs: tuple[str, ...]
    sources: tuple[str, ...]
    ann_macs: np.ndarray
    nominal_macs: np.ndarray
    ann_adds: np.ndarray
    outputs: np.ndarray
    has_bias: np.ndarray
    syn_ops: np.ndarray
    pool_adds: np.ndarray
    pooled_levels: np.ndarray
    sites: tuple[str, ...]
    neurons: np.ndarray
    spikes: np.ndarray
    image_sums: np.ndarray
    image_products: np.ndarray
    images: int
    split: str
    warm_up_steps: int = 0

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        kinds: dict[str, type] = {"has_bias": bool, "image_sums": np.float64, "image_products": np.float64}
        whole = ("ann_macs", "nominal_macs", "ann_adds", "outputs", "syn_ops", "pool_adds", "pooled_levels", "neurons")
        kinds |= dict.fromkeys((*whole, "spikes"), np.int64)
        return super()._restore(values | {name: np.asarray(values[name], kind) for name, kind in kinds.items()})

    @property
    def num_steps(self) -> int:
        """T."""
        return self.syn_ops.shape[1]

    def per_image(self, step: int) -> float:
        """Accumulates that spikes cause up to t, pools folded and shortcuts counted: mean over images."""
        self._check(step)
        return float(self.syn_ops[:, :step].sum() / self.images)

    def firing_rates(self, step: int) -> np.ndarray:
        """Spikes a neuron and step up to t, by amount, (sites,)."""
        self._check(step)
        return self.spikes[:, :step].sum(axis=1) / (self.neurons * self.images * step)

    def layer_operations(self, step: int, conventions: Conventions | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Multiply-accumulates and accumulates of one image up to t, means over images, two (layers,)."""
        self._check(step)
        rule = conventions or Conventions()
        inputs, shortcut = np.array(self.inputs), self._shortcut
        image, analog, pooled = inputs == "image", inputs == "analog", (inputs == "pooled") & ~shortcut
        spiking = self.syn_ops[:, :step].sum(axis=1) / self.images
        every = step + self.warm_up_steps
        often = np.where(image & (rule.first_layer == "once"), 1, every)
        macs = np.where(image | analog, self.ann_macs * often, 0).astype(float)
        acs = spiking.copy()
        if rule.pooled == "separate":
            macs[pooled] += self.pooled_levels[pooled, :step].sum(axis=1) / self.images
            acs[pooled] = self.pool_adds[pooled, :step].sum(axis=1) / self.images
        if rule.first_layer == "once":
            acs[image] += self.outputs[image] * every
        if rule.biases:
            # What is kept of a constant image has its bias in it.
            added = self.has_bias & ~(image & (rule.first_layer == "once"))
            acs[added] += self.outputs[added] * every
        if not rule.residual_adds:
            acs[shortcut] = 0.0
        return macs, acs

    def operations(self, step: int, conventions: Conventions | None = None) -> Operations:
        """All operations of one image up to t, with their spread over images."""
        rule = conventions or Conventions()
        macs, acs = self.layer_operations(step, rule)
        folded = rule.pooled == "folded"
        # How often each stream counts, as multiply-accumulate and as accumulate.
        weights = np.array([[0, 0, 0, not folded, 0], [1, folded, not folded, 0, rule.residual_adds]], float)
        mean = self.image_sums[step - 1] / self.images
        spread = self.image_products[step - 1] / self.images - np.outer(mean, mean)
        free = max(self.images - 1, 1)
        covariance = weights @ spread @ weights.T * (self.images / free)
        macs_std, acs_std = np.sqrt(np.maximum(np.diag(covariance), 0.0)).tolist()
        return Operations(float(macs.sum()), float(acs.sum()), macs_std, acs_std, float(covariance[0, 1]), self.images)

    def ann_operations(self, conventions: Conventions | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Multiply-accumulates and accumulates of one image in the ANN, two (layers,)."""
        rule = conventions or Conventions()
        acs = self.outputs * (self.has_bias & rule.biases) + self.ann_adds * rule.residual_adds
        return self.ann_macs.astype(float), acs.astype(float)

    def interval(self, step: int) -> tuple[float, float]:
        """95 % interval of ``per_image`` over images, by the normal approximation; NaN for one image."""
        found = self.operations(step, Conventions(first_layer="each_step"))
        if self.images < 2:
            return float("nan"), float("nan")
        half, mean = WILSON_Z * found.acs_std / np.sqrt(self.images), self.per_image(step)
        return float(mean - half), float(mean + half)

    def to_frame(self) -> pd.DataFrame:
        """One row a layer and step: operations of one image up to that step, means over images."""
        rates = dict(zip(self.sites, np.cumsum(self.spikes, axis=1), strict=True))
        neurons = dict(zip(self.sites, self.neurons.tolist(), strict=True))
        up_to = np.cumsum(self.syn_ops, axis=1) / self.images
        rows = []
        for i, name in enumerate(self.names):
            sources = [source for source in self.sources[i].split(" + ") if source]
            inside = sum(neurons[source] for source in sources) * self.images
            for step in range(1, self.num_steps + 1):
                fired = sum(int(rates[source][step - 1]) for source in sources)
                rows.append(
                    {
                        "layer": name,
                        "kind": self.kinds[i],
                        "input": self.inputs[i],
                        "sources": self.sources[i],
                        "step": step,
                        "firing_rate": fired / (inside * step) if sources else float("nan"),
                        "syn_ops": float(up_to[i, step - 1]),
                        "ann_macs": int(self.ann_macs[i]),
                        "nominal_macs": int(self.nominal_macs[i]),
                        "ann_adds": int(self.ann_adds[i]),
                        "outputs": int(self.outputs[i]),
                    }
                )
        return pd.DataFrame(rows).assign(images=self.images, split=self.split)

    @property
    def _shortcut(self) -> np.ndarray:
        return np.array(self.kinds) == "shortcut"

    def _check(self, step: int) -> None:
        if not 1 <= step <= self.num_steps:
            raise SnnlabError(f"Operations were counted for t = 1..{self.num_steps}; t = {step} lies outside.")
