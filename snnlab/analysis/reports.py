"""Reports: numbers that answer one question. They import without torch and are what figures and pages draw.

A Report is a frozen dataclass of plain values and NumPy arrays. ``to_frame`` gives tidy pandas;
``payload`` and ``from_payload`` carry it to and from the run store without loss.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES, EDGES, EXACT, EXCESS, MISSING, SATURATED, SILENT

WILSON_Z = 1.959963984540054  # two-sided 95 %


def wilson_interval(correct: np.ndarray | int, images: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Wilson score interval of a proportion at 95 %.

    .. math:: \frac{p + z^2/2n \pm z\sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}

    Args:
        correct: Number of hits, any shape.
        images: Number of trials n, at least 1.

    Returns:
        ``(low, high)`` as fractions, shaped like ``correct``.

    Source: [Wilson1927].
    """
    share, z2 = np.asarray(correct) / images, WILSON_Z**2
    centre = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = WILSON_Z * np.sqrt(share * (1 - share) / images + z2 / (4 * images**2)) / (1 + z2 / images)
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


@dataclass(frozen=True)
class Report:
    """Base of all reports: lossless transport of a flat dataclass of plain values, arrays and lists of rows."""

    kind: ClassVar[str]
    _kinds: ClassVar[dict[str, type["Report"]]] = {}

    def __init_subclass__(cls) -> None:
        Report._kinds[cls.kind] = cls

    def payload(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Split into JSON-ready values and arrays (array fields keyed by field name)."""
        values: dict[str, Any] = {"kind": self.kind}
        arrays: dict[str, np.ndarray] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                arrays[item.name] = value
            else:
                values[item.name] = value
        return values, arrays

    @staticmethod
    def from_payload(values: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Report":
        """Inverse of ``payload``.

        Raises:
            SnnlabError: A report of a kind this version does not know.
        """
        cls = Report._kinds.get(values.get("kind", ""))
        if cls is None:
            raise SnnlabError(f"This version knows no report of kind {values.get('kind')!r}; update snnlab.")
        return cls._restore({**{name: value for name, value in values.items() if name != "kind"}, **arrays})

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


@dataclass(frozen=True)
class AccuracyCurve(Report):
    """Predictions of an ANN and of its SNN at every step, from one simulation.

    Args:
        name: How the conversion is called in legends.
        labels: True classes, (images,).
        ann_predictions: Classes predicted by the ANN, (images,).
        snn_predictions: Classes predicted by the SNN read out at t = 1..T, (num_steps, images).
        split: Name of the data split.
        num_classes: Number of classes.
    """

    kind: ClassVar[str] = "accuracy_curve"

    name: str
    labels: np.ndarray
    ann_predictions: np.ndarray
    snn_predictions: np.ndarray
    split: str
    num_classes: int

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.snn_predictions)

    @property
    def ann_accuracy(self) -> float:
        """Fraction of images that the ANN gets right."""
        return float(np.mean(self.ann_predictions == self.labels))

    @property
    def snn_accuracy(self) -> np.ndarray:
        """Fraction of images that the SNN gets right at t = 1..T, (num_steps,)."""
        return np.mean(self.snn_predictions == self.labels, axis=1)

    @property
    def ann_interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of the ANN's accuracy over images."""
        low, high = wilson_interval(np.sum(self.ann_predictions == self.labels), self.images)
        return float(low), float(high)

    @property
    def snn_interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Wilson 95 % interval of the SNN's accuracy at each step, two (num_steps,)."""
        return wilson_interval(np.sum(self.snn_predictions == self.labels, axis=1), self.images)

    def first_step_within(self, points: float = 1.0) -> int | None:
        """First t from which on the SNN stays within ``points`` percentage points of the ANN; None if it never does."""
        # Counts, not fractions: 1 point of 200 images is exactly 2 images.
        missed = np.sum(self.ann_predictions == self.labels) - np.sum(self.snn_predictions == self.labels, axis=1)
        outside = np.flatnonzero(missed * 100.0 > points * self.images)
        first = 1 if len(outside) == 0 else int(outside[-1]) + 2
        return first if first <= self.num_steps else None

    def first_step_above_chance(self) -> int | None:
        """First t whose interval lies above chance (the largest class's share); None if none does."""
        chance = np.bincount(self.labels).max() / self.images
        above = np.flatnonzero(self.snn_interval[0] > chance)
        return int(above[0]) + 1 if len(above) else None

    def to_frame(self) -> pd.DataFrame:
        """One row per series and step: name, role (ann, snn), step, accuracy, low, high, images, split."""
        low, high = self.snn_interval
        ann = pd.DataFrame(
            {"name": "ANN", "role": "ann", "step": [0], "accuracy": self.ann_accuracy}
            | dict(zip(("low", "high"), self.ann_interval, strict=True))
        )
        snn = pd.DataFrame(
            {
                "name": self.name,
                "role": "snn",
                "step": np.arange(1, self.num_steps + 1),
                "accuracy": self.snn_accuracy,
                "low": low,
                "high": high,
            }
        )
        return pd.concat([ann, snn], ignore_index=True).assign(images=self.images, split=self.split)


@dataclass(frozen=True)
class ConversionReport(Report):
    """One row per site: what the converter put there.

    Args:
        method: Method name.
        parameters: Parameters used.
        sites: Rows with name, shape, activation, threshold_low, threshold_high (equal for one threshold a layer),
            v0 (fraction of the threshold, mean over channels), firing_rate (mean N(T)/T), neurons, replaced
            (what was folded or replaced there), edited (set by hand).
        coverage: Rows with node, operation, rule, verdict (exact, approximate), of every graph node.
        num_steps: T of the firing rates.
    """

    kind: ClassVar[str] = "conversion"

    method: str
    parameters: dict[str, Any]
    sites: tuple[dict[str, Any], ...]
    coverage: tuple[dict[str, Any], ...]
    num_steps: int

    def to_frame(self) -> pd.DataFrame:
        """One row per site, columns as in ``sites``."""
        return pd.DataFrame(list(self.sites))


@dataclass(frozen=True)
class ResidualReport(Report):
    r"""How v(t) is distributed at every site and snapshot, by class of spike-count error.

    With N the spikes fired and :math:`N^* = \mathrm{clip}(\lfloor (v(0) + \sum I)/\theta \rfloor, 0, t)` those that
    the charge pays for, k = N - N*: silent (N = N* = 0), saturated (N = N* = t), exact (else k = 0),
    excess (k > 0), missing (k < 0). Potentials are in units of the threshold, counts are neurons x images.

    Args:
        names: Site names, input first.
        shapes: Shape of one image's activation at each site.
        thresholds: Mean threshold of each site, activation units, (sites,).
        steps: Snapshot steps t.
        histogram: Counts on ``snnlab.core.histogram.EDGES``, (sites, snapshots, classes, NUM_BINS), int64.
        spike_errors: Counts of k = -K_LIMIT..K_LIMIT, ends open, (sites, snapshots, 2 K_LIMIT + 1), int64.
        moments: Sum, sum of squares, minimum, maximum of v/threshold per class, (sites, snapshots, classes, 4);
            minimum and maximum are inf, -inf where a class is empty.
        fired_moments: Count, sum, sum of squares over neurons with N > 0 and abs(v) < 2 thresholds,
            (sites, snapshots, 3).
        spikes: Spikes fired up to t, (sites, snapshots), int64.
        nan: Potentials that are not a number, (sites, snapshots), int64.
        identity_error: Largest abs(v(0) + sum I - threshold N - v(t)) / threshold per site, (sites,).
        identity_tolerance: What float arithmetic allows for it, (sites,).
        images: Number of images.
        split: Name of the data split.
        initial_fraction: Mean v(0) / threshold per site, (sites,).
    """

    kind: ClassVar[str] = "residuals"

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    thresholds: np.ndarray
    steps: tuple[int, ...]
    histogram: np.ndarray
    spike_errors: np.ndarray
    moments: np.ndarray
    fired_moments: np.ndarray
    spikes: np.ndarray
    nan: np.ndarray
    identity_error: np.ndarray
    identity_tolerance: np.ndarray
    images: int
    split: str
    initial_fraction: np.ndarray

    @classmethod
    def _restore(cls, values: dict[str, Any]) -> Self:
        return super()._restore({**values, "shapes": tuple(tuple(shape) for shape in values["shapes"])})

    @property
    def elements(self) -> np.ndarray:
        """Neurons x images at each site, (sites,)."""
        return np.array([int(np.prod(shape)) * self.images for shape in self.shapes])

    @property
    def class_counts(self) -> np.ndarray:
        """Neurons x images in each class, (sites, snapshots, classes)."""
        return self.histogram.sum(axis=-1)

    def snapshot(self, step: int) -> int:
        """Index of a snapshot step.

        Raises:
            SnnlabError: No snapshot was kept at that step.
        """
        if step not in self.steps:
            raise SnnlabError(f"No residuals were kept at t = {step}; kept are t = {', '.join(map(str, self.steps))}.")
        return self.steps.index(step)

    def fired_gaussian(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of v/threshold over neurons that fired, abs(v) < 2; two (sites, snapshots).

        Plain moments are ruled by the tails, hence the window. NaN where no neuron fired.
        """
        count, total, squares = np.moveaxis(self.fired_moments, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / count
            return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))

    def to_frame(self) -> pd.DataFrame:
        """One row per site and snapshot: moments of v/threshold, and the shares of the classes among all neurons."""
        counts, elements = self.class_counts, self.elements[:, None]
        mean = self.moments[..., 0].sum(axis=-1) / elements
        std = np.sqrt(np.maximum(self.moments[..., 1].sum(axis=-1) / elements - mean**2, 0.0))
        fit_mean, fit_std = self.fired_gaussian()
        zero, one = (int(np.searchsorted(EDGES, edge, side="right")) for edge in (0.0, 1.0))
        bins = self.histogram.sum(axis=2)
        rows = []
        for i, name in enumerate(self.names):
            for j, step in enumerate(self.steps):
                shares = dict(zip(CLASSES, (counts[i, j] / elements[i, 0]).tolist(), strict=True))
                rows.append(
                    {
                        "site": name,
                        "threshold": float(self.thresholds[i]),
                        "step": step,
                        "mean": float(mean[i, j]),
                        "std": float(std[i, j]),
                        "min": float(self.moments[i, j, :, 2].min()),
                        "max": float(self.moments[i, j, :, 3].max()),
                        "below_zero": float(bins[i, j, :zero].sum() / elements[i, 0]),
                        "at_or_above_threshold": float(bins[i, j, one:].sum() / elements[i, 0]),
                        **shares,
                        "right": float(counts[i, j, [SILENT, EXACT, SATURATED]].sum() / elements[i, 0]),
                        "fired_mean": float(fit_mean[i, j]),
                        "fired_std": float(fit_std[i, j]),
                        "firing_rate": float(self.spikes[i, j] / (elements[i, 0] * step)),
                        "images": self.images,
                        "split": self.split,
                    }
                )
        return pd.DataFrame(rows)

    def worst(self, step: int, kind: str) -> tuple[str, float]:
        """Site with the largest share of ``"excess"`` or ``"missing"`` among neurons that are not silent, and it."""
        index = {"excess": EXCESS, "missing": MISSING}[kind]
        counts = self.class_counts[:, self.snapshot(step)]
        shares = counts[:, index] / np.maximum(counts[:, SILENT + 1 :].sum(axis=1), 1)
        site = int(np.argmax(shares))
        return self.names[site], float(shares[site])


@dataclass(frozen=True)
class NeuronTraces(Report):
    """Single neurons drawn at random, by site, snapshot and class: what came in at every step.

    Potential and spikes follow exactly from the input, v(0) and the threshold, so only the input is kept.

    Args:
        currents: Input per step over the threshold, (traces, num_steps), float32.
        site: Site index of each trace, (traces,).
        image: Image index within the split, (traces,).
        position: Flat neuron index within the site's shape, (traces,).
        initial: v(0) over the threshold of each trace, (traces,).
        members: Rows (site, snapshot, class, trace): which traces illustrate which class, (rows, 4).
    """

    kind: ClassVar[str] = "neuron_traces"

    currents: np.ndarray
    site: np.ndarray
    image: np.ndarray
    position: np.ndarray
    initial: np.ndarray
    members: np.ndarray

    def to_frame(self) -> pd.DataFrame:
        """One row per trace: site index, image, position, v(0), then the input of each step."""
        steps = {f"input_{t + 1}": self.currents[:, t] for t in range(self.currents.shape[1])}
        return pd.DataFrame(
            {"site": self.site, "image": self.image, "position": self.position, "initial": self.initial} | steps
        )


@dataclass(frozen=True)
class NormalizationReport(Report):
    """Accuracy of the ANN under each known normalisation, on labelled training images.

    Args:
        names: Presets tried, best first.
        correct: Images right under each, (presets,).
        images: Images tried.
        dataset: Dataset they come from.
        chosen: Preset in use; empty when none was.
    """

    kind: ClassVar[str] = "normalization"

    names: tuple[str, ...]
    correct: np.ndarray
    images: int
    dataset: str
    chosen: str = ""

    @property
    def best(self) -> str:
        """The preset with the highest accuracy."""
        return self.names[0]

    def chosen_is_clearly_worse(self) -> bool:
        """The 95 % intervals of the chosen and the best preset do not touch."""
        if self.chosen not in self.names:
            return False
        low, high = wilson_interval(self.correct, self.images)
        return bool(high[self.names.index(self.chosen)] < low[0])

    def to_frame(self) -> pd.DataFrame:
        """One row per preset: normalization, accuracy, low, high, images, dataset."""
        low, high = wilson_interval(self.correct, self.images)
        return pd.DataFrame(
            {
                "normalization": self.names,
                "accuracy": self.correct / self.images,
                "low": low,
                "high": high,
                "images": self.images,
                "dataset": self.dataset,
            }
        )
