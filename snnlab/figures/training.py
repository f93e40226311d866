"""How does training go? Loss and accuracies by epoch, one line an arm."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from snnlab.analysis.reports import CURVES, NoiseGain
from snnlab.figures.arms import arm_name, arm_role
from snnlab.figures.figure import Figure
from snnlab.figures.scene import Axis, Layout, Line, Mark, Panel, nice_ticks, number_ticks
from snnlab.figures.tables import number

_DASHED = ("control_L",)
_TITLES = ("training loss", "ANN (%)", "noisy ANN (%)", "SNN at T = {target} (%)")


def training_curves(curves: NoiseGain | Mapping[str, np.ndarray], *, target: int = 0, epochs: int = 0) -> Figure:
    """Training loss, and accuracy of ANN, noisy ANN and SNN on watched ``validation`` images, after every epoch.

    Args:
        curves: A finished experiment; or of one that runs: arm -> (seeds, epochs, 4) in the order of ``CURVES``, NaN
            for what was not reached. Lines are means over the seeds that got so far.
        target: T of the SNN; of a finished experiment its own.
        epochs: Epochs planned; likewise.
    """
    if isinstance(curves, NoiseGain):
        target, epochs = curves.target, curves.epochs
        curves = dict(zip(curves.arms, curves.curves, strict=True))
    means = {arm: _mean(values) for arm, values in curves.items() if np.isfinite(values).any()}
    titles = [title.format(target=target) for title in _TITLES]
    panels = tuple(_panel(means, part, titles[part], epochs) for part in range(len(CURVES)))
    last = "; ".join(
        f"{arm_name(arm)} {_percent(values[np.isfinite(values[:, 3])][-1, 3])}"
        for arm, values in means.items()
        if np.isfinite(values[:, 3]).any()
    )
    return Figure(
        name="training",
        title="How does training go?",
        subtitle=f"T = {target} · validation images, watched only: nothing is chosen by them",
        alt=f"Four line charts against the epoch, one line an arm: loss, ANN, noisy ANN and SNN. SNN last: {last}.",
        panels=panels,
        layout=Layout(columns=(1.0, 1.0), rows=(1.0, 1.0), aspect=0.95, pixels=460, column_gap=0.1, row_gap=0.09),
        data=_frame(means),
    )


def _mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _panel(means: Mapping[str, np.ndarray], part: int, title: str, epochs: int) -> Panel:
    scale = 1.0 if part == 0 else 100.0
    marks: list[Mark] = []
    every: list[float] = []
    for arm, values in means.items():
        known = np.flatnonzero(np.isfinite(values[:, part]))
        if not len(known):
            continue
        y = scale * values[known, part]
        every += y.tolist()
        unit = "" if part == 0 else "\u00a0%"
        hover = tuple(
            f"{arm_name(arm)}\nepoch {epoch + 1}\n{number(value, 3 if part == 0 else 1)}{unit}"
            for epoch, value in zip(known, y, strict=True)
        )
        dash = "dash" if arm in _DASHED else "solid"
        label = arm_name(arm)
        marks.append(Line(known + 1.0, y, arm_role(arm), 1.1, dash, "circle", label=label, hover=hover))
    low, high = (min(every), max(every)) if every else (0.0, 1.0 if part == 0 else 100.0)
    pad = max(0.08 * (high - low), 0.01 if part == 0 else 1.0)
    low, high = max(0.0, low - pad), high + pad if part == 0 else min(high + pad, 101.0)
    last = max(epochs, 2)
    steps = tuple((at, f"{at:g}") for at in nice_ticks(1, last, 4) if at == round(at))
    x = Axis(1 - 0.03 * last, last + 0.03 * last, "epoch" if part >= 2 else "", steps)
    return Panel(x, Axis(low, high, title, number_ticks(low, high, 4), grid=True), tuple(marks), part // 2, part % 2)


def _percent(fraction: float) -> str:
    return f"{number(100 * float(fraction), 1)}\u00a0%"


def _frame(means: Mapping[str, np.ndarray]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(values, columns=list(CURVES)).assign(arm=arm, epoch=np.arange(1, len(values) + 1))
        for arm, values in means.items()
    ]
    if not parts:
        return pd.DataFrame(columns=["arm", "epoch", *CURVES])
    return pd.concat(parts, ignore_index=True)[["arm", "epoch", *CURVES]]
