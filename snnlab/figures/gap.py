"""Does the gap shrink where noise was added, and how does the noise change while it trains?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from snnlab.analysis.reports import NoiseGain
from snnlab.core.errors import SnnlabError
from snnlab.core.stages import stage_of
from snnlab.figures.arms import OVER_DEPTH, arm_name, arm_role
from snnlab.figures.figure import Figure
from snnlab.figures.rows import NAMED_ROWS
from snnlab.figures.scene import Axis, Layout, Line, Mark, Panel, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

_DASHES = ("dot", "dash", "solid", "dashdot")
_MARKERS = ("circle", "square", "triangle-up", "diamond")


def gap_over_depth(report: NoiseGain, arms: Sequence[str] = OVER_DEPTH) -> Figure:
    """Std / threshold of the gap between ANN and SNN at every site, before and after fine-tuning; mean over seeds.

    Args:
        report: The experiment.
        arms: What is drawn beside the untouched base; arms that were not trained are left out.
    """
    shown = [arm for arm in arms if arm in report.arms]
    lines = {"untouched base": ("mute", report.gap_before)}
    for arm in shown:
        lines[f"after {arm_name(arm)}"] = (arm_role(arm), report.gap_after[report.arms.index(arm)].mean(axis=0))
    rms = {name: float(np.sqrt(np.mean(values**2))) for name, (_, values) in lines.items()}
    told = "; ".join(f"{name} {number(value, 3)}" for name, value in rms.items())
    return Figure(
        name="gap-over-depth",
        title="Does the gap shrink where noise was added?",
        subtitle=f"gap at T = {report.target} · mean over {len(report.seeds)} seeds · calibration images",
        alt=f"Line chart of std over threshold of the gap at {len(report.names)} sites, input first. RMS: {told}.",
        panels=(depth_panel(report.names, lines, "std of the gap / threshold"),),
        layout=Layout(aspect=0.6, pixels=300),
        data=_frame(report.names, lines),
        foot=f"RMS over sites: {told}. A network can learn to bear the gap without making it smaller.",
    )


def noise_by_epoch(report: NoiseGain, arm: str = "nq") -> Figure:
    """Std / threshold of the noise that acted at every site, of a few epochs; mean over seeds.

    Raises:
        SnnlabError: No such arm.
    """
    if arm not in report.arms:
        raise SnnlabError(f"There is no arm {arm!r} in this experiment; it has {', '.join(report.arms)}.")
    std = _mean_over_seeds(report.std[report.arms.index(arm)])
    seeds = f"mean over {len(report.seeds)} seed{'s' * (len(report.seeds) != 1)}"
    return std_by_epoch(std, report.names, f"{arm_name(arm)} · T = {report.target} · {seeds}")


def std_by_epoch(std: np.ndarray, names: Sequence[str], subtitle: str) -> Figure:
    """Std / threshold of the noise at every site, of at most four of the epochs.

    Args:
        std: (epochs, sites); NaN for epochs that were not run.
        names: Sites, input first.
        subtitle: Whose noise it is.
    """
    ran = [epoch for epoch in range(len(std)) if np.isfinite(std[epoch]).all()]
    chosen = sorted({ran[round(share * (len(ran) - 1))] for share in (0, 1 / 3, 2 / 3, 1)}) if ran else []
    roles = ("missing", "compared", "snn", "ann")[-len(chosen) :] if chosen else ()
    lines = {f"epoch {epoch + 1}": (role, std[epoch]) for role, epoch in zip(roles, chosen, strict=True)}
    return Figure(
        name="noise-by-epoch",
        title="How does the noise change while it trains?",
        subtitle=subtitle,
        alt=f"Line chart of std over threshold of the noise at {len(names)} sites, in {len(lines)} epochs.",
        panels=(depth_panel(names, lines, "std of the noise / threshold"),),
        layout=Layout(aspect=0.6, pixels=300),
        data=_frame(names, lines),
    )


def _mean_over_seeds(std: np.ndarray) -> np.ndarray:
    """(seeds, epochs, sites) -> (epochs, sites), over the seeds that ran the epoch."""
    known = np.isfinite(std)
    total, count = np.where(known, std, 0.0).sum(axis=0), known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def depth_panel(
    names: Sequence[str],
    lines: dict[str, tuple[str, np.ndarray]],
    title: str,
    *,
    told: str = "std / threshold",
    unit: str = "",
    column: int = 0,
) -> Panel:
    """Lines over the sites, input first.

    Args:
        names: Sites.
        lines: Name -> role of its colour, and its values, one a site.
        title: Quantity and unit.
        told: The quantity as the hover text calls it.
        unit: Its unit.
        column: Column of the panel.
    """
    x = np.arange(len(names), dtype=float)
    largest = max((float(np.nanmax(values)) for _, values in lines.values()), default=0.0)
    top = 1.08 * largest if largest > 0 else 1.0
    marks: list[Mark] = []
    for place, (name, (role, values)) in enumerate(lines.items()):
        hover = tuple(
            f"{name}\n{site}\n{told} {number(value, 3)}{unit}" for site, value in zip(names, values, strict=True)
        )
        marker = _MARKERS[place % 4] if len(x) <= NAMED_ROWS else ""
        marks.append(Line(x, values, role, 1.1, _DASHES[place % 4], marker, label=name, hover=hover))
    ticks = tuple((at, f"{at:g}") for at, _ in number_ticks(0, top, 4))
    return Panel(
        Axis(-0.4, len(x) - 0.6, "site, input first", site_ticks(names)),
        Axis(0, top, title, ticks, grid=True),
        tuple(marks),
        column=column,
    )


def site_ticks(names: Sequence[str]) -> tuple[tuple[float, str], ...]:
    """The first site of every stage; of labels that would lie side by side the later one, as more sites follow it."""
    starts = [i for i, name in enumerate(names) if i == 0 or stage_of(name) != stage_of(names[i - 1])]
    if len(starts) > 6:
        starts = [round(share * (len(names) - 1)) for share in (0, 0.25, 0.5, 0.75)]
    apart = 0.13 * len(names)
    kept = [i for i, after in zip(starts, [*starts[1:], len(names) + apart], strict=True) if after - i >= apart]
    return tuple((float(i), shorten(stage_of(names[i]), 14)) for i in kept)


def _frame(names: Sequence[str], lines: dict[str, tuple[str, np.ndarray]]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"series": name, "site": names, "relative_std": values}) for name, (_, values) in lines.items()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["series", "site", "relative_std"])
