"""Residuals of the selected image or class beside those of all images."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

import snnlab as sl
from pages._ui import label, progress, questions, show
from pages._ui.selection import Selection
from pages._ui.show import Column

_SLOT = "selected"
_SHARES = ("excess", "missing", "right", "silent", "saturated")


def draw(run: "sl.runs.Run", report: "sl.analysis.ResidualReport", selected: Selection, site: str, step: int) -> None:
    """Ask for the simulation of the selected images, and draw it when it is there.

    Args:
        run: In view.
        report: Its residuals, of all images.
        selected: Which images.
        site: Site of the histogram.
        step: t.
    """
    named = label.md(selected.name, 80)
    st.header(f"What is left over for {named} alone?", anchor=False)
    asked = {"recipe": run.recipe.to_dict(), "images": selected.images(run), "step": step}
    job = questions.ask("selected", asked, _SLOT)
    if job.state != "done":
        progress.follow(job)
        return
    own = _read(f"{run.id} {selected.to_text()} {step}", job.result["report"])
    images = f"{own.images} image{'s' * (own.images != 1)}"
    st.markdown(f"At {label.md(site)}, t = {step}: {images}, simulated alone; all {report.images:,} images in green.")
    drawn = sl.figures.residual_site(own, site, step, report, compare_name=f"all {report.images:,} images")
    show.figure(drawn, "residuals-selected")
    _table(own, report, step)


def _table(own: "sl.analysis.ResidualReport", every: "sl.analysis.ResidualReport", step: int) -> None:
    pairs = [{**row, "all": other} for row, other in zip(_rows(own, step), _rows(every, step), strict=True)]

    def share(name: str) -> Column:
        return Column(
            f"{name} % (all)",
            lambda row: f"{100 * row[name]:.1f} ({100 * row['all'][name]:.1f})",
            "Of all neurons; in brackets over all images",
            numeric=True,
            optional=name in ("silent", "saturated"),
        )

    with st.expander(f"All sites, selected images beside all, t = {step}", icon=":material/table:"):
        columns = [Column("site", lambda row: label.name(row["site"]), strong=True), *map(share, _SHARES)]
        show.table(pairs, columns, f"Shares of the classes, selected images and all, t = {step}")


def _rows(report: "sl.analysis.ResidualReport", step: int) -> list[dict[str, Any]]:
    frame = report.to_frame()
    return [
        {str(name): value for name, value in row.items()} for row in frame[frame["step"] == step].to_dict("records")
    ]


@st.cache_resource(max_entries=8, show_spinner=False)
def _read(key: str, _packed: Mapping[str, Any]) -> "sl.analysis.ResidualReport":
    """The report that the worker packed."""
    with np.load(io.BytesIO(base64.b64decode(_packed["arrays"])), allow_pickle=False) as archive:
        report = sl.analysis.Report.from_payload(dict(_packed["values"]), {name: archive[name] for name in archive})
    assert isinstance(report, sl.analysis.ResidualReport), "the worker answers with what was asked for"
    return report
