"""One run: what it is, what it holds and where that is shown, tags and note, files to take away."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

import snnlab as sl
from pages._ui import cached, card, label, runs_chosen, runs_list, runs_marks, runs_open, show, state, storage
from pages._ui.show import Column
from pages._ui.state import View


def draw(view: View, row: "sl.runs.RunRow", tags: Sequence[str]) -> None:
    """Everything about one run.

    Args:
        view: What is in view.
        row: The run.
        tags: Those of all runs, which are offered.

    Raises:
        StoreError: Its content cannot be read.
    """
    run = cached.run(row.id)
    st.header(f"{label.md(row.checkpoint, 60)}: {runs_list.kind(row.verb)}", anchor=False)
    st.markdown(sentence(row))
    _roles(view, row)
    left, right = st.columns([1.5, 1], gap="large")
    with left:
        _reports(view, row, run)
        if runs_chosen.conversion(row):
            card.accuracy(run, min(view.target, run.recipe.num_steps))
        card.notes(run.notes)
    with right:
        runs_marks.draw(row, tags)
        downloads([row])
        runs_marks.draw_delete(row)
    _environment(row, run)
    _code(run)


def sentence(row: "sl.runs.RunRow") -> str:
    """What was done, as one readable text; Markdown."""
    recipe = row.recipe
    parameters = label.parameters(recipe, None)
    method = label.method(recipe) + (f" ({parameters})" if parameters else "")
    normalize = f", normalised as {label.md(recipe.data.normalize, 40)}" if recipe.data.normalize else ""
    images = f"{row.images:,} {label.md(recipe.data.split)} images of {label.md(recipe.data.dataset)}{normalize}"
    said = f"**{label.md(row.checkpoint, 60)}** converted by **{label.md(method, 120)}**, {images}"
    said += f", T = {recipe.num_steps}."
    if recipe.noise is not None and row.verb == "noise":
        targets = ", ".join(map(str, recipe.noise.targets)) or str(recipe.num_steps)
        said += (
            f" Noise of the gap's std, measured on {recipe.noise.split}, in the ANN for T = {targets}, "
            f"{recipe.noise.seeds} noise seeds."
        )
    if recipe.experiment is not None:
        arms = ", ".join(sl.figures.arm_name(arm) for arm in recipe.experiment.arms)
        epochs = f", {recipe.training.epochs} epochs each" if recipe.training else ""
        said += f" Fine-tuned as {label.md(arms, 200)}; {recipe.experiment.seeds} seeds{epochs}."
    if recipe.tournament is not None:
        names = ", ".join(choice.method for choice in recipe.tournament.methods)
        said += f" Methods compared: {label.md(names, 300)}; T = {', '.join(map(str, recipe.tournament.steps))}."
    if cached.sealed(row):
        said += " On test images: only *Final evaluation* shows their figures."
    precision = "" if recipe.dtype == "float32" else f" {recipe.dtype}."
    return f"{said} Seed {recipe.seed}.{precision} Made {made(row)} by {runs_list.maker(row)}; run `{row.id[:12]}`."


def made(row: "sl.runs.RunRow") -> str:
    """When, to the minute."""
    return f"{row.created[:16].replace('T', ' ')} UTC"


def _roles(view: View, row: "sl.runs.RunRow") -> None:
    """Bring it into view, compare the view with it, pin it: only what every page can show."""
    if not runs_chosen.conversion(row):
        return
    with st.container(horizontal=True, gap="small", key="runs-roles"):
        here = view.row is not None and view.row.id == row.id
        st.button(
            "In view on every page" if here else "Bring into view",
            key="runs-view",
            icon=":material/visibility:",
            disabled=here,
            on_click=runs_open.bring,
            args=(row,),
        )
        compared = view.compare is not None and view.compare.id == row.id
        st.button(
            "Compared on every page" if compared else "Compare the view with it",
            key="runs-compare",
            icon=":material/compare_arrows:",
            disabled=here or compared,
            on_click=compare,
            args=(row.id,),
        )
        pin_button(row)


def compare(run_id: str) -> None:
    """Show a run beside the one in view, on every page."""
    state.compare_with(run_id)
    state.renew_choices()


def pin_button(row: "sl.runs.RunRow") -> None:
    """Pin a run as the baseline, or let it go."""
    pinned = state.pinned(row.id)
    st.button(
        "Unpin the baseline" if pinned else "Pin as baseline",
        key="runs-pin",
        icon=":material/keep:",
        on_click=_pin,
        args=(row, not pinned),
        help="The baseline stays while other runs come into view: Accuracy shows it beside each of them. A run of "
        "yours gets the tag baseline, so that `snnlab runs prune` spares it until you take the tag off.",
    )


def _pin(row: "sl.runs.RunRow", on: bool) -> None:
    state.pin(row.id if on else None)
    state.renew_choices()
    if on and runs_chosen.own(row) and "baseline" not in row.tags:
        runs_marks.add(row, "baseline")


def _reports(view: View, row: "sl.runs.RunRow", run: "sl.runs.Run") -> None:
    """What the run holds, and the way to the page that shows it."""
    pages: dict[str, list[str]] = {}
    for name, report in run.reports.items():
        if page := runs_open.page_of(row, name):
            pages.setdefault(page, []).append(contents(name, report))
    if runs_chosen.conversion(row):
        pages = {"Checkpoint": ["what was recognised in the file"], **pages}
    with st.container(key="runs-pages", gap="xxsmall"):
        for page, held in pages.items():
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                if st.button(
                    f"Open on {page}",
                    key=f"runs-open-{page}",
                    icon=":material/arrow_forward:",
                    type="tertiary",
                ):
                    runs_open.show(view, row, page)
                st.markdown("; ".join(held), width="stretch")


def contents(name: str, report: "sl.analysis.Report") -> str:
    """What a report of a run holds, in a few words."""
    if isinstance(report, sl.analysis.AccuracyCurve):
        return f"accuracy at t = 1 to {report.num_steps}, {report.images:,} images"
    if isinstance(report, sl.analysis.ConversionReport):
        return f"what stands at {len(report.sites)} sites"
    if isinstance(report, sl.analysis.ResidualReport):
        return f"residual potentials of {len(report.names)} sites at {len(report.steps)} time-steps"
    if isinstance(report, sl.analysis.NeuronTraces):
        return f"{len(report.currents)} neurons over time"
    if isinstance(report, sl.analysis.NoiseReport):
        return f"the gap at t = {', '.join(map(str, report.steps))}, and the noisy ANN"
    if isinstance(report, sl.analysis.NoiseGain):
        return f"{len(report.arms)} arms, {len(report.seeds)} seeds, T = {', '.join(map(str, report.steps))}"
    if isinstance(report, sl.analysis.AttributionReport):
        return f"{report.method_name} of {report.image_name}, T = {', '.join(map(str, report.steps)) or '–'}"
    if isinstance(report, sl.analysis.FinalEvaluation):
        return f"{len(report.arms)} arms on {report.images:,} test images"
    if isinstance(report, sl.analysis.Tournament):
        return f"{len(report.entrants)} methods at T = {', '.join(map(str, report.steps))}, {report.images:,} images"
    return f"{label.md(name)}, {len(report.to_frame()):,} rows"


def downloads(rows: "Sequence[sl.runs.RunRow]") -> None:
    """Files of whole runs, of whatever kinds, made when they are asked for."""
    stem = "-".join(["snnlab", *(row.id[:8] for row in rows)])
    folder = "Folder" if len(rows) == 1 else "Folders"
    with st.container(horizontal=True, gap="small"):
        _file(f"{folder} (zip)", lambda: zipped(rows), f"{stem}.zip", "folder_zip")
        _file("Offline report (HTML)", lambda: offline(rows).encode(), f"{stem}.html", "description")
    st.caption(
        f"{folder}: reports (CSV, JSON), figures, LaTeX tables, recipe, environment, and a script that "
        "draws the figures again. The report is one page that needs no network. Both take some seconds to make."
    )


def offline(rows: "Sequence[sl.runs.RunRow]") -> str:
    """One run, or several below each other, as one HTML page."""
    runs = [cached.run(row.id) for row in rows]
    if len(rows) == 1:
        return sl.runs.offline_report(runs[0], tags=rows[0].tags, note=rows[0].note)
    return sl.runs.offline_reports(runs, marks=[(row.tags, row.note) for row in rows])


def _file(title: str, make: Callable[[], bytes], name: str, icon: str) -> None:
    mime = "application/zip" if name.endswith(".zip") else "text/html"
    st.download_button(
        title, lambda: io.BytesIO(make()), name, mime, on_click="ignore", icon=f":material/{icon}:", key=f"runs-{icon}"
    )


def zipped(rows: "Sequence[sl.runs.RunRow]") -> bytes:
    """The folders of runs as one file."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as place, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            sl.runs.export_run(cached.run(row.id), Path(place) / f"snnlab-{row.id[:8]}")
        for path in sorted(Path(place).rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(place))
    return packed.getvalue()


