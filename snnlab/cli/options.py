"""Options that several verbs share, and the recipe they make."""

import functools
import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from snnlab.core.errors import RecipeError
from snnlab.core.loaded import load_named, name_files
from snnlab.core.recipe import Recipe
from snnlab.core.registry import card
from snnlab.data.names import DATASETS
from snnlab.runs.defaults import default_method

CheckpointArgument = Annotated[
    str | None, typer.Argument(metavar="CKPT", help="Checkpoint file, or the name of a bundled one.")
]
Architecture = Annotated[
    str | None, typer.Option(help="What the file cannot tell: an architecture's name, or a YAML list of layers.")
]
Levels = Annotated[int | None, typer.Option(help="Quantization levels L of a QCFS network whose file does not tell.")]
DATASET_NAMES = f"One of {', '.join(DATASETS)}."
DatasetOption = Annotated[str | None, typer.Option(help=f"{DATASET_NAMES[:-1]}; default: the checkpoint's.")]
DataDir = Annotated[str | None, typer.Option(help="Folder that holds the dataset's folder (or the .npz file).")]
Split = Annotated[str | None, typer.Option(help="train, calibration, validation, dev (default) or test.")]
Limit = Annotated[int | None, typer.Option(help="First images of the split; default: all.")]
Normalize = Annotated[
    str | None, typer.Option(help='Preset (cifar10, imagenet, half, unit, ...) or "m1,m2,m3/s1,s2,s3".')
]
Method = Annotated[str | None, typer.Option(help="Conversion method; default: the one that fits the checkpoint.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Parameter of the method, key=value; repeatable.")]
SiteEdit = Annotated[
    list[str] | None, typer.Option("--site", help="Edit a site: NAME.threshold=V or NAME.v0=V; repeatable.")
]
NumSteps = Annotated[int | None, typer.Option(help="T, simulated time-steps; every smaller t is in the result.")]
Until = Annotated[int | None, typer.Option(help="Last step simulated, of which T is read; default: T.")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random choice.")]
Dtype = Annotated[str | None, typer.Option(help="float32 (default), or float64 for edge cases.")]
Load = Annotated[
    list[Path] | None, typer.Option("--load", metavar="FILE", help="Python file with your own methods; repeatable.")
]
Device = Annotated[str, typer.Option(help="Where ANN and SNN run: cpu, or cuda.")]
RecipeFile = Annotated[Path | None, typer.Option("--recipe", help="Recipe file (YAML); flags override its values.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout and nothing else.")]


@dataclass(frozen=True)
class Flags:
    """What was typed of the options that make a recipe; None where nothing was."""

    checkpoint: CheckpointArgument = None
    dataset: DatasetOption = None
    data_dir: DataDir = None
    split: Split = None
    limit: Limit = None
    normalize: Normalize = None
    architecture: Architecture = None
    levels: Levels = None
    method: Method = None
    set: Set = None
    site: SiteEdit = None
    num_steps: NumSteps = None
    seed: Seed = None
    dtype: Dtype = None
    recipe: RecipeFile = None
    load: Load = None


def takes_flags(*, without: Sequence[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: give a verb the options of ``Flags``, and pass what was typed as its argument ``flags``.

    Args:
        without: Options that the verb does not have.
    """
    shared = [item for item in get_type_hints(Flags, include_extras=True).items() if item[0] not in without]

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        own = [parameter for parameter in inspect.signature(verb).parameters.values() if parameter.name != "flags"]
        given = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in shared
        ]
        only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

        @functools.wraps(verb)
        def wrapped(**values: Any) -> None:
            verb(flags=Flags(**{name: values.pop(name) for name, _ in shared}), **values)

        # What typer reads: the checkpoint first, then the verb's own options, then the shared ones.
        wrapped.__signature__ = inspect.Signature([given[0], *only, *given[1:]])  # type: ignore[attr-defined]
        hints = get_type_hints(verb, include_extras=True)
        wrapped.__annotations__ = {**{p.name: hints[p.name] for p in own}, **dict(shared)}
        del wrapped.__wrapped__  # or typer would look through to the verb
        return wrapped

    return decorate


def make_recipe(flags: Flags, *, snapshots: tuple[int, ...] | None = None) -> Recipe:
    """The recipe that flags and recipe file describe; flags win.

    Args:
        flags: What was typed.
        snapshots: Steps with residuals; None keeps the recipe file's within T.

    Raises:
        RecipeError: Something is missing or not valid, or a file of the user's raises.
    """
    load_code(flags.load or ())
    values = Recipe.from_file(flags.recipe).to_dict() if flags.recipe else _from_checkpoint(flags)
    _put(
        values,
        "checkpoint",
        source=flags.checkpoint,
        architecture=read_architecture(flags.architecture),
        levels=flags.levels,
    )
    if flags.recipe and flags.checkpoint:
        values["checkpoint"].pop("sha256", None)  # another file than the recipe's
    _put(values, "data", dataset=flags.dataset, folder=flags.data_dir, split=flags.split, limit=flags.limit)
    _put(values, "data", normalize=flags.normalize)
    if flags.method and flags.method != values["converter"]["method"]:
        values["converter"] = {"method": flags.method}  # parameters belong to a method
    if flags.set:
        held = values["converter"].setdefault("parameters", {})
        held.update(parameters(values["converter"]["method"], flags.set))
    for edit in flags.site or ():
        name, field, value = _site_edit(edit)
        values["converter"].setdefault("sites", {}).setdefault(name, {})[field] = value
    if flags.num_steps is not None:
        values["num_steps"] = flags.num_steps
    for name in ("seed", "dtype"):
        if getattr(flags, name) is not None:
            values[name] = getattr(flags, name)
    if values.get("noise") is not None:
        values["noise"]["targets"] = [t for t in values["noise"].get("targets", ()) if t <= values["num_steps"]]
    if snapshots is not None:
        values["snapshots"], values["traces"] = snapshots, 0
    elif "snapshots" in values:
        values["snapshots"] = [t for t in values["snapshots"] if t <= values["num_steps"]]
    return Recipe.parse(values)


def load_code(paths: Sequence[Path]) -> None:
    """Run the user's own files, these and those of ``$SNNLAB_LOAD``.

    Raises:
        RecipeError: One of them cannot be read, raises, or registers nothing.
    """
    name_files(paths)
    for file in load_named():
        if file.problem:
            raise RecipeError(file.problem)


def _from_checkpoint(flags: Flags) -> dict[str, Any]:
    """Defaults that depend on the checkpoint: its dataset and the method that fits it."""
    if not flags.checkpoint:
        raise RecipeError("Name a checkpoint (a file or a bundled name), or give --recipe FILE.yaml.")
    from snnlab.io import load_checkpoint  # torch: only when there is something to open

    declared = read_architecture(flags.architecture)
    known = load_checkpoint(flags.checkpoint, architecture=declared, levels=flags.levels).card
    if flags.dataset is None and known.dataset is None:
        raise RecipeError(f"{known.name} does not tell its dataset; give --dataset, one of {', '.join(DATASETS)}.")
    if flags.num_steps is None:
        raise RecipeError("Give the number of time-steps, --num-steps T.")
    return {
        "checkpoint": {"source": flags.checkpoint},
        "data": {"dataset": flags.dataset or known.dataset},
        "converter": {"method": flags.method or default_method(known.activation)},
        "num_steps": flags.num_steps,
    }


def read_architecture(text: str | None) -> Any:
    """A name, a file, a line of layers, or JSON as the app shows it."""
    if text is None or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise RecipeError("--architecture begins like JSON and is none; give a name, a YAML file or JSON.") from None


def _put(values: dict[str, Any], part: str, **fields: Any) -> None:
    values.setdefault(part, {}).update({name: value for name, value in fields.items() if value is not None})


def parameters(method: str, pairs: list[str]) -> dict[str, Any]:
    """Parameters of a method from ``key=value`` texts, not yet checked.

    Raises:
        RecipeError: A text is not of that form.
    """
    known = {parameter.name: parameter for parameter in card(method).parameters}
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise RecipeError(f"--set {pair!r} is not of the form key=value.")
        value: Any = text
        if name in known and known[name].choices:
            # A choice is typed as text: take the choice that is written so.
            value = next((choice for choice in known[name].choices if str(choice).lower() == text.lower()), text)
        found[name] = value
    return found


def _site_edit(text: str) -> tuple[str, str, float]:
    target, equals, number = text.partition("=")
    name, dot, field = target.rpartition(".")
    if not (equals and dot) or field not in ("threshold", "v0"):
        raise RecipeError(f"--site {text!r} is not of the form NAME.threshold=V or NAME.v0=V.")
    try:
        return name, field, float(number)
    except ValueError:
        raise RecipeError(f"--site {text!r}: {number!r} is not a number.") from None
