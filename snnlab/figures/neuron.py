"""One neuron over time: what came in, its potential and spikes, and what the same charge does if it comes evenly."""

import numpy as np
import pandas as pd

from snnlab.analysis.reports import NeuronTraces, ResidualReport, replay
from snnlab.analysis.reports.neuron_traces import Replay
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import CLASSES, EXACT, EXCESS, MISSING, SATURATED, SILENT
from snnlab.figures.figure import Figure
from snnlab.figures.scene import Axis, Bars, Layout, Line, Mark, Note, Panel, Points, Rule, Segments
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

_TITLES = {
    EXCESS: "Why did this neuron fire too often?",
    MISSING: "Why did this neuron fire too rarely?",
    EXACT: "Why did this neuron fire just as often as its charge allows?",
    SILENT: "Why did this neuron not fire?",
    SATURATED: "Why did this neuron fire at every step?",
}
_TAKEN_BACK = "Why did this neuron take back all that it fired?"
# Adding T equal parts gives the sum only up to rounding, float32 as the potential, and a spike must not hang on that.
_EVEN_SLACK = 1e-5
_MOST_NUMBERS = 32  # steps up to which a number of spikes has room in the figure


def neuron_trace(
    traces: NeuronTraces,
    index: int = 0,
    *,
    step: int | None = None,
    report: ResidualReport | None = None,
) -> Figure:
    """Input, potential, spikes and class of one neuron, with the ghost of constant input of the same sum.

    Args:
        traces: Recorded neurons.
        index: Which of them.
        step: Time-step t that is judged, all steps by default; later ones are faded.
        report: Residuals of the same run, for the site's name and shape.

    Raises:
        SnnlabError: No such trace or step.
    """
    count, num_steps = traces.currents.shape
    step = num_steps if step is None else step
    if not 0 <= index < count:
        raise SnnlabError(f"There is no neuron trace {index}; the report holds {count}, numbered from 0.")
    if not 1 <= step <= num_steps:
        raise SnnlabError(f"The neuron was recorded for t = 1 to {num_steps}; t = {step} lies outside.")
    shown = next((2**i for i in range(3, 13) if 2**i >= step and 2**i <= num_steps), num_steps)
    current = traces.currents[index, :shown].astype(float)
    initial = float(traces.initial[index])
    negative, most = float(traces.negative[index]), int(traces.most[index])
    run = Replay(*(part[:shown] for part in traces.replay(index)))
    ghost = replay(np.full(step, current[:step].mean()), initial, most=most, slack=_EVEN_SLACK)
    fired = run.spikes.cumsum()
    # By charge balance; from a sum of the input rounding could make a neuron wrong that is right at a level's edge.
    paid = np.clip(fired + np.floor(run.after), 0, most * np.arange(1, shown + 1))
    classes = [_class(int(n), int(p), most * t) for t, (n, p) in enumerate(zip(fired, paid, strict=True), start=1)]
    now = classes[step - 1]

    n, n_star = int(fired[step - 1]), int(paid[step - 1])
    axis, bare = _step_axis(shown, labelled=True), _step_axis(shown, labelled=False)
    panels = (
        Panel(bare, _input_axis(current), _input_marks(current, step), wash=True),
        Panel(
            bare,
            _potential_axis(run, initial, negative, most),
            _potential_marks(run, ghost, initial, step, now, _levels(negative, most)),
            row=1,
            wash=True,
        ),
        Panel(
            axis,
            Axis(3.6, 0.4, "", ((1.0, "spikes"), (2.0, "if even"), (3.0, "class")), line=False),
            _raster_marks(run, ghost, classes, step, n, n_star),
            row=2,
            wash=True,
        ),
    )
    sentence = _sentence(current, run, now, step, n_star, most)
    where = _where(traces, index, report)
    return Figure(
        name=f"neuron-{index}-t{step}",
        title=_TAKEN_BACK if now == SILENT and (run.spikes[:step] < 0).any() else _TITLES[now],
        subtitle=f"{where} · t = {step}",
        alt=f"One neuron over {shown} time-steps: {sentence}",
        panels=panels,
        layout=Layout(rows=(1.0, 2.4, 1.25), aspect=0.82, pixels=330, row_gap=0.02),
        data=_frame(current, run, ghost, paid, classes, step),
        foot=f"{sentence} Dashed: the same charge, coming in evenly.",
    )


def _class(fired: int, paid: int, possible: int) -> int:
    if fired != paid:
        return EXCESS if fired > paid else MISSING
    return SILENT if fired == 0 else SATURATED if fired == possible else EXACT


