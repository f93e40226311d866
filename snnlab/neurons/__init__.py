"""Integrate-and-fire neurons: every equation once, as functions, fused kernels, and snnTorch modules."""

from snnlab.neurons.functional import if_step
from snnlab.neurons.integrate_fire import IntegrateFire
from snnlab.neurons.surrogate import atan

__all__ = ["IntegrateFire", "atan", "if_step"]
