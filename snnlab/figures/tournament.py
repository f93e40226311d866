"""Which method is worth its cost, and is the difference real? The figures of a tournament."""

from collections.abc import Sequence

import numpy as np

from snnlab.analysis.reports import COSTS, PairedMethods, Standing, Tournament, wilson_interval
from snnlab.core.errors import SnnlabError
from snnlab.core.literature import PublishedNumber
from snnlab.figures import published
from snnlab.figures.figure import Figure
from snnlab.figures.paper_table import Cell, PaperTable, Row, published_rows
from snnlab.figures.scene import Axis, Layout, Line, Mark, Note, Panel, Points, Rule, Segments, number_ticks
from snnlab.figures.steps import percent_axis
from snnlab.figures.style import SERIES, shorten
from snnlab.figures.tables import number, percent, percent_interval

COST_NAMES = {
    "total_latency": "time-steps, warm-up included",
    "syn_ops": "synaptic operations per image",
    "calibration_seconds": "seconds to convert and calibrate",
}
"""What an accuracy is paid with, as axes call it."""

_QUESTIONS = {
    "total_latency": "Which method is accurate soonest?",
    "syn_ops": "Which method is accurate for the fewest operations?",
    "calibration_seconds": "Is a longer calibration worth it?",
}
_MARKERS = ("circle", "square", "triangle-up", "diamond")
_DAGGER = " †"  # as in ``MethodCard.display_name``
_ROW_MM, _ROW_PX, _HEAD = 5.2, 32, 0.95
_ZERO = 1e-3  # seconds; on a logarithmic axis the smallest calibration


def tournament_role(entrant: int) -> str:
    """Colour role of a method, the same in every figure and table."""
    return SERIES[entrant % len(SERIES)]


def tournament_pareto(
    report: Tournament, cost: str = "total_latency", *, literature: Sequence[PublishedNumber] = ()
) -> Figure:
    """Accuracy against what it costs, one marker a method and T, and the Pareto front among them.

    Args:
        report: The tournament.
        cost: One of ``COSTS``.
        literature: Published numbers, drawn where the cost is time-steps.

    Raises:
        SnnlabError: No such cost, it was not counted, nothing was run, or more published networks than markers.
    """
    if cost not in COSTS:
        raise SnnlabError(f"There is no cost {cost!r}; choose one of {', '.join(COSTS)}.")
    known = [one for one in report.standings if np.isfinite(_cost(one, cost))]
    if not known:
        raise SnnlabError(f"No network of this tournament has {COST_NAMES[cost]}: it was not counted, or nothing ran.")
    others = published.by_series(literature if cost == "total_latency" else (), report.steps[-1])
    numbers = [row for rows in others.values() for row in rows]
    costs = [_cost(one, cost) for one in known] + [float(row.num_steps) for row in numbers]
    x = _log_axis(min(costs), max(costs), COST_NAMES[cost], steps=cost == "total_latency")
    lows = [one.images_low for one in known] + [row.snn_accuracy for row in numbers]
    y = percent_axis(min([*lows, report.ann_accuracy]), max([one.images_high for one in known] + [report.ann_accuracy]))
    ann = f"ANN, {percent(report.ann_accuracy)}"
    level = np.full(2, 100 * report.ann_accuracy)
    marks: list[Mark] = [Line(np.array([x.low, x.high]), level, "ann", 0.9, "dash", label=ann, hover=(ann,) * 2)]
    front = report.front(cost)
    marks.append(_front(front, cost, x))
    marks += published.marks(others)
    for entrant, row in enumerate(report.entrants):
        mine = [one for one in known if one.entrant == entrant]
        if mine:
            marks += _method(mine, cost, shorten(str(row["title"]), 40), entrant)
    winners = ", ".join(f"{report.entrants[one.entrant]['title']} at T = {one.step}" for one in front)
    return Figure(
        name=f"tournament-{cost.replace('_', '-')}",
        title=_QUESTIONS[cost],
        subtitle=_subtitle(report),
        alt=(
            f"Scatter plot of accuracy against {COST_NAMES[cost]}. ANN {percent(report.ann_accuracy)}. "
            f"On the Pareto front: {winners}.{published.in_words(others)}"
        ),
        panels=(Panel(x, y, tuple(marks)),),
        layout=Layout(aspect=0.72, pixels=400),
        data=report.to_frame(),
        foot=(
            "Dotted: the Pareto front; no other network is as accurate for less. Bars: 95 % intervals over images."
            + _seeds_told(report)
            + published.foot(literature if cost == "total_latency" else (), report.steps[-1])
        ),
    )


