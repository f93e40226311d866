"""What an experiment found: gains over the control, the table, gap and noise over depth, checkpoints, export."""

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

import snnlab as sl
from pages._ui import explain, jobs, label, shell, show, train_form, train_state
from pages._ui.show import Column

CONTROL, BASE = "control", "base"


def draw(bar: DeltaGenerator, run: "sl.runs.Run") -> None:
    """Everything that a stored experiment tells."""
    report = train_state.report(run)
    _say(run, report)
    forest = _figure(run.id, "forest", report)
    # Numbers at other T stand in the table below; beside the chart they would not fit a narrow page.
    show.figure(replace(forest, panels=tuple(panel for panel in forest.panels if not panel.wide_only)), "train-forest")
    st.header(f"Every arm, T = {report.target} first", anchor=False)
    _table(report)
    left, right = st.columns(2, gap="large")
    noisy = [arm for arm in report.arms if arm not in sl.sweeps.CONTROLS]
    gap = _figure(run.id, "gap", report)
    figures = {forest.title: forest, gap.title: gap}
    with left:
        st.header(gap.title, anchor=False)
        show.figure(gap, "train-gap")
    if noisy:
        with right:
            st.header("How does the noise change while it trains?", anchor=False)
            arm = noisy[0]
            if len(noisy) > 1:
                arm = st.segmented_control(
                    "Arm",
                    noisy,
                    default=arm,
                    required=True,
                    key=f"train-arm-{run.id[:12]}",
                    format_func=sl.figures.arm_name,
                    label_visibility="collapsed",
                )
            noise = _figure(run.id, f"noise {arm}", report)
            show.figure(noise, "train-noise")
            figures[noise.title] = noise
    tables = {}
    if report.looked_inside:
        st.header("What changed inside the SNN?", anchor=False)
        figures |= _inside(run, report)
        tables["What changed inside, site by site"] = report.inside_frame()
    training = _figure(run.id, "training", report)
    figures[training.title] = training
    with st.expander(training.title, icon=":material/show_chart:"):
        show.figure(training, "train-curves")
        st.caption(
            "Means over seeds, on images of validation that were only watched: final weights count, and nothing was "
            "selected."
        )
    _checkpoints(run, report)
    with bar:
        if st.button("New experiment", key="train-close", icon=":material/add:", type="tertiary"):
            train_state.PAGE.close()
            st.rerun()
        explanation()
        show.export(
            figures,
            {
                caption(report): sl.figures.gain_table(report),
                "Every arm and T, with both intervals": report.to_frame(),
                **tables,
            },
            run.recipe,
            "train",
        )
    _code(run)


def _inside(run: "sl.runs.Run", report: "sl.analysis.NoiseGain") -> "dict[str, sl.figures.Figure]":
    """Spike-count errors and gap of every arm, the whole network and site by site; the figures by title."""
    whole, depth = _figure(run.id, "inside", report), _figure(run.id, "depth", report)
    show.figure(whole, "train-inside")
    with st.expander(depth.title, icon=":material/stacked_line_chart:"):
        show.figure(depth, "train-depth")
    st.caption(
        "An SNN whose spikes are fewer off, or whose gap is smaller, need not be the more accurate one: the gain above "
        "decides."
    )
    return {whole.title: whole, depth.title: depth}


def caption(report: "sl.analysis.NoiseGain") -> str:
    """Caption of the table in a paper."""
    return (
        f"Fine-tuning with and without noise: {report.split}, {report.images:,} images, {len(report.seeds)} seeds, "
        f"{report.epochs} epochs; 95 % t intervals over seeds"
    )


