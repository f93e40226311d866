"""The noise view: one component that draws a profile over the sites without asking the server while it is drawn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from pages._ui.noise_view.pack import pack

__all__ = ["noise_view", "pack"]

_FOLDER = Path(__file__).parent
# One module in the browser: the parts share a scope, in this order; page elements are made as in the residual view.
_SCRIPTS = (
    *("measured", "profile", "prediction", "../residual_view/dom", "rows", "input", "tools"),
    *("accuracy", "kappa", "zoom", "quantiles", "noise_view"),
)


def script() -> str:
    """The component's JavaScript, one text."""
    return "\n".join((_FOLDER / f"{name}.js").read_text() for name in _SCRIPTS)


_component = st.components.v2.component(
    "snnlab_noise",
    html=(_FOLDER / "noise_view.html").read_text(),
    css=(_FOLDER / "noise_view.css").read_text(),
    js=script(),
)


def noise_view(
    run: str,
    *,
    target: int,
    given: Mapping[str, Any],
    answer: Mapping[str, Any] | None,
    curve: Mapping[str, Any] | None,
    losses: Mapping[str, Any] | None,
    stale: bool,
    problem: str,
    key: str,
) -> Any:
    """Draw the view.

    Args:
        run: What ``pack`` gave.
        target: T; where it changes, the view follows.
        given: A profile that the view takes over when its ``rev`` is new: ``rev`` and ``profile``
            (``Drawn.to_browser``).
        answer: The noisy ANN that was asked for last: target, units (std / threshold at scale 1), scale and noisy; or
            ``problem``, why there is none.
        curve: The same over several scales: target, units, scales, noisy, kappa, why; or ``problem``.
        losses: What noise costs at each site alone, where it was found out: points, one a site, and old: of another
            profile than the drawn one.
        stale: Greyed and untouchable: it was measured with another conversion.
        problem: One sentence on what was pasted, empty for none.
        key: Widget key.

    Returns:
        The component's state. ``profile``, once it rests: run id, rev, target and what ``Drawn.from_browser`` takes.
        ``paste``, in the one run after the user pasted: text.
    """
    return _component(
        data={
            "run": run,
            "target": target,
            "given": dict(given),
            "answer": None if answer is None else dict(answer),
            "curve": None if curve is None else dict(curve),
            "losses": None if losses is None else dict(losses),
            "stale": stale,
            "problem": problem,
        },
        key=key,
        default={"profile": None},
        on_profile_change=lambda: None,
        on_paste_change=lambda: None,
    )
