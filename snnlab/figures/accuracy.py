"""How many time-steps does the SNN need? Accuracy of the ANN and of its conversions against t."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from snnlab.analysis.reports import AccuracyCurve, NoiseReport
from snnlab.core.errors import SnnlabError
from snnlab.core.literature import PublishedNumber
from snnlab.figures import published
from snnlab.figures.figure import Figure
from snnlab.figures.scene import Axis, Band, Layout, Line, Mark, Note, Panel, Points, Segments
from snnlab.figures.steps import percent_axis, step_axis
from snnlab.figures.style import SERIES, shorten
from snnlab.figures.tables import percent, percent_interval, points

_DASHES = ("solid", "dash", "dot", "dashdot")
_MARKERS = ("circle", "square", "triangle-up", "diamond")
MOST_CURVES = math.lcm(len(SERIES), len(_DASHES))
"""So many curves differ in colour, dash or marker."""
_MARKED_STEPS = 32  # more markers than this touch each other


def accuracy_vs_steps(
    curves: AccuracyCurve | Sequence[AccuracyCurve],
    *,
    log_steps: bool = False,
    within: float = 1.0,
    noisy: NoiseReport | None = None,
    literature: Sequence[PublishedNumber] = (),
) -> Figure:
    """Accuracy after t = 1..T, one curve a conversion with its 95 % band, the ANN as a horizontal line.

    Args:
        curves: The conversion, then those it is compared with; the second is drawn green.
        log_steps: Logarithmic steps, base 2.
        noisy: Noise of the first conversion: the ANN with noise of the gap's std at each T, orange.
        literature: Published numbers, as ``snnlab.literature`` gives them: open grey markers, up to the largest T.
        within: A diamond marks the step from which on the SNN stays within so many points of its ANN.

    Raises:
        SnnlabError: No curve, more than there are colours, or published networks than there are markers.
    """
    curves = [curves] if isinstance(curves, AccuracyCurve) else list(curves)
    if not 1 <= len(curves) <= MOST_CURVES:
        raise SnnlabError(
            f"Accuracy curves can be drawn for 1 to {MOST_CURVES} conversions, not for {len(curves)}; choose fewer."
        )
    names = _distinct([curve.name for curve in curves])
    num_steps = max(curve.num_steps for curve in curves)
    others = published.by_series(literature, num_steps)
    x = step_axis(num_steps, log=log_steps)
    y = percent_axis(*_extremes(curves, noisy, [row for rows in others.values() for row in rows]))
    left, right, bottom = x.low, x.high, y.low

    marks: list[Mark] = []
    ends = np.array([left, right])
    for curve, label in _anns(curves, names):
        low, high = (np.full(2, 100 * bound) for bound in curve.ann_interval)
        marks.append(Band(ends, low, high, "ann", 0.10))
        value = percent_interval(curve.ann_accuracy, *curve.ann_interval)
        text = f"{label}, {percent(curve.ann_accuracy)}"
        level = np.full(2, 100 * curve.ann_accuracy)
        marks.append(Line(ends, level, "ann", dash="dash", width=0.9, label=text, hover=(f"{label}\n{value}",) * 2))
    if noisy is not None:
        marks += _noisy_ann(noisy)
    marks += published.marks(others)
    reached: list[Mark] = []
    firsts = [curve.first_step_within(within) for curve in curves]
    labels, meaning = _StepLabels(curves, x, y), f"from here on within {_points(within)} of the ANN"
    for i, (curve, name, first) in enumerate(zip(curves, names, firsts, strict=True)):
        role, step = SERIES[i % len(SERIES)], np.arange(1, curve.num_steps + 1)
        marks.append(_uncertainty(step, curve, role))
        marker = _MARKERS[i % len(_MARKERS)] if curve.num_steps <= _MARKED_STEPS else ""
        dash, hover = _DASHES[i % len(_DASHES)], _hover(curve, name)
        marks.append(Line(step, 100 * curve.snn_accuracy, role, 1.3, dash, marker, label=name, hover=hover))
        if first is not None:
            at, height = np.array([float(first)]), 100 * curve.snn_accuracy[[first - 1]]
            reached.append(Segments(at, np.array([bottom]), at, height, role, width=0.5))
            reached.append(Points(at, height, role, "diamond", 1.25, outlined=True, label=meaning))
            reached.append(labels.place(first, role))
    missed = [name for name, first in zip(names, firsts, strict=True) if first is None]
    never = f" Not within {_points(within)} up to T: {', '.join(missed)}." if missed else ""
    return Figure(
        name="accuracy",
        title="How many time-steps does the SNN need?"
        if len(curves) == 1
        else "Which conversion needs fewer time-steps?",
        subtitle=_subtitle(curves),
        alt=_alt(curves, names, firsts, within)
        + (_noisy_text(noisy) if noisy is not None else "")
        + published.in_words(others),
        panels=(Panel(x, y, (*marks, *reached)),),
        layout=Layout(aspect=0.66, pixels=360),
        data=_frame(curves, names, noisy, others),
        foot=f"Shaded: 95 % Wilson intervals over images.{never}{published.foot(literature, num_steps)}",
    )


def _distinct(names: list[str]) -> list[str]:
    taken: dict[str, int] = {}
    for name in names:
        taken[name] = taken.get(name, 0) + 1
    count: dict[str, int] = {}
    result = []
    for name in names:
        count[name] = count.get(name, 0) + 1
        short = shorten(name, 48)
        result.append(f"{short} ({count[name]})" if taken[name] > 1 else short)
    return result


def _extremes(
    curves: list[AccuracyCurve], noisy: NoiseReport | None, others: Sequence[PublishedNumber]
) -> tuple[float, float]:
    lowest = min(min(float(curve.snn_interval[0].min()), curve.ann_interval[0]) for curve in curves)
    if noisy is not None:
        lowest = min(lowest, *(noisy.noisy(target).low for target in noisy.targets))
    lowest = min([lowest, *(row.snn_accuracy for row in others)])
    highest = max(max(float(curve.snn_interval[1].max()), curve.ann_interval[1]) for curve in curves)
    highest = max([highest, *(row.snn_accuracy for row in others)])
    return lowest, highest


def _anns(curves: list[AccuracyCurve], names: list[str]) -> list[tuple[AccuracyCurve, str]]:
    """One curve for every different ANN result, and how that ANN is called."""
    owners: dict[tuple[float, int, str], int] = {}
    for i, curve in enumerate(curves):
        owners.setdefault((curve.ann_accuracy, curve.images, curve.split), i)
    return [(curves[i], f"ANN of {names[i]}" if len(owners) > 1 else "ANN") for i in owners.values()]


def _points(within: float) -> str:
    return f"{within:g} point{'s' * (within != 1)}"


def _noisy_ann(noisy: NoiseReport) -> list[Mark]:
    """The ANN under noise of the std that was measured at each T: a prediction, not a network that runs."""
    steps = np.array(noisy.targets, float)
    found = [noisy.noisy(target) for target in noisy.targets]
    value, low, high = (100 * np.array([getattr(each, name) for each in found]) for name in ("value", "low", "high"))
    hover = tuple(
        f"noisy ANN, noise of T = {target}\n{percent_interval(each.value, each.low, each.high)}\n"
        f"{noisy.noise_seeds} noise seeds"
        for target, each in zip(noisy.targets, found, strict=True)
    )
    line = Line(steps, value, "noisy_ann", 1.3, "dash", "triangle-up", label="noisy ANN", hover=hover)
    if len(steps) > 1:
        return [Band(steps, low, high, "noisy_ann"), line]
    return [Segments(steps, low, steps, high, "noisy_ann", width=1.2, opacity=0.6), line]


def _noisy_text(noisy: NoiseReport) -> str:
    values = ", ".join(f"{percent(noisy.noisy(target).value)} for T = {target}" for target in noisy.targets)
    return f" ANN under noise of the gap's std: {values}."


def _uncertainty(step: np.ndarray, curve: AccuracyCurve, role: str) -> Mark:
    low, high = (100 * bound for bound in curve.snn_interval)
    if len(step) > 1:
        return Band(step, low, high, role)
    return Segments(step, low, step, high, role, width=1.2, opacity=0.6)


def _hover(curve: AccuracyCurve, name: str) -> tuple[str, ...]:
    low, high = curve.snn_interval
    return tuple(
        f"{name}\nt = {t + 1}\n{percent_interval(accuracy, low[t], high[t])}\n"
        f"{points(accuracy - curve.ann_accuracy)} points to the ANN"
        for t, accuracy in enumerate(curve.snn_accuracy)
    )


class _StepLabels:
    """Places ``T = step`` beside its drop line, on the lowest row where neither a curve nor another label lies."""

    _WIDTH, _HEIGHT = 0.14, 0.09  # of the panel, at 85 mm

    def __init__(self, curves: list[AccuracyCurve], x: Axis, y: Axis) -> None:
        self.x, self.y = x, y
        self.taken: list[tuple[float, float]] = []
        samples = [np.linspace(1, curve.num_steps, 400) for curve in curves]
        bounds = [
            [100 * np.interp(at, np.arange(1, curve.num_steps + 1), bound) for bound in curve.snn_interval]
            for at, curve in zip(samples, curves, strict=True)
        ]
        self.across = self._share(np.concatenate(samples))
        self.low, self.high = ((np.concatenate(part) - y.low) / (y.high - y.low) for part in zip(*bounds, strict=True))

    def _share(self, step: np.ndarray) -> np.ndarray:
        scale = np.log if self.x.log else np.asarray
        return np.asarray((scale(step) - scale(self.x.low)) / (scale(self.x.high) - scale(self.x.low)))

    def _free(self, start: float, row: float) -> bool:
        beside = (self.across >= start) & (self.across <= start + self._WIDTH)
        crossed = beside & (self.low < row + self._HEIGHT) & (self.high > row)
        touching = [abs(x - start) < self._WIDTH and abs(y - row) < 0.9 * self._HEIGHT for x, y in self.taken]
        return not crossed.any() and not any(touching)

    def place(self, step: int, role: str) -> Note:
        """The label of one step."""
        at = float(self._share(np.array(float(step))))
        sides = [("left", at), ("right", at - self._WIDTH)]
        sides = [(side, start) for side, start in sides if start >= 0 and start + self._WIDTH <= 1.02] or sides[:1]
        choices = [(side, start, row) for row in np.arange(0.02, 0.7, self._HEIGHT) for side, start in sides]
        side, start, row = next((c for c in choices if self._free(c[1], c[2])), choices[0])
        self.taken.append((start, row))
        y = float(self.y.low + row * (self.y.high - self.y.low))
        gap = (4.0 if side == "left" else -4.0, 0.0)
        return Note(float(step), y, f"T = {step}", role, side, "bottom", bold=True, gap=gap)


def _subtitle(curves: list[AccuracyCurve]) -> str:
    data = dict.fromkeys(f"{curve.split}, {curve.images:,} image{'s' * (curve.images != 1)}" for curve in curves)
    longest = max(curve.num_steps for curve in curves)
    steps = "T = 1" if longest == 1 else f"T = 1 to {longest}"
    return f"{steps} · {'; '.join(data)}"


def _alt(curves: list[AccuracyCurve], names: list[str], firsts: list[int | None], within: float) -> str:
    parts = []
    for curve, name, first in zip(curves, names, firsts, strict=True):
        last = percent(curve.snn_accuracy[-1])
        when = f"stays within {_points(within)} from t = {first}" if first else f"never stays within {_points(within)}"
        parts.append(f"{name}: ANN {percent(curve.ann_accuracy)}, SNN {last} at t = {curve.num_steps}, {when}.")
    return "Line chart of accuracy against time-steps. " + " ".join(parts)


def _frame(
    curves: list[AccuracyCurve], names: list[str], noisy: NoiseReport | None, others: published.Series
) -> pd.DataFrame:
    frames = []
    for curve, name in zip(curves, names, strict=True):
        frame = curve.to_frame()
        snn = frame["role"] == "snn"
        frames.append(frame.assign(conversion=curve.name, name=np.where(snn, name, f"ANN of {name}")))
    if noisy is not None:
        frame = noisy.accuracy_frame()
        frame = frame[(frame["role"] == "noisy_ann") & np.isclose(frame["scale"].astype(float), 1.0)]
        frames.append(frame.drop(columns="scale").assign(conversion=curves[0].name))
    if others:
        frames.append(published.frame(others))
    return pd.concat(frames, ignore_index=True)
