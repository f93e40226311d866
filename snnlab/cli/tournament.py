"""``snnlab tournament``: conversion methods against each other on the same checkpoint, images and calibration data."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, progress_bar, warn
from snnlab.cli.running import check_figure_path, steps_of
from snnlab.cli.stored import keep
from snnlab.core.errors import RecipeError, SnnlabError
from snnlab.core.registry import card
from snnlab.core.registry import methods as known_methods

if TYPE_CHECKING:
    from snnlab.analysis.reports import Tournament
    from snnlab.core.recipe import Recipe

Methods = Annotated[
    str | None, typer.Option(help="Who takes part, with commas; default: every method. See snnlab methods.")
]
NumSteps = Annotated[str | None, typer.Option(help="T at which all are read: 4,8,16.")]
Seeds = Annotated[int | None, typer.Option(help="Draws of calibration images. Default: 1.")]
Calibration = Annotated[
    int | None, typer.Option(help="Images of each draw; 0 for the whole calibration split. Default: 256.")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="Parameter of a method, METHOD.key=value; repeatable.")]
Out = Annotated[Path | None, typer.Option(help="Write the Pareto figure: .pdf, .svg or .png.")]
Cost = Annotated[
    str, typer.Option(help="What the figure's accuracies cost: total_latency, syn_ops or calibration_seconds.")
]
Table = Annotated[Path | None, typer.Option(help="Write the table: .tex (booktabs) or .csv.")]
Kept = Annotated[bool, typer.Option("--only-kept", help="Run nothing: show the cells that are finished.")]


def tournament(
    flags: opt.Flags,
    methods: Methods = None,
    num_steps: NumSteps = None,
    seeds: Seeds = None,
    calibration_images: Calibration = None,
    set: Set = None,
    out: Out = None,
    cost: Cost = "total_latency",
    table: Table = None,
    only_kept: Kept = False,
    device: opt.Device = "cpu",
    json: opt.Json = False,
) -> None:
    """Which conversion method is best at T, by how much, and at what cost?

    Every method is converted anew for each T where it depends on T. Finished cells are kept: the same line goes on
    where it was stopped, and a changed one runs only what is new.
    """
    from snnlab.sweeps.tournament import tournament_run

    recipe = tournament_recipe(
        flags, methods=methods, num_steps=num_steps, seeds=seeds, calibration_images=calibration_images, values=set
    )
    if out is not None:
        check_figure_path(out)
    if table is not None and table.suffix.lower() not in (".tex", ".csv"):
        raise RecipeError(f"--table {str(table)!r} must end in .tex or .csv.")
    try:
        with progress_bar() as progress:
            run = tournament_run(recipe, device=device, only_kept=only_kept, progress=progress)
    except KeyboardInterrupt:
        warn("finished cells are kept: the same line goes on from there.")
        raise
    report: Tournament = run.reports["tournament"]  # type: ignore[assignment]  # stored under its own name
    looks = None if only_kept else keep(run)
    cells = run.environment["cells"]
    if cells["kept"]:
        warn(f"{cells['kept']} of {cells['kept'] + cells['run']} cells are from before: equal ones are not run twice")
    if out is not None:
        from snnlab.figures import tournament_pareto

        figure = tournament_pareto(report, cost).stamped(recipe_sha=run.recipe_sha, run_id=run.id)
        figure.save(out, "double")
        warn(f"wrote {out}")
    if table is not None:
        _write_table(report, table)
    if json:
        print_json(tournament_as_json(report) | {"run": run.id} | ({"test_looks": looks} if looks else {}))
        return
    for line in told(report):
        typer.echo(line)


def tournament_recipe(
    flags: opt.Flags,
    *,
    methods: str | None = None,
    num_steps: str | None = None,
    seeds: int | None = None,
    calibration_images: int | None = None,
    values: list[str] | None = None,
) -> "Recipe":
    """The recipe of a tournament from what was typed; None where nothing was, and a recipe file's values hold.

    Raises:
        RecipeError: Something is missing or not valid.
    """
    from snnlab.core.recipe import Recipe

    opt.load_code(flags.load or ())  # its methods can be named
    steps = None if num_steps is None else steps_of(num_steps, "--num-steps")
    if flags.recipe is not None:
        known = Recipe.from_file(flags.recipe).to_dict().get("tournament", {})
    else:
        known = {"methods": [found.name for found in known_methods()]}
    before = max([1, *known.get("steps", ())])
    if methods is not None:
        names = [name.strip() for name in methods.split(",") if name.strip()]
        known["methods"] = [{"method": card(name).name} for name in names]
    if steps is not None:
        known["steps"] = list(steps)
    if "steps" not in known:
        raise RecipeError("Give the T at which all methods are read, --num-steps 4,8,16.")
    for name, value in (("seeds", seeds), ("calibration_images", calibration_images)):
        if value is not None:
            known[name] = value
    _put_parameters(known, values or [])
    longest = max([1, *known["steps"]])
    base = opt.make_recipe(replace(flags, num_steps=max(longest, before)), snapshots=()).to_dict()
    base.pop("converter")
    return Recipe.parse({**base, "num_steps": longest, "tournament": known})


def tournament_as_json(report: "Tournament") -> dict[str, Any]:
    """The tournament as the command line prints it; accuracies and differences are fractions.

    ``difference`` is the accuracy of ``a`` minus that of ``b``; its interval is a bootstrap over images.
    """
    rows = [
        {
            "method": about["method"],
            "evidence": about["evidence"],
            "num_steps": one.step,
            "total_latency": one.total_latency,
            "accuracy": one.accuracy,
            "low": one.low,
            "high": one.high,
            "syn_ops": one.syn_ops if math.isfinite(one.syn_ops) else None,
            "calibration_seconds": one.calibration_seconds,
            "seeds": one.seeds,
            "name": about["name"],
            "parameters": about["parameters"],
            "interval_over": "seeds" if one.over_seeds else "images",
            "images_low": one.images_low,
            "images_high": one.images_high,
            "best": one.entrant in report.best(one.step),
        }
        for one in report.standings
        for about in (report.entrants[one.entrant],)
    ]
    paired = [
        {
            "a": report.names[pair.a],
            "b": report.names[pair.b],
            "num_steps": pair.step,
            "difference": pair.difference,
            "low": pair.low,
            "high": pair.high,
            "mcnemar_p": pair.p,
        }
        for pair in report.pairs()
    ]
    return {
        "rows": rows,
        "paired": paired,
        "not_run": not_run(report),
        "ann_accuracy": report.ann_accuracy,
        "split": report.split,
        "images": report.images,
    }


def not_run(report: "Tournament") -> list[dict[str, Any]]:
    """Methods and T without a number, and why."""
    found = []
    for entrant, about in enumerate(report.entrants):
        refused = {step: row["why"] for row in report.refused if row["entrant"] == entrant for step in row["steps"]}
        for step in report.steps:
            if not report.whole(entrant, step):
                why = about["why"] or refused.get(step, "Not run yet.")
                found.append({"method": about["method"], "name": about["name"], "num_steps": step, "why": why})
    return found


def told(report: "Tournament") -> list[str]:
    """The tournament in lines for people."""
    split = report.split.replace("_", " ")
    lines = [
        f"{split}, {report.images} images, ANN {100 * report.ann_accuracy:.2f}. SNN accuracy in % with its 95 % "
        "interval: over calibration seeds",
        "where a method has several (s), else over images; * is the best at that T.",
        "",
    ]
    names = [str(row["title"]) for row in report.entrants]
    width = max(len(name) for name in names) + 2
    lines.append(f"{'':<{width}}" + "".join(f"{f'T = {step}':>26}" for step in report.steps))
    for entrant, name in enumerate(names):
        cells = []
        for step in report.steps:
            one = report.standing(entrant, step)
            if one is None:
                cells.append("not run")
                continue
            mark = "*" if entrant in report.best(step) else " "
            over = "s" if one.over_seeds else " "
            cells.append(f"{100 * one.accuracy:6.2f}{mark} [{100 * one.low:5.1f}, {100 * one.high:5.1f}]{over}")
        if any(cell != "not run" for cell in cells) or not report.entrants[entrant]["why"]:
            lines.append(f"{name:<{width}}" + "".join(f"{cell:>26}" for cell in cells))
    if missing := not_run(report):
        lines.append("")
        told_of: dict[tuple[str, str], list[int]] = {}
        for row in missing:
            told_of.setdefault((row["name"], row["why"]), []).append(row["num_steps"])
        for (name, why), steps in told_of.items():
            at = "" if len(steps) == len(report.steps) else f" at T = {', '.join(map(str, steps))}"
            lines.append(f"{name}{at}: {why}")
    if any("†" in name for name in names):
        lines += ["", "† interpretation: the source does not settle every detail."]
    return lines


def _put_parameters(known: dict[str, Any], pairs: list[str]) -> None:
    for pair in pairs:
        target, equals, text = pair.partition("=")
        method, dot, name = target.partition(".")
        if not (equals and dot):
            raise RecipeError(f"--set {pair!r} is not of the form METHOD.key=value.")
        chosen = [each if isinstance(each, dict) else {"method": each} for each in known["methods"]]
        mine = [each for each in chosen if each["method"] == method]
        if not mine:
            raise RecipeError(f"--set {pair!r}: {method} takes no part; add it to --methods.")
        for each in mine:
            each["parameters"] = {**each.get("parameters", {}), **opt.parameters(method, [f"{name}={text}"])}
        known["methods"] = chosen


def _write_table(report: "Tournament", path: Path) -> None:
    from snnlab.core.files import write_atomically
    from snnlab.figures import tournament_table

    made = tournament_table(report)
    text = made.to_latex() if path.suffix.lower() == ".tex" else made.to_csv()
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise SnnlabError(f"{path} cannot be written: {error.strerror or error}.") from None
    warn(f"wrote {path}")
