"""A tournament while it runs, and after it was stopped: cell by cell."""

import streamlit as st

import snnlab as sl
from pages._ui import cached, jobs, label, progress, show, tournament_form, tournament_state
from pages._ui.show import Column
from pages._ui.state import View

KIND = tournament_state.KIND
SECONDS = 2.0  # between two pictures


def draw(view: View) -> None:
    """The tournament of this session that runs or was stopped; nothing where there is none."""
    job = jobs.latest(KIND)
    if job is None or job.state == "done" or view.run is None:
        return
    recipe = sl.Recipe.parse(job.arguments["recipe"])
    st.header("4  While it runs", anchor=False)
    if recipe.checkpoint.sha256 != view.run.card["sha256"]:
        progress.panel(KIND)
        st.caption("It is about another checkpoint than the one in view.")
        return
    card = view.run.card
    device = str(job.arguments.get("device", "cpu"))
    with st.container(key="tournament-job"):
        if job.active:
            progress.panel(KIND)
        else:
            _stopped(job, recipe, sl.sweeps.live_tournament(recipe, card, cached.store(), device))

    def watched() -> None:
        _picture(sl.sweeps.live_tournament(recipe, card, cached.store(), device), recipe, job.active)

    st.fragment(watched, run_every=SECONDS if job.active else None)()


def _stopped(job: "sl.runs.Job", recipe: sl.Recipe, now: "sl.sweeps.LiveTournament") -> None:
    said = {"cancelled": "Cancelled", "interrupted": "Interrupted by the end of the server", "failed": "Failed"}
    if job.state == "failed":
        progress.panel(KIND)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(
            f"**{said[job.state]}.** {now.done} of {len(now.cells)} cells are kept; starting it again goes on from "
            "there and gives the same numbers."
        )
        if st.button("Go on with it", key="tournament-again", icon=":material/replay:", disabled=jobs.busy(KIND)):
            tournament_form.start(recipe, len(now.cells))


def _picture(now: "sl.sweeps.LiveTournament", recipe: sl.Recipe, active: bool) -> None:
    assert recipe.tournament is not None
    following = now.next
    told = f"**{now.done} of {len(now.cells)} cells are done.**"
    if following is not None:
        told += f" {'Now' if active else 'Next'}: {label.md(following.told, 120)}."
    st.markdown(told)
    st.progress(now.done / max(len(now.cells), 1))
    methods = sorted({cell.entrant for cell in now.cells})

    def cell(entrant: int, step: int) -> str:
        found = [
            kept
            for cell, kept in zip(now.cells, now.kept, strict=True)
            if cell.entrant == entrant and step in cell.steps
        ]
        if len(found) == 1:
            return "done" if found[0] else "–"
        return f"{sum(found)} of {len(found)}"

    def step_column(step: int) -> Column:
        return Column(f"T = {step}", lambda entrant: cell(entrant, step), numeric=True)

    def name(entrant: int) -> str:
        assert recipe.tournament is not None
        method = recipe.tournament.methods[entrant].method
        return next((card.display_name for card in sl.methods() if card.name == method), method)

    show.table(
        methods,
        [
            Column("method", name, swatch=sl.figures.tournament_role),
            *(step_column(step) for step in recipe.tournament.steps),
        ],
        "Which cells are done: methods and T, draws of calibration images",
        fit=True,
    )
