"""Which site matters? What noise at one site alone costs the ANN, one row a site."""

import numpy as np

from snnlab.analysis.reports import SensitivityReport
from snnlab.figures.figure import Figure
from snnlab.figures.rows import arrange
from snnlab.figures.scene import Axis, Layout, Mark, Panel, Points, Rule, Segments, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number


def sensitivity(report: SensitivityReport) -> Figure:
    """Points of ANN accuracy that the noise of each site costs alone, with its interval, input first.

    Args:
        report: Noise at one site at a time.
    """
    rows, losses = arrange(list(report.names)), report.losses
    value, low, high = (100 * np.array([getattr(loss, end) for loss in losses]) for end in ("value", "low", "high"))
    relative = report.std / report.thresholds
    hover = tuple(
        f"{loss.name}\n{number(v, 2, sign=True)} points lost [{number(a, 2, sign=True)}, {number(b, 2, sign=True)}]\n"
        f"rank {loss.rank} of {len(losses)} ({loss.rank_low} to {loss.rank_high})\nstd / threshold {number(s, 3)}"
        for loss, v, a, b, s in zip(losses, value, low, high, relative, strict=True)
    )
    silent = report.std == 0
    size = 1.0 if rows.named else 0.75
    marks: list[Mark] = [
        Rule(0.0, role="text", dash="solid", width=0.6),
        Segments(low, rows.centre, high, rows.centre, "noisy_ann", 1.2, label="95 % interval over images"),
        *(
            Points(
                value[which], rows.centre[which], role, "circle", size, outlined=hollow, label=label,
                hover=tuple(text for text, shown in zip(hover, which, strict=True) if shown),
            )
            for which, role, hollow, label in (
                (~silent, "noisy_ann", False, "noise at this site alone"), (silent, "mute", True, "std 0: no noise")
            )
            if which.any()
        ),
    ]  # fmt: skip
    left, right = min(0.0, float(low.min())), max(0.0, float(high.max()))
    pad = max(0.04 * (right - left), 0.05)
    axis = rows.axis
    sites = Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)
    ends = left - pad, right + pad
    together, total = 100 * report.whole[0], float(value.sum())
    worst = min(losses, key=lambda loss: loss.rank)
    return Figure(
        name=f"sensitivity-t{report.num_steps}",
        title="At which site does noise cost most?",
        subtitle=f"profile of T = {report.num_steps}, one site at a time · {report.split}, {report.images:,} images · "
        f"{report.noise_seeds} noise seeds",
        alt=f"Dots with intervals over {len(losses)} sites. Noise at one site alone costs most at "
        f"{shorten(worst.name, 40)}: {number(100 * worst.value, 2)} points of ANN accuracy.",
        panels=(Panel(Axis(*ends, "ANN accuracy lost (points)", number_ticks(*ends, 5)), sites, tuple(marks)),),
        layout=Layout(millimetres=rows.millimetres + 9, pixels=rows.pixels),
        data=report.to_frame(),
        foot=f"Noise at all sites together costs {number(together, 2)} points; the losses of single sites add up to "
        f"{number(total, 2)}.",
    )
