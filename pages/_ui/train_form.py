"""What is trained: arms, seeds, schedule and T, what it will cost, and the start."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import device, jobs, label, progress, questions, shell, train_state
from pages._ui.noise_view import drawn
from pages._ui.noise_view.found import find
from pages._ui.state import View

KIND, OWN, CONTROL, CONTROL_L = train_state.KIND, "profile", "control", "control_L"
USUAL = "nq"
"""QCFS, and QCFS with noise in the arms that have any."""
ARMS = (
    CONTROL,
    CONTROL_L,
    "nq",
    "half_nq",
    "uniform",
    OWN,
    "double_nq",
    "reversed",
    *sl.sweeps.ADAPTED,
    *sl.sweeps.CLIPPED,
)
FIRST_ARMS = (CONTROL, CONTROL_L, "nq", "uniform")
AS_ARMS = ("NQ", "half NQ")
"""Profiles that an arm of its own trains with."""
STEPS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Own:
    """The profile drawn on the Noise page.

    Args:
        noise: What it is in a recipe's ``noise``.
        mode: How it acts: ``re_estimate`` or ``freeze``.
        told: What it is, in words.
        profile: The profile itself, for the command line's file.
    """

    noise: dict[str, Any]
    mode: str
    told: str
    profile: "sl.calibration.NoiseProfile"


def draw(view: View) -> "sl.Recipe | None":
    """The form; the recipe that it describes, where it is valid."""
    assert view.run is not None, "the page says so where the store is empty"
    own = own_profile(view)
    st.header("1  What is compared", anchor=False)
    activation = _activation(view)
    arms = _arms(view, own, activation)
    st.header("2  How it is trained, and at which T it is read", anchor=False)
    try:
        recipe = _recipe(view, arms, own, activation)
    except ValueError as error:
        shell.refuse(error)
        return None
    st.header("3  Train", anchor=False)
    _start(recipe)
    return recipe


def own_profile(view: View) -> Own | None:
    """What was drawn on the Noise page for this conversion; None where that is an arm already, or not measured yet."""
    assert view.run is not None
    found = find(view.run)
    if found is None or found.stale:
        return None
    steps = [step for step in found.report.steps if step <= view.target] or [found.report.steps[0]]
    measured = found.report.profile(max(steps))
    now = drawn.kept(found.run.id, len(found.report.names))
    if not now.frozen and now.scale == 1.0 and now.preset in AS_ARMS:
        return None
    mode = "freeze" if now.frozen else "re_estimate"
    how = "kept as it is" if now.frozen else "re-estimated × m after every epoch"
    what = f"{now.preset or 'drawn by hand'}, scale × {now.scale:.2f}, {how}"
    return Own(now.choice(measured), mode, what, now.profile(measured))


def _activation(view: View) -> str:
    """What every arm trains with; a menu where the user's files bring activations."""
    assert view.run is not None
    own = {card.name: card for card in sl.methods("activation")}
    if not own:
        return USUAL
    names = [USUAL, *own]
    before = view.run.card["activation"]
    chosen: str = st.selectbox(
        "Activation",
        names,
        index=names.index(before) if before in own else 0,
        format_func=lambda name: own[name].display_name if name in own else "QCFS",
        key=f"train-activation-{view.run.card['sha256'][:12]}",
        width=260,
        help="What every arm trains with, plus the noise of the arm.",
    )
    if chosen in own:
        st.caption(label.md(own[chosen].summary, 200))
    return chosen


def _has_levels(activation: str) -> bool:
    return activation == USUAL or any(
        card.name == activation and "levels" in card.needs for card in sl.methods("activation")
    )


