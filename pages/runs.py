"""Runs: everything that was run, one of them opened, two or more of them compared."""

import streamlit as st

from pages._ui import explain, label, runs_chosen, runs_compare, runs_detail, runs_list, shell

if not shell.inside():
    shell.run_app_instead()


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "A **run** is one recipe with what it gave, stored with the versions and the machine it ran on. Runs of this "
        "browser, of the command line and those that come with snnlab are listed; one of another browser opens by its "
        "link.\n\n"
        "The first chosen run is **A**, blue, the second **B**, green, as on every page. Differences are taken to A "
        "**on the same images**, which makes them more certain than two intervals side by side suggest. The "
        "**baseline** is a run that you pin: it stays while others come into view.",
        r"(p_1-p_2) \mp \sqrt{(p_1-l_1)^2 - 2\varphi(p_1-l_1)(u_2-p_2) + (u_2-p_2)^2}",
        "Interval of a difference on the same images, with Wilson's limits l and u and the correlation φ: Newcombe, "
        "Statistics in Medicine 1998.",
    )


def draw(view: shell.View) -> None:
    """The table, then what is chosen in it."""
    problems: list[str] = []
    chosen = runs_chosen.find(view, problems)
    for problem in problems:
        st.warning(label.md(problem, 600), icon=":material/link_off:")
    every = runs_list.every()
    chosen = runs_list.draw(view, every, chosen)
    with bar:
        explanation()
    if not chosen:
        st.info("Choose a run by its box at the left; two or more are compared.", icon=":material/check_box:")
    elif len(chosen) == 1:
        runs_detail.draw(view, chosen[0], runs_list.tags(every))
    else:
        runs_compare.draw(view, bar, chosen)


view = shell.page()
bar = shell.title_bar("What was run, and how do runs differ?")
if view.run is not None:
    draw(view)
else:
    shell.empty(view)
