"""How much does the training seed matter? Several checkpoints of one recipe as one curve."""

import numpy as np

from snnlab.analysis.reports import SeedGroup
from snnlab.figures.figure import Figure
from snnlab.figures.scene import Band, Layout, Line, Mark, Panel, Segments
from snnlab.figures.steps import percent_axis, step_axis
from snnlab.figures.style import shorten
from snnlab.figures.tables import number, percent, percent_interval

_EACH, _OVER_IMAGES = "each checkpoint", "95 % bootstrap interval over images"


def seed_group(group: SeedGroup, *, log_steps: bool = False) -> Figure:
    """Mean accuracy over training seeds at t = 1..T with its t interval, and beside it the interval over images.

    Args:
        group: Checkpoints that differ in their training seed.
        log_steps: Logarithmic steps, base 2.
    """
    mean, (low, high), (images_low, images_high) = group.mean, group.seed_interval, group.image_interval
    each, step = group.by_seed, np.arange(1, group.num_steps + 1)
    bounds = np.concatenate([each.ravel(), low, high, images_low, images_high])
    x = step_axis(group.num_steps, log=log_steps)
    y = percent_axis(max(0.0, float(np.nanmin(bounds))), min(1.0, float(np.nanmax(bounds))))
    ends = np.array([x.low, x.high])
    anns = (f"ANN, mean of {group.seeds}\n{_told(group, 0)}",) * 2
    label = f"ANN, {percent(float(mean[0]))}"
    marks: list[Mark] = []
    if group.seeds > 1:
        marks.append(Band(ends, np.full(2, 100 * low[0]), np.full(2, 100 * high[0]), "ann", 0.10))
        marks.append(_band(step, 100 * low[1:], 100 * high[1:]))
    marks.append(Line(ends, np.full(2, 100 * mean[0]), "ann", 0.9, "dash", label=label, hover=anns))
    for place, values in enumerate(each):
        own = tuple(
            f"{shorten(group.members[place]['checkpoint'], 48)}\nt = {t}\n{percent(float(value))}"
            for t, value in zip(step, values[1:], strict=True)
        )
        marks.append(Line(step, 100 * values[1:], "snn", 0.5, opacity=0.55, label=_EACH * (not place), hover=own))
    marks += [Line(step, 100 * end[1:], "text", 0.7, "dot", label=_OVER_IMAGES) for end in (images_low, images_high)]
    hover = tuple(f"mean of {group.seeds}\nt = {t}\n{_told(group, int(t))}" for t in step)
    name = shorten(group.name, 48)
    marks.append(Line(step, 100 * mean[1:], "snn", 1.5, marker="circle", label=f"{name}, mean", hover=hover))
    return Figure(
        name="seed-group",
        title="How much does the training seed matter?",
        subtitle=_subtitle(group),
        alt=_alt(group),
        panels=(Panel(x, y, tuple(marks)),),
        layout=Layout(aspect=0.66, pixels=360),
        data=group.to_frame(),
        foot=group.why_no_seed_interval
        or "Shaded: 95 % t intervals of the mean over training seeds. Neither interval contains the other's doubt.",
    )


def _band(step: np.ndarray, low: np.ndarray, high: np.ndarray) -> Mark:
    if len(step) > 1:
        return Band(step, np.clip(low, 0, 100), np.clip(high, 0, 100), "snn")
    return Segments(step, low, step, high, "snn", width=1.2, opacity=0.6)


def _told(group: SeedGroup, step: int) -> str:
    mean, (low, high), (images_low, images_high) = group.mean, group.seed_interval, group.image_interval
    over_images = f"over images [{number(100 * images_low[step])}, {number(100 * images_high[step])}]"
    if group.seeds < 2:
        return f"{percent(float(mean[step]))}\n{over_images}"
    over_seeds = percent_interval(float(mean[step]), float(low[step]), float(high[step]))
    return f"{over_seeds} over seeds\nstd over seeds {number(100 * group.std[step])} points\n{over_images}"


def _subtitle(group: SeedGroup) -> str:
    seeds = f"{group.seeds} training seed{'s' * (group.seeds != 1)}"
    return f"T = 1 to {group.num_steps} · {group.split}, {group.images:,} images · {seeds}"


def _alt(group: SeedGroup) -> str:
    last = group.num_steps
    spread = "" if group.seeds < 2 else f", std over seeds {number(100 * group.std[last])} points"
    return (
        f"Line chart of the mean accuracy of {group.seeds} checkpoints against time-steps: ANN "
        f"{percent(float(group.mean[0]))}, SNN {percent(float(group.mean[last]))} at t = {last}{spread}."
    )
