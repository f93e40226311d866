"""How much time does the SNN need, if easy images stop early? Accuracy against mean time-steps."""

from dataclasses import replace

import numpy as np

from snnlab.analysis.reports import EarlyExit, wilson_interval
from snnlab.figures.figure import Figure
from snnlab.figures.scene import Band, Layout, Line, Mark, Panel, Points, Segments
from snnlab.figures.steps import percent_axis, step_axis
from snnlab.figures.tables import number, percent, percent_interval, points

ROLE = "third"


def early_exit(report: EarlyExit, *, log_steps: bool = True) -> Figure:
    """Accuracy over the mean number of steps: stopping by margin, and every image given the same time.

    Args:
        report: Margins and answers.
        log_steps: Logarithmic steps, base 2.
    """
    fixed, at = report.correct.mean(axis=1), np.arange(1, report.num_steps + 1)
    low, high = wilson_interval(report.correct.sum(axis=1), report.images)
    curve, found = report.curve, report.found
    steps, accuracy, below, above = (
        np.array([getattr(each, name) for each in curve]) for name in ("steps", "accuracy", "low", "high")
    )
    ann = float(report.ann_correct.mean())
    bounds = np.concatenate([low, below, [ann]]), np.concatenate([high, above, [ann]])
    x = replace(step_axis(report.num_steps, log=log_steps and report.num_steps > 1), title="mean time-steps")
    y = percent_axis(float(bounds[0].min()), float(bounds[1].max()))
    ends = np.array([x.low, x.high])
    told = (f"ANN\n{percent(ann)}",) * 2
    hover = tuple(
        f"limit {number(each.limit, 2)}\nmean T {number(each.steps, 2)} [{number(each.steps_low, 2)}, "
        f"{number(each.steps_high, 2)}]\n{percent_interval(each.accuracy, each.low, each.high)}"
        for each in curve
    )
    same = tuple(
        f"every image at T = {t}\n{percent_interval(float(value), float(a), float(b))}"
        for t, value, a, b in zip(at, fixed, low, high, strict=True)
    )
    marks: list[Mark] = [
        Line(ends, np.full(2, 100 * ann), "ann", 0.9, "dash", label=f"ANN, {percent(ann)}", hover=told),
    ]
    if report.num_steps > 1:
        marks += [Band(at, 100 * low, 100 * high, "snn"), Band(steps, 100 * below, 100 * above, ROLE)]
    marks += [
        Line(at, 100 * fixed, "snn", 1.3, marker="circle", label="every image the same T", hover=same),
        Line(steps, 100 * accuracy, ROLE, 1.3, "dash", label="stop when the margin passes a limit", hover=hover),
    ]
    here, height = np.array([found.steps]), np.array([100 * found.accuracy])
    marks += [
        Segments(np.array([found.steps_low]), height, np.array([found.steps_high]), height, ROLE, 1.1),
        Segments(here, np.array([100 * found.low]), here, np.array([100 * found.high]), ROLE, 1.1),
        Points(here, height, ROLE, "diamond", 1.4, outlined=True, label=f"limit chosen on {report.choosing_split}"),
    ]
    title = "How much time does the SNN need, if easy images stop early?"
    data = f"{report.split.replace('_', ' ')}, {report.images:,} image{'s' * (report.images != 1)}"
    return Figure(
        name="early-exit",
        title=title,
        subtitle=f"T up to {report.num_steps} · {data} · limit chosen on {report.choosing_images:,} of "
        f"{report.choosing_split}",
        alt=f"Two curves of accuracy over mean time-steps. At the chosen limit images take {number(found.steps, 2)} "
        f"steps on average and {percent(found.accuracy)} are right, {points(found.difference)} points to T = "
        f"{report.num_steps}.",
        panels=(Panel(x, y, tuple(marks)),),
        layout=Layout(aspect=0.6, pixels=320),
        data=report.to_frame(),
        foot="Shaded: 95 % intervals over images, Wilson for a fixed T, bootstrap for early exit. "
        + report.warm_up_told,
    )
