"""The exact table: every site's multiplier or std as a number, typed or pasted."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import label
from pages._ui.noise_view import vector
from pages._ui.noise_view.drawn import Drawn

_BASE, _PROBLEM = "noise.table", "noise.table-problem"
_MOST_ROWS_SHOWN = 12
_ROW_PIXELS = 35


def draw(
    run_id: str,
    target: int,
    drawn: Drawn,
    measured: "sl.calibration.NoiseProfile",
    *,
    typed: Callable[[Drawn], None],
    pasted: Callable[[Drawn], None],
    revision: int,
) -> None:
    """The table and the box for a whole vector.

    Args:
        run_id: The noise run.
        target: T of the measured columns.
        drawn: What is drawn.
        measured: What was measured at T.
        typed: Takes the profile with a typed number.
        pasted: Takes the profile with a pasted vector.
        revision: Raised with every change that was not typed here: a new table shows it.
    """
    column = "std" if drawn.frozen else "m"
    key = f"noise-table-{run_id}-{target}-{column}-{revision}"
    if st.session_state.get(_BASE, {}).get("key") != key:
        # The base stays while it is edited: fed back its own edits, the editor would lose every second one.
        st.session_state[_BASE] = {"key": key, "drawn": drawn, "frame": _frame(drawn, measured, column)}
    base = st.session_state[_BASE]

    def edited() -> None:
        values = base["drawn"].vector(measured)
        for row, cells in st.session_state[key]["edited_rows"].items():
            value = cells.get(column)
            if value is not None:
                values[int(row)] = min(max(float(value), 0.0), 1e4)
        typed(base["drawn"].with_vector(values, measured))

    what = "Std of the noise at scale 1, activation units" if drawn.frozen else "Multiplier of the measured std"
    numbers = st.column_config.NumberColumn
    st.data_editor(
        base["frame"],
        key=key,
        hide_index=True,
        disabled=[name for name in base["frame"].columns if name != column],
        on_change=edited,
        height=_ROW_PIXELS * (1 + min(len(measured.names), _MOST_ROWS_SHOWN)) + 3,
        column_config={
            column: numbers(f"{column}, editable", help=what, min_value=0.0, max_value=1e4, format="%.4f"),
            "measured std": numbers(help="Std of the gap, activation units", format="%.4f"),
            "local std": numbers(help="Std of the gap that a constant input would leave", format="%.4f"),
            "threshold": numbers(help="Activation units", format="%.4f"),
            "g = 0, %": numbers(help="Share of elements whose gap is exactly 0", format="%.1f"),
            "mean gap": numbers(help="Activation units; NQ drops it", format="%.4f"),
        },
    )
    _paste(run_id, drawn, measured, pasted)


def parse(text: str, drawn: Drawn, measured: "sl.calibration.NoiseProfile") -> Drawn:
    """The profile whose vector was pasted.

    Raises:
        VectorError: Too few or many, negative, or no numbers.
    """
    what = "stds in activation units" if drawn.frozen else "multipliers"
    return drawn.with_vector(vector.parse(text, measured.names, what), measured)


def _paste(run_id: str, drawn: Drawn, measured: "sl.calibration.NoiseProfile", pasted: Callable[[Drawn], None]) -> None:
    what = "Stds in activation units" if drawn.frozen else "Multipliers"
    key = f"noise-vector-{run_id}"

    def apply() -> None:
        try:
            pasted(parse(st.session_state[key], drawn, measured))
            st.session_state[_PROBLEM] = ""
        except vector.VectorError as error:
            st.session_state[_PROBLEM] = str(error)

    with st.form(f"{key}-form", border=False):
        st.text_area(
            f"{what} of all {len(measured.names)} sites, input first: a JSON list or a column of numbers",
            key=key,
            height=80,
            max_chars=vector.MOST_TEXT,
        )
        st.form_submit_button("Apply", on_click=apply)
    if problem := st.session_state.get(_PROBLEM):
        st.error(label.md(problem, 600), icon=":material/error:")


def _frame(drawn: Drawn, measured: "sl.calibration.NoiseProfile", column: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "site": [label.name(name) for name in measured.names],
            column: drawn.vector(measured),
            "measured std": measured.std,
            "local std": measured.local_std,
            "threshold": measured.thresholds,
            "g = 0, %": 100 * measured.share_zero,
            "mean gap": measured.mean,
        }
    )
