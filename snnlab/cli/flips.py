"""The verb ``flips``: images on which ANN and SNN disagree."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, warn
from snnlab.cli.running import carry_out, check_figure_path, simulated_until
from snnlab.core.registry import card

if TYPE_CHECKING:
    from snnlab.analysis.reports import FlipReport
    from snnlab.core.recipe import Recipe

LEAST_STEPS = 32
"""Without --until at least so many steps are simulated, and twice T: flips at T are apart at T itself."""

Until = Annotated[
    int | None,
    typer.Option(help=f"Last step simulated, up to which agreement is judged; default: 2 T, at least {LEAST_STEPS}."),
]
Out = Annotated[Path | None, typer.Option(help="Write the figure over sites: FILE.pdf, .svg or .png.")]


@opt.takes_flags()
def flips(flags: opt.Flags, until: Until = None, out: Out = None, json: opt.Json = False) -> None:
    """Images on which ANN and SNN disagree at T: margins, when they agree for good, where their representations part.

    The first site is the one from which on the distance between SNN and ANN exceeds that of 95 % of the images that do
    not flip.
    """
    from snnlab.analysis.reports import FlipReport
    from snnlab.runs.flips import flips_run

    made = opt.make_recipe(flags, snapshots=())
    step = made.num_steps
    if out is not None:
        check_figure_path(out)
    run, looks = carry_out(flips_run, _over(made, until))
    report = run.reports["flips"]
    assert isinstance(report, FlipReport), "stored under its own name"
    if json:
        print_json(flips_as_json(report, step) | {"recipe_sha": run.recipe_sha, "test_looks": looks})
    else:
        _print_table(run.title, report, step)
    if out is not None:
        from snnlab import figures

        figures.flip_sites(report, step).save(out, preset="double")
        warn(f"wrote {out}, distances at t = {step}")


def flips_as_json(report: "FlipReport", step: int) -> dict[str, Any]:
    """The flips at one T as the command line prints them; margins in logits, unknown values None."""
    share, low, high = report.share(step)
    return {
        "num_steps": step,
        "until": report.num_steps,
        "split": report.split,
        "counts": {
            "images": report.images,
            "flips": int(report.flipped(step).sum()),
            **report.counts(step),
            "share": share,
            "low": low,
            "high": high,
        },
        "images": [
            {
                "index": flip.image,
                "label": flip.label,
                "ann": flip.ann,
                "snn": flip.snn,
                "kind": flip.kind,
                "margins": {"ann": flip.ann_margin, "snn": flip.snn_margin},
                "agrees_from": flip.agrees_from,
                "first_site": flip.first_site,
            }
            for flip in report.flips(step)
        ],
        "sites": dict(zip(report.names, report.by_site(step).tolist(), strict=True)),
        "confusion": report.confusion(step).tolist(),
        "classes": list(report.classes),
    }


def _over(made: "Recipe", until: int | None) -> "Recipe":
    """The recipe that simulates on after T, with T as its only snapshot."""
    alone = card(made.converter.method).depends_on_num_steps
    own = made.num_steps if alone else max(2 * made.num_steps, LEAST_STEPS)
    last = own if until is None else until
    return simulated_until(made, last).changed(noise=None)


def _print_table(title: str, report: "FlipReport", step: int) -> None:
    share, low, high = report.share(step)
    counts = report.counts(step)
    typer.echo(
        f"{title}, T = {step}, {report.split}, {report.images} images: {share:.2%} flip ({low:.2%} to {high:.2%}); "
        f"only the ANN is right {counts['bad']}, only the SNN {counts['good']}, both wrong {counts['other']}"
    )
    if not report.flipped(step).any():
        smaller = report.smaller_with_flips(step)
        typer.echo("ANN and SNN agree on every image" + (f"; at T = {smaller} they do not." if smaller else "."))
        return
    frame = report.to_frame()
    columns = ["image", "label", "ann", "snn", "kind", "ann_margin", "snn_margin", "agrees_from", "first_site"]
    shown = frame[frame["step"] == step][columns]
    typer.echo(shown.to_string(index=False, na_rep="-", float_format=lambda value: f"{value:.3f}"))
    if report.usual(step) is None:
        typer.echo("Too few images do not flip to say what is usual: no first sites.")
