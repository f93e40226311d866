"""The noise that stands for a conversion's error: over depth, at one site, and what it does to the ANN."""

import math

import numpy as np
import pandas as pd

from snnlab.analysis.reports import NoiseReport
from snnlab.calibration import NoiseProfile
from snnlab.core.errors import SnnlabError
from snnlab.core.histogram import GAP_REACH
from snnlab.figures.figure import Figure
from snnlab.figures.rows import arrange
from snnlab.figures.scene import (
    Axis,
    Band,
    Bars,
    Layout,
    Line,
    Mark,
    Note,
    Panel,
    Points,
    Rule,
    Segments,
    nice_ticks,
    number_ticks,
)
from snnlab.figures.style import shorten
from snnlab.figures.tables import number, percent, percent_interval


def noise_profile(report: NoiseReport, step: int, profile: NoiseProfile | None = None) -> Figure:
    """Std of the gap over threshold, one row a site, input first, beside what a constant input would leave.

    Args:
        report: Noise.
        step: T at which the gap was measured.
        profile: A profile drawn by hand, over the same sites.

    Raises:
        SnnlabError: The gap was not measured at that step, or the profile has other sites.
    """
    measured = report.profile(step)
    if profile is not None and profile.names != report.names:
        raise SnnlabError("The drawn noise profile has other sites than the run; draw it on this network.")
    rows = arrange(list(report.names))
    std, local = measured.relative, measured.local_std / measured.thresholds
    hover = tuple(
        f"{name}\nstd / threshold {number(s, 3)}, local {number(q, 3)}\nmean {number(m, 3, sign=True)}, "
        f"{percent(z, 1)} exactly 0"
        for name, s, q, m, z in zip(
            rows.names, std, local, measured.mean / measured.thresholds, measured.share_zero, strict=True
        )
    )
    size = 0.9 if rows.named else 0.7
    marks: list[Mark] = [
        Bars(
            rows.centre, np.zeros_like(std), std, 0.62 if rows.named else 0.85, "noisy_ann", True, 0.75,
            "measured gap", hover,
        ),
        Points(local, rows.centre, "text", "diamond", size, label="local gap, constant input"),
    ]  # fmt: skip
    largest = float(max(std.max(), local.max()))
    frame = report.to_frame()
    frame = frame[frame["step"] == step].reset_index(drop=True)
    if profile is not None:
        half = 0.43 if rows.named else 0.5
        drawn = profile.relative
        marks.append(
            Segments(drawn, rows.centre - half, drawn, rows.centre + half, "compared", 1.4, label="drawn profile")
        )
        frame = frame.assign(drawn_std=profile.std)
        largest = max(largest, float(drawn.max()))
    end = 1.06 * largest if largest > 0 else 1.0
    axis = rows.axis
    sites = Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)
    worst = int(np.argmax(std))
    return Figure(
        name=f"noise-profile-t{step}",
        title="How large is the gap between ANN and SNN, site by site?",
        subtitle=_gap_text(report, step),
        alt=f"Bars of std / threshold of the gap in {len(rows.names)} sites at T = {step}; the largest, "
        f"{number(float(std[worst]), 3)}, is at {shorten(rows.names[worst], 40)}.",
        panels=(Panel(Axis(0, end, "std of the gap / threshold", number_ticks(0, end, 5)), sites, tuple(marks)),),
        layout=Layout(millimetres=rows.millimetres + 9, pixels=rows.pixels),
        data=frame,
        foot="Each network propagates its own activations, so a gap holds the errors of the sites before it.",
    )


