"""Which parts of one image speak for a class."""

from typing import Any, Literal

from pydantic import Field, field_validator

from snnlab.core.recipe.part import Part, sorted_steps

AttributionMethod = Literal["ig", "saliency", "input_x_gradient", "occlusion", "gradcam", "deeplift"]
Baseline = Literal["black", "mean", "white"]
MOST_STEPS = 5


class AttributionChoice(Part):
    """One image, the class it is explained for, and how.

    The recipe's ``data.split`` names the split of the image; its ``limit`` is not used.

    Args:
        method: ``ig`` (Integrated Gradients), ``saliency``, ``input_x_gradient``, ``occlusion``, ``gradcam`` or
            ``deeplift``.
        image: Index in the split.
        picture: File of an own picture, instead of an image of the split; a location, not part of the key.
        sha256: Hash of that file.
        target: A class, or ``ann``, ``snn`` (what they predict, the SNN at the largest T) or ``true`` (the label).
        steps: T at which the SNN is explained, at most 5, each in 1..num_steps; empty for ``(num_steps,)``.
        baseline: The image without evidence: all pixels ``black``, ``white``, or of the ``mean`` colour, which is 0
            after normalisation.
        integration_steps: Points on the path of Integrated Gradients.
    """

    method: AttributionMethod = "ig"
    image: int = Field(default=0, ge=0)
    picture: str | None = None
    sha256: str | None = None
    target: int | Literal["ann", "snn", "true"] = "ann"
    steps: tuple[int, ...] = Field(default=(), max_length=MOST_STEPS)
    baseline: Baseline = "black"
    integration_steps: int = Field(default=50, ge=2, le=1000)

    @field_validator("steps", mode="before")
    @classmethod
    def _sorted_steps(cls, value: Any) -> tuple[int, ...]:
        return sorted_steps(value)
