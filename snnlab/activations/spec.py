"""Which activation a network has, as data, and back."""

from dataclasses import dataclass

from torch import nn

from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.qcfs import QCFS
from snnlab.core.errors import ConversionError


@dataclass(frozen=True)
class ActivationSpec:
    """An activation as data.

    Args:
        kind: ``"relu"``, ``"clipped_relu"`` or ``"qcfs"``.
        levels: Quantization levels L, for QCFS.
        threshold: Start value of the learnable threshold, activation units.
    """

    kind: str = "relu"
    levels: int | None = None
    threshold: float = 8.0

    def make(self) -> nn.Module:
        """A new activation module.

        Raises:
            ConversionError: An unknown kind, or QCFS without levels.
        """
        if self.kind == "relu":
            return nn.ReLU()
        if self.kind == "clipped_relu":
            return ClippedReLU(self.threshold)
        if self.kind == "qcfs":
            if self.levels is None or self.levels < 1:
                raise ConversionError("A QCFS activation needs its quantization levels L, at least 1.")
            return QCFS(self.threshold, self.levels)
        raise ConversionError(f"There is no activation {self.kind!r}; known are relu, clipped_relu, qcfs.")


def is_activation(module: nn.Module) -> bool:
    """Whether ``module`` is an activation that a neuron can replace."""
    return isinstance(module, QCFS | ClippedReLU) or type(module) in (nn.ReLU, nn.ReLU6)


def describe(module: nn.Module) -> ActivationSpec | None:
    """The activation that ``module`` is, with its learned threshold; None when it is no activation of ours."""
    if isinstance(module, QCFS):
        return ActivationSpec("qcfs", module.levels, float(module.threshold.detach()))
    if isinstance(module, ClippedReLU):
        return ActivationSpec("clipped_relu", None, float(module.threshold.detach()))
    if type(module) is nn.ReLU:
        return ActivationSpec("relu")
    if type(module) is nn.ReLU6:
        return ActivationSpec("clipped_relu", None, 6.0)
    return None
