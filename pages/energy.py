"""Energy: does the SNN cost less than its ANN, and where are the operations?"""

from typing import cast

import streamlit as st

import snnlab as sl
from pages._ui import derived, explain, label, shell, show
from pages._ui.show import Column

QUESTION = "Up to which T does the SNN cost less than its ANN?"
ENERGY = derived.Derived("energy", "activity", sl.analysis.ActivityReport)
COSTS = sl.analysis.ENERGY_COSTS
ARITHMETIC = [name for name, costs in COSTS.items() if not costs.across]

if not shell.inside():
    shell.run_app_instead()


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "Every spike adds a weight to each output that it reaches: one **accumulate (AC)** an output. An ANN does a "
        "**multiply-accumulate (MAC)** there, whatever the activation. The counts are exact: $f_{l,i}$ is the true "
        "number of outputs of layer $l$ behind neuron $i$, smaller at the border of an image. A negative spike counts "
        "as one, a spike of a group as its number; every step counts.\n\n"
        "The curves are the SNN's energy over the ANN's, for **published energies** of one operation. They differ "
        "more among each other than most methods do: read their range. **T\\*** is where a curve reaches the ANN. "
        "Arithmetic alone: memory access, neuron updates and thresholds are left out on both sides; the ANN's zeros "
        "cost as much as its other values.\n\n"
        "A **chip** (Loihi, ODIN, ...) prices every AC of the SNN as one synaptic operation, as its authors publish "
        "it: with memory access, and at its own process. The ANN stays in 32-bit arithmetic at 45 nm, without memory, "
        "as a chip has no energy of an ANN's MAC. Such a curve compares two technologies; an 8-bit ANN would cost a "
        "twentieth. What counts as a synaptic operation differs from chip to chip: read an order of magnitude.",
        (
            r"\mathrm{ops}_l(t) = \sum_i f_{l,i} \sum_{\tau \le t} |s_i(\tau)|",
            r"\frac{E_\mathrm{SNN}(t)}{E_\mathrm{ANN}} = \frac{e_\mathrm{MAC}\,\mathrm{MAC}(t) + e_\mathrm{SOP}\,"
            r"\mathrm{AC}(t)}{e_\mathrm{MAC}\,\mathrm{MAC}_\mathrm{ANN} + e_\mathrm{AC}\,\mathrm{AC}_\mathrm{ANN}},"
            r"\quad e_\mathrm{SOP} = e_\mathrm{AC} \text{ in arithmetic}",
        ),
        "Costs of an operation: " + "; ".join(dict.fromkeys(costs.source for costs in COSTS.values())) + ".",
    )


def recipe_of(run: sl.runs.Run) -> sl.Recipe:
    """What is counted for a conversion: all of its steps and images."""
    return run.recipe.changed(snapshots=[], traces=0)