def noise_gap(report: NoiseReport, site: str | int, step: int, *, std: float | None = None) -> Figure:
    """The measured gap of one site as stems, and Gaussian noise over it.

    Args:
        report: Noise.
        site: Name or index.
        step: T at which the gap was measured.
        std: Of the noise that is drawn, activation units; None for the std of the gap.

    Raises:
        SnnlabError: No such site, or the gap was not measured at that step.
    """
    i, j = site_index(report, site), report.step_index(step)
    lattice, threshold = report.lattice[j], float(report.thresholds[i])
    share = report.gap_counts[i, j] / report.count[i]
    gap = np.arange(-GAP_REACH, GAP_REACH + 1) / lattice
    measured = float(report.std[i, j])
    std = (measured if std is None else std) / threshold
    reach = float(min(1.0, max(3.5 * std, 3 / lattice, np.abs(gap[share > 1e-4]).max(initial=0.0))))
    inside = np.abs(gap) <= reach + 1e-9
    x = np.linspace(-reach, reach, 241)
    curve = _bin_share(x, std, 1 / lattice)
    beside = share[inside & (gap != 0)].max(initial=0.0)
    top = min(
        1.06, 1.25 * max(float(beside), float(curve.max()), 1e-3)
    )  # the stem at 0 is cut: it would flatten all others
    heights = np.minimum(share, top)
    hover = tuple(f"gap {number(g, 3, sign=True)} thresholds\n{percent(s)}" for g, s in zip(gap, share, strict=True))
    zero = percent(float(report.zero[i, j]), 1)
    marks: list[Mark] = [
        Bars(gap[inside], np.zeros(inside.sum()), heights[inside], 0.34 / lattice, "snn", opacity=0.8,
             label="measured gap", hover=tuple(np.array(hover)[inside].tolist())),
        Rule(0.0),
        Note(0.0, 0.97 * top, f"{zero} exactly 0", "text", "left", "top", gap=(6.0, 0.0)),
    ]  # fmt: skip
    if std > 0:
        marks.append(Line(x, curve, "noisy_ann", 1.3, label=f"noise, std {number(std, 3)} of the threshold"))
    name = shorten(report.names[i], 40)
    mean = float(report.mean[i, j]) / threshold
    return Figure(
        name=f"noise-gap-{report.names[i]}-t{step}",
        title=f"Is the gap at {shorten(report.names[i], 32)} Gaussian?",
        subtitle=f"{_gap_text(report, step)} · threshold {number(threshold, 3)}",
        alt=f"Histogram of the gap at {name}, T = {step}: {zero} exactly 0, std "
        f"{number(measured / threshold, 3)} and mean {number(mean, 3, sign=True)} thresholds, with a Gaussian of std "
        f"{number(std, 3)}.",
        panels=(
            Panel(
                Axis(-reach * 1.04, reach * 1.04, "gap (ANN − SNN) / threshold", number_ticks(-reach, reach, 6)),
                Axis(0, top, "share of activations (%)", tuple((v, f"{100 * v:g}") for v in nice_ticks(0, top, 4))),
                tuple(marks),
            ),
        ),
        layout=Layout(aspect=0.55, pixels=280),
        data=pd.DataFrame({"site": report.names[i], "step": step, "gap": gap, "share": share}),
        foot=f"Mean of the gap {number(mean, 3, sign=True)} thresholds, which the noise leaves out. "
        f"{_outside_text(report, i, j)}",
    )


