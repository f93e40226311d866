"""Residual histograms as one JSON value for the page's script: facts as they are, counts deflated in base64."""

import base64
import json
import zlib
from typing import Any

import numpy as np

from snnlab.analysis.reports import AccuracyCurve, ResidualReport
from snnlab.core.histogram import CLASSES, CORE_BINS, CORE_HIGH, CORE_LOW, EDGES

LOW, HIGH = -1.0, 2.0
"""What a row shows of v / threshold."""
MERGE = 2  # fixed bins in one that is shown: 1/32 of the threshold


def packed(report: ResidualReport, curve: AccuracyCurve, target: int) -> str:
    """JSON that may stand in a ``script`` element.

    ``bins`` and ``outside`` hold counts as unsigned 32-bit numbers, the four bytes of all numbers in planes, which
    deflate better: (sites, snapshots, classes, bins), and (sites, snapshots, classes, 2) below and above what is shown.

    Args:
        report: Residuals.
        curve: Accuracy beside the time slider.
        target: Snapshot that the page starts at.
    """
    start, stop = (int(np.searchsorted(EDGES, end, side="right")) for end in (LOW, HIGH))
    shown = report.histogram[..., start:stop]
    merged = shown.reshape(*shown.shape[:-1], -1, MERGE).sum(axis=-1)
    outside = np.stack([report.histogram[..., :start].sum(axis=-1), report.histogram[..., stop:].sum(axis=-1)], axis=-1)
    at = np.array(report.steps) - 1
    low, high = curve.snn_interval
    values: dict[str, Any] = {
        "names": report.names,
        "shapes": [" × ".join(map(str, shape)) for shape in report.shapes],
        "thresholds": report.thresholds.tolist(),
        "steps": report.steps,
        "start": report.snapshot(target),
        "classes": CLASSES,
        "low": LOW,
        "high": HIGH,
        "width": MERGE * (CORE_HIGH - CORE_LOW) / CORE_BINS,
        "accuracy": np.stack([curve.snn_accuracy[at], low[at], high[at]], axis=1).tolist(),
        "bins": _deflated(merged),
        "outside": _deflated(outside),
    }
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # a site's name must not end the element


def _deflated(counts: np.ndarray) -> str:
    planes = counts.astype("<u4").reshape(-1, 1).view(np.uint8).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode()
