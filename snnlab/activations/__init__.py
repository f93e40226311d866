"""Activations an ANN can have at a site: ReLU, clipped ReLU, QCFS."""

from snnlab.activations.clipped_relu import ClippedReLU
from snnlab.activations.qcfs import QCFS
from snnlab.activations.spec import ActivationSpec, describe, is_activation

__all__ = ["QCFS", "ActivationSpec", "ClippedReLU", "describe", "is_activation"]
