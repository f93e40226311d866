"""Attribution: which parts of one image speak for a class, and does the SNN see what the ANN sees?"""

from typing import Any, cast

import streamlit as st

import snnlab as sl
from pages._ui import cached, explain, explain_form, jobs, label, progress, runs_open, selection, shell, show
from pages._ui.derived import choices
from pages._ui.show import Column

KIND = "attribution"
QUESTION = "Which parts of an image speak for a class, and does the SNN see what the ANN sees?"
PROGRESS_PIXELS = 96  # room for what is under way, so that nothing moves when it comes and goes

if not shell.inside():
    shell.run_app_instead()


@st.cache_resource(max_entries=24, show_spinner=False)
def drawn(run_id: str, _report: sl.analysis.AttributionReport) -> dict[str, sl.figures.Figure]:
    """The figures, made once."""
    found = {
        "Maps": sl.figures.attribution_maps(_report),
        "Deletion and insertion": sl.figures.attribution_curves(_report),
    }
    if _report.steps:
        found["Over T"] = sl.figures.attribution_convergence(_report)
        found["Over layers"] = sl.figures.attribution_sites(_report)
    if _report.restored is not None:
        found["Restored"] = sl.figures.attribution_restoration(_report)
    return found


def explanation() -> None:
    """How to read the page."""
    explain.popover(
        "What am I seeing?",
        "A map gives every pixel its share in the logit $f$ of one class. *Teal* pixels speak for the class, *brown* "
        "ones against it. ANN and SNN are explained by the same method, class and baseline $x'$; all maps share one "
        "scale.\n"
        "- **Completeness**: the sum of a map by Integrated Gradients should be $f(x) - f(x')$. What it misses is the "
        "price of the straight-through derivative of a quantized ANN, and of the surrogate † of an SNN.\n"
        "- **Rank correlation**: 1, the same order of pixels as in the ANN's map.\n"
        "- **Shuffled weights**: a map that looks the same for a network that has forgotten everything says nothing "
        "about the network.\n"
        "- **Deletion, insertion**: pixels with most evidence go or come first; the area tells whether the network "
        "needs them, and whether they are enough.\n"
        "- **Restoration**: one site emits the ANN's activation at every step, the rest is simulated. The site from "
        "which the ANN's class, or most of its logit, returns is where this image is lost.\n\n"
        "The SNN's derivative is the surrogate's with the reset kept, so that a unit of charge that comes in lets at "
        "most one go out. No paper settles this for converted networks: it is our reading †.",
        (
            r"\mathrm{IG}_i = (x_i - x'_i) \int_0^1 \frac{\partial f}{\partial x_i}"
            r"\bigl(x' + \alpha (x - x')\bigr)\,d\alpha, \qquad \sum_i \mathrm{IG}_i = f(x) - f(x')",
            r"f_\mathrm{SNN}(x) = \frac1T \sum_{t \le T} y_t, \qquad \frac{\partial s}{\partial u} \approx "
            r"\frac{1}{1 + (\pi u)^2}, \quad u = \frac{v - \theta}{\theta}",
        ),
        "Integrated Gradients: Sundararajan et al., ICML 2017. Shuffled weights: Adebayo et al., NeurIPS 2018. "
        "Deletion and insertion: Petsiuk et al., BMVC 2018.",
    )


def found(run: sl.runs.Run) -> "list[sl.runs.RunRow]":
    """Images that were explained for this conversion, newest first, shipped ones last."""
    wanted = choices(run.recipe)
    rows = cached.store().list(cached.seen())
    own = [
        row
        for row in rows
        if row.verb == KIND and row.sha256 == run.card["sha256"] and not cached.sealed(row)
        and choices(row.recipe) == wanted
    ]  # fmt: skip
    return sorted(own, key=lambda row: row.shipped)


def report_of(run: sl.runs.Run) -> sl.analysis.AttributionReport:
    """What was found out."""
    return cast("sl.analysis.AttributionReport", run.reports[KIND])


def name_of(row: "sl.runs.RunRow") -> str:
    """An explained image in a menu."""
    choice = row.recipe.attribution
    assert choice is not None, "a run of this kind names it"
    image = "own picture" if choice.picture or choice.sha256 else f"image {choice.image}"
    steps = ", ".join(map(str, choice.steps))
    target = explain_form.TARGETS.get(str(choice.target), f"class {choice.target}")
    return f"{image} · {explain_form.METHODS[choice.method]} · {target} · T {steps} · {row.id[:6]}"


def choose(rows: "list[sl.runs.RunRow]") -> sl.runs.Run | None:
    """The explained image that is shown: the newest, unless another was chosen here or on Runs."""
    if not rows:
        return None
    ids = [row.id for row in rows]
    asked = st.session_state.pop(runs_open.SHOWN, None)
    names = {row.id: name_of(row) for row in rows}
    if len(rows) == 1:
        return cached.run(ids[0])
    shown = st.selectbox(
        "Shown",
        ids,
        index=ids.index(asked) if asked in ids else 0,
        format_func=names.__getitem__,
        key=f"explain-shown-{ids[0][:8]}-{asked}",
    )
    return cached.run(shown or ids[0])


def ask(view: shell.View, run: sl.runs.Run, before: sl.analysis.AttributionReport | None) -> None:
    """The form, and the job behind it in place."""
    choice = explain_form.draw(view, run, before)
    recipe = None
    if choice is not None:
        try:
            whole = {**run.recipe.to_dict(), "attribution": choice}
            parsed = sl.Recipe.parse(whole)
            recipe = sl.runs.attribution_recipe(parsed, parsed.attribution)
        except ValueError as error:
            shell.refuse(error)
    busy = jobs.busy(KIND)
    if st.button("Explain this image", type="primary", disabled=busy or recipe is None, key="explain-start"):
        assert recipe is not None, "the button is off without one"
        jobs.start(KIND, {"recipe": recipe.to_dict()})
        st.rerun()
    with st.container(height=PROGRESS_PIXELS, border=False, key="explain-job"):
        progress.panel(KIND)


