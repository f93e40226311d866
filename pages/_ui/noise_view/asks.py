"""The noisy ANN under the drawn profile: read off the run, or asked for, first one number and then the curve."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

import snnlab as sl
from pages._ui import questions
from pages._ui.noise_view.found import Found
from pages._ui.noise_view.pack import kappa, plain

NUMBER, CURVE = "noisy", "kappa"
PATIENCE = 0.6
"""Seconds that a script run waits for the number: a second run to draw it would take longer."""
SAME = 1e-6
_KEPT, _MOST_KEPT = "noise.answers", 200
_CANCELLED = "It was cancelled; ask for it again below."


@dataclass(frozen=True)
class Known:
    """What the view is told.

    Args:
        answer: As ``noise_view`` takes it; None where the browser reads it off a computed curve.
        curve: The same for the curve.
        job: What is under way; None when nothing is.
        again: Slots whose question failed or was cancelled.
    """

    answer: dict[str, Any] | None
    curve: dict[str, Any] | None
    job: "sl.runs.Job | None" = None
    again: tuple[str, ...] = ()


def know(found: Found, shape: "sl.calibration.NoiseProfile", scale: float, target: int) -> Known:
    """The noisy ANN for T, and what has to be asked for.

    Args:
        found: The noise run.
        shape: The drawn profile at scale 1.
        scale: Master scale.
        target: T.
    """
    units, report = shape.relative, found.report
    if not np.any(units):
        return Known(None, None)
    factor = multiple(units, report, target)
    told = {"target": target, "units": units.tolist()}
    answer, curve = _kept((found.run.id, target, tuple(units), scale)), _kept((found.run.id, target, tuple(units)))
    if scale == 0 or (factor is not None and np.any(np.isclose(report.scales, factor * scale, rtol=SAME))):
        answer = None
    elif answer is None:
        asked = _arguments(found, shape, target, [scale], with_kappa=False)
        # Waits for no curve of a profile gone.
        job = questions.ask(NUMBER, asked, NUMBER, PATIENCE, before=[CURVE])
        if job.state != "done":
            return Known(_problem(job), None, job, () if job.active else (NUMBER,))
        answer = told | {"scale": scale, "noisy": plain(job.result["noisy"][0])}
        _keep((found.run.id, target, tuple(units), scale), answer)
    if factor is not None:
        return Known(answer, None)
    if curve is None:
        scales = [float(value) for value in report.scales]
        job = questions.ask(NUMBER, _arguments(found, shape, target, scales, with_kappa=True), slot=CURVE, wait=0)
        if job.state != "done":
            return Known(answer, _problem(job), job, () if job.active else (CURVE,))
        curve = told | _curve(job.result)
        _keep((found.run.id, target, tuple(units)), curve)
    return Known(answer, curve)


def again(slots: tuple[str, ...]) -> None:
    """Ask anew what failed or was cancelled."""
    for slot in slots:
        questions.ask_again(slot)


def multiple(units: np.ndarray, report: "sl.analysis.NoiseReport", target: int) -> float | None:
    """The factor by which the profile is the one whose curve is stored for T; None where it is another shape."""
    if target not in report.targets:
        return None
    shape = report.profile_std[report.targets.index(target)] / report.thresholds
    if not np.any(shape):
        return None
    factor = float(np.sqrt(np.sum(units**2) / np.sum(shape**2)))
    close = np.abs(units - factor * shape) <= SAME * factor * shape.max() + 1e-12
    return factor if np.all(close) else None


def _arguments(
    found: Found, shape: "sl.calibration.NoiseProfile", target: int, scales: list[float], *, with_kappa: bool
) -> dict[str, Any]:
    recipe = found.run.recipe.to_dict()
    return {"recipe": recipe, "target": target, "std": shape.std_by_site(), "scales": scales, "kappa": with_kappa}


def _curve(result: dict[str, Any]) -> dict[str, Any]:
    told = result["kappa"] or {"value": None, "low": None, "high": None, "why": ""}
    return {
        "scales": result["scales"],
        "noisy": [plain(each) for each in result["noisy"]],
        "kappa": kappa([told["value"], told["low"], told["high"]]),
        "why": told["why"],
    }


def _problem(job: "sl.runs.Job") -> dict[str, Any] | None:
    if job.active:
        return None
    return {"problem": job.error.partition("\n")[0] if job.state == "failed" else _CANCELLED}


def _kept(key: tuple[Any, ...]) -> dict[str, Any] | None:
    found: dict[str, Any] | None = st.session_state.get(_KEPT, {}).get(key)
    return found


def _keep(key: tuple[Any, ...], told: dict[str, Any]) -> None:
    every: dict[tuple[Any, ...], dict[str, Any]] = st.session_state.setdefault(_KEPT, {})
    every[key] = told
    while len(every) > _MOST_KEPT:
        every.pop(next(iter(every)))
