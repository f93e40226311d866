"""An experiment while it runs, and after it was stopped: epoch by epoch."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

import snnlab as sl
from pages._ui import jobs, label, progress, show, state, train_form, train_state

KIND = train_state.KIND
SECONDS = 2.0  # between two pictures


def draw() -> None:
    """The experiment of this session that runs or was stopped; nothing where there is none."""
    job = jobs.latest(KIND)
    if job is None or job.state == "done":
        return
    recipe = sl.Recipe.parse(job.arguments["recipe"])
    st.header("4  While it trains", anchor=False)
    jobs_place = st.container(key="train-job")
    if job.state in ("cancelled", "interrupted", "failed"):
        with jobs_place:
            _stopped(job, recipe)
    else:
        with jobs_place:
            progress.panel(KIND)
    names = _sites(recipe)

    def watched() -> None:
        now = sl.sweeps.live(recipe)
        if now.last is not None:
            _picture(now, now.last, recipe, names)
        elif job.active:
            st.caption("The first epoch is under way: curves appear after it.")

    st.fragment(watched, run_every=SECONDS if job.active else None)()


def _stopped(job: "sl.runs.Job", recipe: sl.Recipe) -> None:
    kept = sl.sweeps.live(recipe)
    said = {"cancelled": "Cancelled", "interrupted": "Interrupted by the end of the server", "failed": "Failed"}[
        job.state
    ]
    if job.state == "failed":
        progress.panel(KIND)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(
            f"**{said}.** {kept.done} of {kept.total} epochs and {len(kept.finished)} of {kept.trainings} trainings "
            "are kept; starting it again goes on from there and gives the same numbers."
        )
        if st.button("Go on with it", key="train-again", icon=":material/replay:", disabled=jobs.busy(KIND)):
            train_form.start(recipe)


def _picture(
    now: "sl.sweeps.LiveExperiment", last: "sl.sweeps.LiveEpoch", recipe: sl.Recipe, names: Sequence[str]
) -> None:
    assert recipe.experiment is not None
    target = recipe.experiment.steps[0]
    accuracies = {"ANN": last.ann, "noisy ANN": last.noisy_ann, f"SNN at T = {target}": last.snn}
    told = ", ".join(f"{name}: {label.percent(value, 1)}" for name, value in accuracies.items() if value is not None)
    st.markdown(
        f"**{label.md(sl.figures.arm_name(last.arm))}, seed {last.seed}, epoch {last.epoch} of {now.epochs_each}**: "
        f"loss {last.loss:.3f}; on validation {told}. {len(now.finished)} of {now.trainings} trainings done."
    )
    _warn(now)
    left, right = st.columns([3, 2], gap="large")
    with left:
        show.figure(
            sl.figures.training_curves(curves(now, recipe), target=target, epochs=now.epochs_each), "train-live"
        )
    noisy = [epoch for epoch in now.epochs if epoch.rms > 0]
    with right:
        if noisy:
            newest = now.of(noisy[-1].arm, noisy[-1].seed)
            std = np.array([epoch.std for epoch in newest])
            sites = names if len(names) == std.shape[1] else [f"site {place + 1}" for place in range(std.shape[1])]
            whose = f"{sl.figures.arm_name(newest[-1].arm)}, seed {newest[-1].seed} · T = {target}"
            st.markdown(f"**How does the noise change while it trains?**  \n:small[{label.md(whose)}]")
            show.figure(sl.figures.std_by_epoch(std, sites, whose), "train-live-std")
        else:
            st.caption("No arm with noise has finished an epoch yet.")


def _warn(now: "sl.sweeps.LiveExperiment") -> None:
    bad = {(epoch.arm, epoch.seed): epoch for epoch in now.epochs if epoch.at_chance}
    if bad:
        epoch = list(bad.values())[-1]
        st.warning(
            f"With the noise of {label.md(sl.figures.arm_name(epoch.arm))} (seed {epoch.seed}, epoch {epoch.epoch}) "
            f"the ANN is at chance: {label.percent(epoch.noisy_ann or 0.0, 1)} of the watched images. Such noise "
            "destroys the network; scale it down.",
            icon=":material/warning:",
        )


def curves(now: "sl.sweeps.LiveExperiment", recipe: sl.Recipe) -> dict[str, np.ndarray]:
    """Trained arm -> (seeds, epochs, 4) as ``training_curves`` takes it."""
    assert recipe.experiment is not None
    seeds = sorted({epoch.seed for epoch in now.epochs})
    empty = (len(seeds), now.epochs_each, 4)
    trained = map(sl.sweeps.trained_arm, recipe.experiment.arms)
    found: dict[str, np.ndarray] = {arm: np.full(empty, np.nan) for arm in trained}
    for epoch in now.epochs:
        values = (epoch.loss, epoch.ann, epoch.noisy_ann, epoch.snn)
        row = [np.nan if value is None else value for value in values]
        found[epoch.arm][seeds.index(epoch.seed), epoch.epoch - 1] = row
    return found


def _sites(recipe: sl.Recipe) -> tuple[str, ...]:
    """Sites of the network, where it is the one in view."""
    run = state.view().run
    if run is None or run.card["sha256"] != recipe.checkpoint.sha256:
        return ()
    return tuple(str(site["name"]) for site in run.card["sites"])