def conventions() -> sl.analysis.Conventions:
    """The switches."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="energy-conventions"):
        first = st.segmented_control(
            "First layer, on the analog image",
            ["each_step", "once"],
            default="each_step",
            required=True,
            format_func={"each_step": "at every step", "once": "once"}.__getitem__,
            key="energy-first",
            help="Its MACs at every step, as direct coding does; or once, as the image does not change, with one AC an "
            "output and step for what is kept of it.",
        )
        pooled = st.segmented_control(
            "Average pools",
            ["folded", "separate"],
            default="folded",
            required=True,
            key="energy-pooled",
            help="Folded into the layer behind: a spike costs one AC an output. Separate: one AC a spike in the pool, "
            "and one MAC an output for each pooled value that is not 0, as such values have several levels.",
        )
        adds = st.toggle(
            "residual adds", True, key="energy-adds", help="One AC a spike and neuron; in the ANN one an element."
        )
        biases = st.toggle("biases", False, key="energy-biases", help="One AC an output and step; in the ANN once.")
    return sl.analysis.Conventions(
        first_layer="once" if first == "once" else "each_step",
        biases=biases,
        residual_adds=adds,
        pooled="separate" if pooled == "separate" else "folded",
    )


def options(rule: sl.analysis.Conventions, costs: list[str]) -> list[str]:
    """Of the command line, what differs from the defaults."""
    words = [] if rule.first_layer == "each_step" else ["--first-layer", rule.first_layer]
    words += [] if rule.pooled == "folded" else ["--pooled", rule.pooled]
    words += ["--no-residual-adds"] * (not rule.residual_adds) + ["--biases"] * rule.biases
    if costs != ARITHMETIC:
        words += [word for name in costs for word in ("--costs", name)]
    return words


def price_tag(name: str) -> str:
    """A set of costs in the row of choices."""
    costs = COSTS[name]
    return f"{costs.title} ({costs.sop:g})" if costs.across else f"{costs.title} ({costs.mac:g}, {costs.ac:g})"


def say(report: sl.analysis.EnergyReport, step: int) -> None:
    """The answer in one sentence."""
    low, high = (float(end[step - 1]) for end in report.ratio_range)
    found = [report.crossover(name) for name in report.costs]
    reached = [each.value for each in found if not each.why]
    dear = sum(each.cheaper_up_to == 0 for each in found)
    range_ = f"**{low:.2f}**" if f"{low:.2f}" == f"{high:.2f}" else f"**{low:.2f} to {high:.2f}**"
    said = f"At T = {step} an image costs {range_} times the ANN's energy"
    if len(found) > 1:
        said += f", by the {len(found)} sets of costs"
    cheap = sum(each.cheaper_up_to == report.num_steps for each in found) - sum(
        each == report.num_steps for each in reached
    )
    several = len(reached) < len(found)
    if reached:
        ends = f"**{min(reached):.2f}**" if len(reached) == 1 else f"**{min(reached):.2f} to {max(reached):.2f}**"
        said += f"; as much as the ANN at T\\* = {ends}" + f" by {len(reached)} of them" * several
    if dear:
        said += "; more from the first step on" + f" by {dear} of them" * (dear < len(found))
    if cheap:
        said += f"; less up to T = {report.num_steps}, the last counted" + f", by {cheap} of them" * (
            cheap < len(found)
        )
    st.markdown(f"{said}.")


def costs_table(report: sl.analysis.EnergyReport, step: int) -> None:
    """One line a set of costs."""
    rows = report.summary(step).to_dict("records")
    number = sl.figures.tables.number

    def crossover(row: dict[str, float | str]) -> str:
        if row["why"]:
            return "from t = 1 dearer" if row["cheaper_up_to"] == 0 else f"above {report.num_steps}"
        return number(cast("float", row["crossover"]), 2)

    show.table(
        rows,
        [
            Column("costs of one operation", lambda r: r["costs"]),
            Column("MAC, pJ", lambda r: f"{r['mac_pj']:g}", "One multiply-accumulate", numeric=True),
            Column(
                "AC, pJ",
                lambda r: f"{r['sop_pj']:g}",
                "One accumulate of the SNN: an addition, or a chip's synaptic operation",
                numeric=True,
            ),
            Column("ANN, nJ an image", lambda r: f"{r['ann_nj']:,.4g}", numeric=True, optional=True),
            Column("SNN, nJ an image", lambda r: f"{r['snn_nj']:,.4g}", numeric=True, optional=True),
            Column(
                "SNN / ANN [95 % interval]",
                lambda r: f"{number(r['ratio'], 3)} [{number(r['low'], 3)}, {number(r['high'], 3)}]",
                "Interval over images, normal approximation",
                numeric=True,
            ),
            Column("T*", crossover, "T at which the SNN costs as much as the ANN", numeric=True),
        ],
        f"Energy at T = {step} under each set of costs",
    )


def layers_table(activity: sl.analysis.ActivityReport, step: int, rule: sl.analysis.Conventions) -> None:
    """One line a layer."""
    frame = sl.figures.layer_activity(activity, step, rule).data
    number = sl.figures.tables.number
    show.table(
        frame.to_dict("records"),
        [
            Column("layer", lambda r: r["layer"], staged=True),
            Column("input", lambda r: r["input"], "What arrives: the image, spikes, pooled spikes, or analog values"),
            Column(
                "firing rate",
                lambda r: number(r["firing_rate"], 4),
                "Spikes per neuron and step, of the sites whose spikes arrive",
                numeric=True,
            ),
            Column(
                "SNN, ACs", lambda r: f"{r['snn_acs']:,.0f}", "Of one image up to t, mean over images", numeric=True
            ),
            Column("SNN, MACs", lambda r: f"{r['snn_macs']:,.0f}", "Of one image up to t", numeric=True),
            Column("ANN, MACs", lambda r: f"{r['ann_macs']:,.0f}", "Of one image, padding left out", numeric=True),
            Column(
                "with padding",
                lambda r: f"{r['nominal_macs']:,.0f}",
                "The ANN's MACs as usually told: as if the zeros of the padding were multiplied too",
                numeric=True,
                optional=True,
            ),
        ],
        f"Operations of one image at t = {step}, layer by layer",
    )


def draw(view: shell.View, found: "derived.Found[sl.analysis.ActivityReport]") -> None:
    """Switches, answer, charts, tables: from the stored counts alone."""
    run, activity = found.run, found.report
    step = min(view.target, activity.num_steps)
    bar = shell.title_bar(QUESTION)
    st.caption(
        f"T = {step} · {label.md(activity.split.replace('_', ' '))}, {activity.images:,} "
        f"image{'s' * (activity.images != 1)} · no random choice, so no seeds"
    )
    if found.stale:
        conversion = f"{label.method(run.recipe)}, {label.parameters(run.recipe, None)}"
        st.warning(
            f"Counted for another conversion or on other images ({label.md(conversion, 90)}; "
            f"{run.recipe.data.dataset}, {run.recipe.data.split}, {activity.images:,}): not the one in view.",
            icon=":material/history:",
        )
        assert view.run is not None, "a stale run belongs to one in view"
        ENERGY.offer(recipe_of(view.run), "Count for the conversion in view")
    if view.target > activity.num_steps:
        st.caption(f"Operations were counted up to T = {activity.num_steps}, which is shown.")
    rule = conventions()
    chosen = st.pills(
        "Published costs of an operation (MAC, AC in pJ); of chips a synaptic operation of the SNN",
        list(COSTS),
        selection_mode="multi",
        default=ARITHMETIC,
        format_func=price_tag,
        key="energy-costs",
    )
    costs = [name for name in COSTS if name in chosen] or ARITHMETIC
    report = sl.analysis.EnergyReport.of(activity, rule, costs=costs)
    say(report, step)
    if any(each.across for each in report.chosen):
        st.caption(
            ":material/info: Chips compare two technologies: the SNN on the chip, memory included; the ANN in 32-bit "
            "arithmetic at 45 nm, without memory."
        )
    else:
        st.caption("Energies of arithmetic alone, the same for SNN and ANN: no memory access.")
    over_time, by_layer = sl.figures.energy_vs_steps(report), sl.figures.layer_activity(activity, step, rule)
    show.figure(over_time, "energy-figure")
    costs_table(report, step)
    st.header(by_layer.title, anchor=False)
    show.figure(by_layer, "energy-layers")
    with st.expander("Layer by layer", icon=":material/table:"):
        layers_table(activity, step, rule)
    with bar:
        explanation()
        show.export(
            {over_time.title: over_time, by_layer.title: by_layer},
            {
                f"Energy at T = {step}": report.summary(step),
                f"Layers at T = {step}": by_layer.data,
                "Energy by time-step": report.to_frame(),
            },
            run.recipe,
            "energy",
        )
    explain.code(run.recipe, "energy", num_steps=step, options=options(rule, costs))


view = shell.page()
if view.run is None:
    shell.title_bar(QUESTION)
    shell.empty(view)
elif (counted := ENERGY.find(view.run)) is not None:
    st.fragment(draw)(view, counted)
else:
    with shell.title_bar(QUESTION):
        explanation()
    recipe = recipe_of(view.run)
    few = f"up to {label.count(recipe.data.limit)}" if recipe.data.limit else "all"
    st.info(
        f"The operations of this conversion were not counted yet. Counted will be: the spikes of every site and what "
        f"they cause in every layer, at each t = 1 to {recipe.num_steps}, on {few} {recipe.data.split} images.",
        icon=":material/bolt:",
    )
    ENERGY.offer(recipe, "Count the operations")
