"""Activations an ANN can have at a site: ReLU, clipped ReLU, QCFS, those of the user's files, each with noise."""

from snnlab.activations.base import Activation
from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.nq import NQ, GaussianNoise, switch_noise, with_noise
from snnlab.activations.qcfs import QCFS
from snnlab.activations.spec import ActivationSpec, describe, is_activation
from snnlab.core.registry import is_quantized

__all__ = [
    "NQ",
    "QCFS",
    "Activation",
    "ActivationSpec",
    "ClippedReLU",
    "GaussianNoise",
    "describe",
    "is_activation",
    "is_quantized",
    "switch_noise",
    "with_noise",
]
