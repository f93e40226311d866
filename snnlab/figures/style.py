"""Colours by role, journal presets, and the plotly templates: one look for screen and paper."""

import difflib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from snnlab.core.errors import SnnlabError

LIGHT = {
    "background": "#ffffff",
    "text": "#24292f",
    "mute": "#5c636b",
    "grid": "#e4e6e9",
    "axis": "#8b9198",
    "wash": "#f4f4f3",
    "ann": "#4d4d4d",
    "noisy_ann": "#E69F00",
    "snn": "#0072B2",
    "compared": "#009E73",
    "third": "#CC79A7",
    "fourth": "#8C5A2B",
    "fifth": "#5b3fa0",
    "sixth": "#77770a",
    "seventh": "#a0174f",
    "excess": "#D55E00",
    "missing": "#56B4E9",
    "silent": "#e0e0df",
    "exact": "#c6c6c4",
    "saturated": "#999998",
    "input": "#7d8288",
    "error_uneven": "#D55E00",
    "error_quantization": "#0072B2",
    "error_resolution": "#0072B2",
    "error_clipping": "#CC79A7",
    "error_activation": "#009E73",
    "error_propagated": "#8c929a",
}
DARK = {
    **LIGHT,
    "background": "#14171b",
    "text": "#e4e7ea",
    "mute": "#a3abb3",
    "grid": "#2b3036",
    "axis": "#737b83",
    "wash": "#1c2025",
    "ann": "#c4c9ce",
    "snn": "#3f97d3",
    "compared": "#1fb88a",
    "third": "#d993ba",
    "fourth": "#bd8a56",
    "fifth": "#a18be0",
    "sixth": "#b9b94a",
    "seventh": "#e0608f",
    "excess": "#e06a14",
    "silent": "#2d3238",
    "exact": "#565c63",
    "saturated": "#8a9097",
    "input": "#8f969d",
    "error_uneven": "#e06a14",
    "error_quantization": "#3f97d3",
    "error_resolution": "#3f97d3",
    "error_clipping": "#d993ba",
    "error_activation": "#1fb88a",
    "error_propagated": "#858d95",
}
SERIES = ("snn", "compared", "third", "fourth", "fifth", "sixth", "seventh")
"""Roles of curves in order: the run itself, the one it is compared with, further ones.

After the last one they begin again. Dashes and markers come in fours, so that 28 curves differ from each other.
"""

# Cividis (Nunez et al. 2018), dark to light.
_CIVIDIS = (
    "#00204d",
    "#00316f",
    "#31446b",
    "#4d576b",
    "#666970",
    "#7c7b78",
    "#958f78",
    "#afa471",
    "#cbba69",
    "#e7d054",
)

# Brown to teal, which readers without red or green tell apart and no role uses: against and for.
_DIVERGING = ("#543005", "#8c510a", "#bf812d", "#dfc27d", "", "#80cdc1", "#35978f", "#01665e", "#003c30")

SCREEN_FONT = '"Source Sans", "Source Sans 3", "Source Sans Pro", system-ui, "Segoe UI", Roboto, sans-serif'
PAPER_FONTS = ("Arial", "Liberation Sans", "DejaVu Sans")
"""TrueType families in order of choice; matplotlib ships the last one, which also fills in missing glyphs."""


@dataclass(frozen=True)
class Preset:
    """A width that a journal asks for.

    Args:
        width: Figure width, mm.
        font: Size of axis titles and tick labels, pt.
    """

    width: float
    font: float


PRESETS = {
    "single": Preset(85, 7),
    "double": Preset(178, 8),
    "neurips": Preset(139.7, 8),
    "iclr": Preset(139.7, 8),
    "icml": Preset(82.6, 7),
    "icml-double": Preset(171.5, 8),
    "cvpr": Preset(82.6, 7),
    "cvpr-double": Preset(174.6, 8),
    "ieee-single": Preset(88.9, 7),
    "ieee-double": Preset(181.9, 8),
    "nature-single": Preset(89, 6.5),
    "nature-double": Preset(183, 7),
    "elsevier-single": Preset(90, 7),
    "elsevier-double": Preset(190, 8),
    "lncs": Preset(122, 7.5),
    "slide": Preset(254, 14),
}
WIDE = 120.0
"""Figures at least this wide (mm) show their optional columns."""


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        SnnlabError: No such preset; the nearest names are proposed.
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1)
    hint = f"did you mean {near[0]!r}" if near else "choose one of " + ", ".join(PRESETS)
    raise SnnlabError(f"There is no figure preset {name!r}; {hint}.")


def palette(dark: bool = False) -> dict[str, str]:
    """Colour of every role."""
    return DARK if dark else LIGHT


def density_colours(dark: bool = False) -> list[str]:
    """Cividis from none to dense: dense is far from the page in both themes, and none is the page itself."""
    ramp = _CIVIDIS if dark else _CIVIDIS[::-1]
    page = _rgb(palette(dark)["background"])
    colours = []
    for i, colour in enumerate(ramp):
        opacity = min(1.0, 1.6 * i / (len(ramp) - 1))
        mixed = [round(opacity * c + (1 - opacity) * p) for c, p in zip(_rgb(colour), page, strict=True)]
        colours.append("#" + "".join(f"{part:02x}" for part in mixed))
    return colours


def ramp_colours(ramp: str, dark: bool = False) -> list[str]:
    """Colours of a ramp from its lowest value on: ``density``, or ``diverging`` with a shade of the page amid."""
    if ramp == "density":
        return density_colours(dark)
    assert ramp == "diverging", "scene.Heat names two ramps"
    if not dark:
        return [colour or LIGHT["wash"] for colour in _DIVERGING]
    # The ends are far from the page in both themes: on a dark one the light colours lie outside.
    against, favour = _DIVERGING[1:4], _DIVERGING[5:8]
    return [*reversed(against), DARK["wash"], *reversed(favour)]


def faded(colour: str, opacity: float) -> str:
    """A hex colour as ``rgba(...)``."""
    return f"rgba({','.join(map(str, _rgb(colour)))},{opacity:g})"


def template(dark: bool = False) -> dict[str, Any]:
    """The plotly template of a theme, as plain values; backgrounds are transparent, so that it sits on any page."""
    roles = palette(dark)
    axis = {
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "linecolor": roles["axis"],
        "linewidth": 1,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": roles["axis"],
        "tickfont": {"color": roles["mute"], "size": 12},
        "title": {"font": {"color": roles["text"], "size": 13}, "standoff": 8},
        "gridcolor": roles["grid"],
    }
    return {
        "layout": {
            "font": {"family": SCREEN_FONT, "size": 13, "color": roles["text"]},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": [roles[role] for role in SERIES],
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": roles["background"],
                "bordercolor": roles["axis"],
                "font": {"family": SCREEN_FONT, "size": 13, "color": roles["text"]},
                "align": "left",
            },
            "legend": {"font": {"color": roles["text"], "size": 13}, "bgcolor": "rgba(0,0,0,0)"},
        }
    }


def plain(text: str) -> str:
    """Text that may be a user's, on one line and without characters that no file format can hold."""
    spaced = re.sub(r"[ \t-\r\x85\u2028\u2029]+", " ", str(text)).strip(" ")  # keeps no-break spaces
    # Control and surrogate characters break XML; format characters reorder the text around them.
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in spaced)


def shorten(text: str, length: int) -> str:
    """``plain`` text of at most ``length`` characters; the middle goes, as names differ at their ends."""
    text = plain(text)
    if len(text) <= length:
        return text
    tail = (length - 1) * 2 // 3
    return text[: length - 1 - tail] + "…" + text[-tail:]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
