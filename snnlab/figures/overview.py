"""Where do residuals leave [0, threshold)? All sites at one time-step: ridges or heat, and shares of the classes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from snnlab.analysis.reports import ResidualReport
from snnlab.core.histogram import CLASSES, EXCESS, MISSING, SILENT
from snnlab.core.stages import stage_of
from snnlab.figures.figure import Figure
from snnlab.figures.rows import Rows, arrange
from snnlab.figures.scene import (
    Areas,
    Axis,
    Bars,
    Heat,
    Layout,
    Line,
    Mark,
    Note,
    Panel,
    Points,
    Rule,
    Segments,
    stairs,
)
from snnlab.figures.shares import BASES, Base, core_bins, data_text, stack
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

_LOW, _HIGH, _MERGE = -1.0, 2.0, 4
_HEAT_POWER = 0.6  # makes thin tails visible beside the bulk


@dataclass(frozen=True)
class _Shown:
    """One row each: name, histogram by class (rows, classes, bins), share of each class of the base."""

    names: tuple[str, ...]
    histogram: np.ndarray
    shares: np.ndarray
    right: np.ndarray
    total: np.ndarray


def residual_overview(
    report: ResidualReport,
    step: int,
    compare: ResidualReport | None = None,
    *,
    base: Base = "not_silent",
    stages: bool = False,
    compare_name: str = "compared run",
) -> Figure:
    """How v(t)/threshold is distributed at every site, and which share fired too often, right, or too rarely.

    Up to 25 rows are ridges coloured by class; more are a heat map, named by stage.

    Args:
        report: Residuals.
        step: Snapshot t.
        compare: A second run, outlined in green where it has a site of the same name.
        base: What shares and densities refer to: ``"not_silent"`` neurons or ``"all"``.
        stages: One row a stage: the counts of its sites added up.
        compare_name: How the legend calls the second run.

    Raises:
        SnnlabError: No snapshot at that step, or an unknown base.
    """
    classes = stack(base)
    shown = _collect(report, step, base, stages)
    other = _collect(compare, step, base, stages) if compare is not None else None
    rows = arrange(shown.names)
    label = shorten(compare_name, 40)
    edges, counts = core_bins(shown.histogram, _LOW, _HIGH, _MERGE)
    strip = (_ridges if rows.named else _heat)(rows, edges, counts, classes)
    bars = _bars(rows, shown, classes, labelled=not rows.named)
    if other is not None:
        if rows.named:
            strip += _outlines(rows, edges, counts, classes, shown, other, label)
        bars += _ticks(rows, shown, other, "" if rows.named else label)
    hover = Points(np.full(len(rows.names), 0.5), rows.centre, "text", "none", hover=_hover(shown))
    rules: list[Mark] = [Rule(0.0), Rule(1.0)]
    if not rows.named:  # dotted lines need a light ground to be seen on dark cells
        rules = [Rule(at, role="background", dash="solid") for at in (0.0, 1.0)] + rules
    ticks = ((-1.0, "−1"), (0.0, "0"), (1.0, "1"), (2.0, "2"))
    panels = (
        Panel(Axis(_LOW, _HIGH, "v(t) / threshold", ticks), rows.axis, (*strip, *rules, hover)),
        Panel(
            Axis(0, 100, "share of neurons (%)", ((0, "0"), (50, "50"), (100, "100"))), rows.blank_axis, bars, column=1
        ),
        _numbers(rows, shown),
    )
    scale = "Height: square root of density" if rows.named else "Colour: density"
    outside = 1 - counts[:, classes].sum() / max(shown.total.sum(), 1)
    return Figure(
        name="residuals",
        title="Which neurons spent too much, which too little, and in which layer?",
        subtitle=f"{data_text(report, step)} · shares of {BASES[base]}",
        alt=_alt(shown, step),
        panels=panels,
        layout=Layout(
            columns=(1.2, 1.0, 0.8),
            millimetres=rows.millimetres + 9,
            wide_millimetres=6 * rows.named,
            pixels=rows.pixels,
            column_gap=0.05,
        ),
        data=_frame(shown, edges, counts, classes, step),
        foot=f"{scale}, each row scaled to its maximum; {number(100 * outside, 1)} % of the neurons lie outside "
        f"the strip. Dotted: 0 and the threshold.{_nan_text(report, step)}",
    )


def _collect(report: ResidualReport, step: int, base: Base, stages: bool) -> _Shown:
    histogram = report.histogram[:, report.snapshot(step)]
    names = report.names
    if stages:
        members: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            members.setdefault(stage_of(name), []).append(i)
        histogram = np.stack([histogram[index].sum(axis=0) for index in members.values()])
        names = tuple(stage if len(index) == 1 else f"{stage} ({len(index)})" for stage, index in members.items())
    counts = histogram.sum(axis=-1)
    total = counts[:, stack(base)].sum(axis=1)
    shares = counts / np.maximum(total, 1)[:, None]
    if base == "not_silent":
        shares[:, SILENT] = 0.0
    right = shares.sum(axis=1) - shares[:, EXCESS] - shares[:, MISSING]
    return _Shown(names, histogram, shares, right, total)


def _heights(counts: np.ndarray, classes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Tops of the stacked classes, square root, row maximum at 1, (rows, classes + 1, bins); and that maximum."""
    cumulative = np.concatenate([np.zeros_like(counts[:, :1]), counts[:, classes].cumsum(axis=1)], axis=1)
    maximum = np.maximum(cumulative[:, -1].max(axis=-1), 1)
    return np.sqrt(cumulative / maximum[:, None, None]), maximum