def _step_axis(shown: int, *, labelled: bool) -> Axis:
    every = next(size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if shown / size <= 16)
    ticks = tuple(
        (float(step), str(step)) for step in range(1, shown + 1) if step % every == 0 or (step == 1 and every != 2)
    )
    return Axis(0.5, shown + 0.5, "time-step t" if labelled else "", ticks if labelled else (), line=False)


def _input_axis(current: np.ndarray) -> Axis:
    reach = 1.1 * max(0.6, float(np.abs(current).max()))
    return Axis(-reach, reach, "", ((0.0, "input"),), line=False)


def _input_marks(current: np.ndarray, step: int) -> tuple[Mark, ...]:
    at = np.arange(1, len(current) + 1, dtype=float)
    marks: list[Mark] = [Rule(0.0, vertical=False, role="axis", dash="solid", width=0.4)]
    for part, opacity in ((slice(None, step), 1.0), (slice(step, None), 0.3)):
        hover = tuple(f"t = {t:g}\ninput {number(c, 3)}" for t, c in zip(at[part], current[part], strict=True))
        if len(hover):
            marks.append(
                Bars(at[part], np.zeros(len(hover)), current[part], 0.56, "input", opacity=opacity, hover=hover)
            )
    return (*marks, _aside(0.0, f"Σ {number(float(current[:step].sum()))}"))


def _levels(negative: float, most: int) -> tuple[float, ...]:
    """Potentials that decide: 0, where the first and the last spike of a step goes out, where one is taken back."""
    return tuple(sorted({0.0, 1.0, float(most)} | ({negative} if np.isfinite(negative) else set())))


def _potential_axis(run: Replay, initial: float, negative: float, most: int) -> Axis:
    levels = _levels(negative, most)
    low = min(-0.35, float(run.after.min()), initial, levels[0])
    high = max(levels[-1] + 0.35, float(run.before.max()), initial)
    pad = 0.06 * (high - low)
    # A threshold just below 0 would write its number over that of 0.
    ticks = tuple(
        (level, number(level, 2 if level % 1 else 0))
        for level in levels
        if level in (0.0, 1.0) or min(abs(level), abs(level - 1)) > 0.08 * (high - low)
    )
    return Axis(low - pad, high + pad, "v / threshold", ticks, line=False)


