"""Final evaluation: opens the sealed test set, once for a whole experiment, and counts the look."""

import streamlit as st

import snnlab as sl
from pages._ui import cached, final_form, final_result, final_state, label, shell

if not shell.inside():
    shell.run_app_instead()


def draw(view: shell.View) -> None:
    """A stored evaluation, or the protocol of the sealed test set."""
    final_state.PAGE.take_over()
    problems: list[str] = []
    run = final_state.shown(view, problems)
    for problem in problems:
        st.warning(label.md(problem, 600), icon=":material/link_off:")
    if run is not None:
        final_result.draw(bar, run)
        assert view.run is not None, "the page says so where the store is empty"
        final_form.draw_earlier(sl.runs.protocol_of(cached.store(), [view.run]), run.id)
        return
    with bar:
        final_result.explanation()
    protocol = final_form.draw(view)
    if protocol is not None:
        final_form.draw_earlier(protocol)


view = shell.page()
bar = shell.title_bar("How accurate is it on images that chose nothing?")
if view.run is not None:
    draw(view)
else:
    shell.empty(view)
