"""The app: ``snnlab app``, or ``streamlit run app.py``. Page frame, navigation and what all pages share."""

import streamlit as st

from pages._ui import jobs, shell, sidebar, state

shell.mark_inside()
st.set_page_config(page_title="snnlab", page_icon=str(shell.ICON), layout="wide")
shell.style()
pages = {
    "Model": [st.Page("pages/checkpoint.py", title="Checkpoint", icon=":material/deployed_code:", default=True)],
    "Explore": [
        st.Page("pages/residuals.py", title="Residuals", icon=":material/stacked_bar_chart:"),
        st.Page("pages/accuracy.py", title="Accuracy", icon=":material/show_chart:"),
    ],
    "Help": [st.Page("pages/help.py", title="Help", icon=":material/help:")],
}
page = st.navigation(pages, position="hidden")
sidebar.navigation(pages)
try:
    state.adopt_address()
    jobs.settle()
    sidebar.draw()
    page.run()
except ValueError as error:  # snnlab's errors are sentences for users; a defect of ours is none of them
    if not shell.is_for_users(error):
        raise
    shell.say(str(error))