def _ridges(rows: Rows, edges: np.ndarray, counts: np.ndarray, classes: tuple[int, ...]) -> tuple[Mark, ...]:
    heights, _ = _heights(counts, classes)
    marks: list[Mark] = []
    for k, index in enumerate(classes):
        steps = tuple(
            (edges, floor - 0.86 * heights[r, k], floor - 0.86 * heights[r, k + 1])
            for r, floor in enumerate(rows.centre + 0.43)
        )
        marks.append(Areas(steps, CLASSES[index], CLASSES[index]))
    return tuple(marks)


def _heat(rows: Rows, edges: np.ndarray, counts: np.ndarray, classes: tuple[int, ...]) -> tuple[Mark, ...]:
    total = counts[:, classes].sum(axis=1).astype(float)
    padded = np.pad(total, ((0, 0), (1, 1)), mode="edge")
    smooth = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    values = (smooth / np.maximum(smooth.max(axis=1, keepdims=True), 1e-12)) ** _HEAT_POWER
    return tuple(
        Heat(edges, np.append(rows.centre[start:stop] - 0.5, rows.centre[stop - 1] + 0.5), values[start:stop])
        for _, start, stop in rows.stages
    )


def _bars(rows: Rows, shown: _Shown, classes: tuple[int, ...], *, labelled: bool) -> tuple[Mark, ...]:
    ends = 100 * shown.shares[:, classes].cumsum(axis=1)
    starts = np.concatenate([np.zeros((len(ends), 1)), ends[:, :-1]], axis=1)
    thickness = 0.62 if rows.named else 1.04  # an overlap, or seams show between the rows
    bars: list[Mark] = [
        Bars(rows.centre, starts[:, k], ends[:, k], thickness, CLASSES[i], True, label=CLASSES[i] if labelled else "")
        for k, i in enumerate(classes)
    ]
    middle = np.full(len(rows.names), 50.0)
    return (*bars, Points(middle, rows.centre, "text", "none", hover=_hover(shown)))


def _pairs(shown: _Shown, other: _Shown) -> list[tuple[int, int]]:
    return [(i, other.names.index(name)) for i, name in enumerate(shown.names) if name in other.names]


def _outlines(
    rows: Rows,
    edges: np.ndarray,
    counts: np.ndarray,
    classes: tuple[int, ...],
    shown: _Shown,
    other: _Shown,
    label: str,
) -> tuple[Mark, ...]:
    _, maximum = _heights(counts, classes)
    _, theirs = core_bins(other.histogram, _LOW, _HIGH, _MERGE)
    xs, ys = [np.array([])], [np.array([])]
    for i, j in _pairs(shown, other):
        # Both as densities: the same height is the same share of neurons, whatever the numbers of images.
        scale = max(shown.total[i], 1) / max(other.total[j], 1)
        heights = np.sqrt(theirs[j, list(classes)].sum(axis=0) * scale / maximum[i])
        x, y = stairs(edges, rows.centre[i] + 0.43 - 0.86 * np.minimum(heights, 1.1))
        xs += [x, np.array([np.nan])]
        ys += [y, np.array([np.nan])]
    return (Line(np.concatenate(xs), np.concatenate(ys), "compared", width=0.55, label=label),)


