"""Images on which an ANN and its SNN disagree, and where their representations part."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report, wilson_interval
from snnlab.core.errors import SnnlabError

BAD, GOOD, OTHER = "bad", "good", "other"
FLIP_KINDS = (BAD, GOOD, OTHER)
"""The ANN alone is right; the SNN alone is right; both are wrong, each in its own way."""

USUAL = 0.95
"""So many of the images that do not flip count as usual."""

FEWEST_ALIKE = 20
"""Below so many images that do not flip, nothing can be said of what is usual."""


@dataclass(frozen=True)
class Flip:
    """One image on which ANN and SNN(t) disagree.

    Args:
        image: Position among the images.
        label: True class.
        ann: Class predicted by the ANN.
        snn: Class predicted by the SNN at t.
        ann_margin: Largest minus second largest logit of the ANN.
        snn_margin: The same of the SNN's mean logits up to t.
        kind: ``"bad"``, ``"good"`` or ``"other"``, see ``FLIP_KINDS``.
        agrees_from: First step from which on both agree up to the last one simulated; None if they never do.
        first_site: First site from which on the distance is unusual; None where there is no such site.
    """

    image: int
    label: int
    ann: int
    snn: int
    ann_margin: float
    snn_margin: float
    kind: str
    agrees_from: int | None
    first_site: str | None


@dataclass(frozen=True)
class FlipReport(Report):
    r"""Predictions and margins of an ANN and of its SNN at every t, and how far their representations are apart.

    The distance of image i at site l after t steps compares the SNN's mean output :math:`\bar a` with the ANN's
    activation a:

    .. math:: d_l(i, t) = \frac{\lVert \bar a_l(i, t) - a_l(i) \rVert}
        {\sqrt{\lVert \bar a_l(i, t) \rVert^2 + \lVert a_l(i) \rVert^2}}

    0 where both are equal, 1 where they have nothing in common. With :math:`q_l(t)` the 95 % quantile of :math:`d_l`
    over the images that do not flip at t, the representations of a flip part at

    .. math:: \ell^*(i, t) = \min \{ l : d_k(i, t) > q_k(t) \text{ for every site } k \ge l \}

    By construction 5 % of the images that do not flip have such a site, too.

    Args:
        name: How the conversion is called.
        names: Site names, input first.
        steps: Steps t with distances, ascending.
        labels: True classes, (images,).
        ann_predictions: Classes predicted by the ANN, (images,).
        ann_margins: Largest minus second largest logit of the ANN, (images,).
        snn_predictions: Classes predicted by the SNN at t = 1..T, (num_steps, images).
        snn_margins: Largest minus second largest mean logit, (num_steps, images).
        distances: d, (steps, sites, images), float16.
        pictures: Images to look at, (kept, height, width, channels), uint8.
        pictured: Position of each picture among the images, ascending, (kept,).
        classes: Class names.
        split: Name of the data split.
    """

    kind: ClassVar[str] = "flips"

    name: str
    names: tuple[str, ...]
    steps: tuple[int, ...]
    labels: np.ndarray
    ann_predictions: np.ndarray
    ann_margins: np.ndarray
    snn_predictions: np.ndarray
    snn_margins: np.ndarray
    distances: np.ndarray
    pictures: np.ndarray
    pictured: np.ndarray
    classes: tuple[str, ...]
    split: str

    @property
    def images(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def num_steps(self) -> int:
        """Last step simulated."""
        return len(self.snn_predictions)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def flipped(self, step: int) -> np.ndarray:
        """Whether ANN and SNN(t) disagree, (images,) bool.

        Raises:
            SnnlabError: The step lies outside 1..T.
        """
        if not 1 <= step <= self.num_steps:
            raise SnnlabError(f"t = {step} lies outside 1..{self.num_steps}, the simulated time-steps.")
        return np.asarray(self.snn_predictions[step - 1] != self.ann_predictions)

    @cached_property
    def agrees_from(self) -> np.ndarray:
        """First step from which on both networks agree up to the last one simulated; 0 if they never do, (images,)."""
        apart = self.snn_predictions != self.ann_predictions  # (num_steps, images)
        last = self.num_steps - np.argmax(apart[::-1], axis=0)  # the last step apart, where there is one
        first = np.where(apart.any(axis=0), last + 1, 1)
        return np.where(first > self.num_steps, 0, first)

    def kinds(self, step: int) -> np.ndarray:
        """``"bad"``, ``"good"`` or ``"other"`` for a flip, empty for an image that is none, (images,)."""
        ann, snn = self.ann_predictions == self.labels, self.snn_predictions[step - 1] == self.labels
        return np.where(self.flipped(step), np.where(ann, BAD, np.where(snn, GOOD, OTHER)), "")

    def counts(self, step: int) -> dict[str, int]:
        """Number of flips of each kind."""
        kinds = self.kinds(step)
        return {kind: int(np.sum(kinds == kind)) for kind in FLIP_KINDS}

    def share(self, step: int) -> tuple[float, float, float]:
        """Share of images that flip, with its Wilson 95 % interval over images: a fraction, low, high."""
        count = int(self.flipped(step).sum())
        low, high = wilson_interval(count, self.images)
        return count / self.images, float(low), float(high)

    def by_class(self, step: int) -> pd.DataFrame:
        """One row a true class: its name, images, flips of each kind; classes without an image have zeros."""
        kinds = self.kinds(step)
        rows = []
        for place, name in enumerate(self.classes):
            of = self.labels == place
            told = {kind: int(np.sum(kinds[of] == kind)) for kind in FLIP_KINDS}
            rows.append({"class": place, "name": name, "images": int(of.sum()), **told, "flips": sum(told.values())})
        return pd.DataFrame(rows)

    def confusion(self, step: int) -> np.ndarray:
        """Flips by prediction of the ANN (rows) and of the SNN (columns), (classes, classes), int64."""
        flipped, found = self.flipped(step), np.zeros((self.num_classes, self.num_classes), np.int64)
        np.add.at(found, (self.ann_predictions[flipped], self.snn_predictions[step - 1][flipped]), 1)
        return found

    def usual(self, step: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Median and 95 % quantile of the distance over images that do not flip, two (sites,).

        None where no distances were kept at that step, or fewer than ``FEWEST_ALIKE`` images do not flip.
        """
        alike = ~self.flipped(step)
        if step not in self.steps or alike.sum() < FEWEST_ALIKE:
            return None
        kept = self.distances[self.steps.index(step)][:, alike].astype(np.float64)
        median, high = np.quantile(kept, [0.5, USUAL], axis=1)
        return median, high

    def first_sites(self, step: int) -> np.ndarray:
        """Index of the first site from which on the distance is unusual; -1 where there is none, (images,)."""
        usual = self.usual(step)
        if usual is None:
            return np.full(self.images, -1)
        above = self.distances[self.steps.index(step)].astype(np.float64) > usual[1][:, None]  # (sites, images)
        run = np.minimum.accumulate(above[::-1], axis=0).sum(axis=0)  # sites above without a break, from the last back
        return np.where(run > 0, len(self.names) - run, -1)

    def by_site(self, step: int) -> np.ndarray:
        """Flips that part at each site, (sites,)."""
        first = self.first_sites(step)[self.flipped(step)]
        return np.bincount(first[first >= 0], minlength=len(self.names))

    def flips(self, step: int) -> tuple[Flip, ...]:
        """The flips at a step, those first that the ANN is surest of.

        Raises:
            SnnlabError: The step lies outside 1..T.
        """
        places = np.flatnonzero(self.flipped(step))
        kinds, first, agree = self.kinds(step), self.first_sites(step), self.agrees_from
        order = places[np.lexsort((places, -self.ann_margins[places].astype(np.float64)))]
        return tuple(
            Flip(
                image=int(i),
                label=int(self.labels[i]),
                ann=int(self.ann_predictions[i]),
                snn=int(self.snn_predictions[step - 1, i]),
                ann_margin=float(self.ann_margins[i]),
                snn_margin=float(self.snn_margins[step - 1, i]),
                kind=str(kinds[i]),
                agrees_from=int(agree[i]) or None,
                first_site=self.names[first[i]] if first[i] >= 0 else None,
            )
            for i in order
        )

    def smaller_with_flips(self, step: int) -> int | None:
        """Largest t below a step at which there are flips; None if there is none."""
        found = [t for t in range(1, step) if self.flipped(t).any()]
        return found[-1] if found else None

    def picture(self, image: int) -> np.ndarray | None:
        """An image to look at, (height, width, channels), uint8; None where none was kept."""
        place = int(np.searchsorted(self.pictured, image))
        if place == len(self.pictured) or self.pictured[place] != image:
            return None
        return np.asarray(self.pictures[place])

    def to_frame(self) -> pd.DataFrame:
        """One row a flip and step with distances, in the order of ``flips``."""
        rows = [{"step": t, **vars(flip)} for t in self.steps for flip in self.flips(t)]
        columns = ["step", *Flip.__dataclass_fields__]
        frame = pd.DataFrame(rows, columns=columns)
        frame["agrees_from"] = frame["agrees_from"].astype("Int64")
        return frame.assign(images=self.images, split=self.split)
