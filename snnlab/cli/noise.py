"""The verb ``fit-noise``: the noise that stands for a conversion's error, and what it does to the ANN."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, progress_bar, warn
from snnlab.cli.running import simulated_until
from snnlab.cli.stored import keep
from snnlab.core.errors import RecipeError

if TYPE_CHECKING:
    from snnlab.analysis.reports import Estimate, LargestScale, NoiseReport, SensitivityReport
    from snnlab.core.recipe import Recipe
    from snnlab.runs.run import Run

EVALUATION_IMAGES = 512

EvalSplit = Annotated[str | None, typer.Option(help="Images of accuracies and kappa: dev (default), validation, test.")]
EvalLimit = Annotated[
    int | None, typer.Option(help=f"First images of that split; default: {EVALUATION_IMAGES}, 0 for all.")
]
NoiseSeeds = Annotated[int | None, typer.Option(help="Noise seeds averaged; default: 8.")]
PaperCompat = Annotated[
    bool,
    typer.Option("--paper-compat", help="Mean of the variances of batches of 100 images, not the pooled variance."),
]
Scale = Annotated[float | None, typer.Option(help="Factor on the std of every site that the noisy ANN gets.")]
Multiplier = Annotated[
    list[str] | None, typer.Option(help="Factor on the measured std of one site, NAME=M; repeatable.")
]
Std = Annotated[
    list[str] | None, typer.Option("--std", help="Std of one site by hand, NAME=V in activation units; repeatable.")
]
Sensitivity = Annotated[
    bool, typer.Option("--sensitivity", help="Say too which site matters: noise at one site at a time.")
]
MaxLoss = Annotated[
    float | None, typer.Option(help="Say too the largest scale of the profile that costs at most so many points.")
]
Out = Annotated[Path | None, typer.Option(help="Write the measured profile: FILE.yaml.")]


@opt.takes_flags()
def fit_noise(
    flags: opt.Flags,
    eval_split: EvalSplit = None,
    eval_limit: EvalLimit = None,
    noise_seeds: NoiseSeeds = None,
    paper_compat: PaperCompat = False,
    scale: Scale = None,
    multiplier: Multiplier = None,
    std: Std = None,
    sensitivity: Sensitivity = False,
    max_loss: MaxLoss = None,
    until: opt.Until = None,
    out: Out = None,
    json: opt.Json = False,
) -> None:
    """Measure the gap between ANN and SNN at T, and compare the ANN under noise of that std with the SNN.

    --split and --limit name the images of the std (default: all of calibration), --eval-split and --eval-limit those of
    the accuracies and of kappa, the scale of the noise at which the noisy ANN is as accurate as the SNN.
    """
    if out is not None and out.suffix.lower() not in (".yaml", ".yml"):
        raise RecipeError(f"--out {str(out)!r} must end in .yaml.")
    noise = {
        "split": flags.split,
        "limit": flags.limit,
        "seeds": noise_seeds,
        "paper_compat": paper_compat or None,
        "scale": scale,
        "multipliers": _pairs("--multiplier", multiplier),
        "std": _pairs("--std", std),
    }
    data = replace(flags, split=eval_split, limit=eval_limit or None)
    made = _with_noise(opt.make_recipe(data, snapshots=()), noise)
    if eval_limit == 0 or (eval_limit is None and flags.recipe is None):
        made = made.changed(data={"limit": None if eval_limit == 0 else EVALUATION_IMAGES})
    run, looks = _execute(simulated_until(made, until), sensitivity, max_loss)
    report, step = run.noise, made.num_steps
    assert report is not None, "a noise run has its report"
    if out is not None:
        report.evaluated(step).save(out)
        warn(f"wrote {out}, the noise profile at T = {step}")
    if json:
        print_json(noise_as_json(report, step) | _site_losses_as_json(run) | ({"test_looks": looks} if looks else {}))
    else:
        _print_table(run, report, step)
        _print_site_losses(run)


def noise_as_json(report: "NoiseReport", step: int) -> dict[str, Any]:
    """The noise report at one T as the command line prints it; std and mean in activation units."""
    noisy, (value, low, high) = report.noisy(step), report.kappa[report.target_index(step)].tolist()
    return {
        "sites": report.profile(step).to_dict()["sites"],
        "num_steps": step,
        "ann_accuracy": report.ann.value,
        "noisy_accuracy": {
            "mean": noisy.value,
            "low": noisy.low,
            "high": noisy.high,
            "noise_seeds": report.noise_seeds,
        },
        "snn_accuracy": report.snn(step).value,
        "kappa": {
            "value": _finite(value),
            "low": _finite(low),
            "high": _finite(high),
            "why": report.kappa_why[report.target_index(step)],
        },
        "fit": {"split": report.fit_split, "images": report.fit_images},
        "evaluation": {"split": report.split, "images": report.images},
    }


def _with_noise(made: "Recipe", noise: dict[str, Any]) -> "Recipe":
    """The recipe with the noise that was typed over that of its file; its T is the only target."""
    known = {} if made.noise is None else made.noise.model_dump(mode="json", exclude_none=True)
    typed = {name: value for name, value in noise.items() if value is not None}
    return made.changed(noise={**known, **typed, "targets": [made.num_steps]})


def _pairs(option: str, texts: Sequence[str] | None) -> dict[str, float] | None:
    if not texts:
        return None
    pairs = {}
    for text in texts:
        name, equals, number = text.partition("=")
        try:
            pairs[name] = float(number)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise RecipeError(f"{option} {text!r} is not of the form NAME=NUMBER.")
    return pairs


def _execute(recipe: "Recipe", sensitivity: bool, max_loss: float | None) -> "tuple[Run, int | None]":
    from snnlab.runs.execute import fit_noise_run
    from snnlab.runs.which_site import with_site_losses

    if max_loss is not None and not 0 < max_loss <= 100:  # before the minutes that the rest may take
        raise RecipeError(f"--max-loss {max_loss:g} must be above 0 and at most 100 points.")
    with progress_bar() as progress:
        run = fit_noise_run(recipe, progress=progress)
        if sensitivity or max_loss is not None:
            run = with_site_losses(run, sites=sensitivity, max_loss=max_loss, progress=progress)
    return run, keep(run)


def _site_losses_as_json(run: "Run") -> dict[str, Any]:
    """What was asked for beside the noise report; losses are fractions, as accuracies are."""
    told: dict[str, Any] = {}
    losses, largest = _site_losses(run)
    if losses is not None:
        told["sensitivity"] = [
            {"name": loss.name, "loss": loss.value, "low": loss.low, "high": loss.high, "rank": loss.rank}
            for loss in losses.losses
        ]
    if largest is not None:
        told["largest_scale"] = largest.told()
    return told


def _print_site_losses(run: "Run") -> None:
    losses, largest = _site_losses(run)
    if losses is not None:
        typer.echo("\nNoise at one site at a time: points of ANN accuracy that it costs, 95 % intervals over images")
        frame = losses.to_frame()[["site", "relative_std", "loss", "low", "high", "rank", "rank_low", "rank_high"]]
        typer.echo(frame.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
        together = 100 * losses.whole[0]
        typer.echo(f"  all sites together {together:.2f}; the losses of single sites do not add up to it")
    if largest is not None:
        value, low, high = largest.scale.tolist()
        shown = f"none ({largest.why})" if largest.why else f"{value:.3f}, {low:.3f} to {high:.3f}"
        typer.echo(f"largest scale that costs at most {largest.points:g} points: {shown}")


def _site_losses(run: "Run") -> "tuple[SensitivityReport | None, LargestScale | None]":
    from snnlab.analysis.reports import LargestScale, SensitivityReport

    losses, largest = run.reports.get("sensitivity"), run.reports.get("largest_scale")
    assert losses is None or isinstance(losses, SensitivityReport), "stored under its own name"
    assert largest is None or isinstance(largest, LargestScale), "stored under its own name"
    return losses, largest


def _print_table(run: "Run", report: "NoiseReport", step: int) -> None:
    columns = ["site", "threshold", "std", "relative_std", "mean", "share_zero", "local_std"]
    frame = report.to_frame()
    frame = frame[frame["step"] == step][columns]
    typer.echo(f"{run.title}, T = {step}, gap measured on {report.fit_split}, {report.fit_images} images")
    typer.echo(frame.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    typer.echo(f"\nAccuracy on {report.split}, {report.images} images, 95 % intervals")
    typer.echo(_line("ANN", report.ann))
    typer.echo(_line(f"noisy ANN, {report.noise_seeds} seeds", report.noisy(step)))
    typer.echo(_line(f"SNN at T = {step}", report.snn(step)))
    value, low, high = report.kappa[report.target_index(step)].tolist()
    why = report.kappa_why[report.target_index(step)]
    if why:
        shown = f"{'none' if math.isnan(value) else f'> {report.scales[-1]:g}'} ({why})"
    else:
        shown = f"{value:.3f}, {low:.3f} to {high:.3f}"
    typer.echo(f"kappa, the scale at which the noisy ANN equals the SNN: {shown}")


def _line(name: str, found: "Estimate") -> str:
    return f"  {name:<20} {found.value:8.2%}  {found.low:.2%} to {found.high:.2%}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def read_profile(path: Path, target: int) -> dict[str, float]:
    """Std by site of a noise profile, as fit-noise writes it; warns where it was measured at another T.

    Raises:
        RecipeError: The file cannot be read.
    """
    from snnlab.calibration import NoiseProfile

    try:
        profile = NoiseProfile.from_yaml(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise RecipeError(f"The profile {path} cannot be read: {reason}.") from None
    if profile.num_steps != target:
        warn(f"{path} was measured at T = {profile.num_steps}, and the question is asked at T = {target}.")
    return profile.std_by_site()
