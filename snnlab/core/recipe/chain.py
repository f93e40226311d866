"""Weights, images and conversion: what every recipe names."""

from typing import Any, Self

from pydantic import Field, model_validator

from snnlab.core import registry
from snnlab.core.recipe.code import CodeChoice
from snnlab.core.recipe.part import Part, Split


class CheckpointChoice(Part):
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


class DataChoice(Part):
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


class CalibrationChoice(Part):
    """Which images of the calibration split a method calibrates on: a seeded draw without replacement.

    Args:
        images: Images drawn.
        seed: Seed of the draw.
    """

    images: int = Field(ge=2)
    seed: int = Field(default=0, ge=0)


class SiteChoice(Part):
    """What the user sets by hand at one site: ``threshold`` in activation units, ``v0`` as a fraction of it."""

    threshold: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    v0: float | None = Field(default=None, allow_inf_nan=False)


class ConverterChoice(Part):
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
