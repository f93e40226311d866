"""Conversion: the method, what it puts at every site, and what other thresholds and potentials would do."""

import pandas as pd
import streamlit as st

import snnlab as sl
from pages._ui import (
    card,
    device,
    edit_bar,
    edit_compare,
    edit_effect,
    edit_sites,
    edits,
    explain,
    jobs,
    label,
    own_method,
    progress,
    reports,
    shell,
    show,
)
from pages._ui.edit_compare import Pair
from pages._ui.edit_effect import Effect
from pages._ui.edit_sites import Activity, SiteRow
from pages._ui.edits import Choice

STYLE = shell.APP.parent / "pages" / "_ui" / "edit.css"

if not shell.inside():
    shell.run_app_instead()


def method_form(run: sl.runs.Run) -> None:
    """The method with its parameters; another choice is an edit."""
    history = edits.of(run)
    methods = {method.name: method for method in sl.methods() if own_method.fits(method, run.card)}
    now = history.now
    key = f"edit-{run.id}-{history.revision}"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.selectbox(
            "Method",
            list(methods),
            index=list(methods).index(now["method"]),
            key=f"{key}-method",
            format_func=lambda n: methods[n].display_name,
            width=200,
        )
        before = now["parameters"] if name == now["method"] else {}
        parameters = own_method.parameters_form(key, methods[name], before)
    st.caption(f"{methods[name].summary}  \n{label.md(own_method.reference(methods[name]), 120)}")
    if told := own_method.shortest(methods[name], parameters):
        st.caption(told)
    try:
        edits.change(run, {**now, "method": name, "parameters": parameters})
    except ValueError as error:
        shell.refuse(error)


def activities(probe: sl.analysis.Probe | None) -> list[Activity] | None:
    """What the sites do on the probe images."""
    if probe is None:
        return None
    right = 1 - probe.excess - probe.missing
    return [Activity(float(rate), float(share)) for rate, share in zip(probe.firing_rate, right, strict=True)]


def stored_activities(run: sl.runs.Run, target: int) -> tuple[list[Activity], int]:
    """What the sites did in the run, and at which T: the target, or the last one where it kept no residuals there."""
    report, stored = reports.residuals(run), reports.conversion_at(run, target)
    rates = [site["firing_rate"] for site in stored.sites]
    if report is None or target not in report.steps:
        return [Activity(rate, None) for rate in rates], stored.num_steps
    frame = report.to_frame()
    right = frame[frame["step"] == target]["right"]
    return [Activity(rate, share) for rate, share in zip(rates, right, strict=True)], stored.num_steps


def draw_stored(run: sl.runs.Run, target: int, images: int) -> None:
    """The run's own accuracy, and what an edit would add."""
    curve = reports.accuracy(run)
    t = min(target, curve.num_steps)
    low, high = (float(bound[t - 1]) for bound in curve.snn_interval)
    edit_effect.draw_accuracies(
        [
            ("ANN", "ann", curve.ann_accuracy, *curve.ann_interval),
            ("A, the run in view", "snn", float(curve.snn_accuracy[t - 1]), low, high),
        ],
        "Accuracy of the run in view",
    )
    st.caption(
        f"On {label.images(curve)}, T = {t}. Change a threshold, a v(0) or the method: "
        f"what it does on {images} images stands here at once."
    )


def draw_effect(run: sl.runs.Run, view: shell.View, images: int) -> Effect | None:
    """Accuracies before and after the edits, and the way to the full curve."""
    history = edits.of(run)
    effect, job = None, None
    if history.edited:
        # Two conversions are compared at one T, which both can simulate.
        least = max(map(sl.runs.least_steps, (run.recipe, edits.recipe(run, history.now))))
        effect, job = edit_effect.ask(run, history.now, max(view.target, least), images)
    if effect is None:
        draw_stored(run, view.target, images)
    else:
        with st.container(key="effect-stale" if effect.stale else "effect-fresh", gap="small"):
            edit_effect.draw_numbers(effect)
    if job is not None:
        edit_effect.draw_question(job, stale=effect is not None and effect.stale)
    for sentence in edits.wild(history.now, view.target):
        st.caption(label.md(sentence, 300))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button(
            "Run the full curve",
            key="edit-run",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not history.edited or jobs.busy("analyse"),
            help="Convert and analyse with these edits as a job: the new run comes into view on every page, compared "
            "with this one.",
        ):
            arguments = {"recipe": edits.recipe(run, history.now).to_dict(), **device.arguments()}
            jobs.start("analyse", arguments, beside=run.id)
            st.rerun()
    progress.panel("analyse")
    return effect


