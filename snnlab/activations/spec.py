"""Which activation a network has, as data, and back."""

import math
from dataclasses import dataclass
from typing import Any

from torch import nn

from snnlab.activations.base import Activation
from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.lsq_noise import LSQNoise, bits_of
from snnlab.activations.nq import NQ, GaussianNoise, NoisyReLU
from snnlab.activations.qcfs import QCFS
from snnlab.core.errors import ConversionError
from snnlab.core.registry import is_quantized, method_class

LSQ_FIELDS = ("noise_mode", "noise_amp", "noise_prob", "gradient_scale")
"""Fields that only ``lsq_noise`` has."""


@dataclass(frozen=True)
class ActivationSpec:
    """An activation as data.

    Args:
        kind: ``"relu"``, ``"clipped_relu"``, ``"qcfs"``, ``"nq"``, ``"lsq_noise"``, or one from a user's file.
        levels: Quantization levels L, where it is quantized; for ``lsq_noise`` p = 2^b - 1.
        threshold: Start value of the learnable threshold, activation units; for ``lsq_noise`` s p.
        std: Std of the noise, for NQ, activation units.
        noise_mode: For ``lsq_noise``, like the fields that follow; see ``LSQNoise``.
        noise_amp: Amplitude of its noise, in units of s.
        noise_prob: Share of elements with noise.
        gradient_scale: Scale of the gradient of s.
    """

    kind: str = "relu"
    levels: int | None = None
    threshold: float = 8.0
    std: float = 0.0
    noise_mode: str = "pre_round"
    noise_amp: float = 0.5
    noise_prob: float = 1.0
    gradient_scale: str = "batch"

    @property
    def quantizer(self) -> dict[str, Any]:
        """The fields that only ``lsq_noise`` has; empty for the others."""
        return {name: getattr(self, name) for name in LSQ_FIELDS} if self.kind == "lsq_noise" else {}

    def make(self) -> nn.Module:
        """A new activation module.

        Raises:
            ConversionError: A quantized kind without levels, a std that is negative or not a number, or settings that
                ``LSQNoise`` does not take.
            RecipeError: An unknown kind, or one whose file is not loaded.
        """
        if self.kind == "relu":
            return nn.ReLU()
        if self.kind == "clipped_relu":
            return ClippedReLU(self.threshold)
        if self.kind == "lsq_noise":
            bits = None if self.levels is None else bits_of(self.levels)
            if bits is None:
                raise ConversionError(
                    f"An lsq_noise activation of b bits has 2^b - 1 levels, b from 1 to 8; levels is {self.levels}."
                )
            return LSQNoise(self.threshold / (2**bits - 1), bits, **self.quantizer)
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
    known = QCFS | ClippedReLU | LSQNoise | GaussianNoise | Activation
    return isinstance(module, known) or type(module) in (nn.ReLU, nn.ReLU6)


def describe(module: nn.Module) -> ActivationSpec | None:
    """The activation that ``module`` is, with its learned threshold; None when it is no activation of ours."""
    if isinstance(module, Activation):
        levels = module.levels if is_quantized(module.card.name) else None
        return ActivationSpec(module.card.name, levels, float(module.threshold.detach()))
    if isinstance(module, LSQNoise):
        # In double, where s p is exact: divided by p again it gives s bitwise.
        threshold = float(module.scale.detach()) * module.levels
        fields = {name: getattr(module, name) for name in LSQ_FIELDS}
        return ActivationSpec("lsq_noise", module.levels, threshold, **fields)
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
