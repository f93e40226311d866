"""Base of the activations that a user's file brings."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from snnlab.core.errors import RecipeError
from snnlab.core.registry import MethodCard

NOISE_NAMES = ("std", "noise", "seed", "drawn", "reseed", "part", "draw", "images_of", "noise_is_on")
"""What the noise of a training calls its own in the module that it acts in."""


class Activation(nn.Module, ABC):
    """An activation with a learnable threshold, which a neuron can replace: its values lie in [0, threshold].

    Subclasses give ``card``, of kind ``"activation"``, and write ``forward``; with ``needs=("levels",)`` they are
    quantized. An ``__init__`` of their own takes the same two arguments.

    Args:
        threshold: Start value of the threshold, positive, activation units.
        levels: Quantization levels L, at least 1; None where the activation is not quantized.
    """

    card: ClassVar[MethodCard]

    def __init__(self, threshold: float = 8.0, levels: int | None = None) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(float(threshold)))
        self.levels = levels

    @abstractmethod
    def forward(self, z: Tensor) -> Tensor:
        """The activation of ``z``, any shape, element by element, activation units."""

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return "" if self.levels is None else f"levels={self.levels}"


def check_class(cls: type[Activation]) -> None:
    """Try an activation before it is registered.

    Raises:
        RecipeError: It cannot stand at a site; says why and what to do.
    """
    name, card = cls.__name__, cls.card
    if card.parameters or set(card.needs) - {"levels"}:
        raise RecipeError(
            f"The card of {name} lists parameters, or needs other than 'levels'; an activation has threshold and "
            "levels alone, so write other constants into its class."
        )
    levels = 4 if "levels" in card.needs else None
    module = cls(2.0, levels).eval()
    threshold = getattr(module, "threshold", None)
    if not isinstance(threshold, nn.Parameter) or threshold.shape != () or float(threshold.detach()) != 2.0:
        raise RecipeError(
            f"{name}(2.0, {levels}) has no threshold of 2.0; let it be one nn.Parameter, which super().__init__ makes."
        )
    z = torch.linspace(-4.0, 8.0, 97).reshape(97, 1)
    a = module(z)
    if not isinstance(a, Tensor) or a.shape != z.shape or not bool(torch.isfinite(a).all()):
        raise RecipeError(
            f"{name}.forward does not give a finite number for each of its input; it must keep the shape."
        )
    if taken := [other for other in NOISE_NAMES if hasattr(module, other)]:  # forward may have set one
        raise RecipeError(f"{name}.{taken[0]} is where snnlab keeps the noise of a training; give yours another name.")
    low, high = float(a.detach().min()) + 0.0, float(a.detach().max()) + 0.0  # 0 instead of -0
    if low < 0 or high > 2.0 * (1 + 1e-5):
        raise RecipeError(
            f"{name} with threshold 2 gives values from {low:g} to {high:g}; a neuron can only give 0 to the threshold."
        )
