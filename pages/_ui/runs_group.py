"""Several checkpoints of one recipe as one curve: how much the training seed matters."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import cached, curves, label, show
from pages._ui.show import Column


def draw(rows: "Sequence[sl.runs.RunRow]", tables: dict[str, pd.DataFrame]) -> "dict[str, sl.figures.Figure]":
    """The seed group of these runs; nothing where they do not differ in the checkpoint alone.

    Args:
        rows: The runs.
        tables: Receives the group's numbers.
    """
    if not alike(rows):
        return {}
    st.header("As one group of training seeds", anchor=False)
    try:
        group = sl.runs.SeedGroup.of([cached.run(row.id) for row in rows])
    except ValueError as error:  # its sentence names the field in which they differ
        st.caption(f":material/info: {label.md(str(error), 400)}")
        return {}
    st.markdown(
        f"{group.seeds} checkpoints of one recipe: what another training would give, beside what other images would."
    )
    drawn = sl.figures.seed_group(group)
    show.figure(drawn, "runs-group")
    frame = group.to_frame()
    tables["Seed group"] = frame
    _table(frame)
    return {drawn.title: drawn}


def alike(rows: "Sequence[sl.runs.RunRow]") -> bool:
    """Whether the recipes differ in the checkpoint and in nothing else."""
    if len({row.sha256 for row in rows}) < len(rows):
        return False
    others = [{name: part for name, part in row.recipe.identity().items() if name != "checkpoint"} for row in rows]
    return all(other == others[0] for other in others)


def _table(frame: pd.DataFrame) -> None:
    steps = {0, *curves.ALWAYS_SHOWN, int(frame["step"].max())}
    show.table(
        [row for row in frame.to_dict("records") if row["step"] in steps],
        [
            Column(
                "network", lambda row: f"SNN, T = {row['step']}" if row["step"] else "ANN", swatch=lambda r: r["role"]
            ),
            Column("mean, %", lambda row: f"{100 * row['accuracy']:.2f}", numeric=True, strong=True),
            Column(
                "std over seeds, points",
                lambda row: sl.figures.tables.number(100 * row["std"]),
                "Sample standard deviation over training seeds",
                numeric=True,
            ),
            Column(
                "95 % over seeds",
                lambda row: label.span(row["low"], row["high"]),
                "t interval of the mean over training seeds",
                numeric=True,
            ),
            Column(
                "95 % over images",
                lambda row: label.span(row["images_low"], row["images_high"]),
                "Bootstrap over images, each with all its seeds",
                numeric=True,
            ),
        ],
        "Mean accuracy over training seeds, its spread, and both intervals",
        fit=True,
    )
