"""Train: does training with this noise make the SNN better at T, beyond the same fine-tuning without?"""

import streamlit as st

from pages._ui import label, shell, train_form, train_live, train_result, train_state

if not shell.inside():
    shell.run_app_instead()

QUESTION = "Does training with this noise make my SNN better at T?"


def draw(view: shell.View) -> None:
    """A stored experiment, or the form and what runs."""
    train_state.PAGE.take_over()
    problems: list[str] = []
    run = train_state.shown(view, problems)
    for problem in problems:
        st.warning(label.md(problem, 600), icon=":material/link_off:")
    if run is not None:
        train_result.draw(bar, run)
        train_form.draw_earlier(view, run.id)
        return
    with bar:
        train_result.explanation()
    train_form.draw(view)
    train_live.draw()
    train_form.draw_earlier(view)


view = shell.page()
bar = shell.title_bar(QUESTION)
if view.run is not None:
    draw(view)
else:
    shell.empty(view)