def _environment(row: "sl.runs.RunRow", run: "sl.runs.Run") -> None:
    with st.expander("Recipe and environment", icon=":material/fact_check:"):
        recipe, machine = run.recipe, run.environment
        chosen = [
            ("checkpoint", label.name(recipe.checkpoint.source, 80)),
            ("SHA-256", row.sha256[:12]),
            ("data", f"{recipe.data.dataset}, {recipe.data.split}, {row.images:,}"),
            ("method", label.method(recipe)),
            *((name.replace("_", " "), str(value)) for name, value in recipe.converter.parameters.items()),
            ("T", str(recipe.num_steps)),
            ("residuals kept at", ", ".join(map(str, recipe.snapshots)) or "no step"),
            ("seed", str(recipe.seed)),
            ("dtype", recipe.dtype),
            ("recipe", run.recipe_sha[:12]),
        ]
        versions = machine.get("versions", {})
        known = {name: value for name, value in machine.items() if name != "versions"} | dict(versions)
        show.facts(chosen)
        if recipe.converter.sites:
            show.table(
                list(recipe.converter.sites.items()),
                [
                    Column("site edited by hand", lambda each: label.name(each[0], 80)),
                    Column("threshold", lambda each: _number(each[1].threshold), numeric=True),
                    Column("v(0)", lambda each: _number(each[1].v0), "As a fraction of the threshold", numeric=True),
                ],
                "Sites edited by hand",
                fit=True,
            )
        st.caption("The machine that it ran on")
        pairs = [(label.name(name.replace("_", " "), 40), label.name(value, 60)) for name, value in known.items()]
        show.facts([*pairs, ("size in the store", storage.size(row.size))])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _code(run: "sl.runs.Run") -> None:
    """The command lines and the recipe."""
    with st.expander("The same without the app", icon=":material/terminal:"):
        line, recipe_yaml = st.tabs(["Command line", "Recipe (YAML)"])
        line.code(lines(run), language="bash", wrap_lines=True)
        recipe_yaml.code(run.recipe.to_yaml(), language="yaml")


def lines(run: "sl.runs.Run") -> str:
    """Command lines: what gives its numbers anew, where one does, and what shows and exports the stored run."""
    known = run.id[: state.ID_DIGITS]
    stored = [f"snnlab runs show {known}", f"snnlab runs export {known} --out run-{run.id[:8]}"]
    if run.verb == "train":
        return "\n".join([sl.sweeps.as_train_cli(run.recipe, folder="networks"), *stored])
    if run.verb == "tournament":
        return "\n".join([sl.sweeps.as_tournament_cli(run.recipe), *stored])
    if run.verb == "final":  # several arms, each with a recipe of its own
        return "\n".join(stored)
    return "\n".join([sl.runs.line_of(run), *stored])
