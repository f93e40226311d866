"""The same run as a command line and as Python, for copying."""

import json
import shlex
from typing import Any

from snnlab.core.recipe import AttributionChoice, ConverterChoice, NoiseChoice, Recipe
from snnlab.core.registry import card
from snnlab.runs.defaults import least_steps

_CALLS = {
    "budget": "budget = sl.analysis.error_budget({call}).to_frame()",
    "diagnose": "findings = sl.analysis.diagnose({call}).to_frame()",
    "restore": "restored = sl.analysis.restoration({call}).to_frame()",
}

_UNTIL = ("budget", "restore", "energy", "fit-noise", "flips")
"""Verbs that take ``--until``."""


def as_cli(recipe: Recipe, *, verb: str = "evaluate", num_steps: int | None = None) -> str:
    """The ``snnlab`` line that gives the same numbers.

    Args:
        recipe: What to run.
        verb: A verb of the command line that starts from a checkpoint, as ``evaluate``.
        num_steps: T, which may lie before the first step at which the method can stop; None for the recipe's.
    """
    data, converter = recipe.data, recipe.converter
    steps = num_steps or _own_steps(recipe, verb)
    if recipe.calibration is not None:  # options cannot say which images are drawn
        loads = [word for file in recipe.own_files for word in ("--load", file)]
        own = ["--num-steps", str(steps)] if steps != recipe.num_steps else []
        return shlex.join(["snnlab", verb, "--recipe", "recipe.yaml", *loads, *own, *_until_words(recipe, verb, steps)])
    words = ["snnlab", verb, recipe.checkpoint.source]
    architecture = recipe.checkpoint.architecture
    if architecture is not None:
        words += ["--architecture", architecture if isinstance(architecture, str) else json.dumps(architecture)]
    if recipe.checkpoint.levels is not None:
        words += ["--levels", str(recipe.checkpoint.levels)]
    words += ["--dataset", data.dataset]
    if data.folder:
        words += ["--data-dir", data.folder]
    if verb == "fit-noise":
        words += _noise_words(recipe)
    elif verb == "attribute":
        words += ["--split", data.split, *_attribution_words(recipe)]
    else:
        words += ["--split", data.split, *(["--limit", str(data.limit)] if data.limit else [])]
    if data.normalize:
        words += ["--normalize", data.normalize]
    words += ["--method", converter.method]
    for file in recipe.own_files:
        words += ["--load", file]
    for name, value in _changed(converter).items():
        words += ["--set", f"{name}={value}"]
    for name, site in converter.sites.items():
        for field in ("threshold", "v0"):
            if getattr(site, field) is not None:
                words += ["--site", f"{name}.{field}={getattr(site, field)}"]
    asked = recipe.attribution.steps if verb == "attribute" and recipe.attribution else ()
    words += ["--num-steps", ",".join(map(str, asked or (steps,)))]
    if recipe.dtype != "float32":
        words += ["--dtype", recipe.dtype]
    if recipe.seed:
        words += ["--seed", str(recipe.seed)]
    words += _until_words(recipe, verb, steps)
    if verb == "residuals":
        words += ["--snapshots", ",".join(str(t) for t in recipe.snapshots if t <= steps)]
    return shlex.join(words)


