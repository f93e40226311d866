"""Which images change their class in the SNN, when do they come back, and where do their representations part?"""

import numpy as np
import pandas as pd

from snnlab.analysis.reports import FlipReport
from snnlab.core.errors import SnnlabError
from snnlab.figures.figure import Figure
from snnlab.figures.rows import arrange
from snnlab.figures.scene import (
    Axis,
    Bars,
    Heat,
    Layout,
    Line,
    Mark,
    Note,
    Panel,
    Points,
    Rule,
    Segments,
    number_ticks,
)
from snnlab.figures.steps import step_axis
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

FLIP_ROLES = {"bad": "ann", "good": "snn", "other": "saturated"}
"""Colour of a kind of flip: that of the network which alone is right."""

FLIP_NAMES = {"bad": "only the ANN is right", "good": "only the SNN is right", "other": "both wrong"}

_MARKERS = {"bad": "circle", "good": "square", "other": "triangle-up"}
_MARKED_STEPS = 32
_NUMBERED_CLASSES = 12  # more numbers than this are too small to read


def flips_over_steps(report: FlipReport, step: int | None = None, *, log_steps: bool = False) -> Figure:
    """Images on which ANN and SNN(t) disagree, in percent, by who is right, at t = 1..T.

    Args:
        report: Flips.
        step: t that is marked; None for none.
        log_steps: Logarithmic steps, base 2.
    """
    at = np.arange(1, report.num_steps + 1)
    counts = [report.counts(int(t)) for t in at]
    x = step_axis(report.num_steps, log=log_steps)
    marks: list[Mark] = [Rule(float(step), role="mute")] if step is not None else []
    largest = 0.0
    for kind, role in FLIP_ROLES.items():
        share = 100 * np.array([count[kind] for count in counts]) / report.images
        largest = max(largest, float(share.max()))
        hover = tuple(
            f"{FLIP_NAMES[kind]}\nt = {t}\n{count[kind]} of {report.images:,} images"
            for t, count in zip(at, counts, strict=True)
        )
        marker = _MARKERS[kind] if report.num_steps <= _MARKED_STEPS else ""
        marks.append(Line(at, share, role, 1.3, marker=marker, label=FLIP_NAMES[kind], hover=hover))
    end = max(1.08 * largest, 1.0)
    y = Axis(-0.03 * end, end, "images that flip (%)", number_ticks(0, end, 4), grid=True)
    last = report.counts(report.num_steps)
    return Figure(
        name="flips",
        title="How many images change their class, and who is right?",
        subtitle=f"T = 1 to {report.num_steps} · {_data(report)}",
        alt=f"Three lines over time-steps: at t = 1 {sum(counts[0].values())} of {report.images} images flip, at "
        f"t = {report.num_steps} {sum(last.values())}.",
        panels=(Panel(x, y, tuple(marks)),),
        layout=Layout(aspect=0.5, pixels=250),
        data=_over_steps(report),
    )


def flip_sites(report: FlipReport, step: int, image: int | None = None) -> Figure:
    """Distance of the representations at every site, usual and of one image, and where flips part; input first.

    Args:
        report: Flips.
        step: A step with distances.
        image: Image drawn beside what is usual; None for none.

    Raises:
        SnnlabError: No distances at that step, too few images that do not flip, or no such image.
    """
    if step not in report.steps:
        kept = ", ".join(map(str, report.steps))
        raise SnnlabError(f"No distances were kept at t = {step}; kept are t = {kept}.")
    usual = report.usual(step)
    if usual is None:
        alike = int((~report.flipped(step)).sum())
        raise SnnlabError(
            f"At t = {step} only {alike} images do not flip, too few to say what is usual; choose a larger t."
        )
    if image is not None and not 0 <= image < report.images:
        raise SnnlabError(f"There is no image {image}; images go from 0 to {report.images - 1}.")
    median, high = usual
    rows = arrange(list(report.names))
    distances = report.distances[report.steps.index(step)].astype(np.float64)
    size = 0.95 if rows.named else 0.7
    hover = tuple(
        f"{name}\nimages that do not flip: median {number(m, 3)}, 95 % below {number(h, 3)}"
        for name, m, h in zip(report.names, median, high, strict=True)
    )
    usually = "95 % of the images that do not flip"
    marks: list[Mark] = [
        Segments(np.zeros_like(high), rows.centre, high, rows.centre, "silent", 2.6, label=usually),
        Points(median, rows.centre, "mute", "diamond", size, label="their median", hover=hover),
    ]
    largest, told = float(high.max()), ""
    if image is not None:
        own = distances[:, image]
        largest = max(largest, float(own.max()))
        first = int(report.first_sites(step)[image])
        texts = tuple(
            f"{name}\nimage {image}: {number(value, 3)}" for name, value in zip(report.names, own, strict=True)
        )
        marks.append(Line(own, rows.centre, "snn", 1.2, label=f"image {image}", hover=texts))
        marks.append(Points(own, rows.centre, "snn", "circle", size, hover=texts))
        if first >= 0:
            marks.append(Rule(float(rows.centre[first]) - 0.5, False, "snn", "dash", 0.8))
            told = f" Image {image} parts at {shorten(report.names[first], 40)}, the dashed line."
        else:
            told = f" Image {image} parts nowhere: at the last site its distance is usual."
    counts = report.by_site(step)
    bars: list[Mark] = [
        Bars(
            rows.centre, np.zeros(len(counts)), counts.astype(float), 0.62 if rows.named else 0.85, "snn", True,
            hover=tuple(f"{name}\n{count} flips part here" for name, count in zip(report.names, counts, strict=True)),
        )
    ]  # fmt: skip
    axis = rows.axis
    sites = Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)
    end, most = 1.05 * max(largest, 0.05), max(1.0, 1.08 * float(counts.max()))
    flipped = int(report.flipped(step).sum())
    return Figure(
        name=f"flip-sites-t{step}",
        title="Where do the representations part?",
        subtitle=f"t = {step} · {_data(report)} · {flipped} flips",
        alt=f"Distances between SNN and ANN over {len(report.names)} sites at t = {step}. {int(counts.sum())} of "
        f"{flipped} flips part at a site, most at {shorten(report.names[int(np.argmax(counts))], 40)}.{told}",
        panels=(
            Panel(Axis(0, end, "distance SNN to ANN", number_ticks(0, end, 4)), sites, tuple(marks)),
            Panel(Axis(0, most, "flips parting", _whole_ticks(most)), rows.blank_axis, tuple(bars), column=1),
        ),
        layout=Layout(columns=(1.8, 1.0), millimetres=rows.millimetres + 9, pixels=rows.pixels, column_gap=0.04),
        data=_sites_frame(report, step, image, median, high, counts),
        foot=f"{int(counts.sum())} of {flipped} flips part at a site; of the images that do not flip, 5 % would.{told}",
    )


