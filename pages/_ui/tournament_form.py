"""Who takes part in a tournament, at which T, on which images, how long it takes, and the start."""

from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import device, jobs, label, own_method, progress, questions, shell, tournament_state
from pages._ui.state import View

KIND = tournament_state.KIND
STEPS = (1, 2, 4, 8, 16, 32, 64, 128)
FIRST = ("qcfs", "noise_adaptor", "srp", "max_norm", "percentile_norm", "opi", "opt_shift", "calibration_light")
"""Who is chosen at first, where it fits: seconds each on small networks."""
IMAGES, MOST_IMAGES = 1000, 50_000


def draw(view: View) -> "sl.Recipe | None":
    """The form; the recipe that it describes, where it is valid."""
    assert view.run is not None, "the page says so where the store is empty"
    of = str(view.run.card["sha256"])[:12]
    st.header("1  Who takes part", anchor=False)
    methods = _methods(of, view.run.card)
    st.header("2  At which T, and on which images", anchor=False)
    try:
        recipe = _recipe(of, view, methods)
    except ValueError as error:
        shell.refuse(error)
        return None
    st.header("3  Run", anchor=False)
    _start(view, recipe)
    return recipe


def _methods(of: str, card: dict[str, Any]) -> list[dict[str, Any]]:
    """The methods chosen, with their parameters; those that do not fit are listed with their reason."""
    known = {method.name: method for method in sl.methods()}
    reasons = {name: sl.runs.why_unfit(method, card) for name, method in known.items()}
    fitting = [name for name in known if not reasons[name]]
    chosen: list[str] = st.pills(
        "Methods that fit this network",
        fitting,
        selection_mode="multi",
        default=[name for name in FIRST if name in fitting],
        key=f"tournament-methods-{of}",
        format_func=lambda name: known[name].display_name,
        help="† marks an interpretation: the source does not settle every detail.",
        width="stretch",
    )
    unfit = [name for name in known if reasons[name]]
    if unfit:
        one = len(unfit) == 1
        head = f"{len(unfit)} method{'s' * (not one)} {'does' if one else 'do'} not fit this network"
        with st.expander(head, icon=":material/block:"):
            st.markdown(
                "\n".join(
                    f"- **{label.md(known[name].display_name)}**: {label.md(reasons[name], 300)}" for name in unfit
                )
            )
    held: list[dict[str, Any]] = [{"method": name} for name in fitting if name in chosen]
    settable = [each for each in held if known[each["method"]].parameters]
    if settable:
        with st.expander("Parameters of the methods, at first those of their papers", icon=":material/tune:"):
            for each in settable:
                method = known[each["method"]]
                st.markdown(f"**{label.md(method.display_name)}**")
                with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
                    each["parameters"] = own_method.parameters_form(f"tournament-{of}-{method.name}", method, {})
                if told := own_method.shortest(method, each["parameters"]):
                    st.caption(f"{told} Smaller T are read from that simulation.")
    return held


def _recipe(of: str, view: View, methods: list[dict[str, Any]]) -> sl.Recipe:
    assert view.run is not None
    quantized = view.run.card["activation"] != "relu"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        steps = st.multiselect(
            "T",
            STEPS,
            default=[2, 4, 8] if quantized else [4, 8, 16, 32],
            key=f"tournament-steps-{of}",
            width=320,
            help="Every method is read at each T. One that is converted for a single T is converted anew for each.",
        )
        seeds = st.number_input(
            "Calibration seeds",
            1,
            20,
            3,
            key=f"tournament-seeds-{of}",
            width=150,
            help="Each seed draws other calibration images. A method without calibration is run once.",
        )
        drawn = st.number_input(
            "Images a draw",
            2,
            2000,
            128,
            key=f"tournament-calibration-{of}",
            width=140,
            help="Calibration images of each seed, drawn from the calibration split, the same for every method.",
        )
        images = st.number_input(
            "Images",
            1,
            MOST_IMAGES,
            IMAGES,
            key=f"tournament-images-{of}",
            width=140,
            help="The first images of dev; all of them where there are fewer. Test images stay sealed.",
        )
    values = view.run.recipe.to_dict()
    kept = ("checkpoint", "data", "dtype", "seed")  # the rest is said here
    return sl.Recipe.parse(
        {
            **{part: values[part] for part in kept if part in values},
            "data": {**values["data"], "split": "dev", "limit": int(images)},
            "snapshots": [],
            "traces": 0,
            "tournament": {
                "methods": methods,
                "steps": [int(step) for step in steps],
                "seeds": int(seeds),
                "calibration_images": int(drawn),
            },
        }
    )


