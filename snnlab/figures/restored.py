"""Which layer is to blame? Accuracy regained where a site emits the ANN's activation."""

from typing import Literal

import numpy as np

from snnlab.analysis.reports import Restoration
from snnlab.figures.figure import Figure
from snnlab.figures.rows import arrange
from snnlab.figures.scene import Axis, Layout, Mark, Panel, Points, Rule, Segments, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number, percent, points


def restoration(report: Restoration, step: int, *, part: Literal["site", "stage"] = "site") -> Figure:
    """Points of accuracy regained, one row a restored site or stage, with 95 % intervals.

    Args:
        report: Restoration.
        step: t.
        part: Restore single sites, or whole stages.

    Raises:
        SnnlabError: Nothing was restored at that step.
    """
    names = report.names if part == "site" else report.stages
    found = report.regained(step) if part == "site" else report.regained_by_stage(step)
    rows = arrange(list(names))
    value, low, high = (100 * np.array([getattr(each, name) for each in found]) for name in ("value", "low", "high"))
    snn, ann = float(report.snn_correct[report.snapshot(step)].mean()), float(report.ann_correct.mean())
    hover = tuple(
        f"{name}\n{points(each.value)} points [{number(100 * each.low)}, {number(100 * each.high)}]\n"
        f"{each.gained} images gained, {each.lost} lost"
        for name, each in zip(names, found, strict=True)
    )
    whole = 100 * (ann - snn)
    marks: list[Mark] = [
        Rule(0.0),
        Rule(whole, role="ann", dash="dash", width=0.9),
        Segments(low, rows.centre, high, rows.centre, "snn", 1.1, 0.55, label="95 % interval over images"),
        Points(value, rows.centre, "snn", "circle", 1.0 if rows.named else 0.7, label="regained", hover=hover),
    ]
    start, end = float(min(low.min(), 0.0, whole)), float(max(high.max(), 0.0, whole))
    pad = 0.05 * max(end - start, 1e-6)
    best = int(np.argmax(value))
    axis = rows.axis
    frame = report.to_frame()
    told = f"{shorten(names[best], 40)}, {points(found[best].value)} points"
    return Figure(
        name=f"restoration-{part}s-t{step}",
        title=f"What is regained where a {part} emits the ANN's activation?",
        subtitle=f"t = {step} · {report.split}, {report.images:,} images · ANN {percent(ann)}, SNN {percent(snn)}",
        alt=f"Points of accuracy regained at {len(names)} restored {part}s, with intervals; most at {told}.",
        panels=(
            Panel(
                Axis(start - pad, end + pad, "accuracy regained (points)", number_ticks(start, end, 6)),
                Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True),
                tuple(marks),
            ),
        ),
        layout=Layout(millimetres=rows.millimetres + 9, pixels=rows.pixels),
        data=frame[(frame["part"] == part) & (frame["step"] == step)].reset_index(drop=True),
        foot="Dashed: all that the conversion lost. A restored site also mends what earlier sites handed on to it, so "
        "look for the site from which on the curve jumps; values do not add up.",
    )
