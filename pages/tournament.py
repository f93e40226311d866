"""Tournament: which conversion method is best on this network, by how much, and at what cost?"""

import streamlit as st

from pages._ui import label, shell, tournament_form, tournament_live, tournament_result, tournament_state

if not shell.inside():
    shell.run_app_instead()

QUESTION = "Which conversion method is best for this network?"


def draw(view: shell.View) -> None:
    """A stored tournament, or the form and what runs."""
    tournament_state.PAGE.take_over()
    problems: list[str] = []
    run = tournament_state.shown(view, problems)
    for problem in problems:
        st.warning(label.md(problem, 600), icon=":material/link_off:")
    if run is not None:
        tournament_result.draw(bar, run)
        tournament_form.draw_earlier(view, run.id)
        return
    with bar:
        tournament_result.explanation()
    tournament_form.draw(view)
    tournament_live.draw(view)
    tournament_form.draw_earlier(view)


view = shell.page()
bar = shell.title_bar(QUESTION)
if view.run is not None:
    draw(view)
else:
    shell.empty(view)
