"""Which parts of one image speak for a class, in the ANN and in the SNN at some T."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report

METHOD_NAMES = {
    "ig": "Integrated Gradients",
    "saliency": "Saliency",
    "input_x_gradient": "Input × Gradient",
    "occlusion": "Occlusion",
    "gradcam": "Grad-CAM",
    "deeplift": "DeepLift",
}
UNITS = {
    "ig": "logit",
    "saliency": "|Δ logit| per unit of input",
    "input_x_gradient": "logit",
    "occlusion": "logit",
    "gradcam": "gradient × activation",
    "deeplift": "logit",
}
SIGNED = ("ig", "input_x_gradient", "occlusion", "deeplift")
"""Methods whose maps also speak against the class."""

COMPLETE = ("ig", "deeplift")
"""Methods that promise a map whose sum is f(image) - f(baseline)."""

FROM_BASELINE = ("ig", "input_x_gradient", "deeplift")
"""Methods that give 0 wherever image and baseline agree, in every network."""


@dataclass(frozen=True)
class AttributionReport(Report):
    r"""Maps of the evidence for one class, f being its logit (of an SNN its mean over T steps), and checks of them.

    The first axis, networks, is the ANN and then the SNN at each of ``steps``. Rank correlations are Spearman's over
    the pixels that can differ: where image and baseline agree, ``FROM_BASELINE`` methods give 0 in every network. NaN
    stands where nothing can be correlated, as one side is constant.

    Args:
        method: Key of ``METHOD_NAMES``.
        target: Class.
        target_from: ``ann``, ``snn``, ``true`` or ``given``: why this class.
        label: True class; None for a picture without one.
        classes: Class names.
        image_name: What image it is.
        split: Its split; empty for an own picture.
        index: Its index in the split; None for an own picture.
        picture: Pixels, 0 to 1, (C, H, W).
        baseline: Name of the baseline.
        integration_steps: Points on the path of Integrated Gradients.
        steps: T of each SNN map.
        maps: Attribution summed over channels, (networks, H, W), in ``unit``.
        varied: Pixels over which ranks are correlated, (H, W), bool.
        predicted: Predicted class, (networks,).
        outputs: f(image) and f(baseline), (networks, 2), logits.
        rank_correlation: Of each map with the ANN's, (networks,).
        shuffled: Of each map with that of the same network with shuffled weights, (networks,); NaN where not computed.
        seed: Seed of the shuffling.
        fractions: Shares of pixels deleted or inserted, (points,).
        deletion: Softmax probability of the class while the pixels with most evidence become the baseline's,
            (networks, points).
        insertion: The same while they come into the baseline, (networks, points).
        sites: Site names, input first.
        site_evidence: Gradient times activation summed over a site, (networks, sites), logits.
        site_correlation: Rank correlation of gradient times activation at a site with the ANN's, (networks, sites).
        site_active: Share of the site's activations (of the SNN: neurons that fired) above 0, (networks, sites).
        notes: What cannot be said, one sentence each.
    """

    kind: ClassVar[str] = "attribution"

    method: str
    target: int
    target_from: str
    label: int | None
    classes: tuple[str, ...]
    image_name: str
    split: str
    index: int | None
    picture: np.ndarray
    baseline: str
    integration_steps: int
    steps: tuple[int, ...]
    maps: np.ndarray
    varied: np.ndarray
    predicted: np.ndarray
    outputs: np.ndarray
    rank_correlation: np.ndarray
    shuffled: np.ndarray
    seed: int
    fractions: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    sites: tuple[str, ...]
    site_evidence: np.ndarray
    site_correlation: np.ndarray
    site_active: np.ndarray
    notes: tuple[str, ...]

    @property
    def images(self) -> int:
        """One."""
        return 1

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks: ``ANN``, then ``SNN, T = ...``."""
        return ("ANN", *(f"SNN, T = {step}" for step in self.steps))

    @property
    def method_name(self) -> str:
        """The method as people call it."""
        return METHOD_NAMES[self.method]

    @property
    def unit(self) -> str:
        """Unit of the maps."""
        return UNITS[self.method]

    @property
    def totals(self) -> np.ndarray:
        """Sum of each map, (networks,)."""
        return self.maps.sum(axis=(1, 2), dtype=np.float64)

    @property
    def completeness_error(self) -> np.ndarray:
        """Sum of the map minus (f(image) - f(baseline)), (networks,); NaN for methods that promise nothing."""
        if self.method not in COMPLETE:
            return np.full(len(self.maps), np.nan)
        return self.totals - (self.outputs[:, 0] - self.outputs[:, 1])

    @property
    def deletion_area(self) -> np.ndarray:
        """Area under each deletion curve; low where the map names what the network needs, (networks,)."""
        return np.asarray(np.trapezoid(self.deletion, self.fractions, axis=1))

    @property
    def insertion_area(self) -> np.ndarray:
        """Area under each insertion curve; high where the map names what is enough, (networks,)."""
        return np.asarray(np.trapezoid(self.insertion, self.fractions, axis=1))

    def class_name(self, index: int) -> str:
        """A class by name and number, or by number alone."""
        name = self.classes[index]
        return f"class {name}" if name == str(index) else f"{name} ({index})"

    def to_frame(self) -> pd.DataFrame:
        """One row a network; step 0 is the ANN."""
        return pd.DataFrame(
            {
                "network": self.networks,
                "step": [0, *self.steps],
                "method": self.method,
                "target": self.target,
                "predicted": self.predicted,
                "output": self.outputs[:, 0],
                "output_baseline": self.outputs[:, 1],
                "sum": self.totals,
                "completeness_error": self.completeness_error,
                "rank_correlation": self.rank_correlation,
                "shuffled_correlation": self.shuffled,
                "deletion": self.deletion_area,
                "insertion": self.insertion_area,
                "smallest": self.maps.min(axis=(1, 2)),
                "largest": self.maps.max(axis=(1, 2)),
            }
        )

    def site_frame(self) -> pd.DataFrame:
        """One row a network and site."""
        parts = [
            pd.DataFrame(
                {
                    "network": name,
                    "step": step,
                    "site": self.sites,
                    "evidence": self.site_evidence[i],
                    "rank_correlation": self.site_correlation[i],
                    "active": self.site_active[i],
                }
            )
            for i, (name, step) in enumerate(zip(self.networks, (0, *self.steps), strict=True))
        ]
        return pd.concat(parts, ignore_index=True)
