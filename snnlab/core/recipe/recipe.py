"""The Recipe: every choice behind a result, validated, serialisable, hashable. One object for app, CLI and library."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

import pydantic
import yaml
from pydantic import Field, field_validator, model_validator

from snnlab.core.errors import RecipeError
from snnlab.core.recipe.attribution import AttributionChoice
from snnlab.core.recipe.chain import CalibrationChoice, CheckpointChoice, ConverterChoice, DataChoice
from snnlab.core.recipe.noise import NoiseChoice
from snnlab.core.recipe.part import Part, sorted_steps
from snnlab.core.recipe.tournament import TournamentChoice
from snnlab.core.recipe.training import AdaptorChoice, ClippingChoice, ExperimentChoice, TrainingChoice

RESULTS_VERSION = 2
"""Raised with every change of numbers, so that no cache serves what CORRECTIONS has taken back."""

MAX_STEPS = 4096
MAX_YAML_BYTES = 256 * 1024
MAX_YAML_BRACKETS = 1000

BESIDE_CONVERSION = ("noise", "training", "adaptor", "clipping", "experiment", "tournament", "attribution")
"""Parts that say something else than which network is converted how, and simulated on which images."""

_LOCATIONS = {
    "checkpoint": {"source"},
    "data": {"folder"},
    "attribution": {"picture"},
}  # where things lie is not what they are


class Recipe(Part):
    """Checkpoint -> ANN -> SNN -> recording -> reports, with every choice named.

    Args:
        checkpoint: Weights.
        data: Images to run.
        converter: Conversion method.
        num_steps: T, simulated time-steps.
        snapshots: Steps at which residual statistics are kept, ascending, each in 1..T; empty for none.
        traces: Single neurons kept per site, class and snapshot for the one-neuron view.
        noise: Noise calibration and the noisy ANN; None for neither.
        training: Training or fine-tuning before the conversion; None for neither.
        adaptor: Quantizer and noise of the arms ``noise_adaptor`` and ``noise_adaptor_none``; None for its defaults.
        clipping: Activation of the arms ``clipped``, ``ecl`` and ``ttrbr``; None for its default.
        experiment: Fine-tunings that are compared; None for none.
        calibration: Draw of the images that the method calibrates on; None for the calibration split as it is.
        tournament: Methods that are compared; with it, ``converter`` and ``num_steps`` may be left out: the first of
            its methods and the largest of its T.
        attribution: One image that is explained; None for none.
        dtype: ``float32``, or ``float64`` for edge cases.
        seed: Seed of every random choice.
    """

    checkpoint: CheckpointChoice
    data: DataChoice
    converter: ConverterChoice
    num_steps: int = Field(ge=1, le=MAX_STEPS)
    snapshots: tuple[int, ...] = ()
    traces: int = Field(default=0, ge=0, le=16)
    noise: NoiseChoice | None = None
    training: TrainingChoice | None = None
    adaptor: AdaptorChoice | None = None
    clipping: ClippingChoice | None = None
    experiment: ExperimentChoice | None = None
    calibration: CalibrationChoice | None = None
    tournament: TournamentChoice | None = None
    attribution: AttributionChoice | None = None
    dtype: Literal["float32", "float64"] = "float32"
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _of_a_tournament(cls, values: Any) -> Any:
        held = values.get("tournament") if isinstance(values, dict) else None
        if not isinstance(held, dict):
            return values
        try:
            contest = TournamentChoice.model_validate(held)
        except pydantic.ValidationError as error:  # before the missing fields that it would have filled
            raise RecipeError(_first_problem(error, "tournament")) from None
        first = contest.methods[0].model_dump(mode="json", exclude_none=True)
        return {"converter": first, "num_steps": contest.steps[-1], **values}

    @field_validator("snapshots", mode="before")
    @classmethod
    def _sorted_snapshots(cls, value: Any) -> tuple[int, ...]:
        return sorted_steps(value)

    @model_validator(mode="after")
    def _steps_within_run(self) -> Self:
        for name, steps in (
            ("snapshots", self.snapshots),
            ("noise targets", self.noise.targets if self.noise else ()),
            ("tournament steps", self.tournament.steps if self.tournament else ()),
            ("attribution steps", self.attribution.steps if self.attribution else ()),
        ):
            outside = [step for step in steps if not 1 <= step <= self.num_steps]
            if outside:
                raise ValueError(f"{name} {outside} lie outside 1..{self.num_steps}, the simulated time-steps")
        return self

    @classmethod
    def parse(cls, values: Any) -> Self:
        """Build from plain values.

        Raises:
            RecipeError: One sentence naming the first field that is wrong, and why.
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise RecipeError(_first_problem(error)) from None

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Read a recipe written by ``to_yaml`` (or by hand).

        Raises:
            RecipeError: Too large, aliases, not YAML, or not a recipe.
        """
        if len(text.encode()) > MAX_YAML_BYTES:
            raise RecipeError(f"The recipe is larger than {MAX_YAML_BYTES // 1024} kB; a recipe is a page of text.")
        if max(text.count("["), text.count("{")) > MAX_YAML_BRACKETS:  # the scanner is quadratic in nesting
            raise RecipeError("The recipe is nested too deeply to be one; write lists of layers one a line.")
        try:
            if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
                raise RecipeError("The recipe uses YAML aliases (*name), which are not read; write the values out.")
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            where = "" if line is None else f" (line {line + 1})"
            raise RecipeError(f"The recipe is not valid YAML{where}.") from None
        return cls.parse(values)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a recipe file; errors as ``from_yaml``."""
        try:
            if Path(path).stat().st_size > MAX_YAML_BYTES:
                raise RecipeError(f"{path} is larger than {MAX_YAML_BYTES // 1024} kB; a recipe is a page of text.")
            return cls.from_yaml(Path(path).read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"The recipe {path} cannot be read: {error}.") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, JSON-ready, without fields left at None."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_yaml(self) -> str:
        """The recipe as YAML; ``from_yaml`` gives an equal recipe."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)

    @property
    def own_files(self) -> tuple[str, ...]:
        """Names of the user's files that it needs, without folders."""
        methods = self.tournament.methods if self.tournament else ()
        parts = (self.checkpoint, self.converter, *methods, self.training)
        codes = [part.code for part in parts if part is not None and part.code is not None]
        return tuple(dict.fromkeys(code.file for code in codes))

    def identity(self) -> dict[str, Any]:
        """What determines the numbers: the recipe without the places where its files lie."""
        values = self.to_dict()
        for part, locations in _LOCATIONS.items():
            if part in values and (values[part].get("sha256") or part == "data"):
                values[part] = {name: value for name, value in values[part].items() if name not in locations}
        return values

    @property
    def sha(self) -> str:
        """SHA-256 of ``identity`` as canonical JSON."""
        return _sha(self.identity())

    def key(self, device: str = "cpu") -> str:
        """Cache key: SHA-256 of (recipe, RESULTS_VERSION, device kind)."""
        return _sha([self.identity(), RESULTS_VERSION, device])

    def changed(self, **values: Any) -> "Recipe":
        """A copy with other values, validated anew; a nested part takes a dict of its fields.

        Raises:
            RecipeError: The new values do not make a recipe.
        """
        merged = self.to_dict()
        for name, value in values.items():
            merged[name] = {**merged.get(name, {}), **value} if isinstance(value, dict) else value
        return Recipe.parse(merged)


def _sha(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _first_problem(error: pydantic.ValidationError, *within: str) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in (*within, *problem["loc"])) or "the recipe"
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, RecipeError):
        return str(cause)
    given, limits = problem.get("input"), problem.get("ctx", {})
    sentence = _BOUNDS.get(problem["type"])
    if sentence is not None:
        return f"{where} is {given!r}; " + sentence.format(**limits)
    reason = problem["msg"].removeprefix("Value error, ")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    return f"{where}: {reason[0].lower()}{reason[1:]}{shown}."


_BOUNDS = {
    "greater_than_equal": "it must be at least {ge}.",
    "greater_than": "it must be above {gt}.",
    "less_than_equal": "it must be at most {le}.",
    "int_parsing": "it must be a whole number.",
    "int_type": "it must be a whole number.",
    "int_from_float": "it must be a whole number.",
    "finite_number": "it must be a finite number.",
    "literal_error": "it must be one of {expected}.",
    "extra_forbidden": "there is no such field in a recipe.",
    "missing": "it is missing.",
}
