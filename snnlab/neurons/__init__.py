"""Integrate-and-fire neurons: every equation once, as functions, fused kernels, and snnTorch modules."""

from snnlab.neurons.functional import group_step, if_step, signed_if_step
from snnlab.neurons.group_integrate_fire import GroupIntegrateFire
from snnlab.neurons.integrate_fire import IntegrateFire
from snnlab.neurons.signed_integrate_fire import SignedIntegrateFire
from snnlab.neurons.surrogate import atan

__all__ = [
    "GroupIntegrateFire",
    "IntegrateFire",
    "SignedIntegrateFire",
    "atan",
    "group_step",
    "if_step",
    "signed_if_step",
]
