"""A site: one activation of the ANN and the neuron that replaces it."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class ActivationStatistics:
    """What a calibration pass measured at one site.

    Args:
        maximum: Largest activation, () or (channels,), activation units.
        quantiles: Exact quantiles, percentile -> () or (channels,), activation units.
        num_images: Images measured.
        num_elements: Activations measured per entry of ``maximum``.
        measured: What the calibration of a user's file found, () or (channels,); None without one.
    """

    maximum: np.ndarray
    quantiles: dict[float, np.ndarray] = field(default_factory=dict)
    num_images: int = 0
    num_elements: int = 0
    measured: np.ndarray | None = None


@dataclass(frozen=True)
class Site:
    """One activation of the source ANN.

    Args:
        name: Dotted module name (``layer2.0.act1``).
        index: Position in the network, input first, from 0.
        activation: ``"relu"``, ``"clipped_relu"``, ``"qcfs"``, ``"nq"``, ``"lsq_noise"``, or one from a user's file;
            ``"identity"`` behind the last layer, where a method lets the output spike.
        threshold: Learned clipping threshold in activation units; None for ReLU.
        levels: Quantization levels L; None where the activation is not quantized.
        shape: Shape of one image's activation, (channels, ...) ; empty until measured.
        statistics: Calibration statistics, where the converter asked for them.
    """

    name: str
    index: int
    activation: str
    threshold: float | None = None
    levels: int | None = None
    shape: tuple[int, ...] = ()
    statistics: ActivationStatistics | None = None

    @property
    def is_output(self) -> bool:
        """Whether it stands behind the last layer, so that the prediction is read from spike counts."""
        return self.activation == "identity"


@dataclass(frozen=True)
class NeuronSpec:
    """What a converter decides for one site; the simulation layer builds the neuron from it.

    Numbers are scalars, (channels,), or shaped like one image's activation.

    Args:
        threshold: Firing threshold and worth of a spike, activation units; of a group, its first member's.
        initial_fraction: v(0) / threshold, any value.
        model: ``"integrate_fire"``, ``"signed_integrate_fire"``, ``"group_integrate_fire"``, or, where a warm-up
            decides for every image and neuron, ``"masked_integrate_fire"`` (whether its spikes go out) or
            ``"offset_integrate_fire"`` (its v(0)).
        fires_at_equality: Fire on ``>=`` (True, as the floor in QCFS requires) or on ``>``.
        added_fraction: Constant current added at every step / threshold; None for none.
        reference_fraction: The nominal v(0) / threshold, from which the ideal spike count starts, where the method
            corrects v(0) or adds a current: so the target does not move with the correction. None for
            ``initial_fraction``.
        negative_fraction: Of a signed neuron, negative threshold / threshold, 0 or below.
        negative_at_equality: Of a signed neuron, negative spike on ``<=`` (True) or on ``<``.
        gated: Of a signed neuron, negative spikes only where the count is positive.
        members: Of a group, how many spikes a step can bring.
        output_fraction: What a spike is worth to the next layer / threshold; None for 1. The reset takes the threshold.
        warm_up_steps: Of a neuron with a warm-up, its steps.
        margin_fraction: Of a neuron with a warm-up, potential / threshold that counts as beyond rounding.
    """

    threshold: float | np.ndarray
    initial_fraction: float | np.ndarray = 0.0
    model: str = "integrate_fire"
    fires_at_equality: bool = True
    added_fraction: float | np.ndarray | None = None
    reference_fraction: float | np.ndarray | None = None
    negative_fraction: float | np.ndarray = 0.0
    negative_at_equality: bool = True
    gated: bool = True
    members: int = 1
    output_fraction: float | np.ndarray | None = None
    warm_up_steps: int = 4
    margin_fraction: float | np.ndarray = 1e-3