def _arms(view: View, own: Own | None, activation: str) -> tuple[str, ...]:
    assert view.run is not None
    without = {arm for arm, there in ((OWN, own is not None), (CONTROL_L, _has_levels(activation))) if not there}
    offered = [arm for arm in ARMS if arm not in without]
    key = f"train-arms-{view.run.card['sha256'][:12]}-{own is not None}" + "-no-levels" * (CONTROL_L in without)
    first = [arm for arm in (*FIRST_ARMS, OWN) if arm in offered]

    def keep_control() -> None:
        if CONTROL not in st.session_state[key]:
            st.session_state[key] = [CONTROL, *st.session_state[key]]
            st.session_state["train.control"] = True

    st.session_state.setdefault(key, first)
    chosen = st.pills(
        "Arms, on the same seeds, batches and schedule",
        offered,
        selection_mode="multi",
        key=key,
        format_func=sl.figures.arm_name,
        on_change=keep_control,
        help="  \n".join(f"**{sl.figures.arm_name(arm)}**: {sl.figures.arm_note(arm)}" for arm in offered),
        width="stretch",
    )
    if st.session_state.pop("train.control", False):
        st.warning(
            "The control stays: fine-tuning alone helps, so without it no gain can be told.", icon=":material/balance:"
        )
    if own is None:
        st.caption(
            "For an arm of your own draw a profile on the Noise page: there it is still that of NQ, or not measured."
        )
    elif OWN in chosen:
        st.caption(f"Yours: {label.md(own.told, 200)}; drawn on the Noise page.")
    return tuple(arm for arm in ARMS if arm in {CONTROL, *chosen})


def _recipe(view: View, arms: tuple[str, ...], own: Own | None, activation: str) -> sl.Recipe:
    run, usual = view.run, _usual(view)
    assert run is not None
    of = run.card["sha256"][:12]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        target = st.selectbox(
            "T of the question",
            [*dict.fromkeys(sorted({*STEPS, view.target}))],
            index=sorted({*STEPS, view.target}).index(view.target),
            key=f"train-target-{of}-{view.target}",
            width=130,
            help="The gain is asked for at this T, and the noise is measured at it. Declare it before you look.",
        )
        others = st.multiselect(
            "Also read at, exploratory",
            [step for step in STEPS if step != target],
            default=[step for step in (1, 2, 4, 8) if step != target],
            key=f"train-steps-{of}-{target}",
            width=230,
        )
        seeds = st.number_input("Seeds", 1, 20, 5, key=f"train-seeds-{of}", width=90)
        epochs = st.number_input("Epochs", 1, 1000, usual["epochs"], key=f"train-epochs-{of}", width=90)
        images = st.number_input(
            "Images an epoch",
            1,
            None,
            usual["images"],
            key=f"train-images-{of}",
            width=150,
            placeholder="all",
            help="A new random part of the training images in every epoch; empty for all.",
        )
        batch = st.number_input("Batch size", 2, 4096, usual["batch_size"], key=f"train-batch-{of}", width=90)
        rate = st.number_input(
            "Learning rate",
            1e-5,
            1.0,
            usual["learning_rate"],
            step=None,
            format="%g",
            key=f"train-rate-{of}",
            width=130,
            help="At the start; a cosine takes it to 0. The same for every arm: never tune it for one of them.",
        )
    levels = None
    if run.card["levels"] is None and _has_levels(activation):
        levels = st.number_input(
            "Quantization levels L",
            1,
            64,
            4,
            key=f"train-levels-{of}",
            width=180,
            help="This network has no quantized activations: they are put in, and their thresholds start from "
            "calibration images.",
        )
    adaptor = _adaptor(of, arms) | _clipping(of, arms)
    _say_width(int(seeds))
    noise = {"split": "calibration"} | (own.noise if own is not None and OWN in arms else {})
    mode = own.mode if own is not None and OWN in arms else "re_estimate"
    values = run.recipe.to_dict()
    for part in ("noise", "adaptor", "clipping"):
        values.pop(part, None)
    return sl.Recipe.parse(
        {
            **values,
            "snapshots": [],
            "traces": 0,
            "num_steps": max(target, *others) if others else target,
            "noise": {name: value for name, value in noise.items() if value is not None},
            "training": {
                **({"activation": activation} if activation != USUAL else {}),
                "epochs": int(epochs),
                **({"images": int(images)} if images is not None else {}),
                **({"levels": int(levels)} if levels is not None else {}),
                "batch_size": int(batch),
                "learning_rate": float(rate),
                "augment": usual["augment"],
                "noise": mode,
            },
            **adaptor,
            "experiment": {"arms": arms, "seeds": int(seeds), "steps": [target, *others]},
        }
    )


