"""Integrate-and-fire neurons: every equation once, as functions, fused kernels, and snnTorch modules."""

from snnlab.neurons.functional import group_step, if_step, offset_start, residual_mask, signed_if_step
from snnlab.neurons.group_integrate_fire import GroupIntegrateFire
from snnlab.neurons.integrate_fire import IntegrateFire
from snnlab.neurons.signed_integrate_fire import SignedIntegrateFire
from snnlab.neurons.surrogate import atan
from snnlab.neurons.warm_up import MaskedIntegrateFire, OffsetIntegrateFire, WarmUpIntegrateFire

__all__ = [
    "GroupIntegrateFire",
    "IntegrateFire",
    "MaskedIntegrateFire",
    "OffsetIntegrateFire",
    "SignedIntegrateFire",
    "WarmUpIntegrateFire",
    "atan",
    "group_step",
    "if_step",
    "offset_start",
    "residual_mask",
    "signed_if_step",
]
