"""The app: ``snnlab app``, or ``streamlit run app.py``. Page frame, navigation and what all pages share."""

import streamlit as st

import snnlab as sl
from pages._ui import jobs, places, shell, sidebar, state, workspace

PAGES = {
    "Model": [
        ("checkpoint", "Checkpoint", "deployed_code"),
        ("conversion", "Conversion", "swap_horiz"),
        ("train", "Train", "model_training"),
    ],
    "Explore": [
        ("residuals", "Residuals", "stacked_bar_chart"),
        ("noise", "Noise", "tune"),
        ("accuracy", "Accuracy", "show_chart"),
        ("budget", "Error budget", "account_balance"),
        ("flips", "Flips", "compare_arrows"),
        ("attribution", "Attribution", "center_focus_strong"),
        ("energy", "Energy", "bolt"),
    ],
    "Results": [
        ("runs", "Runs", "list_alt"),
        ("tournament", "Tournament", "leaderboard"),
        ("final", "Final evaluation", "verified"),
    ],
    "Help": [("help", "Help", "help")],
}
FIRST = "checkpoint"
"""The page at the address without a path."""

shell.mark_inside()
st.set_page_config(page_title="snnlab", page_icon=str(shell.ICON), layout="wide")
shell.style()
workspace.connect()
sl.adopt_named()
pages = {
    section: [
        st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", default=name == FIRST)
        for name, title, icon in members
    ]
    for section, members in PAGES.items()
}
page = st.navigation(pages, position="hidden")
sidebar.navigation(pages)
try:
    state.adopt_address()
    places.look_again()
    jobs.settle(page.url_path or FIRST)
    sidebar.draw()
    page.run()
except ValueError as error:  # snnlab's errors are sentences for users; a defect of ours is none of them
    if not shell.is_for_users(error):
        raise
    shell.say(str(error))
