"""Does the SNN cost less than its ANN? Energy against T, and where the operations are."""

import numpy as np

from snnlab.analysis.reports import ActivityReport, Conventions, EnergyReport
from snnlab.core.energy import EnergyCosts
from snnlab.figures.figure import Figure
from snnlab.figures.rows import arrange
from snnlab.figures.scene import Axis, Band, Bars, Layout, Line, Mark, Panel, Points, Segments, number_ticks
from snnlab.figures.steps import step_axis
from snnlab.figures.style import SERIES, shorten
from snnlab.figures.tables import number

_DASHES, _MARKERS = ("solid", "dash", "dot", "dashdot"), ("circle", "square", "triangle-up", "diamond")
_REACHED = "T*: as much as the ANN"
_MARKED_STEPS = 32  # more markers than this touch each other


def energy_vs_steps(report: EnergyReport, *, log_steps: bool = False) -> Figure:
    """Energy of the SNN over that of its ANN after t = 1..T, one curve for each set of costs, their range shaded.

    Args:
        report: Energies.
        log_steps: Logarithmic steps, base 2.
    """
    step = np.arange(1, report.num_steps + 1)
    x = step_axis(report.num_steps, log=log_steps)
    low, high = report.ratio_range
    top = 1.06 * max(1.0, float(high.max()))
    ends = np.array([x.low, x.high])
    marks: list[Mark] = []
    if report.num_steps > 1 and len(report.costs) > 1:
        marks.append(Band(step, low, high, "snn", 0.12))
    told = ("ANN\n" + "\n".join(f"{costs.title}: {_nanojoules(report.ann(costs.name))}" for costs in report.chosen),)
    marks.append(Line(ends, np.ones(2), "ann", 0.9, "dash", label="ANN", hover=told * 2))
    crossings: list[Mark] = []
    for place, costs in enumerate(report.chosen):
        role, ratio = SERIES[place % len(SERIES)], report.ratio(costs.name)
        marker = _MARKERS[place % 4] if report.num_steps <= _MARKED_STEPS else ""
        label = f"{costs.title}: {costs.prices}"
        hover = _hover(report, costs)
        marks.append(Line(step, ratio, role, 1.2, _DASHES[place % 4], marker, label=label, hover=hover))
        found = report.crossover(costs.name).value
        if np.isfinite(found):
            at = np.array([found])
            crossings.append(Segments(at, np.zeros(1), at, np.ones(1), role, width=0.5))
            said = f"{costs.title}\nT* = {number(found, 2)}"
            crossings.append(
                Points(at, np.ones(1), role, "diamond", 1.25, outlined=True, label=_REACHED, hover=(said,))
            )
    title = "energy of one image, SNN / ANN"
    y = Axis(0.0, top, title, number_ticks(0.0, top), grid=True)
    return Figure(
        name="energy",
        title="Up to which T does the SNN cost less than its ANN?",
        subtitle=f"T = 1 to {report.num_steps} · {_images(report)} · {in_words(report.conventions)}",
        alt=_alt(report),
        panels=(Panel(x, y, (*marks, *crossings)),),
        layout=Layout(aspect=0.66, pixels=360),
        data=report.to_frame(),
        foot="Energies of a multiply-accumulate and an accumulate: "
        + ", ".join(dict.fromkeys(costs.source for costs in report.chosen))
        + "; shaded: their range. "
        + _left_out(report)
        + "".join(f" {costs.title}: {why}." for costs in report.chosen if (why := report.crossover(costs.name).why)),
    )


