"""Flips: which images change their class in the SNN, when do they come back, and where do the networks part?"""

import streamlit as st

import snnlab as sl
from pages._ui import derived, explain, flip_gallery, label, selection, shell, show, state
from pages._ui.show import Column
from pages._ui.state import Address

FLIPS = derived.Derived("flips", "flips", sl.analysis.FlipReport)
ALL, EVERY_CLASS = "all", -1

if not shell.inside():
    shell.run_app_instead()


@st.cache_resource(max_entries=16, show_spinner=False)
def drawn(
    run_id: str, step: int, image: int | None, _report: "sl.analysis.FlipReport"
) -> "dict[str, sl.figures.Figure]":
    """The figures at one T, made once; where nothing is known of what is usual, there is none over sites."""
    found = {
        "steps": sl.figures.flips_over_steps(_report, step, log_steps=_report.num_steps > 16),
        "classes": sl.figures.flip_confusion(_report, step),
    }
    if _report.usual(step) is not None:
        found["sites"] = sl.figures.flip_sites(_report, step, image)
    return found


def explanation(report: "sl.analysis.FlipReport") -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "A **flip** is an image to which ANN and SNN(t) give different classes. Colours say who is right: grey the "
        "ANN alone, blue the SNN alone. The **margin** is the largest minus the second largest logit; a flip with a "
        "large ANN margin is an error that the ANN was sure about.\n\n"
        "At every site the SNN's mean output is compared with the ANN's activation: 0 equal, 1 nothing in common. "
        "Usual is what 95 % of the images that do **not** flip stay below. The networks **part** at the first site "
        "from which on the distance is unusual at every site; by construction 5 % of the images that do not flip "
        "have such a site, too. A flip without one has a small margin rather than an unusual error.",
        (
            r"d_l(i,t) = \frac{\lVert \bar a_l - a_l \rVert}{\sqrt{\lVert \bar a_l \rVert^2 + \lVert a_l \rVert^2}}",
            r"\ell^*(i,t) = \min\{\, l : d_k(i,t) > q_{95,k}(t) \ \ \forall k \ge l \,\}",
        ),
        f"Agreement for good is judged up to t = {report.num_steps}, the last step simulated.",
    )


def headline(report: "sl.analysis.FlipReport", step: int) -> None:
    """How many images flip, and who is right."""
    counts, (share, low, high) = report.counts(step), report.share(step)
    flips, split = sum(counts.values()), label.md(report.split.replace("_", " "))
    st.markdown(
        f"At T = {step}, **{flips} of {report.images:,} images** of {split} **flip**: {label.percent(share)} "
        f"[{label.span(low, high)}]. **{counts['bad']}** only the ANN gets right, **{counts['good']}** only the SNN, "
        f"{counts['other']} neither. {back(report, step)}"
    )