def verdict(report: "sl.analysis.NoiseGain") -> str:
    """What the experiment says at its own T, in a sentence or two."""
    target, told = report.target, []
    arms = [arm for arm in report.arms if arm != CONTROL]
    if not arms:
        return "Only the control was trained: there is nothing to compare it with."
    if len(report.seeds) == 1:
        return "One seed has no interval over seeds, so nothing can be said about other trainings: train three."
    found = {arm: report.gain(arm, target) for arm in arms}
    better = [arm for arm in arms if found[arm].low > 0]
    worse = [arm for arm in arms if found[arm].high < 0]
    for verb, which in (("rises", better), ("falls", worse)):
        if which:
            named = ", ".join(
                f"**{label.md(sl.figures.arm_name(arm))}** {sl.figures.gain_text(found[arm])}" for arm in which
            )
            told.append(
                f"Over the same fine-tuning without noise, SNN accuracy at T = {target} {verb} with {named} points."
            )
    open_ones = [arm for arm in arms if arm not in (*better, *worse)]
    if open_ones:
        named = ", ".join(
            f"{label.md(sl.figures.arm_name(arm))} {sl.figures.gain_text(found[arm])}" for arm in open_ones
        )
        told.append(f"Not told apart from the control: {named}.")
    if own := sl.figures.own_gains_told(report, target):
        told.append(label.md(own, 1000))
    return " ".join(told)


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "Every arm fine-tunes the same checkpoint on the same batches in the same order; arms differ in their noise "
        "alone. **Zero is the control**, the same fine-tuning without noise, as fine-tuning alone changes the SNN. "
        "Right of zero, the noise helped.\n"
        "- *Thin line*: where the mean gain of other training seeds would lie (t interval over paired differences).\n"
        "- *Thick line*: other images, same networks (bootstrap; an image takes all its seeds along).\n"
        "- *Dots*: the seeds.\n\n"
        "An interval that holds 0 says that this experiment cannot tell, not that there is no effect. The more arms "
        "and experiments are tried on dev, the likelier one of them looks good by chance: *Final evaluation* is for "
        "that.",
        (
            r"\Delta_s = \mathrm{acc}^{\mathrm{arm}}_s(T) - \mathrm{acc}^{\mathrm{control}}_s(T), \qquad "
            r"\bar\Delta \pm t_{n-1} \frac{\mathrm{std}(\Delta_s)}{\sqrt{n}}",
            r"\tilde a_l = a_l + m_l\, \mathrm{std}(g_l)\, \varepsilon, \quad \varepsilon \sim N(0, 1) "
            r"\ \text{(training only)}",
        ),
        "NQ: Huang et al., IEEE TNNLS 2025. The std is measured anew on calibration images after every epoch. Noise "
        "Adaptor †: Li and Rajendran, 2024, an interpretation; it puts its noise into a quantizer of its own.",
    )


def _say(run: "sl.runs.Run", report: "sl.analysis.NoiseGain") -> None:
    place, count = train_state.position(run)
    split = label.md(report.split.replace("_", " "))
    st.markdown(verdict(report))
    arms = len(report.arms) - 1
    st.caption(
        f"What was tried: this is the **{sl.figures.ordinal(place)}** of {count} experiment{'s' * (count != 1)} on "
        f"{split} with this checkpoint, with {arms} arm{'s' * (arms != 1)} beside the control. Nothing here has seen "
        "test images."
    )
    if not sl.runs.is_current(run):
        st.warning(
            "An earlier version of snnlab made these numbers, and later versions give others: CORRECTIONS says why.",
            icon=":material/history:",
        )


def _figure(run_id: str, what: str, _report: "sl.analysis.NoiseGain") -> "sl.figures.Figure":
    return _drawn(run_id, what, _report).stamped(run_id=run_id)


@st.cache_resource(max_entries=32, show_spinner=False)
def _drawn(run_id: str, what: str, _report: "sl.analysis.NoiseGain") -> "sl.figures.Figure":
    kind, _, arm = what.partition(" ")
    if kind == "forest":
        return sl.figures.noise_gain(_report)
    if kind == "gap":
        return sl.figures.gap_over_depth(_report)
    if kind == "inside":
        return sl.figures.inside_change(_report)
    if kind == "depth":
        return sl.figures.errors_over_depth(_report)
    if kind == "noise":
        return sl.figures.noise_by_epoch(_report, arm)
    return sl.figures.training_curves(_report)