def _path(run: Replay, initial: float, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the potential over steps (start, stop]: it holds, jumps with the input, and drops with the spike."""
    x, y = [float(start) if start else 0.5], [run.after[start - 1] if start else initial]
    for t in range(start, stop):
        x += [t + 1.0] * 3
        y += [y[-1], run.before[t], run.after[t]]
    return np.array(x), np.array(y)


def _potential_marks(
    run: Replay, ghost: Replay, initial: float, step: int, now: int, levels: tuple[float, ...]
) -> tuple[Mark, ...]:
    shown = len(run.after)
    marks: list[Mark] = [Rule(level, vertical=False) for level in levels]
    marks.append(Line(*_path(ghost, initial, 0, step), "mute", width=0.6, dash="dash"))
    if step < shown:
        marks.append(Line(*_path(run, initial, step, shown), "text", width=0.8, opacity=0.3))
    marks.append(Line(*_path(run, initial, 0, step), "text", width=0.9))
    end, v = np.array([float(step)]), np.array([run.after[step - 1]])
    marks.append(
        Points(
            end,
            v,
            CLASSES[now],
            "circle",
            1.2,
            edge="text",
            hover=(f"t = {step}\nv / threshold = {number(float(v[0]), 3)}",),
        )
    )
    return (*marks, _aside(float(v[0]), f"v {number(float(v[0]))}"))


def _raster_marks(run: Replay, ghost: Replay, classes: list[int], step: int, fired: int, paid: int) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    at = np.arange(1.0, len(run.spikes) + 1)
    marks += _spike_marks(at[:step], run.spikes[:step], 1.0, "text", 1.0)
    marks += _spike_marks(at[step:], run.spikes[step:], 1.0, "text", 0.3)
    marks += _spike_marks(at[:step], ghost.spikes, 2.0, "mute", 1.0)
    steps = np.arange(1, len(classes) + 1)
    for index in sorted(set(classes)):
        member = np.array([c == index for c in classes])
        for chosen, opacity in ((member & (steps <= step), 1.0), (member & (steps > step), 0.35)):
            if chosen.any():
                low, high = np.full(chosen.sum(), 3.3), np.full(chosen.sum(), 2.7)
                hover = tuple(f"t = {t}\n{CLASSES[index]}" for t in steps[chosen])
                thickness = 0.92 if len(classes) <= 64 else 1.0
                marks.append(
                    Bars(
                        steps[chosen].astype(float),
                        low,
                        high,
                        thickness,
                        CLASSES[index],
                        opacity=opacity,
                        label=CLASSES[index],
                        hover=hover,
                    )
                )
    error = fired - paid
    sign = f"+{error}" if error > 0 else number(error, 0)
    return (*marks, _aside(1.0, f"N = {fired}"), _aside(2.0, f"N* = {paid}"), _aside(3.0, f"k = {sign}"))


def _spike_marks(times: np.ndarray, spikes: np.ndarray, row: float, role: str, opacity: float) -> list[Mark]:
    """A stroke for a spike; several in one step as their number, and one that is taken back as a minus sign."""
    marks: list[Mark] = []
    few = len(times) <= _MOST_NUMBERS
    single = spikes == 1 if few else spikes > 0
    if single.any():
        level = np.full(single.sum(), row)
        marks.append(
            Segments(times[single], level - 0.36, times[single], level + 0.36, role, width=1.0, opacity=opacity)
        )
    taken = spikes < 0
    if taken.any():
        level = np.full(taken.sum(), row)
        marks.append(Segments(times[taken] - 0.3, level, times[taken] + 0.3, level, role, width=1.0, opacity=opacity))
    if few:
        marks += [
            Note(float(t), row, f"{k:.0f}", role if opacity == 1 else "mute", "center", "middle")
            for t, k in zip(times[spikes > 1], spikes[spikes > 1], strict=True)
        ]
    return marks


def _aside(y: float, text: str) -> Note:
    return Note(1.0, y, text, "text", "left", "middle", x_panel=True, gap=(5.0, 0.0))


def _where(traces: NeuronTraces, index: int, report: ResidualReport | None) -> str:
    site, position = int(traces.site[index]), int(traces.position[index])
    name, at = f"site {site}", f"neuron {position}"
    if report is not None and site < len(report.names):
        name = shorten(report.names[site], 32)
        shape = report.shapes[site]
        if position < int(np.prod(shape)):
            places = [int(p) for p in np.unravel_index(position, shape)]
            words = ("channel", "row", "column") if len(shape) == 3 else ("neuron",) if len(shape) == 1 else ()
            at = ", ".join(f"{word} {place}" for word, place in zip(words, places, strict=True)) if words else at
    return f"{name} · {at}, image {int(traces.image[index])}"


def _sentence(current: np.ndarray, run: Replay, now: int, step: int, paid: int, most: int) -> str:
    spikes = run.spikes[:step]
    sent, taken = int(spikes[spikes > 0].sum()), int(-spikes[spikes < 0].sum())
    times = {0: "never", 1: "once", 2: "twice"}.get(sent, f"{sent} times")
    if taken:
        times += f" and took {taken} back"
    each = "one spike" if most == 1 else f"{most} spikes"
    pays = {0: "no spike", 1: "one spike"}.get(paid, f"{paid} spikes")
    v = number(float(run.after[step - 1]))
    if now == EXCESS:
        last = int(np.flatnonzero(spikes > 0)[-1])
        after = number(float(current[last + 1 : step].sum()))
        return (
            f"Fired {times}, its charge pays for {pays}: it fired on early input, and {after} came in after its last "
            f"spike, so v = {v}."
        )
    if now == MISSING:
        return f"Fired {times}, its charge pays for {pays}: charge came in faster than {each} a step, so v = {v}."
    if now == SILENT and taken:
        return f"Fired {times}: its charge pays for no spike, and v = {v} is left."
    if now == SILENT:
        kind = "no error, however low it lies" if run.after[step - 1] < 0 else "less than one spike"
        return f"Its charge pays for no spike and none came: v = {v} is {kind}."
    if now == SATURATED:
        left = "the unspent fraction of one spike" if run.after[step - 1] < 1 else "clipping, not timing"
        often = "" if most == 1 else f" {most} times"
        return f"Fired{often} at every step and could not do more: v = {v} is {left}."
    return f"Fired {times}, just what its charge pays for: v = {v} is the unspent fraction of one spike."


def _frame(
    current: np.ndarray, run: Replay, ghost: Replay, paid: np.ndarray, classes: list[int], step: int
) -> pd.DataFrame:
    pad = np.full(len(current) - step, np.nan)
    return pd.DataFrame(
        {
            "step": np.arange(1, len(current) + 1),
            "input": current,
            "before_reset": run.before,
            "potential": run.after,
            "spike": run.spikes.astype(int),
            "spikes_fired": run.spikes.cumsum().astype(int),
            "spikes_paid": paid.astype(int),
            "class": [CLASSES[index] for index in classes],
            "even_potential": np.concatenate([ghost.after, pad]),
            "even_spike": np.concatenate([ghost.spikes, pad]),
        }
    )
