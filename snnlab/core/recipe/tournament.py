"""Tournaments: conversion methods against each other."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from snnlab.core.recipe.chain import ConverterChoice
from snnlab.core.recipe.part import Part, sorted_steps


class TournamentChoice(Part):
    """Conversion methods on the same checkpoint, images and calibration data.

    Args:
        methods: Who takes part, each a name or ``{"method", "parameters"}``; one method may enter with several sets of
            parameters.
        steps: T at which all are read, ascending. A method that is converted for one T is converted anew for each.
        seeds: Calibration seeds, counted from the recipe's: which images a method calibrates on. A method without
            calibration images is run once.
        calibration_images: Images that each seed draws from the calibration split, without replacement; 0 for all in
            their own order, which leaves nothing to a second seed.
    """

    methods: tuple[ConverterChoice, ...]
    steps: tuple[int, ...]
    seeds: int = Field(default=1, ge=1, le=100)
    calibration_images: int = Field(default=256, ge=0)

    @field_validator("methods", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list of methods, such as [max_norm, opi]")
        return tuple({"method": each} if isinstance(each, str) else each for each in value)

    @field_validator("steps", mode="before")
    @classmethod
    def _sorted(cls, value: Any) -> tuple[int, ...]:
        return sorted_steps(value)

    @model_validator(mode="after")
    def _can_be_held(self) -> Self:
        if not self.methods:
            raise ValueError("a tournament needs at least one method")
        twice = [each for place, each in enumerate(self.methods) if each in self.methods[:place]]
        if twice:
            raise ValueError(f"{twice[0].method} takes part twice with the same parameters; leave one out")
        if not self.steps or self.steps[0] < 1:
            raise ValueError("steps must name at least one T, each 1 or more")
        if self.calibration_images == 1:
            raise ValueError("calibration_images is 1, and one image calibrates nothing; give at least 2, or 0 for all")
        if self.calibration_images == 0 and self.seeds > 1:
            raise ValueError(
                "with all calibration images there is nothing to draw, so there is one seed; set calibration_images"
            )
        return self
