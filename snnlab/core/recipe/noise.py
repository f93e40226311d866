"""The noise that stands for the conversion error."""

from typing import Any

from pydantic import Field, field_validator

from snnlab.core.recipe.part import Factor, Part, Split, sorted_steps


class NoiseChoice(Part):
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
    multipliers: dict[str, Factor] = Field(default_factory=dict)
    std: dict[str, Factor] | None = None

    @field_validator("targets", mode="before")
    @classmethod
    def _sorted_targets(cls, value: Any) -> tuple[int, ...]:
        return sorted_steps(value)
