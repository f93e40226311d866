"""Which activation a network has, as data, and back."""

import math
from dataclasses import dataclass

from torch import nn

from snnlab.activations.base import Activation
from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.nq import NQ, GaussianNoise, NoisyReLU
from snnlab.activations.qcfs import QCFS
from snnlab.core.errors import ConversionError
from snnlab.core.registry import is_quantized, method_class


@dataclass(frozen=True)
class ActivationSpec:
    """An activation as data.

    Args:
        kind: ``"relu"``, ``"clipped_relu"``, ``"qcfs"``, ``"nq"``, or the name of one from a user's file.
        levels: Quantization levels L, where it is quantized.
        threshold: Start value of the learnable threshold, activation units.
        std: Std of the noise, for NQ, activation units.
    """

    kind: str = "relu"
    levels: int | None = None
    threshold: float = 8.0
    std: float = 0.0

    def make(self) -> nn.Module:
        """A new activation module.

        Raises:
            ConversionError: A quantized kind without levels, or a std that is negative or not a number.
            RecipeError: An unknown kind, or one whose file is not loaded.
        """
        if self.kind == "relu":
            return nn.ReLU()
        if self.kind == "clipped_relu":
            return ClippedReLU(self.threshold)
        if is_quantized(self.kind):
            if self.levels is None or self.levels < 1:
                raise ConversionError(f"A {self.kind.upper()} activation needs its quantization levels L, at least 1.")
            if not (math.isfinite(self.std) and self.std >= 0):
                raise ConversionError(f"The std {self.std:g} of the noise must be a finite number, 0 or more.")
            if self.kind == "nq":
                return NQ(self.threshold, self.levels, self.std)
            if self.kind == "qcfs":
                return QCFS(self.threshold, self.levels)
        made: nn.Module = method_class(self.kind, "activation")(self.threshold, self.levels)
        return made


def is_activation(module: nn.Module) -> bool:
    """Whether ``module`` is an activation that a neuron can replace."""
    return isinstance(module, QCFS | ClippedReLU | GaussianNoise | Activation) or type(module) in (nn.ReLU, nn.ReLU6)


def describe(module: nn.Module) -> ActivationSpec | None:
    """The activation that ``module`` is, with its learned threshold; None when it is no activation of ours."""
    if isinstance(module, Activation):
        levels = module.levels if is_quantized(module.card.name) else None
        return ActivationSpec(module.card.name, levels, float(module.threshold.detach()))
    if isinstance(module, NQ):
        return ActivationSpec("nq", module.levels, float(module.threshold.detach()), float(module.std))
    if isinstance(module, QCFS):
        return ActivationSpec("qcfs", module.levels, float(module.threshold.detach()))
    if isinstance(module, ClippedReLU):
        return ActivationSpec("clipped_relu", None, float(module.threshold.detach()))
    if type(module) in (nn.ReLU, NoisyReLU):
        return ActivationSpec("relu")
    if type(module) is nn.ReLU6:
        return ActivationSpec("clipped_relu", None, 6.0)
    return None