def as_python(recipe: Recipe, *, verb: str = "evaluate", num_steps: int | None = None) -> str:
    """Library calls that give the same numbers.

    Args:
        recipe: What to run.
        verb: As ``as_cli``; ``evaluate``, ``residuals`` and ``fit-noise`` differ by what the recipe asks for.
        num_steps: T of the noise or of the flips; None for the recipe's.
    """
    choice, data, converter = recipe.checkpoint, recipe.data, recipe.converter
    declared = _keywords({"architecture": choice.architecture, "levels": choice.levels})
    images = _keywords({"limit": data.limit, "folder": data.folder, "dataset": data.dataset})
    normalize = _keywords({"normalize": data.normalize})
    method = _keywords(_changed(converter))
    known = card(converter.method)
    places = f"{_keywords({'folder': data.folder, 'dataset': data.dataset})}{normalize}"
    draw = recipe.calibration
    drawn = "" if draw is None else f".drawn({draw.images}, seed={draw.seed})"
    given = "".join(
        f', {name}=ckpt.data("{split}"{places})' + drawn * (split == "calibration")
        for need, name, split in (
            ("calibration_data", "data", "calibration"),
            ("validation_data", "validation", "validation"),
        )
        if need in known.needs_of(converter.parameters)
    )
    if known.depends_on_num_steps:
        given += f", num_steps={recipe.num_steps}"
    edits = {name: site.model_dump(exclude_none=True) for name, site in converter.sites.items()}
    lines = [
        *(["import torch"] if recipe.dtype != "float32" or recipe.attribution is not None else []),
        "import snnlab as sl",
        "",
        *(f"sl.load_file({file!r})" for file in recipe.own_files),
        f"ckpt = sl.load_checkpoint({choice.source!r}{declared})",
        f"images = ckpt.data({data.split!r}{images}{normalize})",
        f"snn = sl.convert(ckpt.build(), {converter.method!r}{method}{given}"
        + (f", sites={edits!r})" if edits else ")"),
    ]
    if verb == "flips":
        return "\n".join([*lines, *_flip_lines(recipe, num_steps or _own_steps(recipe, verb))])
    if recipe.attribution is not None:
        return "\n".join([*lines, *_attribution_lines(recipe.attribution, recipe.seed)])
    if verb == "energy":
        dtype = f", dtype=torch.{recipe.dtype}" if recipe.dtype != "float32" else ""
        step = num_steps or recipe.num_steps
        last = max(step, least_steps(recipe))
        return "\n".join(
            [
                *lines,
                f"activity = sl.analysis.synaptic_operations(snn, images, num_steps={last}{dtype})",
                "energy = sl.analysis.EnergyReport.of(activity)",
                f"table = energy.summary({step})",
            ]
        )
    if verb in _CALLS:
        asked = num_steps or recipe.num_steps
        last = max(asked, least_steps(recipe))
        kept = sorted({step for step in recipe.snapshots if step <= asked} | ({asked} if asked < last else set()))
        steps = f", snapshots={kept}" if kept else ""
        dtype = f", dtype=torch.{recipe.dtype}" if recipe.dtype != "float32" else ""
        call = f"snn, ckpt.build(), images, num_steps={last}{steps}{dtype}"
        return "\n".join([*lines, _CALLS[verb].format(call=call)])
    extra = ', candidates="random"' if recipe.traces else ""
    if recipe.dtype != "float32":
        extra += f", dtype=torch.{recipe.dtype}"
    if recipe.seed:
        extra += f", seed={recipe.seed}"
    snapshots = f", snapshots={list(recipe.snapshots)}" if recipe.snapshots else ""
    lines += [f"rec = sl.simulate(snn, images, num_steps={recipe.num_steps}{snapshots}{extra})"]
    if recipe.snapshots:
        lines += ["residuals = sl.analysis.residuals(rec).to_frame()"]
    lines += ["accuracy = (rec.predictions == rec.labels).mean(axis=1)  # at t = 1..T"]
    if recipe.noise is not None:
        lines += _noise_lines(recipe, recipe.noise, places, num_steps or _own_steps(recipe, "fit-noise"))
    return "\n".join(lines)


def _own_steps(recipe: Recipe, verb: str) -> int:
    """T that a recipe is about: its only one, which may lie before the last step that is simulated."""
    targets = recipe.noise.targets if recipe.noise is not None else ()
    asked = {"flips": recipe.snapshots, "fit-noise": targets}.get(verb, ())
    return asked[0] if len(asked) == 1 else recipe.num_steps


def _until_words(recipe: Recipe, verb: str, steps: int) -> list[str]:
    """How far is simulated: flips to the recipe's end, other verbs after T only where the method needs more steps."""
    if verb not in _UNTIL:
        return []
    last = recipe.num_steps if verb == "flips" else max(steps, least_steps(recipe))
    return ["--until", str(last)] if verb == "flips" or last > steps else []


def _attribution_words(recipe: Recipe) -> list[str]:
    """Options of ``attribute`` that name image, method and class."""
    choice = recipe.attribution or AttributionChoice()
    image = ["--image", str(choice.image)] if choice.picture is None else ["--picture", choice.picture]
    words = ["--attribution", choice.method, *image, "--target", str(choice.target), "--baseline", choice.baseline]
    if choice.method == "ig":
        words += ["--integration-steps", str(choice.integration_steps)]
    return words