def _ticks(rows: Rows, shown: _Shown, other: _Shown, label: str) -> tuple[Mark, ...]:
    half = 0.43 if rows.named else 0.5
    at, x = [], []
    for i, j in _pairs(shown, other):
        at += [rows.centre[i], rows.centre[i]]
        x += [100 * other.shares[j, EXCESS], 100 * (1 - other.shares[j, MISSING])]
    y, across = np.array(at), np.array(x)
    return (Segments(across, y - half, across, y + half, "compared", width=0.9, label=label),)


def _numbers(rows: Rows, shown: _Shown) -> Panel:
    notes: list[Mark] = []
    columns = (
        (0.30, "excess", shown.shares[:, EXCESS]),
        (0.66, "missing", shown.shares[:, MISSING]),
        (0.97, "right", shown.right),
    )
    for x, name, values in columns if rows.named else ():
        notes.append(Note(x, 1.0, f"{name}\n%", "mute", "right", "bottom", y_panel=True, gap=(0.0, 2.0)))
        for at, value, total in zip(rows.centre, values, shown.total, strict=True):
            text = number(100 * value, 1) if total else "–"
            notes.append(Note(x, float(at), text, "mute" if value < 0.0005 else "text", "right"))
    if not rows.named:
        for stage, start, stop in rows.stages:
            weight = shown.total[start:stop].sum()
            if stop - start < 4 or not weight:
                continue
            mean = [np.average(values[start:stop], weights=shown.total[start:stop]) for _, _, values in columns]
            text = "\n".join(
                f"{name} {number(100 * value, 1)} %" for (_, name, _), value in zip(columns, mean, strict=True)
            )
            notes.append(
                Note(0.0, float(rows.centre[start:stop].mean()), f"{shorten(stage, 16)}\n{text}", "text", "left")
            )
    return Panel(Axis(0, 1, line=False), rows.blank_axis, tuple(notes), column=2, wide_only=True)


def _hover(shown: _Shown) -> tuple[str, ...]:
    return tuple(
        f"{name}\nexcess {number(100 * share[EXCESS], 2)} %\nmissing {number(100 * share[MISSING], 2)} %\n"
        f"right {number(100 * right, 2)} %"
        for name, share, right in zip(shown.names, shown.shares, shown.right, strict=True)
    )


def _alt(shown: _Shown, step: int) -> str:
    excess, missing = (int(np.argmax(shown.shares[:, index])) for index in (EXCESS, MISSING))
    return (
        f"Distribution of v/threshold after {step} time-steps in {len(shown.names)} rows, input first. Most excess: "
        f"{shorten(shown.names[excess], 40)}, {number(100 * shown.shares[excess, EXCESS], 1)} %. Most missing: "
        f"{shorten(shown.names[missing], 40)}, {number(100 * shown.shares[missing, MISSING], 1)} %."
    )


def _nan_text(report: ResidualReport, step: int) -> str:
    nan = int(report.nan[:, report.snapshot(step)].sum())
    return f" {nan:,} potentials are not a number." if nan else ""


def _frame(shown: _Shown, edges: np.ndarray, counts: np.ndarray, classes: tuple[int, ...], step: int) -> pd.DataFrame:
    frames = []
    width = edges[1] - edges[0]
    for r, name in enumerate(shown.names):
        total = max(int(shown.total[r]), 1)
        share = pd.DataFrame(
            {"quantity": "share", "class": [CLASSES[i] for i in classes], "value": shown.shares[r, classes]}
        )
        frames.append(share.assign(site=name))
        for index in classes:
            density = counts[r, index] / (total * width)
            bins = pd.DataFrame({"quantity": "density", "low": edges[:-1], "high": edges[1:], "value": density})
            frames.append(bins.assign(site=name, **{"class": CLASSES[index]}))
    columns = ["site", "step", "quantity", "class", "low", "high", "value"]
    return pd.concat(frames, ignore_index=True).assign(step=step).reindex(columns=columns)
