"""Integrate-and-fire neurons: every equation once, as functions, fused kernels, and snnTorch modules."""

from snnlab.neurons.functional import group_step, if_step, offset_start, residual_mask, signed_if_step
from snnlab.neurons.group_integrate_fire import GroupIntegrateFire
from snnlab.neurons.integrate_fire import IntegrateFire
from snnlab.neurons.running_max_pool import MAX_POOLS, RunningMaxPool, pooled_over_time
from snnlab.neurons.signed_integrate_fire import SignedIntegrateFire
from snnlab.neurons.surrogate import atan
from snnlab.neurons.warm_up import MaskedIntegrateFire, OffsetIntegrateFire, WarmUpIntegrateFire

__all__ = [
    "MAX_POOLS",
    "GroupIntegrateFire",
    "IntegrateFire",
    "MaskedIntegrateFire",
    "OffsetIntegrateFire",
    "RunningMaxPool",
    "SignedIntegrateFire",
    "WarmUpIntegrateFire",
    "atan",
    "group_step",
    "if_step",
    "offset_start",
    "pooled_over_time",
    "residual_mask",
    "signed_if_step",
]
