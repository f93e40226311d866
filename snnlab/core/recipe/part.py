"""What all parts of a recipe share."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Split = Literal["train", "calibration", "validation", "dev", "test"]

Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A frozen group of choices; refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def sorted_steps(value: Any) -> tuple[int, ...]:
    """A list of time-steps, ascending, each once; for validators."""
    if not isinstance(value, list | tuple | range) or not all(type(step) is int for step in value):
        raise ValueError("must be a list of whole numbers, such as [1, 2, 4]")
    return tuple(sorted(set(value)))
