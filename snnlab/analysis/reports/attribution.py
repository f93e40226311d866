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

SAME_LOGIT = 1e-3
"""Logits that lie closer are the same in float32."""

FAINT = 0.1
"""Below this share of the ANN's evidence a map says little, however alike the order of its pixels is."""


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
        restored: f(image) of the SNN where one site emits the ANN's activation at every step, (steps, 1 + sites),
            logits; in the first column none is restored. None where nothing was restored.
        restored_predicted: Predicted class likewise, (steps, 1 + sites).
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
    restored: np.ndarray | None = None
    restored_predicted: np.ndarray | None = None

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
    def strength(self) -> np.ndarray:
        """Sum of the absolute values of each map over that of the ANN's, (networks,); NaN where the ANN's is 0."""
        sizes = np.abs(self.maps).sum(axis=(1, 2), dtype=np.float64)
        return sizes / sizes[0] if sizes[0] else np.full(len(sizes), np.nan)

    @property
    def remarks(self) -> tuple[str, ...]:
        """``notes``, and a warning where an SNN's map is tiny beside the ANN's, whatever its rank correlation."""
        faint = [pair for pair in zip(self.steps, self.strength[1:], strict=True) if pair[1] < FAINT]
        if not faint:
            return self.notes
        steps, shares = ", ".join(f"{step}" for step, _ in faint), ", ".join(f"{100 * share:.2g}" for _, share in faint)
        return (
            *self.notes,
            f"At T = {steps} the SNN's map holds {shares} % of the ANN's evidence (sums of absolute values): a rank "
            "correlation there compares the order of pixels that hardly count.",
        )

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
                "strength": self.strength,
                "completeness_error": self.completeness_error,
                "rank_correlation": self.rank_correlation,
                "shuffled_correlation": self.shuffled,
                "deletion": self.deletion_area,
                "insertion": self.insertion_area,
                "smallest": self.maps.min(axis=(1, 2)),
                "largest": self.maps.max(axis=(1, 2)),
            }
        )

    def restored_frame(self) -> pd.DataFrame:
        """One row a T and restored site, f and predicted class with it; site "" is the SNN without restoration.

        ``gap`` is f minus the ANN's, in logits; ``returns`` tells whether the predicted class is the ANN's. Values of
        single sites do not add up: a site hands on what earlier ones got wrong.
        """
        if self.restored is None or self.restored_predicted is None:
            return pd.DataFrame(columns=["step", "site", "output", "gap", "predicted", "returns"])
        sites = ("", *self.sites)
        return pd.DataFrame(
            {
                "step": np.repeat(self.steps, len(sites)),
                "site": sites * len(self.steps),
                "output": self.restored.ravel(),
                "gap": (self.restored - self.outputs[0, 0]).ravel(),
                "predicted": self.restored_predicted.ravel(),
                "returns": (self.restored_predicted == self.predicted[0]).ravel(),
            }
        )

    def restored_summary(self) -> pd.DataFrame:
        """One row a T: what the SNN says, and which site, restored alone, brings the ANN's answer back.

        ``returned_by`` is the first site, input first, whose restoration gives the ANN's class, of ``returning`` such
        sites; "" where the SNN says it anyway, or where no single site does. ``halved_by`` is the first site that
        takes at least half of the logit's ``gap`` to the ANN away; "" where there is no gap.
        """
        rows = []
        frame = self.restored_frame()
        for step in self.steps if len(frame) else ():
            found = frame[frame["step"] == step]
            plain, each = found.iloc[0], found.iloc[1:]
            right = each[each["returns"]] if not plain["returns"] else each[:0]
            lost = abs(plain["gap"]) > SAME_LOGIT
            closer = each[each["gap"].abs() <= abs(plain["gap"]) / 2] if lost else each[:0]
            rows.append(
                {
                    "step": step,
                    "predicted": int(plain["predicted"]),
                    "agrees": bool(plain["returns"]),
                    "gap": float(plain["gap"]),
                    "returned_by": "" if right.empty else str(right["site"].iloc[0]),
                    "returning": len(right),
                    "halved_by": "" if closer.empty else str(closer["site"].iloc[0]),
                }
            )
        return pd.DataFrame(rows)

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