def _table(report: "sl.analysis.NoiseGain") -> None:
    target = report.target

    def gain(arm: str, step: int | None) -> "sl.analysis.Gain":
        return report.base_gain(step) if arm == BASE else report.gain(arm, step)

    def accuracy(arm: str, step: int | None) -> float:
        return report.base_accuracy(step) if arm == BASE else report.accuracy(arm, step)

    def over(arm: str) -> str:
        return "–" if arm == CONTROL else sl.figures.gain_text(gain(arm, target), 2)

    def images(arm: str) -> str:
        found = gain(arm, target)
        return "–" if arm == CONTROL else f"[{label.points(found.images_low)}, {label.points(found.images_high)}]"

    def other(step: int) -> Column:
        return Column(
            f"T = {step}, exploratory",
            lambda arm: (
                f"{label.percent(accuracy(arm, step))}"
                + ("" if arm == CONTROL else f" ({label.points(gain(arm, step).value)})")
            ),
            "SNN accuracy, and points over the control; not what was asked",
            numeric=True,
            optional=True,
            soft=True,
        )

    show.table(
        [BASE, *report.arms],
        [
            Column("arm", sl.figures.arm_name, swatch=sl.figures.arm_role),
            Column(
                "ANN", lambda arm: label.percent(accuracy(arm, None)), "Without noise, mean over seeds", numeric=True
            ),
            Column(
                f"SNN at T = {target}",
                lambda arm: label.percent(accuracy(arm, target)),
                "Mean over seeds",
                numeric=True,
                strong=True,
            ),
            Column(
                "points over control [95 %]",
                over,
                "Mean of the paired differences, t interval over training seeds",
                numeric=True,
                strong=True,
            ),
            Column("[95 %] over images", images, "Bootstrap over images", numeric=True, optional=True),
            *(other(step) for step in report.steps if step != target),
        ],
        "Every arm: accuracy and points over the control",
    )


def _checkpoints(run: "sl.runs.Run", report: "sl.analysis.NoiseGain") -> None:
    st.header("Fine-tuned checkpoints", anchor=False)
    trained = list(dict.fromkeys(map(sl.sweeps.trained_arm, report.arms)))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        arm = st.selectbox(
            "Arm",
            trained,
            key=f"train-ckpt-arm-{run.id[:12]}",
            format_func=sl.figures.arm_name,
            width=200,
            help=None if set(report.arms) <= set(trained) else "Arms that differ in their conversion share a network.",
        )
        seed = st.selectbox("Seed", report.seeds, key=f"train-ckpt-seed-{run.id[:12]}", width=100)
        kept = sl.sweeps.tuned_file(run.recipe, arm, seed)
        if kept is None:
            st.caption("Not kept on this machine: run the line below with --out FOLDER.")
            return
        name = f"{run.card['name']}-{arm}-T{report.target}-seed{seed}.safetensors"
        st.download_button(
            "Download", kept.read_bytes, name, "application/octet-stream", key="train-ckpt-file", on_click="ignore"
        )
        if st.button("Open as checkpoint", key="train-ckpt-open", icon=":material/deployed_code:"):
            try:
                path = train_form.kept_upload(run, arm, seed)
                jobs.start("open", {"path": path}, f"Open {name}")
            except ValueError as error:
                shell.refuse(error)
            else:
                st.rerun()
    clipping = run.recipe.clipping
    kind = "LSQ" if arm in sl.sweeps.ADAPTED else "QCFS"
    if arm in sl.sweeps.CLIPPED and (clipping is None or clipping.levels is None):
        kind = "Clipped ReLU"
    st.caption(f"{kind} activations: noise is no part of what is converted.")


def _code(run: "sl.runs.Run") -> None:
    noise = run.recipe.noise
    with st.expander("The same numbers without the app", icon=":material/terminal:"):
        line, recipe_yaml, python = st.tabs(["Command line", "Recipe (YAML)", "Python"])
        line.code(sl.sweeps.as_train_cli(run.recipe, folder="networks"), language="bash", wrap_lines=True)
        if noise is not None and train_form.OWN in (run.recipe.experiment.arms if run.recipe.experiment else ()):
            line.caption(
                "The arm of your own: `snnlab train --recipe recipe.yaml` holds its profile, as the recipe does."
            )
        recipe_yaml.code(run.recipe.to_yaml(), language="yaml")
        python.code(
            "import snnlab as sl\n\n"
            'recipe = sl.Recipe.from_file("recipe.yaml")\n'
            'gain = sl.sweeps.experiment_run(recipe).reports["gain"]\n'
            "print(gain.to_frame())\n"
            'sl.figures.noise_gain(gain).save("noise-gain.pdf", preset="neurips")',
            language="python",
        )