def table_rows(run: sl.runs.Run, target: int, effect: Effect | None) -> list[SiteRow]:
    """The site table's content."""
    choice = edits.of(run).now
    method = edit_sites.method_of(run, choice, edit_effect.measured(run, choice))
    before = activities(effect.before) if effect else stored_activities(run, target)[0]
    return edit_sites.rows(run, choice, method, before, activities(effect.after) if effect else None)


def edit_table(run: sl.runs.Run) -> pd.DataFrame:
    """What was edited by hand, for export."""
    rows = [
        {"site": name, "threshold": values.get("threshold"), "v0": values.get("v0")}
        for name, values in edits.of(run).now.get("sites", {}).items()
    ]
    return pd.DataFrame(rows, columns=["site", "threshold", "v0"])


def explanation(choice: Choice) -> None:
    """How to read the page."""
    method = next(found for found in sl.methods() if found.name == choice["method"])
    explain.popover(
        "What am I seeing?",
        "Every site's neuron collects its input in a potential $v$, which starts at $v(0)$, and pays one **threshold** "
        "$\\theta$ for each spike. A spike is worth $\\theta$ to the next layer.\n"
        "- **Raise** $\\theta$: fewer, larger spikes. Nothing is clipped at $T\\theta$, but what one spike can tell "
        "gets coarser, and small activations may never fire within $T$.\n"
        "- **Lower** $\\theta$: finer steps and more spikes, but activations above $\\theta$ are clipped.\n"
        "- $v(0) = \\theta/2$ rounds to the nearest spike count instead of down, which is right on average.\n\n"
        "A change at one site reaches every later site and none before it.",
        (
            r"v(t) = v(t-1) + I(t) - \theta\, s(t), \qquad s(t) = [\,v(t-1) + I(t) \ge \theta\,]",
            r"\text{output} \approx \frac{\theta}{T}\,\mathrm{clip}\left(\left\lfloor \frac{T z + v(0)}{\theta} "
            r"\right\rfloor, 0, T\right), \qquad \text{here: } " + method.equation,
        ),
        f"{own_method.reference(method)}. Intervals: Wilson, JASA 1927, for one accuracy; Newcombe, Statistics in "
        "Medicine 1998 (method 10), for a difference on the same images.",
    )


def draw_figure(run: sl.runs.Run, target: int, effect: Effect | None) -> dict[str, sl.figures.Figure]:
    """The chart of the page; returns what can be exported."""
    if effect is None:
        stored = reports.conversion_at(run, target)
        profile = sl.figures.site_profile(stored)
        st.header(f"Threshold and firing rate over depth, T = {stored.num_steps}", anchor=False)
        show.figure(profile, "conversion-figure")
        return {profile.title: profile}
    after = edit_effect.as_conversion(run, effect.after, effect.choice)
    before = edit_effect.as_conversion(run, effect.before, run.recipe.to_dict()["converter"])
    names = {"name": "B, edited", "before_name": "A, the run in view"}
    changed = sl.figures.conversion_change(after, before, **names, roles=("compared", "snn"))
    st.header(f"What changed, and where it reaches, T = {target}", anchor=False)
    with st.container(key="figure-stale" if effect.stale else "figure-fresh"):
        show.figure(changed, "conversion-figure")
    profile = sl.figures.site_profile(after, before, compare_name=names["before_name"])
    return {changed.title: changed, profile.title: profile}