def headline(report: sl.analysis.AttributionReport) -> None:
    """What was explained, and whether the SNN sees what the ANN sees."""
    number = sl.figures.tables.number
    why = {"ann": "what the ANN says", "snn": "what the SNN says", "true": "its true class", "given": "as chosen"}
    told = f"**{label.md(report.image_name.capitalize(), 80)}**"
    if report.label is not None:
        told += f", of {label.md(report.class_name(report.label), 60)},"
    told += (
        f" explained for **{label.md(report.class_name(report.target), 60)}** ({why[report.target_from]}) by "
        f"{report.method_name}."
    )
    if report.steps:
        last = float(report.rank_correlation[-1])
        told += f" At T = {report.steps[-1]} the SNN's map has a rank correlation of **{number(last)}** with the ANN's."
    st.markdown(told)
    for note in report.remarks:
        st.caption(f":material/info: {label.md(note, 400)}")


def table(report: sl.analysis.AttributionReport) -> None:
    """The checks of every map."""
    number = sl.figures.tables.number

    def column(title: str, key: str, help: str, *, sign: bool = False, optional: bool = False) -> Column:
        return Column(title, lambda row: number(row[key], 2, sign=sign), help, numeric=True, optional=optional)

    def role(row: dict[str, Any]) -> str:
        return "snn" if row["step"] else "ann"

    show.table(
        report.to_frame().to_dict("records"),
        [
            Column("network", lambda row: row["network"], strong=True, swatch=role),
            Column("says", lambda row: label.name(report.classes[int(row["predicted"])]), "Predicted class"),
            column("f(x)", "output", "Logit of the class on the image", optional=True),
            column("f(x′)", "output_baseline", "Logit of the class on the baseline", optional=True),
            column("sum of map", "sum", f"In {report.unit}"),
            column("completeness error", "completeness_error", "Sum of the map − (f(x) − f(x′)), logits", sign=True),
            Column(
                "size, of ANN's",
                lambda row: f"{number(100 * row['strength'], 1)} %",
                "Sum of the map's absolute values over that of the ANN's map",
                numeric=True,
            ),
            column("rank, with ANN", "rank_correlation", "Spearman's rank correlation with the ANN's map"),
            column("rank, shuffled", "shuffled_correlation", "With the map of the same network with shuffled weights"),
            column("deletion", "deletion", "Area under the curve, 0 to 1; low is good"),
            column("insertion", "insertion", "Area under the curve, 0 to 1; high is good"),
        ],
        "Checks of the maps of ANN and SNN",
    )  # fmt: skip


def restored_table(report: sl.analysis.AttributionReport) -> None:
    """One line a T: which site, restored alone, brings the ANN's answer back."""
    number = sl.figures.tables.number

    def says(index: int) -> str:
        return label.name(report.classes[index])

    def returned(row: dict[str, Any]) -> str:
        if row["agrees"]:
            return "says what the ANN says"
        return f"{row['returned_by']}, the first of {row['returning']}" if row["returned_by"] else "no single site"

    show.table(
        report.restored_summary().to_dict("records"),
        [
            Column("T", lambda row: str(row["step"]), numeric=True, strong=True),
            Column("SNN says", lambda row: says(row["predicted"])),
            Column(
                f"{says(int(report.predicted[0]))} returns by restoring",
                returned,
                "The first site, input first, whose restoration alone gives the ANN's class",
            ),
            Column(
                "logit, SNN − ANN", lambda row: number(row["gap"], 2, sign=True), "Without restoration", numeric=True
            ),
            Column(
                "halved by restoring",
                lambda row: row["halved_by"] or "–",
                "The first site, input first, that takes half of that difference away",
            ),
        ],
        "Which restored site brings the ANN's answer back, at each T",
    )


def result(run: sl.runs.Run) -> None:
    """Maps, checks and curves of an explained image."""
    report = report_of(run)
    headline(report)
    for note in run.notes:
        if note not in run.card["notes"]:
            st.caption(f":material/info: {label.md(note, 400)}")
    figures = drawn(run.id, report)
    st.header(figures["Maps"].title, anchor=False)
    st.caption(label.md(figures["Maps"].subtitle, 300))
    show.figure(figures["Maps"], "explain-maps")
    table(report)
    left, right = st.columns(2, gap="large")
    for place, (where, name) in enumerate(zip((left, right, left, right), list(figures)[1:], strict=False)):
        with where:
            st.header(figures[name].title, anchor=False)
            st.caption(label.md(figures[name].subtitle, 300))
            show.figure(figures[name], f"explain-figure-{place}")
            if name == "Restored":
                restored_table(report)
    with bar:
        explanation()
        tables = {"Checks of the maps": report.to_frame(), "Every site": report.site_frame()}
        if report.restored is not None:
            tables["Sites restored"] = report.restored_frame()
        show.export(figures, tables, run.recipe, KIND)
    explain.code(run.recipe, "attribute")


view = shell.page()
bar = shell.title_bar(QUESTION)
if not shell.empty(view):
    assert view.run is not None, "shell.empty said so"
    selection.draw(view.run)
    rows = found(view.run)
    shown = choose(rows)
    title = "Explain another image" if shown else "Explain an image"
    with st.expander(title, expanded=shown is None or jobs.latest(KIND) is not None):
        ask(view, view.run, report_of(shown) if shown else None)
    if shown is not None:
        result(shown)
    else:
        with bar:
            explanation()
        st.caption("No image of this conversion was explained yet; choose one above. It takes seconds.")
