"""Which parts of an image speak for a class? Maps of ANN and SNN on one scale, their curves, and their layers."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from snnlab.analysis.reports import AttributionReport
from snnlab.analysis.reports.attribution import SIGNED
from snnlab.core.errors import SnnlabError
from snnlab.figures.figure import Figure
from snnlab.figures.gap import site_ticks
from snnlab.figures.rows import NAMED_ROWS
from snnlab.figures.scene import Axis, Heat, Layout, Line, Mark, Note, Panel, Picture, Points, Rule, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

_DASHES = ("dot", "dash", "dashdot", "solid", "solid")
_MARKERS = ("circle", "square", "diamond", "triangle-up", "circle")
_BAR_CELLS = 64
_ONE_ROW = 4
"""So many maps stand side by side; more are laid out in two rows, or a narrow page would show stamps."""


def attribution_maps(report: AttributionReport) -> Figure:
    """The picture, the map of the ANN, those of the SNN, and what each of them differs by, all on one scale.

    Args:
        report: One image.
    """
    signed = report.method in SIGNED
    limit = float(np.abs(report.maps).max())
    if len(report.steps):
        limit = max(limit, float(np.abs(report.maps[1:] - report.maps[0]).max()))
    scale = limit or 1.0
    ramp = "diverging" if signed else "density"
    cells = 1 + len(report.maps)
    columns = cells if cells <= _ONE_ROW else math.ceil(cells / 2)
    high = 2 if len(report.steps) else 1  # a map, and below it what it differs by
    rows = high * math.ceil(cells / columns)
    true = "" if report.label is None else f"is {_brief(report, report.label)}"
    panels = [_panel(Picture(_colours(report.picture)), report, "picture", true, 0, 0)]
    for place, (name, values) in enumerate(zip(report.networks, report.maps, strict=True), start=1):
        says = f"says {_brief(report, int(report.predicted[place - 1]))}"
        row, column = high * (place // columns), place % columns
        panels.append(_panel(_heat(values, scale, ramp), report, name, says, row, column))
        if place > 1:
            gap = values - report.maps[0]
            panels.append(_panel(_heat(gap, scale, "diverging"), report, "SNN − ANN", "", row + 1, column))
    low = -scale if signed else 0.0
    # Room for the ticks of the bar, which plotly does not reserve between panels.
    panels.append(Panel(Axis(0, 1, line=False), Axis(0, 1, line=False), (), 0, columns))
    panels.append(_bar(low, scale, ramp, 0, columns + 1))
    if len(report.steps):
        panels.append(_bar(-scale, scale, "diverging", 1, columns + 1))
    side = float(np.clip(1040 / columns, 130, 230)) if rows <= 2 else 190.0
    return Figure(
        name="attribution-maps",
        title=f"What in the image speaks for {_class(report, report.target)}?",
        subtitle=_subtitle(report),
        alt=_alt(report),
        panels=tuple(panels),
        layout=Layout(
            columns=(*(1.0,) * columns, 0.4, 0.09),
            rows=(1.0,) * rows,
            aspect=min(1.75 * rows / columns, 1.25),
            pixels=round(rows * (side + 38)),
            column_gap=0.022,
            row_gap=0.34 / rows,
        ),
        data=_pixels(report),
        foot=_foot(report, signed=signed),
    )


def attribution_curves(report: AttributionReport) -> Figure:
    """Probability of the class while pixels are deleted or inserted in the order of each network's own map.

    Args:
        report: One image.
    """
    panels = []
    for column, (title, values) in enumerate((("deleted", report.deletion), ("inserted", report.insertion))):
        marks: list[Mark] = []
        for place, (name, curve) in enumerate(zip(report.networks, values, strict=True)):
            hover = tuple(
                f"{name}\n{number(100 * share, 0)} % of the pixels {title}\n{number(100 * chance, 1)} %"
                for share, chance in zip(report.fractions, curve, strict=True)
            )
            marks.append(
                Line(
                    100 * report.fractions, 100 * curve, "snn" if place else "ann", 1.1,
                    _dash(place, len(values)), _MARKERS[place - 1] if place else "", _opacity(place, len(values)),
                    label=name, hover=hover,
                )
            )  # fmt: skip
        panels.append(
            Panel(
                Axis(-2, 102, f"pixels {title} (%)", number_ticks(0, 100, 5)),
                Axis(-3, 103, "probability of the class (%)" if not column else "", number_ticks(0, 100, 5), grid=True),
                tuple(marks),
                column=column,
            )
        )
    areas = "; ".join(
        f"{name} {number(down, 2)} and {number(up, 2)}"
        for name, down, up in zip(report.networks, report.deletion_area, report.insertion_area, strict=True)
    )
    frame = pd.concat(
        [
            pd.DataFrame({"network": name, "curve": what, "fraction": report.fractions, "probability": values[i]})
            for i, name in enumerate(report.networks)
            for what, values in (("deletion", report.deletion), ("insertion", report.insertion))
        ],
        ignore_index=True,
    )
    return Figure(
        name="attribution-curves",
        title="Does each network need what its map names?",
        subtitle=_subtitle(report),
        alt=f"Two line charts of the probability of {_class(report, report.target)}. Areas under deletion and "
        f"insertion: {areas}.",
        panels=tuple(panels),
        layout=Layout(columns=(1.0, 1.0), aspect=0.5, pixels=280, column_gap=0.08),
        data=frame,
        foot=f"Most evidence first. Area under deletion (low is good) and insertion (high is good): {areas}.",
    )


def attribution_convergence(report: AttributionReport) -> Figure:
    """Rank correlation of the SNN's map with the ANN's over T, and of maps with those of shuffled weights.

    Args:
        report: One image.

    Raises:
        SnnlabError: The SNN was not explained.
    """
    if not report.steps:
        raise SnnlabError(f"{report.method_name} explained the ANN alone, so nothing converges over T.")
    x, told = np.arange(len(report.steps), dtype=float), report.rank_correlation[1:]
    hover = tuple(
        f"T = {step}\nrank correlation {number(value, 3)}" for step, value in zip(report.steps, told, strict=True)
    )
    marks: list[Mark] = [
        Rule(0.0, vertical=False, dash="solid", width=0.5),
        Line(x, told, "snn", 1.2, marker="circle", label="SNN's map with the ANN's", hover=hover),
    ]
    for place, label, role in (
        (0, "ANN's map with shuffled weights", "ann"),
        (1, "SNN's with shuffled weights", "mute"),
    ):
        value = report.shuffled[place]
        if np.isfinite(value):
            at = np.array([0.0])
            text = (f"{label}\nrank correlation {number(value, 3)}",)
            marks.append(Points(at, np.array([value]), role, "diamond", outlined=True, label=label, hover=text))
    ticks = tuple((float(i), str(step)) for i, step in enumerate(report.steps))
    shown = "; ".join(f"T = {step} {number(value, 2)}" for step, value in zip(report.steps, told, strict=True))
    return Figure(
        name="attribution-convergence",
        title="Does the SNN see what the ANN sees?",
        subtitle=_subtitle(report),
        alt=f"Rank correlation of the SNN's map with the ANN's: {shown}.",
        panels=(
            Panel(
                Axis(-0.4, len(x) - 0.6, "T", ticks),
                Axis(-1.04, 1.04, "rank correlation", number_ticks(-1, 1, 4), grid=True),
                tuple(marks),
            ),
        ),
        layout=Layout(aspect=0.62, pixels=260),
        data=report.to_frame()[["network", "step", "rank_correlation", "shuffled_correlation"]],
        foot=f"Spearman over {int(report.varied.sum()):,} pixels. A map that stays when the weights are shuffled says "
        "more about the image than about the network.",
    )


def attribution_sites(report: AttributionReport) -> Figure:
    """Rank correlation of gradient times activation at every site between SNN and ANN.

    Args:
        report: One image.

    Raises:
        SnnlabError: The SNN was not explained.
    """
    if not report.steps:
        raise SnnlabError(f"{report.method_name} explained the ANN alone, so no site is compared.")
    x = np.arange(len(report.sites), dtype=float)
    marks: list[Mark] = [Rule(0.0, vertical=False, dash="solid", width=0.5)]
    count = len(report.maps)
    for place, name in enumerate(report.networks[1:], start=1):
        values = report.site_correlation[place]
        hover = tuple(
            f"{name}\n{site}\nrank correlation {number(value, 3)}\nevidence {number(evidence, 2)}, ANN "
            f"{number(of_ann, 2)} logits\nneurons that fired {number(100 * active, 1)} %"
            for site, value, evidence, of_ann, active in zip(
                report.sites,
                values,
                report.site_evidence[place],
                report.site_evidence[0],
                report.site_active[place],
                strict=True,
            )
        )
        marks.append(
            Line(
                x, values, "snn", 1.1, _dash(place, count), _MARKERS[place - 1], _opacity(place, count),
                label=name, hover=hover,
            )
        )  # fmt: skip
    low = min(0.0, float(np.nanmin([*report.site_correlation[1:].ravel(), 0.0])))
    last = report.site_correlation[-1]
    told = "" if np.isnan(last).all() else (
        f" Lowest at T = {report.steps[-1]}: {shorten(report.sites[int(np.nanargmin(last))], 40)}, "
        f"{number(float(np.nanmin(last)), 2)}."
    )  # fmt: skip
    return Figure(
        name="attribution-sites",
        title="In which layer does the SNN's evidence part from the ANN's?",
        subtitle=f"gradient × activation · {_where(report)}",
        alt=f"Line chart of rank correlations over {len(report.sites)} sites, input first.{told}",
        panels=(
            Panel(
                Axis(-0.4, len(x) - 0.6, "site, input first", site_ticks(report.sites)),
                Axis(low - 0.04, 1.04, "rank correlation with the ANN", number_ticks(low, 1, 4), grid=True),
                tuple(marks),
            ),
        ),
        layout=Layout(aspect=0.62, pixels=260),
        data=report.site_frame(),
        foot="Where a line stops, nothing fired, or no gradient passes.",
    )


def attribution_restoration(report: AttributionReport) -> Figure:
    """The SNN's logit minus the ANN's where one site alone emits the ANN's activation, site by site, a line a T.

    Args:
        report: One image.

    Raises:
        SnnlabError: Nothing was restored.
    """
    frame = report.restored_frame()
    if frame.empty:
        raise SnnlabError(f"No site was restored for {report.image_name}: explain it again by an SNN without warm-up.")
    count = len(report.sites)
    # Without restoration, apart from the sites by the width of its tick's label.
    x = np.array([-max(1.0, 0.13 * count), *range(count)])
    marks: list[Mark] = [Rule(0.0, role="ann", vertical=False, dash="solid", width=0.8)]
    size = 0.9 if count <= NAMED_ROWS else 0.6
    ann = _class(report, int(report.predicted[0]))
    for place, step in enumerate(report.steps, start=1):
        found = frame[frame["step"] == step]
        gap, returns = found["gap"].to_numpy(float), found["returns"].to_numpy(bool)
        hover = tuple(
            f"T = {step}\n{f'{site} restored' if site else 'nothing restored'}\nlogit {number(output, 2)}, ANN "
            f"{number(output - off, 2)}\nsays {_class(report, int(says))}"
            for site, output, off, says in zip(found["site"], found["output"], gap, found["predicted"], strict=True)
        )
        marks.append(
            Line(
                x, gap, "snn", 1.0, _dash(place, len(report.maps)), "", _opacity(place, len(report.maps)),
                label=f"T = {step}",
            )
        )  # fmt: skip
        marks += [
            Points(
                x[which], gap[which], "snn", "circle", size, outlined=hollow, label=label,
                hover=tuple(text for text, shown in zip(hover, which, strict=True) if shown),
            )
            for which, hollow, label in (
                (returns, False, f"SNN says {ann}, as the ANN"), (~returns, True, "SNN says another class")
            )
            if which.any()
        ]  # fmt: skip
    low, high = min(0.0, float(frame["gap"].min())), max(0.0, float(frame["gap"].max()))
    pad = max(0.06 * (high - low), 0.05)
    summary = report.restored_summary()
    told = " ".join(_said_of_restoration(report, row) for row in summary.to_dict("records"))
    return Figure(
        name="attribution-restoration",
        title="Which site would bring the ANN's answer back?",
        subtitle=f"one site emits the ANN's activation, the rest is simulated · {_where(report)}",
        alt=f"Line chart of the logit of {_class(report, report.target)}, SNN minus ANN, over {count} restored sites, "
        f"input first. {told}",
        panels=(
            Panel(
                Axis(
                    float(x[0]) - 0.4, count - 0.6, "site restored, input first",
                    ((float(x[0]), "none"), *site_ticks(report.sites)),
                ),
                Axis(low - pad, high + pad, "logit, SNN − ANN", number_ticks(low - pad, high + pad, 5), grid=True),
                tuple(marks),
            ),
        ),
        layout=Layout(aspect=0.62, pixels=260),
        data=frame,
        foot=told,
    )  # fmt: skip


def _said_of_restoration(report: AttributionReport, row: Mapping[Hashable, Any]) -> str:
    """What restoration says of one T, one sentence."""
    ann, gap = _class(report, int(report.predicted[0])), number(row["gap"], 2, sign=True)
    halved = f", halved first by restoring {shorten(row['halved_by'], 40)}" if row["halved_by"] else ""
    logit = f"its logit is off by {gap}{halved}"
    if row["agrees"]:
        return f"T = {row['step']}: the SNN says {ann}, as the ANN; {logit}."
    back = f"no single site returns {ann}"
    if row["returned_by"]:
        back = f"{ann} returns first by restoring {shorten(row['returned_by'], 40)}"
    says = _class(report, int(row["predicted"]))
    return f"T = {row['step']}: the SNN says {says}; {back}; {logit}."


def _class(report: AttributionReport, index: int) -> str:
    name = report.classes[index]
    return f"class {name}" if name == str(index) else shorten(name, 18)


def _brief(report: AttributionReport, index: int) -> str:
    """The class by name where that fits under a panel, else by number."""
    name = report.classes[index]
    return name if len(name) <= 10 and name.isprintable() else str(index)


def _where(report: AttributionReport) -> str:
    steps = f" · T = {', '.join(map(str, report.steps))}" if report.steps else ""
    return f"{report.image_name} · for {_class(report, report.target)}{steps}"


def _subtitle(report: AttributionReport) -> str:
    points = f", {report.integration_steps} points" if report.method == "ig" else ""
    unit = f"in {report.unit} · baseline {report.baseline} · seed {report.seed}"
    return f"{report.method_name}{points} · {_where(report)} · {unit}"


def _foot(report: AttributionReport, *, signed: bool) -> str:
    told = "Teal speaks for the class, brown against it." if signed else "Dense is where the class is most sensitive."
    if report.method == "gradcam":
        told = "Dense is where the last layer with places speaks for the class."
    if report.steps:
        told += " All maps share one scale; the SNN's derivative is the surrogate's †."
    errors = report.completeness_error
    if np.isfinite(errors).any():
        missed = "; ".join(
            f"{name} {number(error, 2, sign=True)}" for name, error in zip(report.networks, errors, strict=True)
        )
        told += f" Sum of the map minus what it should be, logits: {missed}."
    return told


def _alt(report: AttributionReport) -> str:
    told = []
    for name, values in zip(report.networks, report.maps, strict=True):
        row, column = np.unravel_index(int(np.argmax(values)), values.shape)
        told.append(f"{name} most at row {row}, column {column} ({number(float(values.max()), 3)})")
    return f"Heat maps of {report.method_name} for {_class(report, report.target)}: {'; '.join(told)}."


def _colours(picture: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W, 3)."""
    shown = picture if picture.shape[0] == 3 else np.repeat(picture[:1], 3, axis=0)
    return np.clip(shown.transpose(1, 2, 0), 0, 1)