def layer_activity(report: ActivityReport, step: int, conventions: Conventions | None = None) -> Figure:
    """Operations of every layer up to t beside those of the ANN, and the firing rate of what arrives there.

    Args:
        report: Counts.
        step: t.
        conventions: What counts as an operation; None for the defaults.

    Raises:
        SnnlabError: No such step was counted.
    """
    rule = conventions or Conventions()
    macs, acs = report.layer_operations(step, rule)
    ann_macs, ann_acs = report.ann_operations(rule)
    frame = report.to_frame()
    frame = frame[frame["step"] == step].assign(snn_macs=macs, snn_acs=acs, ann_acs=ann_acs)
    shown = macs + acs + ann_macs + ann_acs > 0
    frame = frame[shown].reset_index(drop=True)
    macs, acs, ann = macs[shown], acs[shown], (ann_macs + ann_acs)[shown]
    rate = frame["firing_rate"].to_numpy(dtype=float)
    rows = arrange([str(name) for name in frame["layer"]])
    hover = tuple(
        f"{name}\n{_count(m)} multiply-accumulates\n{_count(a)} accumulates\nANN {_count(n)} operations\n"
        + (f"{number(r, 3)} spikes per neuron and step arrive" if np.isfinite(r) else f"{kind} input")
        for name, m, a, n, r, kind in zip(rows.names, macs, acs, ann, rate, frame["input"], strict=True)
    )
    thickness = 0.62 if rows.named else 0.85
    half = 0.43 if rows.named else 0.5
    unit, name = _unit(float(max((macs + acs).max(initial=0.0), ann.max(initial=0.0))))
    operations: list[Mark] = [
        Bars(
            rows.centre, np.zeros_like(acs), acs / unit, thickness, "snn", True, label="SNN, accumulates", hover=hover
        ),
    ]
    if macs.any():
        operations.append(
            Bars(
                rows.centre, acs / unit, (acs + macs) / unit, thickness, "fourth", True,
                label="SNN, multiply-accumulates", hover=hover,
            )
        )  # fmt: skip
    operations.append(
        Segments(ann / unit, rows.centre - half, ann / unit, rows.centre + half, "ann", width=1.3, label="ANN")
    )
    known = np.isfinite(rate)
    rates: list[Mark] = [
        Bars(
            rows.centre[known], np.zeros(int(known.sum())), rate[known], thickness, "snn", True,
            hover=tuple(text for text, is_known in zip(hover, known, strict=True) if is_known),
        )
    ]  # fmt: skip
    axis = rows.axis
    striped = Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)
    largest = float(max(((macs + acs) / unit).max(initial=0.0), (ann / unit).max(initial=0.0)))
    most = int(np.argmax(macs + acs))
    return Figure(
        name=f"activity-t{step}",
        title="Which layers do the work?",
        subtitle=f"t = {step} · {_images(report)} · {in_words(rule)}",
        alt=f"Bars over {len(rows.names)} layers. Most operations of the SNN, {_count(float((macs + acs)[most]))} an "
        f"image, are at {shorten(rows.names[most], 40)}.",
        panels=(
            Panel(_from_zero(largest, f"operations of one image{name}"), striped, tuple(operations)),
            Panel(
                _from_zero(float(rate[known].max(initial=0.0)), "firing rate of its input"),
                rows.blank_axis,
                tuple(rates),
                column=1,
            ),
        ),
        layout=Layout(columns=(1.4, 1.0), millimetres=rows.millimetres + 9, pixels=rows.pixels, column_gap=0.05),
        data=frame,
        foot="Firing rate: spikes per neuron and step of the sites whose spikes arrive. Operations are exact: a spike "
        "at a border reaches fewer outputs.",
    )


def in_words(conventions: Conventions) -> str:
    """The conventions, short."""
    first = "first layer at every step" if conventions.first_layer == "each_step" else "first layer once"
    parts = [first, f"pools {conventions.pooled}"]
    if conventions.biases:
        parts.append("with biases")
    if not conventions.residual_adds:
        parts.append("without residual adds")
    return ", ".join(parts)


def _hover(report: EnergyReport, costs: EnergyCosts) -> tuple[str, ...]:
    ann, mean, (low, high) = report.ann(costs.name), report.snn(costs.name), report.interval(costs.name)
    return tuple(
        f"{costs.title}\nt = {t + 1}\n{number(mean[t] / ann, 3)} of the ANN [{number(low[t] / ann, 3)}, "
        f"{number(high[t] / ann, 3)}]\n{_nanojoules(mean[t])} an image; ANN {_nanojoules(ann)}"
        for t in range(report.num_steps)
    )


def _left_out(report: EnergyReport) -> str:
    """What the energies leave out; a chip's hold more than the ANN's."""
    if not any(costs.across for costs in report.chosen):
        return "Memory access and neuron updates are left out on both sides."
    return (
        "A chip's synaptic operation includes its memory access, the ANN's arithmetic at 45 nm does not: curves of "
        "chips compare two technologies."
    )


def _alt(report: EnergyReport) -> str:
    parts = []
    for costs in report.chosen:
        found = report.crossover(costs.name)
        last = number(float(report.ratio(costs.name)[-1]), 2)
        where = f"crosses the ANN at T = {number(found.value, 2)}" if not found.why else found.why
        parts.append(f"{costs.title}: {last} of the ANN's energy at t = {report.num_steps}; {where}.")
    return "Line chart of energy over time-steps, relative to the ANN. " + " ".join(parts)


def _images(report: ActivityReport | EnergyReport) -> str:
    return f"{report.split}, {report.images:,} image{'s' * (report.images != 1)}"


def _nanojoules(picojoules: float) -> str:
    return f"{picojoules / 1000:,.4g} nJ"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _unit(largest: float) -> tuple[float, str]:
    for unit, name in ((1e9, " (billions)"), (1e6, " (millions)"), (1e3, " (thousands)")):
        if largest >= unit:
            return unit, name
    return 1.0, ""


def _from_zero(largest: float, title: str) -> Axis:
    end = 1.06 * largest if largest > 0 else 1.0
    return Axis(0, end, title, number_ticks(0, end, 4))
