"""Reports as plain values."""

import base64
import io
from typing import Any

import numpy as np

from snnlab.analysis.reports import Report


def plain(report: Report) -> dict[str, Any]:
    """A report's payload with its arrays as lists: what goes through a pipe."""
    values, arrays = report.payload()
    return {**values, **{name: array.tolist() for name, array in arrays.items()}}


def packed(report: Report) -> dict[str, Any]:
    """A report as plain values, its arrays as one NumPy archive in base64: exact, infinities included, and short."""
    values, arrays = report.payload()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return {"values": values, "arrays": base64.b64encode(buffer.getvalue()).decode()}