def _start(view: View, recipe: sl.Recipe) -> None:
    assert view.run is not None
    now = sl.sweeps.live_tournament(recipe, view.run.card, view.store)
    busy = jobs.busy(KIND)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        title = "Go on" if 0 < now.done < len(now.cells) else "Run the tournament"
        if st.button(title, key="tournament-start", type="primary", icon=":material/play_arrow:", disabled=busy):
            start(recipe, len(now.cells))
        if busy:
            st.caption("A tournament of this browser waits or runs; it can be watched below.")
        else:
            _estimate(view, recipe, now)


def start(recipe: sl.Recipe, cells: int) -> None:
    """Hand the tournament to a worker."""
    try:
        jobs.start(KIND, {"recipe": recipe.to_dict(), **device.arguments()}, f"Tournament of {cells} cells")
    except ValueError as error:
        shell.refuse(error)
    else:
        st.rerun()


def _estimate(view: View, recipe: sl.Recipe, now: "sl.sweeps.LiveTournament") -> None:
    what = f"{len(now.cells)} cell{'s' * (len(now.cells) != 1)}: method × T × draw"
    if now.done:
        what += f", {now.done} of them from before"
    job = questions.ask(
        "tournament_pace", {"recipe": sl.sweeps.tournament_pace_recipe(recipe).to_dict()}, "tournament-pace"
    )
    with st.container(width="stretch"):
        if job.state == "done":
            assert view.run is not None
            images = min(recipe.data.limit or MOST_IMAGES, job.result["images"])
            seconds = sl.sweeps.tournament_seconds(now, images, job.result)
            st.markdown(
                f"{what}. **About {progress.duration(seconds)}** to simulate on this machine; calibration on top."
            )
        elif job.state == "failed":
            st.caption(f"{what}. {label.md(job.error, 300)}")
        else:
            st.caption(f"{what}. How long it takes is being measured.")
            progress.follow(job)


def draw_earlier(view: View, shown_id: str = "") -> None:
    """Stored tournaments with this checkpoint, to be opened again.

    Args:
        view: What is in view.
        shown_id: The one on the page, which needs no button.
    """
    assert view.run is not None
    rows = [row for row in tournament_state.earlier(str(view.run.card["sha256"])) if row.id != shown_id]
    if not rows:
        return
    st.header("Other tournaments with this checkpoint", anchor=False)
    for row in rows[:12]:
        contest = row.recipe.tournament
        if contest is None:
            continue
        names = " · ".join(label.method_named(choice.method) for choice in contest.methods)
        steps = ", ".join(map(str, contest.steps))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button("Show", key=f"tournament-show-{row.id[:12]}", icon=":material/visibility:"):
                tournament_state.PAGE.show(row.id)
                st.rerun()
            st.markdown(
                f"**T = {steps}**, {row.created[:16].replace('T', ' ')}: {label.md(names, 200)}; {contest.seeds} "
                f"seed{'s' * (contest.seeds != 1)}, {row.split}, {row.images:,} images, run {row.id[:6]}",
                width="stretch",
            )
    if len(rows) > 12:
        st.caption(f"and {len(rows) - 12} more; the Runs page lists all.")