def _adaptor(of: str, arms: tuple[str, ...]) -> dict[str, Any]:
    """The quantizer of Noise Adaptor and its noise, where one of its arms is chosen: a part of the recipe."""
    chosen = [arm for arm in sl.sweeps.ADAPTED if arm in arms]
    if not chosen:
        return {}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        bits = st.number_input(
            "Bits",
            1,
            8,
            2,
            key=f"train-bits-{of}",
            width=90,
            help="Noise Adaptor's quantizer has 2^bits - 1 levels; its scale starts from calibration images.",
        )
        mode = st.selectbox(
            "Noise",
            ("pre_round", "additive"),
            key=f"train-mode-{of}",
            format_func=lambda mode: mode.replace("_", " "),
            width=140,
            help="pre round: the rounding becomes random, unbiased. additive: noise in place of the rounding, as one "
            "reading of the paper.",
        )
        amplitude = st.number_input(
            "Amplitude", 0.0, 4.0, 0.5, 0.1, key=f"train-amp-{of}", width=110, help="In steps of the quantizer."
        )
        probability = st.number_input(
            "Probability", 0.0, 1.0, 1.0, 0.1, key=f"train-prob-{of}", width=110, help="Share of elements with noise."
        )
    if len(chosen) == 1:
        missing = next(arm for arm in sl.sweeps.ADAPTED if arm not in chosen)
        st.caption(
            "Noise Adaptor differs from the control in its quantizer as well as in its noise: with the arm "
            f"{sl.figures.arm_name(missing)} beside it, the two are told apart."
        )
    values = {"bits": int(bits), "noise_mode": mode, "noise_amp": float(amplitude), "noise_prob": float(probability)}
    return {"adaptor": values}


def _clipping(of: str, arms: tuple[str, ...]) -> dict[str, Any]:
    """The learned clipping of ECL and TTRBR, where one of its arms is chosen: a part of the recipe."""
    chosen = [arm for arm in sl.sweeps.CLIPPED if arm in arms]
    if not chosen:
        return {}
    levels = st.number_input(
        "Levels of the learned clip",
        1,
        256,
        None,
        key=f"train-clip-{of}",
        width=210,
        placeholder="none: clipped ReLU",
        help="ECL and TTRBR clip activations at a learned threshold, which becomes that of the neuron. Whether they "
        "quantize in between could not be read: empty for a clipped ReLU, L for L levels.",
    )
    if "clipped" not in chosen:
        st.caption(
            f"{' and '.join(sl.figures.arm_name(arm) for arm in chosen)} "
            f"{'differs' if len(chosen) == 1 else 'differ'} from the control in the activation as well as in the "
            f"conversion: with the arm {sl.figures.arm_name('clipped')} beside, which costs no training of its "
            "own, the two are told apart."
        )
    return {"clipping": {} if levels is None else {"levels": int(levels)}}


def _usual(view: View) -> dict[str, Any]:
    """Where the form starts: minutes of work, at rates that were tried."""
    assert view.run is not None
    if view.run.recipe.data.dataset in ("digits", "mnist"):
        return {"epochs": 12, "images": None, "batch_size": 64, "learning_rate": 0.03, "augment": ["crop"]}
    return {"epochs": 3, "images": 10_000, "batch_size": 100, "learning_rate": 0.01, "augment": ["crop", "flip"]}


def _say_width(seeds: int) -> None:
    if seeds == 1:
        st.caption("With **1 seed** there is no interval over seeds: nothing can be said about another training.")
    elif seeds < 5:
        half = {2: 9.0, 3: 2.5, 4: 1.6}[seeds]
        st.caption(
            f"With **{seeds} seeds** the interval reaches {half:g} standard deviations to either side of the mean; "
            "with 5 seeds 1.2."
        )


