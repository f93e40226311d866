"""What changed inside? Spike-count errors and gap of the base and of every arm, whole network and site by site."""

from collections.abc import Sequence

import numpy as np

from snnlab.analysis.reports import BASE, NoiseGain
from snnlab.analysis.reports.gain import Share
from snnlab.figures.arms import OVER_DEPTH, arm_name, arm_role
from snnlab.figures.figure import Figure
from snnlab.figures.gap import depth_panel
from snnlab.figures.scene import Axis, Layout, Mark, Panel, Points, Rule, Segments, number_ticks
from snnlab.figures.tables import number

_ROW_MM, _ROW_PX = 5.2, 34
_OF = "Shares of the neurons that are not silent."


def inside_change(report: NoiseGain) -> Figure:
    """Share of neurons with excess and with missing spikes, and RMS of the gap, one row an arm; mean over seeds.

    Args:
        report: The experiment.

    Raises:
        SnnlabError: An earlier version stored it without its residual classes.
    """
    arms = (BASE, *report.arms)
    frame = report.inside_frame()
    found = {
        "excess": [_hundred(report.share(arm, "excess")) for arm in arms],
        "missing": [_hundred(report.share(arm, "missing")) for arm in arms],
        "gap": [report.gap(arm) for arm in arms],
    }
    titles = {"excess": "excess spikes (%)", "missing": "missing spikes (%)", "gap": "RMS gap / θ"}
    panels = tuple(
        _panel(arms, found[kind], titles[kind], column, 3 if kind == "gap" else 1) for column, kind in enumerate(titles)
    )
    told = "; ".join(
        f"{arm_name(arm)} {number(excess.value, 1)} % excess, {number(missing.value, 1)} % missing"
        for arm, excess, missing in zip(arms, found["excess"], found["missing"], strict=True)
    )
    several = len(report.seeds) > 1
    return Figure(
        name="inside-change",
        title="What changed inside the SNN?",
        subtitle=_subtitle(report),
        alt=f"Dots for the untouched base and {len(report.arms)} arms in three columns. {told}.",
        panels=panels,
        layout=Layout(
            columns=(1.0, 1.0, 1.0), millimetres=_ROW_MM * len(arms), pixels=_ROW_PX * len(arms), column_gap=0.035
        ),
        data=frame,
        foot=f"{_OF} Right: root mean square over sites of the std of the gap, in thresholds."
        + (" Lines: 95 % t intervals over training seeds." if several else ""),
    )


def errors_over_depth(report: NoiseGain, arms: Sequence[str] = OVER_DEPTH) -> Figure:
    """Share of neurons with excess and with missing spikes at every site, before and after; mean over seeds.

    Args:
        report: The experiment.
        arms: What is drawn beside the untouched base; arms that were not trained are left out.

    Raises:
        SnnlabError: An earlier version stored it without its residual classes.
    """
    shown = (BASE, *(arm for arm in arms if arm in report.arms))
    panels = []
    for column, kind in enumerate(("excess", "missing")):
        lines = {
            _line_name(arm): (
                "mute" if arm == BASE else arm_role(arm),
                np.array([100 * report.share(arm, kind, site).value for site in report.names]),
            )
            for arm in shown
        }
        title = f"{kind} spikes (%)"
        panels.append(depth_panel(report.names, lines, title, told=kind, unit="\u00a0%", column=column))
    frame = report.inside_frame()
    return Figure(
        name="errors-over-depth",
        title="Where do spike counts go wrong, before and after?",
        subtitle=_subtitle(report),
        alt=f"Two line charts over {len(report.names)} sites, input first: neurons with excess and with missing "
        f"spikes, {', '.join(_line_name(arm) for arm in shown)}.",
        panels=tuple(panels),
        layout=Layout(columns=(1.0, 1.0), aspect=0.42, pixels=280, column_gap=0.1),
        data=frame[frame["arm"].isin(shown)].reset_index(drop=True),
        foot=_OF,
    )


def _line_name(arm: str) -> str:
    return arm_name(arm) if arm == BASE else f"after {arm_name(arm)}"


def _subtitle(report: NoiseGain) -> str:
    seeds = f"mean over {len(report.seeds)} seed{'s' * (len(report.seeds) != 1)}"
    return f"T = {report.target} · {report.split.replace('_', ' ')}, {report.images:,} images · {seeds}"


def _hundred(share: Share) -> Share:
    return Share(100 * share.value, 100 * share.low, 100 * share.high)


def _panel(arms: Sequence[str], found: Sequence[Share], title: str, column: int, decimals: int) -> Panel:
    marks: list[Mark] = [Rule(found[0].value, role="mute", width=0.6)]  # the untouched base
    for place, (arm, share) in enumerate(zip(arms, found, strict=True)):
        y, role = np.array([float(place)]), arm_role(arm)
        if share.low == share.low:
            marks.append(Segments(np.array([share.low]), y, np.array([share.high]), y, role, 1.2))
        hover = f"{arm_name(arm)}\n{title}: {number(share.value, decimals)}"
        if share.low == share.low:
            hover += f" [{number(share.low, decimals)}, {number(share.high, decimals)}]"
        marks.append(Points(np.array([share.value]), y, role, size=1.2, outlined=arm == BASE, hover=(hover,)))
    ends = [end for share in found for end in (share.value, share.low, share.high) if np.isfinite(end)]
    low, high = min(ends), max(ends)
    pad = max(0.08 * (high - low), 0.02 * abs(high), 10.0**-decimals)
    low, high = max(0.0, low - pad), high + pad
    ticks = tuple((float(place), arm_name(arm)) for place, arm in enumerate(arms))
    rows = Axis(len(arms) - 0.5, -0.5, "", ticks if column == 0 else (), line=False, strong=True)
    return Panel(Axis(low, high, title, number_ticks(low, high, 3), grid=True), rows, tuple(marks), column=column)