def _heat(values: np.ndarray, scale: float, ramp: str) -> Heat:
    height, width = values.shape
    share = values / scale
    shown = 0.5 + 0.5 * share if ramp == "diverging" else share
    return Heat(np.arange(width + 1.0), np.arange(height + 1.0), shown, ramp, values)


def _panel(mark: Mark, report: AttributionReport, head: str, below: str, row: int, column: int) -> Panel:
    height, width = report.maps.shape[1:]
    title = Note(0.5, 1.0, head, "text", "center", "bottom", x_panel=True, y_panel=True, gap=(0.0, 2.0))
    return Panel(
        Axis(0, width, below, line=False), Axis(height, 0, line=False), (mark, title), row, column, square=True
    )


def _bar(low: float, high: float, ramp: str, row: int, column: int) -> Panel:
    """The colour bar; its unit stands in the subtitle."""
    edges, values = np.linspace(low, high, _BAR_CELLS + 1), np.linspace(0, 1, _BAR_CELLS)[:, None]
    heat = Heat(np.array([0.0, 1.0]), edges, values, ramp)
    return Panel(Axis(0, 1, line=False), Axis(low, high, "", number_ticks(low, high, 4)), (heat,), row, column)


def _dash(place: int, count: int) -> str:
    """Dashes by T; the ANN and the largest T are solid."""
    return "solid" if place in (0, count - 1) else _DASHES[place - 1]


def _opacity(place: int, count: int) -> float:
    return 1.0 if place == 0 else 0.45 + 0.55 * place / (count - 1)


def _pixels(report: AttributionReport) -> pd.DataFrame:
    rows, columns = (grid.ravel() for grid in np.indices(report.maps.shape[1:]))
    parts: Sequence[pd.DataFrame] = [
        pd.DataFrame({"network": name, "row": rows, "column": columns, "attribution": values.ravel()})
        for name, values in zip(report.networks, report.maps, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)