def _start(recipe: sl.Recipe) -> None:
    kept = sl.sweeps.live(recipe)
    busy = jobs.busy(KIND)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        if st.button(
            "Go on" if 0 < kept.done < kept.total else "Train",
            key="train-start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=busy,
        ):
            start(recipe)
        if not busy:
            _estimate(recipe, kept)
        else:
            st.caption("An experiment of this browser waits or runs; it can be watched below.")


def start(recipe: sl.Recipe) -> None:
    """Hand the experiment to a worker."""
    assert recipe.experiment is not None
    arms, seeds = len(recipe.experiment.arms), recipe.experiment.seeds
    title = f"Train {arms} arm{'s' * (arms != 1)} × {seeds} seed{'s' * (seeds != 1)}"
    try:
        jobs.start(KIND, {"recipe": recipe.to_dict(), **device.arguments()}, title)
    except ValueError as error:
        shell.refuse(error)
    else:
        st.rerun()


def _estimate(recipe: sl.Recipe, kept: "sl.sweeps.LiveExperiment") -> None:
    count, epochs = kept.trainings, kept.epochs_each
    what = f"{count} training{'s' * (count != 1)} of {epochs} epoch{'s' * (epochs != 1)}"
    if kept.done:
        what += f", {kept.done} of {kept.total} epochs are kept from before"
    job = questions.ask("pace", {"recipe": sl.sweeps.pace_recipe(recipe).to_dict()}, slot="pace")
    with st.container(width="stretch"):
        if job.state == "done":
            left = sl.sweeps.seconds_left(recipe, job.result)
            st.markdown(f"{what}: **about {progress.duration(left)}** on one core of this machine.")
        elif job.state == "failed":
            st.caption(f"{what}. {label.md(job.error, 300)}")
        else:
            st.caption(f"{what}. How long it takes is being measured.")
            progress.follow(job)


def draw_earlier(view: View, shown_id: str = "") -> None:
    """Stored experiments with this checkpoint, to be opened again.

    Args:
        view: What is in view.
        shown_id: The one on the page, which needs no button.
    """
    assert view.run is not None
    rows = [row for row in train_state.earlier(view.run.card["sha256"]) if row.id != shown_id]
    if not rows:
        return
    st.header("Earlier experiments with this checkpoint", anchor=False)
    for row in rows[:12]:
        choice = row.recipe.experiment
        if choice is None:
            continue
        arms = ", ".join(sl.figures.arm_name(arm) for arm in choice.arms)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if st.button("Show", key=f"train-show-{row.id[:12]}", icon=":material/visibility:"):
                train_state.PAGE.show(row.id)
                st.rerun()
            st.markdown(
                f"**T = {choice.steps[0]}**, {row.created[:16].replace('T', ' ')}: {label.md(arms, 200)}; "
                f"{choice.seeds} seeds, {row.split}, run {row.id[:6]}",
                width="stretch",
            )
    if len(rows) > 12:
        st.caption(f"and {len(rows) - 12} more; the Runs page lists all.")


def download_of(run: "sl.runs.Run", arm: str, seed: int) -> bytes | None:
    """A fine-tuned checkpoint's file; None where it is no longer kept."""
    path = sl.sweeps.tuned_file(run.recipe, arm, seed)
    return None if path is None else path.read_bytes()


def kept_upload(run: "sl.runs.Run", arm: str, seed: int) -> str:
    """Put a fine-tuned checkpoint where the app may open it.

    Raises:
        CheckpointError: It is no longer kept, or the disk refuses.
    """
    data = download_of(run, arm, seed)
    if data is None:
        raise ValueError("The fine-tuned checkpoint is no longer kept; run the experiment again.")
    return str(sl.runs.keep_upload(f"{run.card['name']}-{arm}-seed{seed}.safetensors", data))
