"""The residual view: one component that shows every site at every stored t without asking the server."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from pages._ui.residual_view.pack import pack

__all__ = ["pack", "residual_view"]

_FOLDER = Path(__file__).parent
# One module in the browser: the parts share a scope, in this order.
_SCRIPTS = ("report", "neuron", "dom", "time", "overview", "detail", "trace", "residual_view")


def script() -> str:
    """The component's JavaScript, one text."""
    return "\n".join((_FOLDER / f"{name}.js").read_text() for name in _SCRIPTS)


_component = st.components.v2.component(
    "snnlab_residuals",
    html=(_FOLDER / "residual_view.html").read_text(),
    css=(_FOLDER / "residual_view.css").read_text(),
    js=script(),
)


def residual_view(
    run: str,
    *,
    compare: str | None,
    note: str,
    first: Mapping[str, Any],
    target: int,
    asked: Mapping[str, Any] | None,
    key: str,
) -> Any:
    """Draw the view.

    Args:
        run: What ``pack`` gave for the run.
        compare: The same for the compared run, of its sites those that the run has too; None for none.
        note: One sentence shown beside the controls (why nothing is compared); empty for none.
        first: Where the view starts: ``t`` and ``site`` (a name).
        target: T, marked on the time axis; moving it moves t.
        asked: The neuron that the user asked for: site, image, position, state, and when done its currents and
            initial; None for none.
        key: Widget key.

    Returns:
        The component's state. ``view``, once the view rests: run id, t, site, ``all`` (shares of all neurons) and
        ``neuron`` (row of the run's traces, "asked", or None). ``ask``, in the one run after the user asked for a
        neuron: site, image, position.
    """
    return _component(
        data={
            "run": run,
            "compare": compare,
            "note": note,
            "first": dict(first),
            "target": target,
            "asked": None if asked is None else dict(asked),
        },
        key=key,
        default={"view": None},
        on_view_change=lambda: None,
        on_ask_change=lambda: None,
    )
