"""From a run to the page that shows it."""

import streamlit as st

import snnlab as sl
from pages._ui import cached, final_state, runs_chosen, state, tournament_state, train_state
from pages._ui.state import View

PAGES = {
    "Checkpoint": "pages/checkpoint.py",
    "Conversion": "pages/conversion.py",
    "Residuals": "pages/residuals.py",
    "Noise": "pages/noise.py",
    "Accuracy": "pages/accuracy.py",
    "Train": "pages/train.py",
    "Tournament": "pages/tournament.py",
    "Attribution": "pages/attribution.py",
    "Final evaluation": "pages/final.py",
}
SHOWN = "attribution.asked"
"""Session key of the explained image that its page is to show."""

_OF_VERB = {
    "noise": "Noise",
    "train": "Train",
    "tournament": "Tournament",
    "attribution": "Attribution",
    "final": "Final evaluation",
}
_OF_REPORT = {
    "accuracy": "Accuracy",
    "conversion": "Conversion",
    "residuals": "Residuals",
    "traces": "Residuals",
    "noise": "Noise",
    "gain": "Train",
    "tournament": "Tournament",
    "attribution": "Attribution",
    "final": "Final evaluation",
}


def page_of(row: "sl.runs.RunRow", report: str) -> str:
    """The page that shows a report of this run; "" where none does.

    Runs of other kinds than conversions also hold the accuracy of what they began with, and belong to one page.
    """
    page = _OF_REPORT.get(report, "")
    if runs_chosen.conversion(row):
        return page
    return page if page == _OF_VERB.get(row.verb) else ""


def show(view: View, row: "sl.runs.RunRow", page: str, compare: "sl.runs.RunRow | None" = None) -> None:
    """Bring a run into view and go to a page; nothing that comes after it is drawn.

    Args:
        view: What is in view.
        row: The run.
        page: Name of the page.
        compare: Shown beside it; None leaves what is compared.
    """
    if row.verb == "final":
        final_state.PAGE.show(row.id)
    elif row.verb == "train":
        _bring_checkpoint(view, row)
        train_state.PAGE.show(row.id)
    elif row.verb == "tournament":
        _bring_checkpoint(view, row)
        tournament_state.PAGE.show(row.id)
    elif row.verb == "attribution":
        _bring_checkpoint(view, row)
        st.session_state[SHOWN] = row.id
    else:
        bring(row, compare)
    st.switch_page(PAGES[page])


def bring(row: "sl.runs.RunRow", compare: "sl.runs.RunRow | None" = None) -> None:
    """Show a run, and another one beside it, on every page."""
    state.show_run(row.id)
    if compare is not None:
        state.compare_with(compare.id)
    state.renew_choices()


def _bring_checkpoint(view: View, row: "sl.runs.RunRow") -> None:
    """What is shown beside its checkpoint: bring a conversion of that into view, where there is one."""
    if view.row is not None and view.row.sha256 == row.sha256:
        return
    found = next((each for each in cached.briefs() if each.sha256 == row.sha256), None)
    if found is not None:
        bring(found)