def draw_tuning(run: sl.runs.Run) -> tuple[dict[str, sl.figures.Figure], dict[str, pd.DataFrame]]:
    """What the method of the run in view found at every site, where it searches thresholds; figure and table of it."""
    report = reports.conversion(run)
    table = report.tuning()
    if table is None:
        return {}, {}
    method = next((known.title for known in sl.methods() if known.name == report.method), report.method)
    drawn = sl.figures.threshold_tuning(report, name=method)
    st.header(f"{drawn.title[:-1]}, T = {report.findings['thresholds']['num_steps']}?", anchor=False)
    show.figure(drawn, "tuning-figure")
    with st.expander("What was tried at every site, in the run in view", icon=":material/tune:"):
        st.caption(
            "Thresholds in activation units, everything from error on as a share of the chosen threshold. The error is "
            "what was minimised; deviation: φ − q, what uneven input does beyond constant input of the same mean; "
            "quantization: q − clip(z̄, 0, θ); clipping: what lies above θ; activation: ReLU − the source's activation; "
            "propagated: inherited from the sites before."
        )
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                column: st.column_config.NumberColumn(format="%.3f")
                for column in table.columns
                if column not in ("name", "tried")
            },
        )
    return {drawn.title: drawn}, {"Thresholds tried": table}


def draw(run: sl.runs.Run, view: shell.View) -> None:
    """Method and effect, site table, chart, what was folded, and the second conversion."""
    target = view.target
    problems = edit_sites.take(run, table_rows(run, target, None))
    method, effect_place = st.container(key="edit-top").columns([1, 1], gap="large")
    with method:
        st.header("Method", anchor=False)
        method_form(run)
        images = st.segmented_control(
            "Images of the probe",
            edit_effect.IMAGES,
            default=128,
            required=True,
            key="edit-images",
            persist_state="session",
            help="The first images of dev, the same for A and B. More make the interval narrower and the answer later.",
        )
    history = edits.of(run)
    with effect_place, st.container(key="effect"):
        st.header("What the edits do" if history.edited else "Accuracy", anchor=False)
        effect = draw_effect(run, view, int(images))
    rows = table_rows(run, target, effect)
    st.header("Sites", anchor=False)
    scope = edit_bar.draw(run, rows)
    for problem in problems:
        shell.say(problem)
    shown = edit_sites.shown(rows, scope)
    if shown:
        needs = next(found.needs for found in sl.methods() if found.name == history.now["method"])
        edit_sites.draw(
            run,
            shown,
            scope,
            learned="learned_thresholds" in needs,
            edited=effect is not None,
            num_steps=effect.after.num_steps if effect else stored_activities(run, target)[1],
        )
    else:
        st.caption("Nothing is edited by hand. Double-click a threshold or a v(0) to change it, or apply one to many.")
    conversion = reports.conversion(run)
    for sentence in (*conversion.told, *conversion.chosen_on(run.recipe.data.split)):
        st.caption(label.md(sentence, 600))
    figures = draw_figure(run, target, effect)
    tuning, tried = draw_tuning(run)
    figures |= tuning
    both = None if view.compare is None else edit_compare.pair(run, view.compare, target)
    if isinstance(both, Pair):
        edit_compare.draw(both)
        figures |= {"Two conversions side by side": both.figure}
    elif both is not None:
        st.info(label.md(both, 600), icon=":material/compare_arrows:")
    with st.expander("What was folded and replaced, in the run in view", icon=":material/layers:"):
        card.sites(run)
    card.coverage(run)
    recipe = edits.recipe(run, history.now)
    with bar:
        explanation(history.now)
        tables = {"Sites": edit_sites.to_frame(rows), "Edits": edit_table(run), **tried}
        if isinstance(both, Pair):
            tables["Two conversions"] = both.to_frame()
        show.export(figures, tables, recipe, "conversion")
    explain.code(recipe, "evaluate")


view = shell.page()
bar = shell.title_bar("What do each site's threshold and v(0) do to the SNN?")
if not shell.empty(view):
    assert view.run is not None, "shell.empty said so"
    st.html(STYLE)
    try:
        view.run.recipe.converter.check_code()  # nothing can be edited of a method that is not here
    except ValueError as error:
        shell.refuse(error)
    else:
        draw(view.run, view)
