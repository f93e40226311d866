"""Where the view is: t and site, in the address bar, kept from page to page."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import label

T, SITE = "t", "site"
_KEPT, _FIRST = "residuals.kept", "residuals.first"


def find(
    run_id: str, report: sl.analysis.ResidualReport, target: int, shown: Mapping[str, Any]
) -> tuple[int, str, list[str]]:
    """The present t and site, and a sentence for each that a link asks for in vain.

    Args:
        run_id: The run in view.
        report: Its residuals.
        target: T; where nothing else is said, t is the last snapshot up to it.
        shown: What the view told last; it counts if it was about this run.
    """
    steps = {str(step): step for step in report.steps}
    if shown.get("run") == run_id and shown["t"] in report.steps and shown["site"] in report.names:
        return shown["t"], shown["site"], []
    at_target = max((step for step in report.steps if step <= target), default=report.steps[0])
    t, site = steps.get(_wanted(T), at_target), _wanted(SITE)
    problems = []
    if _linked(T) and _wanted(T) not in steps:
        kept = ", ".join(steps)
        problems.append(
            f"No residuals were kept at t = {label.name(_wanted(T), 20)}, only at t = {kept}; t = {t} is shown."
        )
    if site not in report.names:
        if _linked(SITE):
            problems.append(f"This run has no site {label.name(site)}; the one with most excess is shown.")
        site = report.worst(t, "excess")[0]
    return t, site, problems


def keep(t: int, site: str) -> None:
    """Put t and site into the address bar and the session."""
    for name, value in ((T, str(t)), (SITE, site)):
        st.session_state[f"{_KEPT}.{name}"] = value
        if st.query_params.get(name) != value:
            st.query_params[name] = value


def first(run_id: str, t: int, site: str, *, drawn: bool) -> dict[str, Any]:
    """Where the browser begins: the same as long as the view stays on the page, so that reruns send equal data.

    Args:
        run_id: The run in view.
        t: Present t.
        site: Present site.
        drawn: Whether the view was on the page in the last run of the script.
    """
    kept = st.session_state.get(_FIRST)
    if not drawn or kept is None or kept["run"] != run_id:
        kept = st.session_state[_FIRST] = {"run": run_id, "t": t, "site": site}
    return {"t": kept["t"], "site": kept["site"]}


def _wanted(name: str) -> str:
    return str(st.query_params.get(name) or st.session_state.get(f"{_KEPT}.{name}") or "")


def _linked(name: str) -> bool:
    """Whether the address says it and not we ourselves."""
    return name in st.query_params and st.query_params[name] != st.session_state.get(f"{_KEPT}.{name}")
