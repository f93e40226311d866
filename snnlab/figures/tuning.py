"""Where does the deviation error sit? What a search of thresholds tried and left at every site."""

import numpy as np

from snnlab.analysis.reports import ConversionReport
from snnlab.core.errors import SnnlabError
from snnlab.figures.figure import Figure
from snnlab.figures.rows import arrange
from snnlab.figures.scene import Axis, Bars, Layout, Mark, Panel, Points, Segments, number_ticks
from snnlab.figures.style import shorten
from snnlab.figures.tables import number

_OTHERS = (("quantization", "diamond"), ("clipping", "square"))


def threshold_tuning(report: ConversionReport, *, name: str = "TTRBR") -> Figure:
    """Deviation, quantization and clipping error of every site, and its threshold among those tried, input first.

    Args:
        report: Conversion by a method that searches thresholds.
        name: How the title calls the method.

    Raises:
        SnnlabError: The method searched none.
    """
    frame = report.tuning()
    if frame is None:
        raise SnnlabError(f"{report.method} does not search thresholds; only a conversion by ttrbr has this figure.")
    rows = arrange([str(site) for site in frame["name"]])
    found = report.findings["thresholds"]
    hover = tuple(
        f"{row['name']}\nthreshold {number(row['threshold'], 3)}, of {row['tried']} tried\n"
        f"root mean squared error {number(row['error'], 3)} × threshold\n"
        f"deviation {number(row['deviation'], 3)}, quantization {number(row['quantization'], 3)}, "
        f"clipping {number(row['clipping'], 3)}\nstd of the input over time {number(row['input_std'], 3)} × threshold"
        for row in frame.to_dict("records")
    )
    size = 0.9 if rows.named else 0.75
    deviation = frame["deviation"].to_numpy(dtype=float)
    parts: list[Mark] = [
        Bars(
            rows.centre, np.zeros_like(deviation), deviation, 0.5 if rows.named else 0.8, "error_uneven", True,
            label="deviation (uneven input)", hover=hover,
        ),
        *(
            Points(
                frame[part].to_numpy(dtype=float), rows.centre, f"error_{part}", symbol, size, label=part, hover=hover
            )
            for part, symbol in _OTHERS
        ),
    ]  # fmt: skip
    low, high, chosen = (frame[column].to_numpy(dtype=float) for column in ("lowest", "highest", "threshold"))
    tried: tuple[Mark, ...] = (
        Segments(low, rows.centre, high, rows.centre, "mute", 1.1, 0.6, "thresholds tried"),
        Points(chosen, rows.centre, "snn", "circle", size, label="chosen", hover=hover),
    )
    worst = int(np.argmax(deviation))
    axis = rows.axis
    sites = Axis(axis.low, axis.high, axis.title, axis.ticks, grid=rows.named, line=False, strong=True)
    return Figure(
        name=f"threshold-tuning-t{found['num_steps']}",
        title=f"Where does {name}'s deviation error sit?",
        subtitle=f"T = {found['num_steps']} · {found['split']}, {found['images']:,} images · {len(frame)} sites",
        alt=f"One row for each of {len(frame)} sites. The deviation error is largest at "
        f"{shorten(rows.names[worst], 40)}: {number(float(deviation[worst]), 3)} thresholds on average. Beside it the "
        "quantization and clipping errors, and the chosen threshold among those tried.",
        panels=(
            Panel(
                _from_zero(float(frame[["deviation", "quantization", "clipping"]].max().max()), "mean |error| / θ"),
                sites,
                tuple(parts),
            ),
            Panel(_from_zero(float(high.max()), "threshold θ (activation units)"), rows.blank_axis, tried, column=1),
        ),
        layout=Layout(columns=(1.0, 1.0), millimetres=rows.millimetres + 9, pixels=rows.pixels, column_gap=0.04),
        data=frame,
        foot="Magnitudes of the parts do not add up: their signs differ from neuron to neuron.",
    )


def _from_zero(largest: float, title: str) -> Axis:
    end = 1.06 * largest if largest > 0 else 1.0
    return Axis(0, end, title, number_ticks(0, end, 4))
