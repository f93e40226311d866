"""The Recipe: every choice behind a result, validated, serialisable, hashable. One object for app, CLI and library."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from snnlab.core import registry
from snnlab.core.errors import RecipeError

RESULTS_VERSION = 2
"""Raised with every change of numbers, so that no cache serves what CORRECTIONS has taken back."""

MAX_STEPS = 4096
MAX_YAML_BYTES = 256 * 1024
MAX_YAML_BRACKETS = 1000

Split = Literal["train", "calibration", "validation", "dev", "test"]
_LOCATIONS = {"checkpoint": {"source"}, "data": {"folder"}}  # where things lie is not what they are


_Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeChoice(_Part):
    """The user's file that brings a method, so that no cache mixes two versions of it.

    Args:
        method: The method (or activation) it is said of.
        file: Its name, without the folder.
        sha256: Hash of its content.
    """

    method: str
    file: str
    sha256: str

    @model_validator(mode="after")
    def _names_a_file(self) -> Self:
        # Lines for copying quote it as the file to load: it must not lead elsewhere.
        if not self.file or Path(self.file).name != self.file or not self.file.isprintable():
            raise ValueError(f"file is {self.file[:80]!r}; give the name of a Python file without its folder")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 is {self.sha256[:80]!r}; give 64 hexadecimal digits")
        return self

    @classmethod
    def of(cls, name: str, kind: registry.Kind) -> Self | None:
        """The file that brings a method here; None for snnlab's own.

        Raises:
            RecipeError: There is no such method.
        """
        source = registry.source_of(name, kind)
        if source is None:
            return None
        if not registry.is_loaded(name, source, kind):
            what = "activation" if kind == "activation" else "method"
            raise RecipeError(f"The {what} {name!r} is of {source.file}, which is not loaded; add --load FILE.")
        return cls(method=name, file=source.file, sha256=source.sha256)

    def is_loaded(self, kind: registry.Kind) -> bool:
        """Whether exactly this file brings the method here."""
        return registry.is_loaded(self.method, registry.Source(self.file, self.sha256), kind)

    def is_elsewhere(self, kind: registry.Kind, parameters: Mapping[str, Any]) -> bool:
        """Whether this very file is not loaded here, so that what the recipe says of the method is shown as it is."""
        if self.is_loaded(kind):
            return False
        registry.remember(self.method, parameters, registry.Source(self.file, self.sha256), kind)
        return True

    def check(self, kind: registry.Kind) -> None:
        """Refuse to run a method whose file is not loaded as the recipe names it.

        Raises:
            RecipeError: It is not loaded, another version of it is, or snnlab has its own of that name.
        """
        if self.is_loaded(kind):
            return
        what = "activation" if kind == "activation" else "method"
        now = registry.source_of(self.method, kind)
        if now is None:
            raise RecipeError(
                f"This recipe was made with the {what} {self.method!r} of {self.file}, and snnlab now has its own "
                f"of that name; rename the file's {what} and make the recipe anew."
            )
        if registry.is_loaded(self.method, now, kind) and now.sha256 != self.sha256:
            raise RecipeError(
                f"This recipe was made with {self.file} of SHA-256 {self.sha256[:12]}, and the loaded one "
                f"has {now.sha256[:12]}; load that version, or start snnlab again and make the recipe anew."
            )
        raise RecipeError(
            f"The {what} {self.method!r} is of {self.file} (SHA-256 {self.sha256[:12]}), which is not "
            "loaded; add --load FILE."
        )


class CheckpointChoice(_Part):
    """Which weights, and what was declared about them because the file cannot tell.

    Args:
        source: Bundled name or path; a location, not part of the key once ``sha256`` is known.
        sha256: Hash of the file.
        architecture: Declared architecture name or layer list; None when the file tells.
        levels: Declared quantization levels L; None when the file tells or the source is not quantized.
        code: Of an activation from a user's file, which file; filled in when the weights are opened.
    """

    source: str
    sha256: str | None = None
    architecture: str | list[Any] | dict[str, Any] | None = None
    levels: int | None = Field(default=None, ge=1, le=256)
    code: CodeChoice | None = None


class DataChoice(_Part):
    """Which images.

    Args:
        dataset: ``digits``, ``mnist``, ``cifar10``, ``cifar100`` or ``npz``.
        folder: Folder (or ``.npz`` file) that holds them; a location, not part of the key.
        split: Named split; a foreign checkpoint's ``dev`` is drawn from the test file.
        limit: First images of the split; None for all.
        normalize: Preset name or ``"m1,m2,m3/s1,s2,s3"``; None for the checkpoint's own.
        sha256: Hash of an ``.npz`` file; None for the named datasets.
    """

    dataset: str
    folder: str | None = None
    split: Split = "dev"
    limit: int | None = Field(default=None, ge=1)
    normalize: str | None = None
    sha256: str | None = None


class SiteChoice(_Part):
    """What the user sets by hand at one site: ``threshold`` in activation units, ``v0`` as a fraction of it."""

    threshold: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    v0: float | None = Field(default=None, allow_inf_nan=False)


class ConverterChoice(_Part):
    """Which method, its parameters, and edits by hand.

    Args:
        method: Name.
        parameters: Hyper-parameters; the method's defaults fill what is missing.
        sites: Edits by hand.
        code: Of a method from a user's file, which file; filled in where it is loaded. A recipe that names a file that
            is not loaded, or another version of it, can be read and shown, and is refused when it is run.
    """

    method: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    sites: dict[str, SiteChoice] = Field(default_factory=dict)
    code: CodeChoice | None = None

    @model_validator(mode="after")
    def _parameters_fit_the_method(self) -> Self:
        put = object.__setattr__  # the class is frozen for its users
        named = self.code if self.code is not None and self.code.method == self.method else None
        if named is not None and named.is_elsewhere("converter", self.parameters):
            return self  # made elsewhere or earlier: its parameters are its own business
        code = CodeChoice.of(self.method, "converter")
        put(self, "parameters", registry.card(self.method).check(self.parameters))
        put(self, "code", code)
        return self

    @property
    def runs_here(self) -> bool:
        """Whether the method is snnlab's own, or exactly the file that the recipe names is loaded."""
        return self.code is None or self.code.is_loaded("converter")

    def check_code(self) -> None:
        """Refuse to run a method whose file is not loaded as the recipe names it; errors as ``CodeChoice.check``."""
        if self.code is not None:
            self.code.check("converter")


