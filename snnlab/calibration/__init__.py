"""Calibration: statistics and corrections measured on calibration images."""

from snnlab.calibration.thresholds import measure_activations

__all__ = ["measure_activations"]
