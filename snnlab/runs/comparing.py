"""Two or more runs side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from snnlab.analysis.reports import AccuracyCurve, Comparison, ResidualReport, paired_difference, wilson_interval
from snnlab.core.errors import RecipeError
from snnlab.core.histogram import CLASSES, EDGES, EXCESS, MISSING
from snnlab.core.registry import card as method_card
from snnlab.runs.run import Run

_ZERO = int(np.searchsorted(EDGES, 0.0, side="right"))  # the first bin of potentials from 0 on


def compare(runs: Sequence[Run]) -> Comparison:
    """Compare runs with the first of them: accuracy at every t, and site by site where they have the same sites.

    A paired difference stands only where both runs saw the same images. Quantities of sites carry no interval: the
    neurons of one image are not independent of each other.

    Raises:
        RecipeError: Fewer than two runs, or one of them twice.
    """
    if len(runs) < 2:
        raise RecipeError(f"A comparison needs two runs or more; {len(runs)} given.")
    if len({run.id for run in runs}) < len(runs):
        raise RecipeError("A run is named twice; compare different runs.")
    why = ["", *(_why_not_paired(runs[0], run) for run in runs[1:])]
    sites, unshared, why_no_sites = _sites(runs)
    return Comparison(
        runs=tuple(
            {
                "run": run.id,
                "name": name,
                "checkpoint": str(run.card["name"]),
                "sha256": str(run.card["sha256"]),
                "method": method_card(run.recipe.converter.method).display_name,
                "split": run.accuracy.split,
                "images": run.accuracy.images,
                "num_steps": run.accuracy.num_steps,
                "why": reason,
            }
            for run, name, reason in zip(runs, distinct_names(runs), why, strict=True)
        ),
        accuracy=tuple(
            row
            for place, run in enumerate(runs)
            for row in _accuracy(run, runs[0].accuracy if place and not why[place] else None)
        ),
        sites=tuple(sites),
        unshared=unshared,
        why_no_sites=why_no_sites,
    )


def distinct_names(runs: Sequence[Run]) -> list[str]:
    """Titles, with what tells runs of the same title apart: what was asked for, then the beginning of the id."""
    titles = [run.title for run in runs]
    longer = [f"{run.title} · {run.verb}" for run in runs]
    names = []
    for place, run in enumerate(runs):
        if titles.count(titles[place]) == 1:
            names.append(titles[place])
        elif longer.count(longer[place]) == 1:
            names.append(longer[place])
        else:
            names.append(f"{run.title} · {run.id[:8]}")
    return names


def _why_not_paired(first: Run, other: Run) -> str:
    """Why two runs did not see the same images; empty where they did."""
    one, two = first.recipe.data, other.recipe.data
    if (one.dataset, one.sha256) != (two.dataset, two.sha256):
        return f"other images: {two.dataset} against {one.dataset}" + (" (another file)" * (one.dataset == two.dataset))
    mine, theirs = first.accuracy, other.accuracy
    if mine.split != theirs.split:
        return f"other images: {theirs.split} against {mine.split}"
    if mine.images != theirs.images:
        return f"other images: {theirs.images:,} against {mine.images:,}"
    if not np.array_equal(mine.labels, theirs.labels):
        return "other images: their labels differ"
    return ""


def _accuracy(run: Run, first: AccuracyCurve | None) -> list[dict[str, Any]]:
    """Rows of one run, step 0 for the ANN; ``first`` on the same images, None for no difference."""
    curve, rows = run.accuracy, []
    for step in range(curve.num_steps + 1):
        right = _right(curve, step)
        low, high = wilson_interval(int(right.sum()), curve.images)
        row: dict[str, Any] = {
            "run": run.id,
            "step": step,
            "role": "snn" if step else "ann",
            "accuracy": float(right.mean()),
            "low": float(low),
            "high": float(high),
        }
        paired = None if first is None or step > first.num_steps else paired_difference(_right(first, step), right)
        for name, field in (
            ("difference", "value"),
            ("difference_low", "low"),
            ("difference_high", "high"),
            ("gained", "gained"),
            ("lost", "lost"),
        ):
            row[name] = None if paired is None else getattr(paired, field)
        rows.append(row)
    return rows


def _right(curve: AccuracyCurve, step: int) -> np.ndarray:
    return np.asarray((curve.snn_predictions[step - 1] if step else curve.ann_predictions) == curve.labels)


def _sites(runs: Sequence[Run]) -> tuple[list[dict[str, Any]], dict[str, list[str]], str]:
    """Rows of the sites that all runs have, the other sites of each run, and why there is no row."""
    places = [_places(run) for run in runs]
    shared = [site for site in places[0] if all(other.get(site) == places[0][site] for other in places[1:])]
    unshared = {run.id: [site for site in own if site not in shared] for run, own in zip(runs, places, strict=True)}
    if not shared:
        return [], unshared, "These networks have no site of the same name and shape; only their accuracies compare."
    without = [name for run, name in zip(runs, distinct_names(runs), strict=True) if run.residuals is None]
    if without:
        return [], unshared, f"{', '.join(without)} kept no residuals; run it with snapshots to compare its sites."
    reports = [run.residuals for run in runs if run.residuals is not None]
    common = sorted(set.intersection(*(set(report.steps) for report in reports)))
    if not common:
        return [], unshared, "These runs kept residuals at no common t; run one of them with the other's snapshots."
    rows = []
    for step in common:
        columns = [_columns(report, step) for report in reports]
        for site in shared:
            for run, report, found in zip(runs, reports, columns, strict=True):
                at = report.names.index(site)
                numbers = {name: float(values[at]) for name, values in found.items()}
                rows.append({"site": site, "run": run.id, "step": step, **numbers})
    return rows, unshared, ""


def _places(run: Run) -> dict[str, tuple[int, ...]]:
    """Site -> shape of one image's activation."""
    return {str(row["name"]): tuple(row["shape"]) for row in run.conversion.sites}