def tournament_paired(report: Tournament, step: int, reference: int) -> Figure:
    """Accuracy of every method minus that of one of them, on the same images, with bootstrap intervals.

    Args:
        report: The tournament.
        step: T.
        reference: Place of the method that is zero.

    Raises:
        SnnlabError: The reference was not run at this T, or no other was.
    """
    others = [place for place in range(len(report.entrants)) if place != reference and report.whole(place, step)]
    if not report.whole(reference, step) or not others:
        raise SnnlabError(f"At T = {step} there are no two methods to compare; choose another T or reference.")
    found = sorted((report.paired(place, reference, step) for place in others), key=lambda pair: -pair.difference)
    titles = [shorten(str(report.entrants[pair.a]["title"]), 34) for pair in found]
    ends = [100 * end for pair in found for end in (pair.low, pair.high)]
    pad = max(0.04 * (max([0.0, *ends]) - min([0.0, *ends])), 0.5)
    low, high = min([0.0, *ends]) - pad, max([0.0, *ends]) + pad
    height = len(found) + _HEAD
    names = Axis(
        len(found) - 0.5, -0.5 - _HEAD, "", tuple((float(at), title) for at, title in enumerate(titles)), line=False,
        strong=True,
    )  # fmt: skip
    blank = Axis(len(found) - 0.5, -0.5 - _HEAD, line=False)
    zero = str(report.entrants[reference]["title"])
    side = "left" if -low < high else "right"
    marks: list[Mark] = [
        Rule(0.0, role="text", dash="solid", width=0.8),
        Note(0.0, -0.78, shorten(zero, 30), "text", side, "middle", bold=True,
             gap=(5.0 if side == "left" else -5.0, 0.0)),
    ]  # fmt: skip
    texts: list[Mark] = [Note(0.995, -0.78, "points [95 %]", "text", "right", x_panel=True, bold=True)]
    for at, (pair, title) in enumerate(zip(found, titles, strict=True)):
        place, role = np.array([float(at)]), tournament_role(pair.a)
        hover = f"{title} minus {zero}\n{_points(pair)} points\n{_p_told(pair)}"
        marks.append(Segments(np.array([100 * pair.low]), place, np.array([100 * pair.high]), place, role, 1.6))
        marks.append(Points(np.array([100 * pair.difference]), place, role, "circle", 1.15, hover=(hover,)))
        texts.append(Note(0.995, float(at), _points(pair), "text", "right", x_panel=True))
    x = Axis(low, high, f"accuracy at T = {step} minus {shorten(zero, 30)} (points)", number_ticks(low, high, 6),
             grid=True)  # fmt: skip
    frame = report.paired_frame()
    chosen = (frame["num_steps"] == step) & ((frame["a"] == report.names[reference]) |
                                             (frame["b"] == report.names[reference]))  # fmt: skip
    return Figure(
        name=f"tournament-paired-t{step}",
        title="Is the difference real?",
        subtitle=_subtitle(report, step),
        alt=f"Forest plot of differences to {zero} at T = {step}, in points: "
        + "; ".join(f"{title} {_points(pair)}" for pair, title in zip(found, titles, strict=True))
        + ".",
        panels=(Panel(x, names, tuple(marks)), Panel(Axis(0, 1, line=False), blank, tuple(texts), column=1)),
        layout=Layout(
            columns=(1.0, 0.42),
            millimetres=_ROW_MM * height + 8,
            pixels=round(_ROW_PX * height),
            column_gap=0.015,
        ),
        data=frame[chosen].reset_index(drop=True),
        foot="Right of zero is better. 95 % bootstrap intervals over images, the same resamples for all methods; an "
        "interval that holds 0 tells no difference." + _seeds_told(report),
    )