class NoiseChoice(_Part):
    """The noise that stands for the conversion error in the ANN, and how the noisy ANN is evaluated.

    The recipe's ``data`` are the images of all accuracies; the images of the std are named here.

    Args:
        split: Images from which the std of the gap is measured.
        limit: First images of that split; None for all.
        targets: T at which the noisy ANN is evaluated, each in 1..num_steps; empty for ``(num_steps,)``.
        seeds: Noise seeds averaged.
        paper_compat: Mean of batch variances as in the official code, instead of the pooled variance.
        scale: Factor on every site's std.
        multipliers: Site -> factor on its measured std; 1 where none is given.
        std: Site -> std in activation units, drawn by hand; replaces measured std and multipliers.
    """

    split: Split = "calibration"
    limit: int | None = Field(default=None, ge=1)
    targets: tuple[int, ...] = ()
    seeds: int = Field(default=8, ge=1, le=64)
    paper_compat: bool = False
    scale: float = Field(default=1.0, ge=0, le=100, allow_inf_nan=False)
    multipliers: dict[str, _Factor] = Field(default_factory=dict)
    std: dict[str, _Factor] | None = None

    @field_validator("targets", mode="before")
    @classmethod
    def _sorted_targets(cls, value: Any) -> tuple[int, ...]:
        return _sorted_steps(value)


class TrainingChoice(_Part):
    """How a network is trained or fine-tuned.

    Args:
        activation: Activation of the trained network: ``qcfs``, ``nq`` (the same for a training with noise, which any
            activation gets), or one of the user's files.
        code: Of an activation from a user's file, which file; as ``ConverterChoice.code``.
        levels: Quantization levels L; None keeps those of the checkpoint.
        architecture: Network trained from random weights; None fine-tunes the recipe's checkpoint.
        epochs: Epochs.
        images: Training images an epoch, a new random part each time; None for all.
        batch_size: Images a batch.
        learning_rate: At the start; a cosine takes it to 0.
        momentum: Of SGD.
        weight_decay: On all parameters, thresholds and batch-norm included.
        label_smoothing: Share of the target spread over all classes.
        augment: Augmentations: crop, flip, autoaugment, cutout.
        average: Decay of an exponential moving average of the weights; None for none.
        patience: Epochs without a better validation accuracy after which training stops; None for never.
        noise: ``none``; ``re_estimate``: multipliers times the std measured anew after every epoch (NQ where all are
            1); ``freeze``: the std of the recipe's noise profile throughout.
    """

    activation: str = "nq"
    code: CodeChoice | None = None
    levels: int | None = Field(default=None, ge=1, le=256)
    architecture: str | dict[str, Any] | None = None
    epochs: int = Field(default=3, ge=1, le=10_000)
    images: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=100, ge=1, le=65_536)
    learning_rate: float = Field(default=0.01, gt=0, le=10, allow_inf_nan=False)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0, le=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    augment: tuple[Literal["crop", "flip", "autoaugment", "cutout"], ...] = ("crop", "flip")
    average: float | None = Field(default=None, gt=0, lt=1)
    patience: int | None = Field(default=None, ge=1)
    noise: Literal["none", "re_estimate", "freeze"] = "none"

    @model_validator(mode="after")
    def _activation_is_known(self) -> Self:
        named = self.code if self.code is not None and self.code.method == self.activation else None
        if named is not None and named.is_elsewhere("activation", {}):
            return self
        if self.activation in registry.ACTIVATIONS and self.activation not in ("qcfs", "nq"):
            raise RecipeError(f"A network is not trained with {self.activation} here; choose nq, or one of yours.")
        code = None if self.activation in registry.ACTIVATIONS else CodeChoice.of(self.activation, "activation")
        object.__setattr__(self, "code", code)  # the class is frozen for its users
        return self

    def settings(self) -> dict[str, Any]:
        """Plain values, as kept trainings name them: without ``code`` where there is none."""
        values = self.model_dump(mode="json")
        return {name: value for name, value in values.items() if name != "code" or value is not None}

    def check_code(self) -> None:
        """Refuse to train with an activation whose file is not loaded; errors as ``CodeChoice.check``."""
        if self.code is not None:
            self.code.check("activation")


