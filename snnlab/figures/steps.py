"""The axes of charts of accuracy over time-steps."""

import math

from snnlab.figures.scene import Axis, nice_ticks


def step_axis(num_steps: int, *, log: bool = False) -> Axis:
    """Time-steps t = 1..T; logarithmic to the base 2."""
    if log:
        return Axis(0.9, num_steps * 1.12, "time-steps t", _step_ticks(num_steps, log), log=True)
    pad = max(0.04 * (num_steps - 1), 0.12)
    return Axis(1 - pad, num_steps + pad, "time-steps t", _step_ticks(num_steps, log))


def percent_axis(lowest: float, highest: float) -> Axis:
    """Accuracies in percent, from and to round numbers around two fractions."""
    low = max(0.0, math.floor((100 * lowest - 1) / 10) * 10)
    high = min(100.0, math.ceil((100 * highest + 1) / 5) * 5)
    if high - low < 10.0:
        low = max(0.0, high - 10)
    margin = 0.03 * (high - low)  # markers at 0 and 100 % are drawn whole
    low, high = float(low - margin * (low == 0)), float(high + margin)
    return Axis(low, high, "accuracy (%)", tuple((at, f"{at:g}") for at in nice_ticks(low, min(high, 100))), grid=True)


def _step_ticks(num_steps: int, log: bool) -> tuple[tuple[float, str], ...]:
    if log:
        powers = [2**i for i in range(num_steps.bit_length()) if 2**i <= num_steps]
        powers = powers[:: 2 if len(powers) > 10 else 1]
        return tuple((float(step), str(step)) for step in powers)
    if num_steps <= 10:
        return tuple((float(step), str(step)) for step in range(1, num_steps + 1))
    every = next(size for size in (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if num_steps / size <= 9)
    return ((1.0, "1"), *((float(step), str(step)) for step in range(every, num_steps + 1, every)))
