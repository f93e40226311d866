"""The base of all reports: lossless transport to and from the run store, and the interval of a proportion."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from snnlab.core.errors import SnnlabError

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

    def to_frame(self) -> pd.DataFrame:
        """The numbers, tidy."""
        raise NotImplementedError

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