def _columns(report: ResidualReport, step: int) -> dict[str, np.ndarray]:
    """Every quantity at one snapshot, (sites,)."""
    at, elements = report.snapshot(step), report.elements
    shares = report.class_counts[:, at] / elements[:, None]
    bins = report.histogram[:, at].sum(axis=1)
    return {
        "threshold": report.thresholds,
        "firing_rate": report.spikes[:, at] / (elements * step),
        "mean": report.moments[:, at, :, 0].sum(axis=1) / elements,
        "mean_abs": mean_magnitude(report, at),
        "at_zero": bins[:, _ZERO - 1 : _ZERO + 1].sum(axis=1) / elements,
        "right": 1.0 - shares[:, EXCESS] - shares[:, MISSING],
        **{name: shares[:, place] for place, name in enumerate(CLASSES)},
    }


def mean_magnitude(report: ResidualReport, at: int) -> np.ndarray:
    """Mean abs(v / threshold) over all neurons at a snapshot, (sites,).

    The sum of v is exact, and so is abs where all v have one sign. Else the sum over the sign whose bins are narrower
    comes from their middles; the other one follows. Bins of the core are 1/64 wide.

    Args:
        report: Residuals.
        at: Index of the snapshot.
    """
    bins = report.histogram[:, at].sum(axis=1).astype(float)  # (sites, NUM_BINS)
    moments = report.moments[:, at]
    total, lowest, highest = moments[:, :, 0].sum(axis=1), moments[:, :, 2].min(axis=1), moments[:, :, 3].max(axis=1)
    # The open bins end at the extremes; those of a site that has none there count nothing.
    ends = np.stack([np.minimum(lowest, EDGES[0]), np.maximum(highest, EDGES[-1])])
    edges = np.column_stack([ends[0], np.broadcast_to(EDGES, (len(bins), len(EDGES))), ends[1]])
    middle, width = (edges[:, 1:] + edges[:, :-1]) / 2, edges[:, 1:] - edges[:, :-1]
    doubt = [np.sum(bins[:, part] * width[:, part], axis=1) for part in (slice(_ZERO), slice(_ZERO, None))]
    below = np.sum(bins[:, :_ZERO] * -middle[:, :_ZERO], axis=1)
    above = np.sum(bins[:, _ZERO:] * middle[:, _ZERO:], axis=1)
    magnitude = np.where(doubt[0] <= doubt[1], total + 2 * below, 2 * above - total)
    magnitude = np.where(lowest >= 0, total, np.where(highest <= 0, -total, magnitude))
    return np.asarray(magnitude / report.elements)
