"""Activations at a site: ReLU, clipped ReLU, QCFS, Noise Adaptor's quantizer, those of the user's files; and noise."""

from snnlab.activations.base import Activation
from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.keyed import KeyedNoise, switch_noise
from snnlab.activations.lsq_noise import LSQNoise
from snnlab.activations.nq import NQ, GaussianNoise, with_noise
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
    "KeyedNoise",
    "LSQNoise",
    "describe",
    "is_activation",
    "is_quantized",
    "switch_noise",
    "with_noise",
]