def back(report: "sl.analysis.FlipReport", step: int) -> str:
    """When half of the flips have come back."""
    agree = sorted(flip.agrees_from or report.num_steps + 1 for flip in report.flips(step))
    if not agree:
        return ""
    half = agree[(len(agree) - 1) // 2]
    if half > report.num_steps:
        return f"Most of them stay apart up to t = {report.num_steps}."
    return f"Half of them agree for good from t = {half} on."


def none_at_all(report: "sl.analysis.FlipReport", step: int, steps: tuple[int, ...]) -> None:
    """Teach where there is nothing to see: a smaller T, if there is one."""
    smaller = [t for t in steps if t < step and t <= report.num_steps and report.flipped(t).any()]
    if not smaller:
        st.info("ANN and SNN give every image the same class, at every smaller T, too.", icon=":material/check:")
        return
    st.info(
        f"At T = {step} ANN and SNN give every image the same class. At T = {smaller[-1]} they do not.",
        icon=":material/check:",
    )
    st.button(f"Look at T = {smaller[-1]}", on_click=go_to, args=(smaller[-1],), key="flips-smaller", type="primary")


def go_to(step: int) -> None:
    """Make another T the target on every page."""
    state.put(Address.TARGET, str(step))
    state.renew_choices()


def first_page() -> None:
    """Begin the gallery anew, as its flips are others."""
    st.session_state["flips-at"] = 0


def choose_class(run: "sl.runs.Run", key: str) -> None:
    """The class that the menu names is selected on every page."""
    value = st.session_state[key]
    if value == EVERY_CLASS:
        selection.clear()
    else:
        selection.choose_class(run, value)
    first_page()


def filtered(
    run: "sl.runs.Run", report: "sl.analysis.FlipReport", step: int, chosen: selection.Selection | None
) -> "list[sl.analysis.Flip]":
    """The controls of the gallery, and the flips that they leave, in order."""
    every, by_class = report.flips(step), report.by_class(step)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        # Names without counts: a count that changes with T is another option to the browser, and the choice is lost.
        names = {ALL: "all", **sl.figures.FLIP_NAMES}
        kind = st.segmented_control(
            "Who is right",
            list(names),
            default=ALL,
            required=True,
            format_func=names.__getitem__,
            key="flips-kind",
            wrap=True,
            on_change=first_page,
        )
        of = chosen.index if chosen is not None and chosen.image is None else EVERY_CLASS
        options = [EVERY_CLASS, *(int(place) for place in by_class["class"][by_class["images"] > 0])]
        key = f"flips-class-{of}"
        st.selectbox(
            "True class",
            options,
            index=options.index(of),
            format_func=lambda place: class_name(report, place),
            key=key,
            width=210,
            on_change=choose_class,
            args=(run, key),
            help="Selects the class on every page: Residuals follows",
        )
        by = st.selectbox(
            "Sorted by",
            list(flip_gallery.SORTS),
            format_func=lambda name: flip_gallery.SORTS[name],
            key="flips-sort",
            width=230,
            on_change=first_page,
        )
    left = [flip for flip in every if kind in (ALL, flip.kind) and of in (EVERY_CLASS, flip.label)]
    st.caption(
        f"{len(left)} of the {len(every)} flips at T = {step}"
        + "; choose all and all classes to see every one" * (len(left) < len(every))
    )
    return flip_gallery.ordered(report, left, by)


def class_name(report: "sl.analysis.FlipReport", place: int) -> str:
    """A class in the menu."""
    return "all classes" if place == EVERY_CLASS else label.name(report.classes[place], 24)


def told_of(report: "sl.analysis.FlipReport", step: int, chosen: selection.Selection | None) -> None:
    """What there is to say of the selected image."""
    if chosen is None or chosen.image is None or chosen.image >= report.images:
        return
    found = [flip for flip in report.flips(step) if flip.image == chosen.image]
    if not found:
        st.caption(f"Image {chosen.image} does not flip at T = {step}: both networks give it the same class.")


def draw_table(report: "sl.analysis.FlipReport", flips: "list[sl.analysis.Flip]", step: int) -> None:
    """Every flip that the controls leave, a line each."""

    def named(place: int) -> str:
        return label.name(report.classes[place], 24)

    with st.expander(f"{len(flips)} flips as a table", icon=":material/table:"):
        show.table(
            flips,
            [
                Column("image", lambda f: str(f.image), numeric=True, swatch=lambda f: sl.figures.FLIP_ROLES[f.kind]),
                Column("true", lambda f: named(f.label)),
                Column("ANN", lambda f: named(f.ann)),
                Column("SNN", lambda f: named(f.snn)),
                Column("who is right", lambda f: sl.figures.FLIP_NAMES[f.kind], optional=True),
                Column("ANN margin", lambda f: f"{f.ann_margin:.2f}", "Logits", numeric=True),
                Column("SNN margin", lambda f: f"{f.snn_margin:.2f}", f"Mean logits up to t = {step}", numeric=True),
                Column(
                    "agree from",
                    lambda f: str(f.agrees_from or "–"),
                    f"First t from which on both agree, up to t = {report.num_steps}",
                    numeric=True,
                ),
                Column("part at", lambda f: label.name(f.first_site or "–"), "First site with an unusual distance"),
            ],
            f"Flips at T = {step}",
        )


def draw(view: shell.View, found: "derived.Found[sl.analysis.FlipReport]") -> None:
    """Answer, selection, gallery, charts, table."""
    report, run = found.report, found.run
    step = min(view.target, report.num_steps)
    if step != view.target:
        st.caption(f":material/info: This run of the flips ends at T = {step}; the target is T = {view.target}.")
    headline(report, step)
    chosen = selection.draw(run)
    image = chosen.image if chosen is not None and (chosen.image or 0) < report.images else None
    pictures = drawn(run.id, step, image, report)
    flips: list[sl.analysis.Flip] = []
    if report.flipped(step).any():
        flips = filtered(run, report, step, chosen)
        if flips:
            flip_gallery.draw(run, report, flips, chosen)
        else:
            st.info("No flip is left by these choices.", icon=":material/filter_alt_off:")
        st.header("Where do the representations part?", anchor=False)
        told_of(report, step, chosen)
        if "sites" in pictures:
            show.figure(pictures["sites"], "flips-sites")
        else:
            st.caption(why_no_sites(report, step))
        st.header("Which classes flip, and into which?", anchor=False)
        show.figure(pictures["classes"], "flips-classes")
    else:
        none_at_all(report, step, view.steps)
    st.header("How many images flip at t, and who is right?", anchor=False)
    show.figure(pictures["steps"], "flips-steps")
    if flips:
        draw_table(report, flips, step)
    frame = report.to_frame()
    with bar:
        explanation(report)
        show.export(
            {figure.title: figure for figure in pictures.values()},
            {"Flips at T": frame[frame["step"] == step], "Flips, every T": frame, "By class": report.by_class(step)},
            run.recipe,
            "flips",
        )
    explain.code(run.recipe, "flips", step)


def why_no_sites(report: "sl.analysis.FlipReport", step: int) -> str:
    """Why nothing is said over sites."""
    if step not in report.steps:
        return f"Representations were compared at t = {', '.join(map(str, report.steps))}, not at t = {step}."
    alike = int((~report.flipped(step)).sum())
    return f"At T = {step} only {alike} images do not flip, too few to say what is usual: choose a larger T."


def wanted(run: "sl.runs.Run") -> "sl.Recipe":
    """What a job is asked for."""
    return sl.runs.flips_recipe(run.recipe)


view = shell.page()
bar = shell.title_bar("Which images change their class, and where do the two networks part?")
if not shell.empty(view):
    assert view.run is not None, "shell.empty said so"
    kept = FLIPS.find(view.run)
    if kept is None:
        st.info(
            "No flips were looked for yet. The job runs ANN and SNN on the same images and compares them at every "
            "site; it takes about as long as a conversion.",
            icon=":material/compare_arrows:",
        )
        FLIPS.offer(wanted(view.run), "Find flips")
    else:
        if kept.stale:
            st.warning(
                "These are the flips of another conversion of this checkpoint, or of other images.",
                icon=":material/history:",
            )
            FLIPS.offer(wanted(view.run), "Find the flips of the run in view")
        draw(view, kept)
