"""A run's residuals as one compact text for the browser: plain facts as JSON, arrays deflated in base64.

Equal runs give equal text, byte for byte, so that Streamlit sends it once and not again with every rerun.
"""

import base64
import json
import zlib
from typing import Any

import numpy as np

import snnlab as sl

CORE_BINS = 256  # fixed bins of v/threshold in [-2, 2), in the middle of a report's histogram
MERGE = 2  # fixed bins in one that is shown: 1/32 of the threshold
MANY_SITES = 40  # from here on two traces a class instead of all
_FEW_TRACES = 2


def pack(
    residuals: sl.analysis.ResidualReport,
    *,
    run_id: str,
    name: str,
    accuracy: sl.analysis.AccuracyCurve | None = None,
    traces: sl.analysis.NeuronTraces | None = None,
) -> str:
    """Everything that the residual view needs to know about a run.

    Args:
        residuals: Counts by site, snapshot and class.
        run_id: Identifies the run; equal texts are decoded once.
        name: How the conversion is called in legends; from the user, drawn as text only.
        accuracy: Curve above the time slider; None without labels.
        traces: Single neurons; None to leave them out (the compared run).

    Returns:
        JSON text. Its ``arrays`` maps a name to ``[type, data]``: base64 of the deflated bytes, all first bytes of the
        numbers first (planes of equal significance deflate better).
    """
    below, core, above = _split(residuals.histogram)
    arrays = {
        "core": core.astype(np.uint32),  # (sites, snapshots, classes, bins)
        "tails": np.stack([below, above], axis=-1).astype(np.uint32),  # (sites, snapshots, classes, 2)
        "spike_errors": residuals.spike_errors.astype(np.uint32),  # (sites, snapshots, 2 K_LIMIT + 1)
        "class_moments": _class_moments(residuals),  # (sites, snapshots, classes, 2): mean, std
        "summary": _summary(residuals),  # (sites, snapshots, 5): mean, std, min, max, firing rate
        "fired": _fired(residuals),  # (sites, snapshots, 3): count, mean, std
        "nan": residuals.nan.astype(np.uint32),  # (sites, snapshots)
    }
    if traces is not None:
        arrays |= _trace_arrays(traces, few=len(residuals.names) > MANY_SITES)
    return json.dumps(
        {
            "id": run_id,
            "name": name,
            "split": residuals.split,
            "images": residuals.images,
            "names": residuals.names,
            "shapes": residuals.shapes,
            "thresholds": residuals.thresholds.tolist(),
            "steps": residuals.steps,
            "bins": CORE_BINS // MERGE,
            "identity_error": residuals.identity_error.tolist(),
            "identity_tolerance": residuals.identity_tolerance.tolist(),
            "accuracy": None if accuracy is None else _accuracy(accuracy, residuals.steps),
            "arrays": {key: _deflated(array) for key, array in arrays.items()},
        },
        allow_nan=False,
        separators=(",", ":"),
    )


def inflated(entry: list[str]) -> np.ndarray:
    """The flat array that ``pack`` wrote as ``[type, data]``."""
    kind, data = entry
    planes = np.frombuffer(zlib.decompress(base64.b64decode(data)), np.uint8)
    dtype = np.dtype(kind)
    return planes.reshape(dtype.itemsize, -1).T.copy().view(dtype).ravel()


def _deflated(array: np.ndarray) -> list[str]:
    flat = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    planes = flat.reshape(-1, 1).view(np.uint8).T
    return [array.dtype.name, base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode()]


def _split(histogram: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts below the core, in it (merged), and above it."""
    start = (histogram.shape[-1] - CORE_BINS) // 2
    core = histogram[..., start : start + CORE_BINS]
    merged = core.reshape(*core.shape[:-1], CORE_BINS // MERGE, MERGE).sum(axis=-1)
    return histogram[..., :start].sum(axis=-1), merged, histogram[..., start + CORE_BINS :].sum(axis=-1)


def _mean_std(count: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Mean and standard deviation, stacked last; NaN where nothing was counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        return np.stack([mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))], axis=-1).astype(np.float32)


def _class_moments(residuals: sl.analysis.ResidualReport) -> np.ndarray:
    return _mean_std(residuals.class_counts, residuals.moments[..., 0], residuals.moments[..., 1])


def _summary(residuals: sl.analysis.ResidualReport) -> np.ndarray:
    moments, elements = residuals.moments, residuals.elements[:, None]
    spread = _mean_std(residuals.class_counts.sum(axis=2), moments[..., 0].sum(axis=2), moments[..., 1].sum(axis=2))
    ends = np.stack([moments[..., 2].min(axis=2), moments[..., 3].max(axis=2)], axis=-1)
    rate = residuals.spikes / (elements * np.array(residuals.steps))
    return np.concatenate([spread, ends, rate[..., None]], axis=-1).astype(np.float32)


def _fired(residuals: sl.analysis.ResidualReport) -> np.ndarray:
    gaussian = np.stack(residuals.fired_gaussian(), axis=-1)
    return np.concatenate([residuals.fired_moments[..., :1], gaussian], axis=-1).astype(np.float32)


def _accuracy(curve: sl.analysis.AccuracyCurve, steps: tuple[int, ...]) -> dict[str, Any]:
    at = np.array(steps) - 1
    low, high = curve.snn_interval
    return {
        "images": curve.images,
        "ann_correct": int(np.sum(curve.ann_predictions == curve.labels)),
        "snn_correct": np.sum(curve.snn_predictions[at] == curve.labels, axis=1).tolist(),
        "low": low[at].tolist(),
        "high": high[at].tolist(),
    }


def _trace_arrays(traces: sl.analysis.NeuronTraces, *, few: bool) -> dict[str, np.ndarray]:
    """Traces and which (site, snapshot, class) each illustrates; only those that illustrate something."""
    members = traces.members
    if few:
        rank = np.zeros(len(members), int)
        seen: dict[tuple[int, ...], int] = {}
        for row, key in enumerate(map(tuple, members[:, :3].tolist())):
            rank[row] = seen.get(key, 0)
            seen[key] = rank[row] + 1
        members = members[rank < _FEW_TRACES]
    kept, trace = np.unique(members[:, 3], return_inverse=True)
    return {
        # Inputs stay float32: with coarser ones a neuron near a level edge would spike elsewhere than it did.
        "currents": traces.currents[kept].astype(np.float32),  # (traces, num_steps)
        "initial": traces.initial[kept].astype(np.float32),
        "negative": traces.negative[kept].astype(np.float32),
        "most": traces.most[kept].astype(np.uint32),
        "image": traces.image[kept].astype(np.uint32),
        "position": traces.position[kept].astype(np.uint32),
        "row": kept.astype(np.uint32),  # of the report
        "members": np.column_stack([members[:, :3], trace]).astype(np.uint32),  # site, snapshot, class, trace
    }