def tournament_table(report: Tournament, literature: Sequence[PublishedNumber] = ()) -> PaperTable:
    """The table of a paper: methods x T with intervals over images, the best at each T marked.

    Args:
        report: The tournament.
        literature: Published numbers at the same T, below the measured ones.

    Raises:
        SnnlabError: Nothing was run.
    """
    if not report.standings:
        raise SnnlabError("No method of this tournament was run at any T, so there is no table.")
    rows, wilson = [], _ann_interval(report)
    for entrant, about in enumerate(report.entrants):
        cells = {
            step: Cell(one.accuracy, one.images_low, one.images_high, entrant in report.best(step))
            for step in report.steps
            if (one := report.standing(entrant, step)) is not None
        }
        title = str(about["title"])
        rows.append(
            Row(title.removesuffix(_DAGGER), True, title.endswith(_DAGGER), Cell(report.ann_accuracy, *wilson), cells,
                report.images, report.split, "")
        )  # fmt: skip
    measured = [row for row in rows if row.cells]
    return PaperTable((*measured, *published_rows(literature, report.steps)), report.steps, _remarks(report))


def _remarks(report: Tournament) -> tuple[str, ...]:
    seeded = [str(row["title"]).removesuffix(_DAGGER) for row in report.entrants if int(row["seeds"]) > 1]
    if not seeded:
        return ()
    return (
        f"Means over {report.most_seeds} draws of {report.calibration_images} calibration images: {', '.join(seeded)}.",
    )


def _ann_interval(report: Tournament) -> tuple[float, float]:
    low, high = wilson_interval(int(report.ann_correct.sum()), report.images)
    return float(low), float(high)


def _cost(one: Standing, cost: str) -> float:
    value = float(getattr(one, cost))
    return max(value, _ZERO) if cost == "calibration_seconds" else value


def _method(mine: Sequence[Standing], cost: str, title: str, entrant: int) -> list[Mark]:
    role, marker = tournament_role(entrant), _MARKERS[(entrant // len(SERIES)) % len(_MARKERS)]
    at = np.array([_cost(one, cost) for one in mine])
    value, low, high = (
        100 * np.array([getattr(one, name) for one in mine]) for name in ("accuracy", "images_low", "images_high")
    )
    hover = tuple(_told(one, title) for one in mine)
    return [
        Segments(at, low, at, high, role, 0.9, 0.45),
        Line(at, value, role, 0.8, "solid", marker, 0.95, title, hover),
    ]


def _front(front: Sequence[Standing], cost: str, x: Axis) -> Line:
    at = np.array([_cost(one, cost) for one in front])
    value = 100 * np.array([one.accuracy for one in front])
    across = np.concatenate([np.repeat(at, 2)[1:], [x.high]])
    return Line(across, np.repeat(value, 2), "text", 0.9, "dot", label="Pareto front")


def _told(one: Standing, title: str) -> str:
    over = f"over {one.seeds} seeds" if one.over_seeds else "over images"
    ops = "" if not np.isfinite(one.syn_ops) else f"\n{one.syn_ops:,.0f} synaptic operations per image"
    late = "" if one.total_latency == one.step else f"\n{one.total_latency} time-steps with the warm-up"
    return (
        f"{title}\nT = {one.step}\n{percent_interval(one.accuracy, one.low, one.high)} {over}{late}{ops}\n"
        f"{one.calibration_seconds:.2g} s to convert"
    )


def _log_axis(low: float, high: float, title: str, *, steps: bool) -> Axis:
    if low == high:
        low, high = low / 1.5, high * 1.5
    room = (high / low) ** 0.05
    low, high = low / room, high * room
    if steps:
        ticks = tuple((float(2**k), str(2**k)) for k in range(20) if low <= 2**k <= high)
    else:
        first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
        parts = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 4 else (1,)
        values = [part * 10.0**k for k in range(first, last + 1) for part in parts]
        ticks = tuple((value, _short(value)) for value in values if low <= value <= high)
    return Axis(low, high, title, ticks, log=True)


def _short(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _points(pair: PairedMethods) -> str:
    low, high = (number(100 * end, 1, sign=True) for end in (pair.low, pair.high))
    return f"{number(100 * pair.difference, 1, sign=True)} [{low}, {high}]"


def _p_told(pair: PairedMethods) -> str:
    return "means over calibration seeds" if pair.p is None else f"McNemar's exact p = {pair.p:.2g}"


def _seeds_told(report: Tournament) -> str:
    if report.most_seeds < 2:
        return ""
    return f" Methods that calibrate: means over {report.most_seeds} draws of calibration images."


def _subtitle(report: Tournament, step: int | None = None) -> str:
    steps = f"T = {step}" if step is not None else f"T = {', '.join(map(str, report.steps))}"
    seeds = report.most_seeds
    drawn = f" · {seeds} calibration seed{'s' * (seeds != 1)}"
    return f"{steps} · {report.split.replace('_', ' ')}, {report.images:,} images{drawn}"
