"""The verb ``attribute``: which parts of one image speak for a class, in the ANN and in its SNN."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, warn
from snnlab.cli.running import carry_out, check_figure_path, steps_of
from snnlab.core.errors import RecipeError
from snnlab.runs.plain import as_json

if TYPE_CHECKING:
    from snnlab.analysis.reports import AttributionReport
    from snnlab.core.recipe import Recipe

NumSteps = Annotated[str | None, typer.Option(help="T at which the SNN is explained, 8 or 1,2,4,8; at most 5.")]
Method = Annotated[
    str | None,
    typer.Option("--attribution", help="ig (default), saliency, input_x_gradient, occlusion, gradcam or deeplift."),
]
Image = Annotated[int | None, typer.Option(help="Index of the image in the split; default: 0.")]
Picture = Annotated[Path | None, typer.Option(help="A picture of your own instead: PNG, JPEG, WebP or BMP.")]
Target = Annotated[
    str | None, typer.Option(help="Class to explain: a number, ann (default: what the ANN predicts), snn or true.")
]
Baseline = Annotated[str | None, typer.Option(help="Image without evidence: black (default), mean or white.")]
Points = Annotated[int | None, typer.Option("--integration-steps", help="Points on the path of ig; default: 50.")]
Out = Annotated[Path | None, typer.Option(help="Write the figure: FILE.pdf, .svg or .png.")]


@opt.takes_flags(without=("num_steps", "limit"))
def attribute(
    flags: opt.Flags,
    num_steps: NumSteps = None,
    attribution: Method = None,
    image: Image = None,
    picture: Picture = None,
    target: Target = None,
    baseline: Baseline = None,
    integration_steps: Points = None,
    out: Out = None,
    json: opt.Json = False,
) -> None:
    """Explain one image by the ANN and by its SNN at each T, with the checks that say how far to trust the maps."""
    if out is not None:
        check_figure_path(out)
    if image is not None and picture is not None:
        raise RecipeError("--image and --picture name two images; give one of them.")
    steps = None if num_steps is None else steps_of(num_steps, "--num-steps")
    if steps is not None and min(steps) < 1:
        raise RecipeError(f"--num-steps {num_steps!r}: every T must be at least 1.")
    made = opt.make_recipe(replace(flags, num_steps=None if steps is None else max(steps)), snapshots=())
    typed = {
        "method": attribution,
        "image": image,
        "picture": None if picture is None else str(picture),
        "target": None if target is None else _target(target),
        "steps": None if steps is None else list(steps),
        "baseline": baseline,
        "integration_steps": integration_steps,
    }
    run, looks = carry_out(_explain, _with_choice(made, typed))
    report = _report(run)
    if json:
        print_json(as_json(attribution_as_json(report) | ({"test_looks": looks} if looks else {})))
    else:
        _print_table(run.title, report)
    if out is not None:
        from snnlab import figures

        figures.attribution_maps(report).save(out, preset="double")
        warn(f"wrote {out}, maps of {report.image_name}")


def attribution_as_json(report: "AttributionReport") -> dict[str, Any]:
    """The report as the command line prints it; the ANN first, then the SNN at each T."""
    rows = report.to_frame().to_dict("records")
    sites = report.site_frame()
    return {
        "image": {"name": report.image_name, "split": report.split, "index": report.index, "label": report.label},
        "method": report.method,
        "target": report.target,
        "target_from": report.target_from,
        "baseline": report.baseline,
        "unit": report.unit,
        "networks": [{name: value for name, value in row.items() if name not in ("method", "target")} for row in rows],
        "fractions": report.fractions.tolist(),
        "deletion": report.deletion.tolist(),
        "insertion": report.insertion.tolist(),
        "sites": sites.to_dict("records"),
        "restoration": None
        if report.restored is None
        else {
            "steps": report.restored_summary().to_dict("records"),
            "sites": report.restored_frame().to_dict("records"),
        },
        "notes": list(report.remarks),
    }


def _explain(recipe: "Recipe", *, progress: Any) -> Any:
    from snnlab.runs.attribution import attribution_run

    return attribution_run(recipe, progress=progress)


def _report(run: Any) -> "AttributionReport":
    from snnlab.analysis.reports import AttributionReport

    report = run.reports["attribution"]
    assert isinstance(report, AttributionReport), "stored under its own name"
    return report


def _with_choice(made: "Recipe", typed: dict[str, Any]) -> "Recipe":
    """The recipe with what was typed over the attribution of its file; another image drops the old picture."""
    known = {} if made.attribution is None else made.attribution.model_dump(mode="json", exclude_none=True)
    given = {name: value for name, value in typed.items() if value is not None}
    if "image" in given or "picture" in given:
        for name in ("picture", "sha256"):
            known.pop(name, None)
    whole = {**made.to_dict(), "attribution": {**known, **given}}
    return type(made).parse(whole)


def _target(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _print_table(title: str, report: "AttributionReport") -> None:
    label = "" if report.label is None else f", truly {report.class_name(report.label)}"
    typer.echo(
        f"{title}: {report.method_name} of {report.image_name} for {report.class_name(report.target)}{label}; "
        f"baseline {report.baseline}, in {report.unit}"
    )
    columns = [
        "network", "predicted", "output", "sum", "strength", "completeness_error", "rank_correlation",
        "shuffled_correlation", "deletion", "insertion",
    ]  # fmt: skip
    typer.echo(report.to_frame()[columns].to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    if report.restored is not None:
        typer.echo("\nOne site restored to the ANN's activation; gap: logit, SNN - ANN")
        typer.echo(report.restored_summary().to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    for note in report.remarks:
        typer.echo(f"  {note}")