class AdaptorChoice(_Part):
    """The quantizer that the arms ``noise_adaptor`` and ``noise_adaptor_none`` put in place of the activations.

    Args:
        bits: b; p = 2^b - 1 levels.
        noise_mode: ``pre_round`` rounds at random, ``additive`` replaces the rounding, ``none`` only rounds; of the arm
            ``noise_adaptor``, as the other one has none.
        noise_amp: Amplitude of the uniform noise, in units of the learned scale s.
        noise_prob: Share of elements with noise.
        gradient_scale: The gradient of s is scaled by 1 / sqrt(B p) (``batch``) or 1 / sqrt(numel p) (``numel``).
    """

    bits: int = Field(default=2, ge=1, le=8)
    noise_mode: Literal["pre_round", "additive", "none"] = "pre_round"
    noise_amp: float = Field(default=0.5, ge=0, allow_inf_nan=False)
    noise_prob: float = Field(default=1.0, ge=0, le=1)
    gradient_scale: Literal["batch", "numel"] = "batch"

    @property
    def quantizer(self) -> dict[str, Any]:
        """The fields beside ``bits``."""
        return self.model_dump(mode="json", exclude={"bits"})


Arm = Literal[
    "control",
    "control_L",
    "nq",
    "half_nq",
    "double_nq",
    "uniform",
    "reversed",
    "profile",
    "noise_adaptor_none",
    "noise_adaptor",
]


class ExperimentChoice(_Part):
    """Fine-tunings of one checkpoint that differ in their noise alone, on the same seeds, batches and schedule.

    Args:
        arms: What is compared: ``control`` has no noise, ``control_L`` none and L = T, ``nq`` the std measured anew
            after every epoch, ``half_nq`` and ``double_nq`` that times 1/2 and 2, ``uniform`` the same std / threshold
            everywhere at equal root mean square, ``reversed`` its values from last site to first, ``profile`` the
            recipe's own. ``noise_adaptor`` and ``noise_adaptor_none`` have another quantizer, with and without its
            noise: they differ from each other in noise alone, and from ``control`` in the quantizer too.
        seeds: Number of training seeds, counted from the recipe's.
        steps: T at which the SNN is read; the first one is the question, the others are exploratory.
    """

    arms: tuple[Arm, ...] = ("control", "control_L", "nq", "uniform")
    seeds: int = Field(default=5, ge=1, le=100)
    steps: tuple[int, ...] = (2,)

    @model_validator(mode="after")
    def _has_a_control(self) -> Self:
        if "control" not in self.arms:
            raise ValueError("an experiment needs the arm control: fine-tuning alone helps, so no gain is told without")
        if len(set(self.arms)) != len(self.arms):
            raise ValueError("an arm is named twice")
        if not self.steps or min(self.steps) < 1:
            raise ValueError("steps must name at least one T, each 1 or more")
        return self


class Recipe(_Part):
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
        experiment: Fine-tunings that are compared; None for none.
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
    experiment: ExperimentChoice | None = None
    dtype: Literal["float32", "float64"] = "float32"
    seed: int = Field(default=0, ge=0)

    @field_validator("snapshots", mode="before")
    @classmethod
    def _sorted_snapshots(cls, value: Any) -> tuple[int, ...]:
        return _sorted_steps(value)

    @model_validator(mode="after")
    def _steps_within_run(self) -> Self:
        for name, steps in (("snapshots", self.snapshots), ("noise targets", self.noise.targets if self.noise else ())):
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
        parts = (self.checkpoint, self.converter, self.training)
        codes = [part.code for part in parts if part is not None and part.code is not None]
        return tuple(dict.fromkeys(code.file for code in codes))

    def identity(self) -> dict[str, Any]:
        """What determines the numbers: the recipe without the places where its files lie."""
        values = self.to_dict()
        for part, locations in _LOCATIONS.items():
            if values[part].get("sha256") or part == "data":
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


def _sorted_steps(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list | tuple | range) or not all(type(step) is int for step in value):
        raise ValueError("must be a list of whole numbers, such as [1, 2, 4]")
    return tuple(sorted(set(value)))


def _sha(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _first_problem(error: pydantic.ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "the recipe"
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
