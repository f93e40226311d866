"""The profile that the user draws: multiples of what was measured, or stds set directly; the session keeps it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

import snnlab as sl

PRESETS = ("off", "half NQ", "NQ", "uniform", "reversed")
MOST_MULTIPLIER = 1e4
MOST_SCALE = 4.0
_KEPT, _MOST_KEPT = "noise.drawn", 24


@dataclass(frozen=True)
class Drawn:
    """A profile as it is drawn, the same at every T until it is frozen.

    Args:
        multipliers: Factor on each site's measured std.
        levels: Std over threshold where it is set directly: at every site when frozen, else only where the measured
            std is 0, so that no multiplier says anything; None elsewhere.
        preset: ``PRESETS``; it decides instead of the two above. None for drawn by hand.
        scale: Master scale.
        frozen: The std itself stays, whatever is measured at another T or later in training.
    """

    multipliers: tuple[float, ...]
    levels: tuple[float | None, ...]
    preset: str | None = None
    scale: float = 1.0
    frozen: bool = False

    @classmethod
    def start(cls, sites: int) -> "Drawn":
        """NQ: what was measured."""
        return cls((1.0,) * sites, (None,) * sites, "NQ")

    @classmethod
    def from_browser(cls, told: Any, sites: int) -> "Drawn | None":
        """What the view tells; None where it is no profile of so many sites."""
        if not isinstance(told, Mapping):
            return None
        multipliers, levels = told.get("multipliers"), told.get("levels")
        preset, scale, frozen = told.get("preset"), told.get("scale"), told.get("frozen")
        if not isinstance(multipliers, list) or not isinstance(levels, list) or type(frozen) is not bool:
            return None
        if len(multipliers) != sites or len(levels) != sites or (preset is not None and preset not in PRESETS):
            return None
        if not all(_sound(m) for m in multipliers) or not all(u is None or _sound(u) for u in levels):
            return None
        if scale is None or not _sound(scale) or scale > MOST_SCALE or (frozen and preset is not None):
            return None
        return cls(tuple(map(float, multipliers)), tuple(levels), preset, float(scale), frozen)

    def to_browser(self) -> dict[str, Any]:
        """The same as ``from_browser`` takes."""
        return {
            "multipliers": list(self.multipliers),
            "levels": list(self.levels),
            "preset": self.preset,
            "scale": self.scale,
            "frozen": self.frozen,
        }

    def shape(self, measured: "sl.calibration.NoiseProfile") -> "sl.calibration.NoiseProfile":
        """The profile at scale 1 for the T that ``measured`` was measured at."""
        if self.preset is not None:
            return {
                "off": lambda: measured.scaled(0.0),
                "half NQ": lambda: measured.scaled(0.5),
                "NQ": lambda: measured,
                "uniform": measured.uniform,
                "reversed": measured.reversed,
            }[self.preset]()
        levels = np.array([0.0 if level is None else level for level in self.levels])
        direct = levels if self.frozen else np.where(measured.std > 0, 0.0, levels)
        factors = np.zeros(len(levels)) if self.frozen else np.array(self.multipliers)
        return measured.with_std((factors * measured.std + direct * measured.thresholds).tolist())

    def profile(self, measured: "sl.calibration.NoiseProfile") -> "sl.calibration.NoiseProfile":
        """The profile with its master scale."""
        return self.shape(measured).scaled(self.scale)

    def vector(self, measured: "sl.calibration.NoiseProfile") -> list[float]:
        """What the exact table edits: multipliers, or stds in activation units when frozen; at scale 1."""
        shape = self.shape(measured)
        if self.frozen:
            return [float(std) for std in shape.std]
        with np.errstate(divide="ignore", invalid="ignore"):
            factors = np.where(measured.std > 0, shape.std / measured.std, 1.0)
        return [float(round(factor, 4)) for factor in factors]

    def with_vector(self, values: list[float], measured: "sl.calibration.NoiseProfile") -> "Drawn":
        """The profile with another ``vector``."""
        shape = self.shape(measured)
        if self.frozen:
            levels = np.array(values) / measured.thresholds
            return replace(self, preset=None, levels=tuple(levels.tolist()))
        kept = (None if std > 0 else float(level) for std, level in zip(measured.std, shape.relative, strict=True))
        return replace(self, preset=None, multipliers=tuple(map(float, values)), levels=tuple(kept))

    def choice(self, measured: "sl.calibration.NoiseProfile") -> dict[str, Any]:
        """What it is in a recipe's ``noise``: multipliers where they say everything, else stds."""
        if self.preset in ("off", "half NQ", "NQ"):
            factor = {"off": 0.0, "half NQ": 0.5, "NQ": 1.0}[self.preset]
            factors = {} if factor == 1.0 else dict.fromkeys(measured.names, factor)
            return {"scale": self.scale, "multipliers": factors, "std": None}
        shape = self.shape(measured)
        multiplied = not self.frozen and self.preset is None and not np.any((measured.std == 0) & (shape.std > 0))
        if not multiplied:
            return {"scale": self.scale, "multipliers": {}, "std": shape.std_by_site()}
        factors = {
            name: factor
            for name, factor in zip(measured.names, self.multipliers, strict=True)
            if factor != 1.0 and measured.std[measured.names.index(name)] > 0
        }
        return {"scale": self.scale, "multipliers": factors, "std": None}


def kept(run_id: str, sites: int) -> Drawn:
    """The profile drawn for a run, from page to page."""
    found: Drawn | None = _all().get(run_id)
    return found if found is not None and len(found.multipliers) == sites else Drawn.start(sites)


def keep(run_id: str, drawn: Drawn) -> None:
    """Keep it for this session; of many runs the last ones."""
    every = _all()
    every.pop(run_id, None)
    every[run_id] = drawn
    while len(every) > _MOST_KEPT:
        every.pop(next(iter(every)))


def _all() -> dict[str, Drawn]:
    every: dict[str, Drawn] = st.session_state.setdefault(_KEPT, {})
    return every


def _sound(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= MOST_MULTIPLIER