def flip_confusion(report: FlipReport, step: int) -> Figure:
    """Flips by the ANN's class (rows) and the SNN's (columns), and by true class.

    Args:
        report: Flips.
        step: t.
    """
    counts, by_class = report.confusion(step), report.by_class(step)
    classes = report.num_classes
    edges = np.arange(classes + 1) - 0.5
    most = max(int(counts.max()), 1)
    marks: list[Mark] = [Heat(edges, edges, counts / most)]
    if classes <= _NUMBERED_CLASSES:
        marks += [
            Note(float(snn), float(ann), str(counts[ann, snn]), "background" if counts[ann, snn] > most / 2 else "text",
                 horizontal="center")
            for ann, snn in np.argwhere(counts > 0)
        ]  # fmt: skip
    numbered = all(name == str(place) for place, name in enumerate(report.classes))
    names = [name if numbered else f"{place} {shorten(name, 12)}" for place, name in enumerate(report.classes)]
    rows, columns = (range(0, classes, max(1, -(-classes // most_ticks))) for most_ticks in (20, 10))
    across = tuple((float(place), str(place)) for place in columns)
    down = Axis(classes - 0.5, -0.5, "", tuple((float(place), names[place]) for place in rows), strong=True)
    bars: list[Mark] = []
    start = np.zeros(classes)
    for kind, role in FLIP_ROLES.items():
        value = by_class[kind].to_numpy(float)
        hover = tuple(
            f"{shorten(name, 40)}, {images} images\n{int(v)} flips, {FLIP_NAMES[kind]}"
            for name, images, v in zip(report.classes, by_class["images"], value, strict=True)
        )
        bars.append(
            Bars(np.arange(classes), start, start + value, 0.66, role, True, label=FLIP_NAMES[kind], hover=hover)
        )
        start = start + value
    end = max(1.0, 1.08 * float(start.max()))
    worst = int(by_class["flips"].to_numpy().argmax())
    return Figure(
        name=f"flip-classes-t{step}",
        title="Which classes flip, and into which?",
        subtitle=f"t = {step} · {_data(report)}",
        alt=f"Table of flips by class of ANN and SNN at t = {step}, and bars by true class; most flips, "
        f"{int(start[worst])}, are of class {shorten(report.classes[worst], 40)}.",
        panels=(
            Panel(Axis(-0.5, classes - 0.5, "class of the SNN", across), down, tuple(marks)),
            Panel(
                Axis(0, end, "flips by true class", _whole_ticks(end)),
                Axis(classes - 0.5, -0.5, line=False),
                tuple(bars),
                column=1,
            ),
        ),
        layout=Layout(columns=(1.0, 1.0), millimetres=62, pixels=290, column_gap=0.05),
        data=by_class.assign(step=step, split=report.split),
        foot="Rows: left the class that the ANN gave, right the true class.",
    )


def _whole_ticks(end: float) -> tuple[tuple[float, str], ...]:
    return tuple((at, text) for at, text in number_ticks(0, end, 4) if at == round(at))


def _data(report: FlipReport) -> str:
    return f"{report.split.replace('_', ' ')}, {report.images:,} image{'s' * (report.images != 1)}"


def _over_steps(report: FlipReport) -> pd.DataFrame:
    rows = []
    for t in range(1, report.num_steps + 1):
        share, low, high = report.share(t)
        rows.append({"step": t, "share": share, "low": low, "high": high, **report.counts(t)})
    return pd.DataFrame(rows).assign(images=report.images, split=report.split)


def _sites_frame(
    report: FlipReport, step: int, image: int | None, median: np.ndarray, high: np.ndarray, counts: np.ndarray
) -> pd.DataFrame:
    frame = pd.DataFrame({"site": report.names, "usual_median": median, "usual_high": high, "flips": counts})
    if image is not None:
        frame["image"] = image
        frame["distance"] = report.distances[report.steps.index(step)][:, image].astype(float)
    return frame.assign(step=step, images=report.images, split=report.split)
