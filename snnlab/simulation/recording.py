"""What a simulation left behind: mergeable sufficient statistics, keyed by site, axes named, frozen."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from snnlab.core.histogram import CLASSES, K_LIMIT, NUM_BINS
from snnlab.core.sites import Site


@dataclass
class SiteStatistics:
    """Counts and moments of one site, added up in place while images stream by; merging is addition.

    Axes: snapshots first; see ``snnlab.neurons.kernels.fire`` for each array.
    """

    histogram: np.ndarray
    spike_errors: np.ndarray
    moments: np.ndarray
    fired: np.ndarray
    spikes: np.ndarray
    nan: np.ndarray
    identity: np.ndarray

    @classmethod
    def empty(cls, num_snapshots: int) -> Self:
        """Statistics of no image."""
        moments = np.zeros((num_snapshots, len(CLASSES), 4))
        moments[..., 2], moments[..., 3] = np.inf, -np.inf
        return cls(
            histogram=np.zeros((num_snapshots, len(CLASSES), NUM_BINS), np.int64),
            spike_errors=np.zeros((num_snapshots, 2 * K_LIMIT + 1), np.int64),
            moments=moments,
            fired=np.zeros((num_snapshots, 3)),
            spikes=np.zeros(num_snapshots, np.int64),
            nan=np.zeros(max(num_snapshots, 1), np.int64),
            identity=np.zeros(2),
        )

    def merge(self, other: "SiteStatistics") -> None:
        """Add the statistics of other images."""
        for name in ("histogram", "spike_errors", "fired", "spikes", "nan"):
            getattr(self, name).__iadd__(getattr(other, name))
        self.moments[..., :2] += other.moments[..., :2]
        np.minimum(self.moments[..., 2], other.moments[..., 2], out=self.moments[..., 2])
        np.maximum(self.moments[..., 3], other.moments[..., 3], out=self.moments[..., 3])
        np.maximum(self.identity, other.identity, out=self.identity)


@dataclass(frozen=True)
class Candidates:
    """Single neurons whose input was kept at every step.

    Args:
        image: Image index, (candidates,).
        position: Flat neuron index, (candidates,).
        currents: Input over the threshold, (candidates, num_steps), float32.
        initial: v(0) over the threshold, (candidates,).
        negative: Largest potential over the threshold at which a spike is taken back, (candidates,), float32; -inf
            where none is.
        most: Spikes that one step can bring.
    """

    image: np.ndarray
    position: np.ndarray
    currents: np.ndarray
    initial: np.ndarray
    negative: np.ndarray
    most: int = 1


@dataclass(frozen=True)
class SiteRecording:
    """One site's part of a recording.

    Args:
        site: The site, with the shape of one image's activation.
        threshold: Firing thresholds, broadcastable to one image's activation, activation units.
        initial_fraction: v(0) / threshold, likewise.
        statistics: Counts at the snapshots (empty without any), and the check of charge balance.
        total_spikes: Spikes over all images and all T steps, of either sign.
        candidates: Kept single neurons; None when none were asked for, or their spikes do not follow from the input.
        is_replayable: Whether they do, by the equations of ``snnlab.analysis.replay``.
    """

    site: Site
    threshold: np.ndarray
    initial_fraction: np.ndarray
    statistics: SiteStatistics
    total_spikes: int
    candidates: Candidates | None
    is_replayable: bool = True


@dataclass(frozen=True)
class Recording:
    """A simulation of all images for T steps.

    Args:
        num_steps: T.
        snapshots: Steps with residual statistics, ascending.
        predictions: Class read out at t = 1..T, (num_steps, images), int16.
        margins: Largest minus second largest mean logit at t, (num_steps, images), float32.
        logits: Mean logits from which the class at t is read, (num_steps or snapshots, images, classes), float32; None
            when dropped.
        logits_kept: ``"all"``, ``"snapshots"`` or ``"none"``: what the memory budget left of the logits.
        labels: True classes, (images,); None when the images came without.
        sites: Per site, input first.
        split: Name of the data split; empty for plain tensors.
        seconds: Wall time.
        changed_weights: Weights of the network that are not the ANN's.
        warm_up_steps: Steps before t = 1.
    """

    num_steps: int
    snapshots: tuple[int, ...]
    predictions: np.ndarray
    margins: np.ndarray
    logits: np.ndarray | None
    logits_kept: str
    labels: np.ndarray | None
    sites: dict[str, SiteRecording] = field(default_factory=dict)
    split: str = ""
    seconds: float = 0.0
    changed_weights: tuple[str, ...] = ()
    warm_up_steps: int = 0

    @property
    def total_latency(self) -> int:
        """Steps until the prediction at T is there: the warm-up and T."""
        return self.warm_up_steps + self.num_steps

    @property
    def images(self) -> int:
        """Number of images."""
        return self.predictions.shape[1]
