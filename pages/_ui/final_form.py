"""The sealed test set: which arms, which T, what was done before, and the confirmation that opens it."""

from collections.abc import Sequence

import streamlit as st

import snnlab as sl
from pages._ui import cached, curves, final_protocol, final_state, jobs, label, names, progress, shell
from pages._ui.state import View

KIND = "final"


def draw(view: View) -> "sl.runs.Protocol | None":
    """Choices, protocol and confirmation; the protocol, where there are arms."""
    assert view.run is not None, "the page says so where the store is empty"
    st.header("1  What is compared, and at which T", anchor=False)
    arms, target = _choices(view)
    if not arms:
        st.info("Choose at least one conversion; the test set stays sealed.", icon=":material/lock:")
        progress.panel(KIND)
        return None
    runs = [cached.run(row.id) for row in arms]
    titles = names.among(arms)
    final_protocol.draw_dev(titles, runs, target)
    st.header("2  What every image was used for", anchor=False)
    protocol = sl.runs.protocol_of(cached.store(), runs)
    final_protocol.draw(protocol, runs)
    st.header("3  Open the test set", anchor=False)
    final_protocol.draw_looks(protocol, _checkpoints(runs))
    _open(protocol, arms, titles, target)
    return protocol


def _choices(view: View) -> "tuple[list[sl.runs.RunRow], int]":
    run, current = view.run, view.row
    assert run is not None
    assert current is not None, "a run in view has its line"
    offered = _different([current, *curves.offered(current.id)], run.recipe)
    by_id = {row.id: row for row in offered}
    compared = [view.compare.id] if view.compare is not None and view.compare.id in by_id else []
    titles = {**curves.menu(current, [row for row in offered if row.id != current.id]), current.id: "in view"}
    titles[current.id] = f"{names.among(offered).get(current.id, current.title)} (in view)"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        chosen = st.multiselect(
            "Arms of the experiment",
            list(by_id),
            default=[*([current.id] if current.id in by_id else []), *compared],
            key=f"final-arms-{current.id}-{'-'.join(compared)}",
            format_func=lambda run_id: titles[run_id],
            placeholder="Choose stored conversions",
            help="All of them are evaluated in one go: one look for the whole experiment. "
            "The first is what the others are compared with.",
        )
        rows = [by_id[run_id] for run_id in chosen if run_id in by_id]  # a label may have changed meanwhile
        longest = min((row.recipe.num_steps for row in rows), default=run.recipe.num_steps)
        steps = sorted({*sl.runs.default_snapshots(longest), min(view.target, longest)})
        target = st.selectbox(
            "Primary T",
            steps,
            index=steps.index(min(view.target, longest)),
            key=f"final-target-{current.id}-{view.target}-{longest}",
            width=130,
            help="The T that the final figure is given for. Every other T is shown too, marked as exploratory.",
        )
    return rows, target


def _different(rows: "Sequence[sl.runs.RunRow]", recipe: sl.Recipe) -> "list[sl.runs.RunRow]":
    """Rows of this dataset, each conversion once: on the test set, runs on fewer or more images are the same."""
    first: dict[str, sl.runs.RunRow] = {}
    for row in rows:
        data = row.recipe.data
        if not cached.sealed(row) and (data.dataset, data.sha256) == (recipe.data.dataset, recipe.data.sha256):
            first.setdefault(sl.runs.Arm("", row.recipe).final.sha, row)
    return list(first.values())


def _checkpoints(runs: "Sequence[sl.runs.Run]") -> dict[str, str]:
    return {sl.runs.lineage_of(run.card): str(run.card["name"]) for run in runs}


def _open(protocol: "sl.runs.Protocol", arms: "Sequence[sl.runs.RunRow]", titles: dict[str, str], target: int) -> None:
    if protocol.same:
        _show_again(protocol.same)
        return
    given = [sl.runs.Arm(titles[row.id], row.recipe, row.id) for row in arms]
    look = sl.figures.ordinal(protocol.next_look)
    busy = jobs.busy(KIND)
    key = f"{sl.runs.experiment_sha(arm.recipe for arm in given)[:12]}-{target}-{protocol.next_look}"
    amount = "1 arm" if len(given) == 1 else f"{len(given)} arms"
    confirmed = st.checkbox(
        f"This opens the sealed test set for {amount}, primary T = {target}. It will be the **{look} look**.",
        key=f"final-confirm-{key}",
        disabled=busy,
    )
    if st.button(
        "Open the test set",
        key="final-open",
        type="primary",
        icon=":material/lock_open:",
        disabled=busy or not confirmed,
    ):
        try:
            arguments = {"arms": [arm.to_dict() for arm in given], "target": target}
            jobs.start(KIND, arguments, f"Final evaluation, {amount}")
        except ValueError as error:
            shell.refuse(error)
        else:
            st.rerun()
    progress.panel(KIND)
    st.caption(
        "The look is counted in the moment in which the figures are stored. A job that is cancelled, or fails before "
        "that, counts nothing: nobody has seen a figure. A link opens only what is stored, never the test set."
    )


def _show_again(run_id: str) -> None:
    evaluation = final_state.report(cached.run(run_id))
    look = sl.figures.ordinal(evaluation.look)
    st.markdown(
        f"These arms were evaluated before, as the **{look} look**, with primary T = {evaluation.target}. Their "
        "figures are stored; showing them is no new look."
    )
    if st.button("Show the stored result", key="final-again", type="primary", icon=":material/visibility:"):
        final_state.PAGE.show(run_id)
        st.rerun()
    progress.panel(KIND)


def draw_earlier(protocol: "sl.runs.Protocol", shown: str = "") -> None:
    """Stored evaluations with these checkpoints, to be shown again; no figure is told here.

    Args:
        protocol: The protocol.
        shown: Id of the one on the page, which needs no button.
    """
    rows = [row for row in protocol.earlier if row.id != shown]
    if not rows:
        return
    st.header("Earlier final evaluations", anchor=False)
    for row in rows:
        evaluation = final_state.report(cached.run(row.id))
        count = len(evaluation.arms)
        arms = label.md(", ".join(arm["name"] for arm in evaluation.arms[:3]), 120) + (" and more" if count > 3 else "")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button("Show", key=f"final-show-{row.id[:12]}", icon=":material/visibility:"):
                final_state.PAGE.show(row.id)
                st.rerun()
            look = sl.figures.ordinal(evaluation.look)
            st.markdown(
                f"**{look} look**, {when(row.created)}: {arms}; primary T = {evaluation.target}", width="stretch"
            )


def when(created: str) -> str:
    """Date of a run, as it is written in a sentence."""
    return created[:10]
