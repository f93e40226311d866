"""Reports as plain values."""

from typing import Any

from snnlab.analysis.reports import Report


def plain(report: Report) -> dict[str, Any]:
    """A report's payload with its arrays as lists: what goes through a pipe."""
    values, arrays = report.payload()
    return {**values, **{name: array.tolist() for name, array in arrays.items()}}
