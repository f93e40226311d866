"""Does training with noise make the SNN better? A forest plot of the gains of every arm over the control."""

from collections.abc import Sequence

import numpy as np

from snnlab.analysis.reports import BASE, CONTROL, Gain, NoiseGain
from snnlab.figures.arms import arm_accuracy, arm_gain, arm_name, arm_note, arm_role, gain_text, own_gains_told
from snnlab.figures.figure import Figure
from snnlab.figures.scene import Axis, Layout, Mark, Note, Panel, Points, Rule, Segments, number_ticks
from snnlab.figures.tables import number, percent

_ROW_MM, _ROW_PX = 6.4, 44
_HEAD = 0.95  # rows above the first one, for the names of the columns
_EDGE = 0.995  # of a column of numbers; from 1 on the screen keeps room for text that grows to the right
_THIN, _THICK, _DOTS = "thin: 95 % t interval over seeds", "thick: 95 % bootstrap over images", "one seed"


def noise_gain(report: NoiseGain, step: int | None = None) -> Figure:
    """SNN accuracy of every arm minus that of the control, paired by seed, in points; zero is the control.

    Args:
        report: The experiment.
        step: T that is drawn; None for the one in question. Other T stand beside it as numbers, marked exploratory.

    Raises:
        SnnlabError: The experiment was not read at this T.
    """
    step = report.target if step is None else step
    arms = (BASE, *(arm for arm in report.arms if arm != CONTROL))
    gains = {arm: arm_gain(report, arm, step) for arm in arms}
    low, high = _range(list(gains.values()))
    rows = _Rows(len(arms))
    marks: list[Mark] = [Rule(0.0, role="text", dash="solid", width=0.8)]
    for place, arm in enumerate(arms):
        marks += _row(report, arm, gains[arm], float(place), step, first=place == 0)
    control = f"control {number(100 * report.accuracy(CONTROL, step), 1)}\u00a0%"
    side = "left" if -low < high else "right"
    gap = (5.0 if side == "left" else -5.0, 0.0)
    marks.append(Note(0.0, -0.78, control, "text", side, "middle", bold=True, gap=gap))
    x = Axis(low, high, f"SNN accuracy at T = {step} minus control (points)", number_ticks(low, high, 6), grid=True)
    others = tuple(other for other in report.steps if other != step)
    numbers = [_column([gain_text(gains[arm]) for arm in arms], f"T = {step}", rows, 1, strong=True)]
    for place, other in enumerate(others):
        texts = [number(100 * arm_gain(report, arm, other).value, 1, sign=True) for arm in arms]
        numbers.append(_column(texts, f"T = {other}", rows, 2 + place))
    explored = " Numbers at other T are exploratory." if others else ""
    single = len(report.seeds) == 1
    return Figure(
        name="noise-gain",
        title=f"Does training with noise raise SNN accuracy at T = {step}?",
        subtitle=_subtitle(report, step),
        alt=_alt(report, gains, step),
        panels=(Panel(x, rows.named([arm_name(arm) for arm in arms]), tuple(marks)), *numbers),
        layout=Layout(
            columns=(1.0, 0.44, *(0.13,) * len(others)),
            millimetres=_ROW_MM * rows.height + 8,
            pixels=round(_ROW_PX * rows.height),
            column_gap=0.015,
        ),
        data=report.to_frame(),
        foot=(
            "Each dot is the difference on one training seed, the large one their mean. Right of zero is better than "
            "the same fine-tuning without noise."
            + (" With one seed there is no interval over seeds: train at least three." if single else "")
            + ("" if step == report.target else f" The question was asked at T = {report.target}.")
            + explored
            + (f" {own}" if (own := own_gains_told(report, step)) else "")
        ),
    )


class _Rows:
    """Where the rows of a forest plot lie: the first at 0, downwards."""

    def __init__(self, count: int) -> None:
        self.count, self.height = count, count + _HEAD

    def named(self, names: Sequence[str]) -> Axis:
        """The axis with the arms' names."""
        ticks = tuple((float(place), name) for place, name in enumerate(names))
        return Axis(self.count - 0.5, -0.5 - _HEAD, "", ticks, line=False, strong=True)

    @property
    def blank(self) -> Axis:
        """The same without names."""
        return Axis(self.count - 0.5, -0.5 - _HEAD, line=False)


def _row(report: NoiseGain, arm: str, gain: Gain, y: float, step: int, *, first: bool) -> list[Mark]:
    role = arm_role(arm)
    at = np.array([y])
    seeds = 100 * np.array(gain.seeds)
    hover = (
        f"{arm_name(arm)}: {arm_note(arm)}\n{percent(arm_accuracy(report, arm, step))} at T = {step}\n"
        f"{gain_text(gain)} points over the control\nover images {_span(gain.images_low, gain.images_high)}"
    )
    marks: list[Mark] = [
        Segments(np.array([100 * gain.images_low]), at, np.array([100 * gain.images_high]), at, role, 3.4, 0.4,
                 label=_THICK if first else "")
    ]  # fmt: skip
    if gain.low == gain.low:
        ends = np.array([100 * gain.low]), np.array([100 * gain.high])
        marks.append(Segments(ends[0], at, ends[1], at, role, 0.9, label=_THIN if first else ""))
    dots = tuple(
        f"{arm_name(arm)}, seed {seed}: {number(value, 1, sign=True)} points"
        for seed, value in zip(report.seeds, seeds, strict=True)
    )
    marks.append(Points(seeds, np.full(len(seeds), y + 0.27), role, "circle", 0.42, label=_DOTS * first, hover=dots))
    marks.append(Points(np.array([100 * gain.value]), at, role, "circle", 1.25, outlined=arm == BASE, hover=(hover,)))
    return marks


def _column(texts: Sequence[str], head: str, rows: _Rows, column: int, *, strong: bool = False) -> Panel:
    """Numbers beside the rows; those that are not ``strong`` are left out of narrow figures."""
    role = "text" if strong else "mute"
    marks: list[Mark] = [Note(_EDGE, -0.78, head, role, "right", x_panel=True, bold=strong)]
    marks += [Note(_EDGE, float(place), text, role, "right", x_panel=True) for place, text in enumerate(texts)]
    return Panel(Axis(0, 1, line=False), rows.blank, tuple(marks), column=column, wide_only=not strong)


def _range(gains: Sequence[Gain]) -> tuple[float, float]:
    ends = [end for gain in gains for end in (gain.low, gain.high, gain.images_low, gain.images_high, *gain.seeds)]
    finite = [100 * end for end in ends if np.isfinite(end)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    pad = max(0.04 * (high - low), 0.5)
    return low - pad, high + pad


def _subtitle(report: NoiseGain, step: int) -> str:
    seeds = f"{len(report.seeds)} training seed{'s' * (len(report.seeds) != 1)}"
    epochs = f"{report.epochs} epoch{'s' * (report.epochs != 1)}"
    split = report.split.replace("_", " ")
    return f"T = {step} · {split}, {report.images:,} images · {seeds}, {epochs} · final weights, no selection"


def _span(low: float, high: float) -> str:
    return f"[{number(100 * low, 1, sign=True)}, {number(100 * high, 1, sign=True)}]"


def _alt(report: NoiseGain, gains: dict[str, Gain], step: int) -> str:
    told = "; ".join(f"{arm_name(arm)} {gain_text(gain)}" for arm, gain in gains.items())
    control = percent(report.accuracy(CONTROL, step))
    return f"Forest plot. The control reaches {control} at T = {step}. Points over it, with 95 % intervals: {told}."
