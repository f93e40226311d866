"""How the app writes names, numbers and choices. Every name may come from a file: it is data, never markup."""

import html
import re
from typing import Any

import snnlab as sl

MINUS = "−"
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_SHORT = {"percentile": "p"}
_ACTIVATIONS = {"qcfs": "QCFS", "relu": "ReLU", "clipped_relu": "clipped ReLU", "nq": "NQ", "lsq_noise": "LSQ"}
_FRACTIONS = {0.0: "0", 0.25: "1/4", 0.5: "1/2", 0.75: "3/4", 1.0: "1"}


def name(text: object, length: int = 48) -> str:
    """A user's name as plain text on one line, shortened in its middle."""
    return sl.figures.style.shorten(str(text), length)


def md(text: object, length: int = 48) -> str:
    """``name`` for Markdown: every punctuation mark escaped."""
    return _PUNCTUATION.sub(r"\\\1", name(text, length))


def tag(text: object, length: int = 200) -> str:
    """``name`` for HTML."""
    return html.escape(name(text, length))


def percent(fraction: float, decimals: int = 2) -> str:
    """A fraction in percent."""
    return sl.figures.tables.percent(fraction, decimals)


def span(low: float, high: float) -> str:
    """An interval of fractions, in percent without the sign."""
    return f"{100 * low:.2f}–{100 * high:.2f}"


def points(difference: float) -> str:
    """A difference of fractions in percentage points, signed."""
    return sl.figures.tables.points(difference)


def count(value: float) -> str:
    """A large count with thousands separated."""
    return f"{value:,.0f}"


def fraction(value: float) -> str:
    """v(0) as a fraction of the threshold."""
    return _FRACTIONS.get(value, f"{value:g}").replace("-", MINUS)


def shape(extent: Any) -> str:
    """Channels x height x width."""
    return " × ".join(str(size) for size in extent or ()) or "–"


def activation_name(kind: str) -> str:
    """An activation as people write it; of a user's file by its title."""
    own = {card.name: card.display_name for card in sl.methods("activation")}
    return _ACTIVATIONS.get(kind) or name(own.get(kind, kind))


def activation(kind: str, levels: int | None) -> str:
    """An activation of the ANN, with its quantization levels where it has any."""
    text = activation_name(kind)
    return text if levels is None else f"{text}, L = {levels}"


def method(recipe: sl.Recipe) -> str:
    """Title of the method, with a dagger where it is an interpretation."""
    return method_named(recipe.converter.method)


def method_named(method: str) -> str:
    """Title of a method by its name in recipes."""
    return next((card.display_name for card in sl.methods() if card.name == method), f"{method} (not loaded)")


def parameters(recipe: sl.Recipe, levels: int | None) -> str:
    """The method's parameters, short."""
    parts = [] if levels is None else [f"L = {levels}"]
    for key, value in recipe.converter.parameters.items():
        if key == "initial_fraction":
            parts.append(f"v(0) = {fraction(float(value))}")
        elif isinstance(value, bool):
            parts += [key.replace("_", " ")] if value else []
        else:
            parts.append(
                f"{_SHORT.get(key, key.replace('_', ' '))} = {value:g}" if isinstance(value, float) else str(value)
            )
    edited = len(recipe.converter.sites)
    return ", ".join(parts + ([f"{edited} site{'s' * (edited != 1)} edited"] if edited else []))


def images(curve: sl.analysis.AccuracyCurve) -> str:
    """Split and number of images; a foreign checkpoint's dev says that it is drawn from the test file."""
    return f"{curve.split.replace('_', ' ')}, {curve.images:,} image{'s' * (curve.images != 1)}"
