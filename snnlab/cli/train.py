"""``snnlab train``: fine-tune a checkpoint with noise, against the same without."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from snnlab.cli import options as opt
from snnlab.cli.console import print_json, progress_bar, warn
from snnlab.cli.noise import read_profile
from snnlab.core.errors import CheckpointError, RecipeError, StoreError

if TYPE_CHECKING:
    from snnlab.analysis.reports import Gain, NoiseGain
    from snnlab.core.recipe import Recipe
    from snnlab.runs.run import Run
    from snnlab.sweeps.watched import LiveEpoch

NumSteps = Annotated[
    str | None, typer.Option(help="T at which the SNN is read, the one in question first: 2,1,4,8. Default: 2.")
]
Arms = Annotated[
    str | None,
    typer.Option(
        help="control, control_L, nq, half_nq, double_nq, uniform, reversed, profile, noise_adaptor_none, "
        "noise_adaptor, clipped, ecl, ttrbr; with commas. Default: control,control_L,nq,uniform."
    ),
]
Seeds = Annotated[int | None, typer.Option(help="Training seeds of every arm. Default: 5.")]
Epochs = Annotated[int | None, typer.Option(help="Epochs of every training. Default: 12.")]
Images = Annotated[int | None, typer.Option(help="Training images an epoch; default: all.")]
BatchSize = Annotated[int | None, typer.Option(help="Images a batch. Default: 100.")]
LearningRate = Annotated[float | None, typer.Option(help="At the start; a cosine takes it to 0. Default: 0.01.")]
Augment = Annotated[
    str | None,
    typer.Option(help="crop, flip, autoaugment, cutout, with commas; or none. Default: crop,flip; crop for digits."),
]
ActivationName = Annotated[
    str | None,
    typer.Option(
        help="Activation to train with: nq, or one of your own with --load. Default: that of the checkpoint where it "
        "is your own, else nq."
    ),
]
TrainLevels = Annotated[int | None, typer.Option(help="Quantization levels L to train with; default: its own.")]
Smoothing = Annotated[float | None, typer.Option(help="Share of the target spread over all classes. Default: 0.")]
Average = Annotated[float | None, typer.Option(help="Decay of a moving average of the weights; default: none.")]
Patience = Annotated[
    int | None, typer.Option(help="Epochs without a better validation accuracy until a training stops; default: none.")
]
Profile = Annotated[Path | None, typer.Option(help="Noise profile (YAML or JSON) of the arm profile.")]
Freeze = Annotated[bool, typer.Option("--freeze", help="Keep the profile's std as they are, instead of measuring.")]
NoiseLimit = Annotated[int | None, typer.Option(help="Calibration images that the gap is measured on; default: all.")]
Compat = Annotated[bool, typer.Option("--paper-compat", help="Mean of batch variances, as in the authors' code of NQ.")]
Bits = Annotated[int | None, typer.Option(help="Bits of the arms noise_adaptor and noise_adaptor_none. Default: 2.")]
Mode = Annotated[
    str | None, typer.Option(help="Noise of the arm noise_adaptor: pre_round, additive or none. Default: pre_round.")
]
Amp = Annotated[float | None, typer.Option(help="Its amplitude, in units of the learned scale. Default: 0.5.")]
Prob = Annotated[float | None, typer.Option(help="Share of elements that it reaches. Default: 1.")]
ScaleGradient = Annotated[
    str | None, typer.Option(help="Gradient of the scale over sqrt(images x levels), batch, or numel. Default: batch.")
]
ClipLevels = Annotated[
    int | None,
    typer.Option(help="Quantization levels of the arms clipped, ecl and ttrbr; default: none, a clipped ReLU."),
]
Out = Annotated[Path | None, typer.Option(help="Folder for every fine-tuned checkpoint and the recipe.")]
State = Annotated[Path | None, typer.Option(help="Folder that keeps finished epochs; default: the user's data folder.")]
Device = Annotated[str, typer.Option(help="What trains: cpu, or cuda.")]
Devices = Annotated[int, typer.Option(help="Processes or GPUs that share each batch.")]


def train(
    flags: opt.Flags,
    num_steps: NumSteps = None,
    arms: Arms = None,
    seeds: Seeds = None,
    epochs: Epochs = None,
    images: Images = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    augment: Augment = None,
    activation: ActivationName = None,
    train_levels: TrainLevels = None,
    label_smoothing: Smoothing = None,
    average: Average = None,
    patience: Patience = None,
    profile: Profile = None,
    freeze: Freeze = False,
    noise_limit: NoiseLimit = None,
    paper_compat: Compat = False,
    bits: Bits = None,
    noise_mode: Mode = None,
    noise_amp: Amp = None,
    noise_prob: Prob = None,
    gradient_scale: ScaleGradient = None,
    clip_levels: ClipLevels = None,
    out: Out = None,
    state: State = None,
    device: Device = "cpu",
    devices: Devices = 1,
    json: opt.Json = False,
) -> None:
    """Does training with noise make the SNN better at T, beyond the same fine-tuning without?

    Finished epochs are kept: the same line goes on where it was stopped, on whatever device.
    """
    from snnlab.analysis.reports import OWN_CONTROLS, OWN_WORDS
    from snnlab.sweeps.run import experiment_run
    from snnlab.training.devices import helping

    if flags.checkpoint is None and flags.recipe is None:
        raise RecipeError(
            "Name the checkpoint to fine-tune (a file or a bundled name), or give --recipe FILE.yaml; train-new trains "
            "from random weights."
        )
    recipe = experiment_recipe(
        flags,
        steps=None if num_steps is None else _steps(num_steps),
        arms=None if arms is None else _words(arms),
        seeds=seeds,
        training={
            "epochs": epochs,
            "images": images,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "augment": None if augment is None else augmentations(augment),
            "activation": activation,
            "levels": train_levels,
            "label_smoothing": label_smoothing,
            "average": average,
            "patience": patience,
            "noise": "freeze" if freeze else None,
        },
        noise={"limit": noise_limit, "paper_compat": paper_compat or None},
        adaptor={
            "bits": bits,
            "noise_mode": noise_mode,
            "noise_amp": noise_amp,
            "noise_prob": noise_prob,
            "gradient_scale": gradient_scale,
        },
        clipping={"levels": clip_levels},
        profile=profile,
    )
    if helping():
        with suppress(Exception, KeyboardInterrupt):  # the process that it helps says what is wrong
            experiment_run(recipe, folder=state, device=device, devices=devices)
        raise typer.Exit(0)
    if out is not None:
        _check_folder(out)
    try:
        with progress_bar() as progress:
            run = experiment_run(
                recipe, folder=state, watch=warner(), device=device, devices=devices, progress=progress
            )
    except KeyboardInterrupt:
        warn("finished epochs are kept: the same line goes on from there.")
        raise
    gain: NoiseGain = run.reports["gain"]  # type: ignore[assignment]  # stored under its own name
    _record(run)
    if out is not None:
        warn(f"wrote {write_networks(run, out, state)} checkpoints and recipe.yaml to {out}")
    for arm, (what, idea) in OWN_WORDS.items():
        if arm in gain.arms and gain.own_control(arm) is None:
            warn(
                f"{arm} differs from control in its {what} as well as in its {idea}: add the arm {OWN_CONTROLS[arm]} "
                f"to tell what the {idea} brings."
            )
    if len(gain.seeds) == 1:
        warn("one seed: there is no interval over seeds, low and high are missing; train at least three.")
    if json:
        print_json(gain_as_json(gain))
        return
    for line in told(gain):
        typer.echo(line)


def augmentations(text: str) -> list[str]:
    """What ``--augment`` names."""
    return [] if text == "none" else _words(text)


def experiment_recipe(
    flags: opt.Flags,
    *,
    steps: tuple[int, ...] | None = None,
    arms: list[str] | None = None,
    seeds: int | None = None,
    training: dict[str, Any] | None = None,
    noise: dict[str, Any] | None = None,
    adaptor: dict[str, Any] | None = None,
    clipping: dict[str, Any] | None = None,
    profile: Path | None = None,
) -> "Recipe":
    """The recipe of an experiment from what was typed; None where nothing was, and a recipe file's values hold.

    Raises:
        RecipeError: Something is missing or not valid.
    """
    if steps is not None and (not steps or min(steps) < 1):
        raise RecipeError(f"--num-steps {','.join(map(str, steps))!r} needs at least one T, each 1 or more.")
    from snnlab.core.recipe import ExperimentChoice
    from snnlab.core.registry import is_quantized

    given = None if flags.recipe is None else opt.make_recipe(flags)
    known = given.experiment if given is not None else None
    asked = steps or (known.steps if known is not None else (2,))
    base = opt.make_recipe(replace(flags, num_steps=max(asked)), snapshots=())
    experiment: dict[str, Any] = {"steps": asked}
    experiment |= {name: value for name, value in (("arms", arms), ("seeds", seeds)) if value is not None}
    typed = {name: value for name, value in (training or {}).items() if value is not None}
    if base.training is None:
        typed = {"epochs": 12, "noise": "re_estimate", **typed}
        if base.data.dataset in ("digits", "mnist"):
            typed.setdefault("augment", ["crop"])  # digits are not mirrored
        typed.setdefault("activation", _usual_activation(base))
        if arms is None and known is None and not is_quantized(typed["activation"]):
            experiment["arms"] = [arm for arm in ExperimentChoice().arms if arm != "control_L"]  # there is no L
    drawn = {name: value for name, value in (noise or {}).items() if value is not None}
    if profile is not None:
        drawn |= {"std": read_profile(profile, asked[0]), "multipliers": {}, "scale": 1.0}
    made = base.changed(noise=drawn, training=typed, experiment=experiment)
    assert made.experiment is not None, "given just now"
    quantizer = {name: value for name, value in (adaptor or {}).items() if value is not None}
    if {"noise_adaptor", "noise_adaptor_none"} & set(made.experiment.arms):
        made = made.changed(adaptor=quantizer)
    elif quantizer:
        raise RecipeError(
            f"--{next(iter(quantizer)).replace('_', '-')} is of the arms noise_adaptor and noise_adaptor_none, and "
            "none of them is among --arms; add one."
        )
    levels = {name: value for name, value in (clipping or {}).items() if value is not None}
    if levels:
        from snnlab.sweeps.places import CLIPPED

        assert made.experiment is not None, "as before"
        if not set(CLIPPED) & set(made.experiment.arms):
            raise RecipeError(
                f"--clip-levels is of the arms {', '.join(CLIPPED)}, and none of them is among --arms; add one."
            )
        made = made.changed(clipping=levels)
    assert made.experiment is not None, "as before"
    if "profile" in made.experiment.arms and profile is None and (base.noise is None):
        raise RecipeError("The arm profile needs --profile FILE; write one with fit-noise --out FILE.")
    if typed.get("noise") == "freeze" and "profile" not in made.experiment.arms:
        raise RecipeError("--freeze keeps the std of the arm profile, and that is not among --arms; add it.")
    if profile is not None and "profile" not in made.experiment.arms:
        raise RecipeError("--profile is given, but the arm profile is not among --arms; add it, or leave the file out.")
    return made


def _usual_activation(recipe: "Recipe") -> str:
    from snnlab.core.registry import usual_activation
    from snnlab.io import load_checkpoint

    base = recipe.checkpoint
    return usual_activation(
        load_checkpoint(base.source, architecture=base.architecture, levels=base.levels).card.activation
    )


def warner() -> "Callable[[LiveEpoch], None]":
    """Says once for every training that its noise destroys the network, in the epoch in which that happens."""
    said: set[tuple[str, int]] = set()

    def watch(epoch: "LiveEpoch") -> None:
        if epoch.at_chance and (epoch.arm, epoch.seed) not in said:
            said.add((epoch.arm, epoch.seed))
            warn(
                f"{epoch.arm}, seed {epoch.seed}, epoch {epoch.epoch}: with this noise the ANN is at chance "
                f"({epoch.noisy_ann:.1%} of the watched validation images); such noise destroys the network, scale it "
                "down."
            )

    return watch


def write_networks(run: "Run", out: Path, state: Path | None = None) -> int:
    """Copy every fine-tuned checkpoint of an experiment to ``out``, with the recipe; how many there were.

    Raises:
        CheckpointError: The folder cannot be written.
    """
    from snnlab.io import load_checkpoint
    from snnlab.sweeps.places import trainings_of
    from snnlab.sweeps.watched import tuned_file

    count = 0
    try:
        out.mkdir(parents=True, exist_ok=True)
        for arm, seed in trainings_of(run.recipe):
            kept = tuned_file(run.recipe, arm, seed, state)
            if kept is not None:
                shutil.copyfile(kept, out / f"{load_checkpoint(kept).card.name}.safetensors")
                count += 1
        (out / "recipe.yaml").write_text(run.recipe.to_yaml())
    except OSError as error:
        raise CheckpointError(f"{out} cannot be written: {error.strerror}.") from None
    return count


def gain_as_json(gain: "NoiseGain") -> dict[str, Any]:
    """The experiment as the command line prints it; accuracies and gains are fractions."""
    arms = [
        {
            "name": arm,
            "ann_accuracy": gain.accuracy(arm, None),
            "snn_accuracy": {str(step): gain.accuracy(arm, step) for step in gain.steps},
            "gain_over_control": {str(step): _plain(gain.gain(arm, step)) for step in gain.steps},
        }
        | _over_own(gain, arm)
        for arm in gain.arms
    ]
    return {
        "split": gain.split,
        "base": "one checkpoint",
        "seeds": len(gain.seeds),
        "target_num_steps": gain.target,
        "arms": arms,
        "base_accuracy": {
            "ann": gain.base_accuracy(None),
            **{str(step): gain.base_accuracy(step) for step in gain.steps},
        },
    }


def _over_own(gain: "NoiseGain", arm: str) -> dict[str, Any]:
    """What the idea alone brings, of an arm that differs from the control in more; nothing for the others."""
    other = gain.own_control(arm)
    if other is None:
        return {}
    over = {str(step): _plain(gain.own_gain(arm, step)) for step in gain.steps}
    return {"own_control": other, "gain_over_own_control": over}


def told(gain: "NoiseGain") -> list[str]:
    """The experiment in lines for people."""
    from snnlab.analysis.reports import OWN_WORDS

    seeds = f"{len(gain.seeds)} seed{'s' * (len(gain.seeds) != 1)}"
    width = max(10, *(len(arm) + 1 for arm in gain.arms))
    lines = [
        f"{gain.split}, {gain.images} images, {seeds}, {gain.epochs} epoch{'s' * (gain.epochs != 1)}. SNN "
        "accuracy in %, then points over the control",
        "with the 95 % t interval over seeds.",
        "",
        f"{'arm':<{width}}{'ANN':>7}" + "".join(f"{f'T = {step}':>27}" for step in gain.steps),
    ]
    for arm in ("base", *gain.arms):
        base = arm == "base"
        ann = gain.base_accuracy(None) if base else gain.accuracy(arm, None)
        cells = []
        for step in gain.steps:
            found = gain.base_gain(step) if base else gain.gain(arm, step)
            accuracy = gain.base_accuracy(step) if base else gain.accuracy(arm, step)
            interval = f" [{100 * found.low:+5.1f}, {100 * found.high:+5.1f}]" if found.low == found.low else ""
            over = "" if arm == "control" else f" {100 * found.value:+5.1f}{interval}"
            cells.append(f"{100 * accuracy:6.2f}{over:<21}")
        lines.append(f"{arm:<{width}}{100 * ann:>7.2f}" + "".join(f"{cell:>27}" for cell in cells))
    lines += [
        "",
        "base is the checkpoint before fine-tuning, on the same images; control the same fine-tuning without noise.",
    ]
    for arm in gain.arms:
        if (other := gain.own_control(arm)) is not None:
            what, idea = OWN_WORDS[arm]
            lines += [f"{arm} has another {what} than control; what its {idea} alone brings is over {other}:"]
            lines += [f"  T = {step}: {_in_points(gain.own_gain(arm, step))}" for step in gain.steps]
    if len(gain.steps) > 1:
        lines.append(f"T = {gain.target} is the question; the other T are exploratory.")
    return lines


def _record(run: "Run") -> None:
    from snnlab.runs.store import Store

    try:
        looks = Store().record(run)
    except StoreError as error:
        # The numbers are there; a full or read-only disk must not take them away.
        warn(f"the run was not stored: {error}")
        return
    if looks:
        warn(f"look {looks} at the test images of {run.recipe.data.dataset} with this checkpoint")


def _check_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise RecipeError(f"--out {str(path)!r} is a file; name a folder.")
    if not path.parent.exists():
        raise RecipeError(f"--out {str(path)!r}: the folder {str(path.parent)!r} does not exist.")


def _in_points(gain: "Gain") -> str:
    interval = f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]" if gain.low == gain.low else ""
    return f"{100 * gain.value:+.1f}{interval}"


def _plain(gain: "Gain") -> dict[str, float | None]:
    values = {"mean": gain.value, "low": gain.low, "high": gain.high}
    values |= {"images_low": gain.images_low, "images_high": gain.images_high}
    return {name: None if value != value else value for name, value in values.items()}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _steps(text: str) -> tuple[int, ...]:
    try:
        return tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        raise RecipeError(f"--num-steps {text!r} is not a list of whole numbers such as 2,1,4.") from None
