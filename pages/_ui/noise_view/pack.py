"""A noise run as one compact text for the browser: plain facts as JSON, arrays deflated in base64.

Equal runs give equal text, byte for byte, so that Streamlit sends it once and not again with every rerun.
"""

import base64
import json
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

import snnlab as sl

FULL_SHARE = 65535
"""A share of 1; shares are sent as their square root in so many parts, as they are drawn."""

BEYOND = 1e9
"""Stands for a kappa above the largest scale, as JSON has no infinity."""

MOST_BINS = 64  # bins a threshold up to which every gap of a quantized network has a bin of its own


def pack(report: sl.analysis.NoiseReport, *, run_id: str) -> str:
    """Everything that the noise view needs to know about a run; gaps in thresholds.

    Args:
        report: What was measured.
        run_id: Identifies the run; equal texts are decoded once.

    Returns:
        JSON text. Its ``arrays`` maps a name to ``[type, data]``: base64 of the deflated little-endian numbers.
    """
    threshold = report.thresholds[:, None]
    arrays = {
        "std": report.std / threshold,  # (sites, steps), thresholds, as the next two
        "mean": report.mean / threshold,
        "local": report.local_std / threshold,
        "zero": report.zero,  # (sites, steps), shares, as the next
        "outside": report.outside / report.count[:, None],
        "gap": _square_roots(report),  # (sites, steps, bins)
    }
    return json.dumps(
        {
            "id": run_id,
            "names": report.names,
            "shapes": report.shapes,
            "thresholds": report.thresholds.tolist(),
            "steps": report.steps,
            "lattice": report.lattice,
            "discrete": [discrete(report, step) for step in report.steps],
            "fit_images": report.fit_images,
            "fit_split": report.fit_split.replace("_", " "),
            "paper_compat": report.paper_compat,
            "images": report.images,
            "split": report.split.replace("_", " "),
            "chance": 1 / report.num_classes,
            "seeds": report.noise_seeds,
            "ann": plain(report.ann),
            "snn": [plain(report.snn(step)) for step in report.steps],
            "curves": {str(target): stored_curve(report, target) for target in report.targets},
            "arrays": {key: _deflated(array) for key, array in arrays.items()},
        },
        allow_nan=False,
        separators=(",", ":"),
    )


def discrete(report: sl.analysis.NoiseReport, step: int) -> bool:
    """Whether the gap takes few values: multiples of a threshold over L and over T."""
    return all(levels is not None and math.lcm(levels, step) <= MOST_BINS for levels in report.levels)


def plain(estimate: Any) -> dict[str, Any]:
    """An accuracy with its interval, as the browser reads it."""
    found = estimate if isinstance(estimate, Mapping) else vars(estimate)
    return {name: found[name] for name in ("value", "low", "high")} | {"seeds": list(found["seeds"])}


def stored_curve(report: sl.analysis.NoiseReport, target: int) -> dict[str, Any]:
    """The noisy ANN over the scale of the profile that the run evaluated for this T."""
    row = report.targets.index(target)
    return {
        "units": (report.profile_std[row] / report.thresholds).tolist(),
        "scales": report.scales.tolist(),
        "noisy": [plain(report.noisy(target, scale)) for scale in report.scales.tolist()],
        "kappa": kappa(report.kappa[row]),
        "why": report.kappa_why[row],
    }


def kappa(values: Any) -> list[float | None]:
    """Value, low and high; None for no number, ``BEYOND`` for above the largest scale."""
    found = [math.nan if value is None else float(value) for value in values]
    return [None if math.isnan(value) else min(value, BEYOND) for value in found]


def inflated(entry: list[str]) -> np.ndarray:
    """The flat array that ``pack`` wrote as ``[type, data]``."""
    kind, data = entry
    return np.frombuffer(zlib.decompress(base64.b64decode(data)), np.dtype(kind).newbyteorder("<"))


def _square_roots(report: sl.analysis.NoiseReport) -> np.ndarray:
    shares = report.gap_counts / report.count[:, None, None]
    return np.rint(np.sqrt(shares) * FULL_SHARE).astype(np.uint16)


def _deflated(array: np.ndarray) -> list[str]:
    # What was not measured (a local gap) has no number; the browser draws a dash.
    flat = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return [array.dtype.name, base64.b64encode(zlib.compress(flat.tobytes(), 6)).decode()]