def _attribution_lines(choice: AttributionChoice, seed: int) -> list[str]:
    """Python that explains the image, after the lines that make ``snn`` and ``images``."""
    lines = [
        "mean, std = (torch.tensor(part).view(-1, 1, 1) for part in "
        "(images.normalization.mean, images.normalization.std))",
    ]
    if choice.picture is None:
        lines += [f"x = images.batch({choice.image}, {choice.image + 1})[0]"]
    else:
        lines += [
            f"pixels = sl.data.read_picture({choice.picture!r}, images.image_shape).pixels",
            "x = (torch.from_numpy(pixels) - mean) / std",
        ]
    grey = {"black": "(0 - mean) / std", "white": "(1 - mean) / std", "mean": "0 * mean"}[choice.baseline]
    label = "" if choice.picture else f", label=int(images.labels[{choice.image}])"
    more = f", integration_steps={choice.integration_steps}" if choice.method == "ig" else ""
    return [
        *lines,
        f"baseline = ({grey}).expand_as(x)",
        "report = sl.analysis.attribute(",
        f"    ckpt.build(), snn, x, method={choice.method!r}, target={choice.target!r}, steps={list(choice.steps)},",
        f"    baseline=baseline{label}{more}, seed={seed},",
        ")",
        "report.to_frame()",
    ]


def _noise_words(recipe: Recipe) -> list[str]:
    """Options of ``fit-noise``: images of the std, images of the accuracies, and what is changed by hand."""
    noise, data = recipe.noise or NoiseChoice(), recipe.data
    words = ["--split", noise.split]
    if noise.limit:
        words += ["--limit", str(noise.limit)]
    words += ["--eval-split", data.split, "--eval-limit", str(data.limit or 0), "--noise-seeds", str(noise.seeds)]
    if noise.paper_compat:
        words += ["--paper-compat"]
    if noise.scale != 1:
        words += ["--scale", str(noise.scale)]
    for name, factor in noise.multipliers.items():
        words += ["--multiplier", f"{name}={factor}"]
    for name, std in (noise.std or {}).items():
        words += ["--std", f"{name}={std}"]
    return words


def _noise_lines(recipe: Recipe, noise: NoiseChoice, places: str, num_steps: int) -> list[str]:
    """Python that measures the noise and evaluates the noisy ANN, after the lines that make ``snn`` and ``images``.

    Args:
        recipe: What to run.
        noise: Its noise.
        places: Keyword arguments that say where the data lies, and how it is normalised.
        num_steps: T.
    """
    limit = _keywords({"limit": noise.limit})
    paper = ", paper_compat=True" if noise.paper_compat else ""
    seed = f", seed={recipe.seed}" if recipe.seed else ""
    lines = [
        f"measured = ckpt.data({noise.split!r}{limit}{places})",
        f"profile = sl.calibration.fit_noise(snn, ckpt.build(), measured, num_steps={num_steps}{paper})",
    ]
    if noise.std is not None:
        lines += [f"profile = profile.with_std({noise.std!r})"]
    elif noise.multipliers:
        lines += [f"profile = profile.multiplied({noise.multipliers!r})"]
    if noise.scale != 1:
        lines += [f"profile = profile.scaled({noise.scale!r})"]
    return [
        *lines,
        f"right = sl.analysis.noisy_correct(ckpt.build(), profile, images, seeds={noise.seeds}{seed})",
        "noisy_accuracy = right.mean()",
    ]


def _flip_lines(recipe: Recipe, num_steps: int) -> list[str]:
    """Python that finds flips, after the lines that make ``snn`` and ``images``."""
    return [
        "report = sl.analysis.find_flips(",
        f"    snn, ckpt.build(), images, num_steps={recipe.num_steps}, steps={[num_steps]}, classes=images.classes",
        ")",
        f"flips = report.flips({num_steps})",
    ]


def _changed(converter: ConverterChoice) -> dict[str, Any]:
    """Parameters that differ from their defaults; all of them where the file that has the defaults is not loaded."""
    if not converter.runs_here:
        return converter.parameters
    defaults = {parameter.name: parameter.default for parameter in card(converter.method).parameters}
    return {name: value for name, value in converter.parameters.items() if value != defaults[name]}


def _keywords(values: dict[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in values.items() if value is not None)
