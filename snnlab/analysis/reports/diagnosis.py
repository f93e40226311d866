"""What the numbers of a conversion say about the cause of its loss, in words."""

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.analysis.reports.base import Report

MOST_FINDINGS = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was found, what it weighs, and what could be tried. It predicts no accuracy.

    Args:
        rule: Name of the rule that found it.
        site: Where; empty for what concerns all sites or the input.
        words: One sentence with its numbers.
        size: What it weighs, for the order within a rule's rank: a share of the activation's mean square where the rule
            is about errors.
        evidence: Page that shows it: ``"checkpoint"``, ``"conversion"``, ``"noise"``, ``"budget"`` or ``"residuals"``.
        experiment: What could be tried, one clause; empty where nothing in a recipe would mend it.
        changes: The same as changes of the recipe, as ``Recipe.changed`` takes them.
        regained: Accuracy regained where the site emits the ANN's activation, a fraction; None where it was not tried.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    rule: str
    site: str
    words: str
    size: float
    evidence: str
    experiment: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    regained: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Diagnosis(Report):
    """At most five findings, the weightiest first.

    Args:
        findings: As plain values, see ``Finding``.
        considered: Names of the rules that were applied, whether they found something or not.
        num_steps: T.
        images: Images measured.
        split: Their split; empty for plain tensors.
        method: Conversion method.
        ann_correct: Whether the ANN is right, (images,) bool; empty where the images have no labels.
        snn_correct: Whether the SNN is right at T, likewise.
    """

    kind: ClassVar[str] = "diagnosis"

    findings: tuple[dict[str, Any], ...]
    considered: tuple[str, ...]
    num_steps: int
    images: int
    split: str
    method: str
    ann_correct: np.ndarray
    snn_correct: np.ndarray

    @classmethod
    def of(cls, findings: tuple[Finding, ...], **facts: Any) -> Self:
        """The report of these findings; the other arguments are the fields."""
        return cls(findings=tuple(asdict(finding) for finding in findings[:MOST_FINDINGS]), **facts)

    def found(self) -> tuple[Finding, ...]:
        """The findings."""
        return tuple(Finding(**values) for values in self.findings)

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: rank, rule, site, words, size, regained with its interval, experiment."""
        columns = ["rule", "site", "words", "size", "regained", "low", "high", "experiment"]
        frame = pd.DataFrame([asdict(finding) for finding in self.found()], columns=list(Finding.__dataclass_fields__))
        frame = frame[columns].astype({"regained": float, "low": float, "high": float})
        frame.insert(0, "rank", np.arange(1, len(frame) + 1))
        return frame.assign(step=self.num_steps, images=self.images, split=self.split)
