"""Is the gap at a site Gaussian, as noise calibration takes it to be?"""

import streamlit as st

import snnlab as sl
from pages._ui import label, show
from pages._ui.noise_view.found import Found


def draw(found: Found, step: int) -> None:
    """The panel, below the view.

    Args:
        found: The noise run.
        step: T at which the gap was measured.
    """
    report = found.report
    with st.expander("Is the gap Gaussian?", icon=":material/query_stats:"):
        st.caption(
            "NQ trains with Gaussian noise in place of the gap. Quantiles of the measured gap over those of the "
            "Gaussian of the same mean and std: on the line where that holds. A step at 0 with heavier tails is usual."
        )
        site = st.selectbox("Site", report.names, format_func=label.name, key="noise-gap-site", width=360)
        drawn = _figure(found.run.id, str(site), step, report)
        show.figure(drawn, "noise-gap-quantiles")
        show.export({drawn.title: drawn}, {"Quantiles of the gap": drawn.data}, found.run.recipe, "noise-gap")


@st.cache_resource(max_entries=12, show_spinner=False)
def _figure(run_id: str, site: str, step: int, _report: sl.analysis.NoiseReport) -> sl.figures.Figure:
    return sl.figures.gap_quantiles(_report, site, step)