def noise_scales(report: NoiseReport, target: int) -> Figure:
    """Accuracy of the noisy ANN over the scale of its noise, with the SNN's, and kappa where they meet.

    Args:
        report: Noise.
        target: T of the SNN.

    Raises:
        SnnlabError: The noisy ANN was not evaluated for that T.
    """
    found = [report.noisy(target, scale) for scale in report.scales.tolist()]
    value, low, high = (100 * np.array([getattr(each, name) for each in found]) for name in ("value", "low", "high"))
    scales, ends, snn, ann = report.scales, np.array([0.0, float(report.scales[-1])]), report.snn(target), report.ann
    bottom = max(0.0, float(np.floor((min(low.min(), 100 * snn.low) - 2) / 10) * 10))
    hover = tuple(
        f"scale {number(s, 2)}\n{percent_interval(each.value, each.low, each.high)}\n{report.noise_seeds} noise seeds"
        for s, each in zip(scales, found, strict=True)
    )
    level, clean = np.full(2, 100 * snn.value), np.full(2, 100 * ann.value)
    marks: list[Mark] = [
        Band(ends, np.full(2, 100 * snn.low), np.full(2, 100 * snn.high), "snn", 0.10),
        Line(ends, clean, "ann", 0.9, "dash", label=f"ANN, {percent(ann.value)}"),
        Line(ends, level, "snn", 1.1, "dash", label=f"SNN at T = {target}, {percent(snn.value)}"),
        Band(scales, low, high, "noisy_ann", 0.25),
        Line(scales, value, "noisy_ann", 1.3, marker="circle", label="noisy ANN", hover=hover),
    ]
    kappa, left, right = report.kappa[report.target_index(target)].tolist()
    if np.isfinite(kappa):
        at, height = np.array([kappa]), np.array([100 * snn.value])
        marks += [
            Segments(at, np.array([bottom]), at, height, "text", 0.6),
            Points(at, height, "text", "diamond", 1.2, outlined=True, label="kappa"),
            Note(kappa, bottom, f"κ = {number(kappa)}", "text", "left", "bottom", bold=True, gap=(4.0, 3.0)),
        ]
    why = report.kappa_why[report.target_index(target)]
    interval = "" if why else f" [{number(left)}, {'> 4' if np.isinf(right) else number(right)}]"
    told = f"kappa {number(kappa)}{interval}" if not why else f"no kappa: {why}" if np.isnan(kappa) else f"kappa {why}"
    top = min(100.0, float(np.ceil((max(high.max(), 100 * ann.high) + 1) / 5) * 5))
    frame = report.accuracy_frame()
    return Figure(
        name=f"noise-scales-t{target}",
        title="How much noise costs as much as the conversion?",
        subtitle=f"T = {target} · {report.split}, {report.images:,} images · {report.noise_seeds} noise seeds",
        alt=f"Accuracy of the noisy ANN against the scale of its noise, beside the SNN's {percent(snn.value)}; {told}.",
        panels=(
            Panel(
                Axis(-0.08, ends[1] + 0.08, "scale of the noise profile", number_ticks(0, ends[1], 4)),
                Axis(bottom, top, "accuracy (%)", tuple((v, f"{v:g}") for v in nice_ticks(bottom, top)), grid=True),
                tuple(marks),
            ),
        ),
        layout=Layout(aspect=0.62, pixels=320),
        data=frame[(frame["role"] == "ann") | (frame["step"] == target)].reset_index(drop=True),
        foot=f"Shaded: 95 % intervals over images. {told[0].upper()}{told[1:]}.",
    )


def _bin_share(x: np.ndarray, std: float, width: float) -> np.ndarray:
    """Share of Gaussian noise within a bin around each x; all of it at 0 for a std of 0."""
    if std == 0:
        return (np.abs(x) < width / 2).astype(float)
    below = [0.5 * (1 + math.erf(float(edge) / (std * math.sqrt(2)))) for edge in (*(x - width / 2), *(x + width / 2))]
    return np.array(below[len(x) :]) - np.array(below[: len(x)])


def site_index(report: NoiseReport, site: str | int) -> int:
    """Index of a site, given by name or index; raises SnnlabError where there is none."""
    if isinstance(site, int) and 0 <= site < len(report.names):
        return site
    if site not in report.names:
        raise SnnlabError(f"There is no site {site!r} in this noise run; sites are: {', '.join(report.names)}.")
    return report.names.index(str(site))


def _gap_text(report: NoiseReport, step: int) -> str:
    pooled = "mean of batch variances" if report.paper_compat else "pooled"
    return f"T = {step} · {report.fit_split}, {report.fit_images:,} images · {pooled}"


def _outside_text(report: NoiseReport, i: int, j: int) -> str:
    outside = float(report.outside[i, j] / report.count[i])
    return f"{percent(outside, 2)} lie beyond one threshold." if outside > 0 else "None lies beyond one threshold."
