"""The error budget: where the difference between SNN and ANN comes from, at every site, exactly."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from snnlab.analysis.budget_terms import BudgetStatistics, Target, collect, ideal_counts
from snnlab.analysis.reports.budget import CHANNEL_QUANTITIES, QUANTITIES, ErrorBudget
from snnlab.calibration.beside import AnnBeside
from snnlab.core.errors import SimulationError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.neurons import IntegrateFire
from snnlab.neurons.kernels import States
from snnlab.simulation.engine import simulate
from snnlab.simulation.images import ImageSource, as_images
from snnlab.simulation.recording import Recording
from snnlab.simulation.spiking_model import SpikingModel


def error_budget(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    num_steps: int,
    snapshots: Sequence[int] = (),
    dtype: torch.dtype = torch.float32,
    micro_batch: int | None = None,
    progress: ProgressCallback = silent,
) -> ErrorBudget:
    """Split SNN minus ANN at every site into uneven, quantization, clipping, activation and propagated error.

    One simulation and one pass of the ANN a micro-batch, which propagate their own activations. What a method does to
    reach its target does not move the target: the ideal count starts from the nominal v(0), without added current, and
    spikes that are withheld count as not fired. Weights that a method changed act on z: their effect is propagated.

    Args:
        snn: The converted network.
        ann: The network it was converted from; both are left alone, and its noise, if it has any, is off.
        data: Images, normalised.
        num_steps: T.
        snapshots: Steps t at which the budget is made, beside T.
        dtype: Of convolutions and sums between sites; activations and potentials are float64 in any case, so that no
            rounding at a level's edge turns into an error.
        micro_batch: Images at once; None fits them to the cache.
        progress: Called with images done and in all; cancels by raising ``Cancelled``.

    Raises:
        SimulationError: T below 1, a snapshot outside 1..T, or an identity violated beyond rounding: the five terms do
            not add up to the error counted from spikes, or a charge does not pay for its ideal count; names the site.
        ConversionError: The two networks have different sites.

    Example:
        >>> import snnlab as sl
        >>> ckpt = sl.example("digits-vgg-qcfs-L8")
        >>> ann, images = ckpt.build(), ckpt.data("dev", limit=16)
        >>> budget = sl.analysis.error_budget(sl.convert(ann, "qcfs"), ann, images, num_steps=8)
        >>> bool(abs(budget.values("resolution", 8)).max() < 1e-6)  # T = L
        True
    """
    found, _, _ = budget_of(
        snn, ann, data, num_steps=num_steps, snapshots=snapshots, dtype=dtype, micro_batch=micro_batch,
        progress=progress,
    )  # fmt: skip
    return found


def budget_of(
    snn: SpikingModel,
    ann: nn.Module,
    data: "ImageSource | Tensor | Sequence[Tensor]",
    *,
    num_steps: int,
    snapshots: Sequence[int] = (),
    dtype: torch.dtype = torch.float32,
    micro_batch: int | None = None,
    progress: ProgressCallback = silent,
) -> tuple[ErrorBudget, Recording, np.ndarray]:
    """As ``error_budget``; with the recording, which keeps no residuals, and the ANN's classes, (images,)."""
    images = as_images(data)
    steps = tuple(sorted({*snapshots, num_steps}))
    beside = AnnBeside(ann, snn, images, dtype)
    neurons, shapes = snn.sites, dict[str, tuple[int, ...]]()
    targets, found = dict[str, Target](), dict[str, BudgetStatistics]()

    def observe(name: str, states: States, start: int) -> None:
        if name not in beside.activations:
            return
        count, shape = states.spikes.shape[1], states.spikes.shape[2:]
        if name not in found:
            shapes[name], targets[name] = shape, target_of(neurons[name], shape)
            found[name] = BudgetStatistics.empty(len(steps), shape[0])
        z, activation = beside.at(name, start, start + count)
        flat = States(*(in_memory_order(part, 2) for part in states))
        found[name].merge(_measured(flat, z, activation, beside.activations[name], targets[name], steps, shape))

    recording = simulate(
        snn,
        images,
        num_steps=num_steps,
        dtype=dtype,
        membrane_dtype=torch.float64,
        micro_batch=micro_batch,
        states_at=steps,
        observe_states=observe,
        progress=progress,
    )
    for name, statistics in found.items():
        _check(name, statistics, steps)
    moments = np.stack([each.moments() for each in found.values()])
    kept = [QUANTITIES.index(name) for name in CHANNEL_QUANTITIES]
    worst = np.stack([each.worst for each in found.values()])
    report = ErrorBudget(
        names=beside.names,
        shapes=tuple(shapes[name] for name in beside.names),
        thresholds=np.array([float(neurons[name].threshold.double().mean()) for name in beside.names]),
        levels=beside.levels,
        steps=steps,
        mean=moments[:, :, 0],
        mean_absolute=moments[:, :, 1],
        mean_square=moments[:, :, 2],
        image_std=np.stack([each.image_std() for each in found.values()]),
        classes=np.stack([each.classes.sum(axis=-1) for each in found.values()]),
        spike_errors=np.stack([each.spike_errors for each in found.values()]),
        channel_mean=np.concatenate(
            [each.channel_mean()[..., kept].astype(np.float32) for each in found.values()], axis=1
        ),
        sum_error=worst[..., 0],
        sum_ratio=worst[..., 1],
        ideal_error=worst[..., 2],
        ideal_ratio=worst[..., 3],
        charge_error=np.array([recording.sites[name].statistics.identity[0] for name in beside.names]),
        images=len(images),
        split=images.name,
        method=snn.method,
        changed_weights=snn.changed_weights,
    )
    return report, recording, torch.cat(beside.predictions).numpy()


def target_of(neuron: IntegrateFire, shape: tuple[int, ...]) -> Target:
    """What a site is to reach: by the nominal v(0), without what the method adds at every step.

    Args:
        neuron: What stands there.
        shape: Of one image's activation.
    """
    worth = neuron.output_fraction

    def flat(value: Tensor) -> np.ndarray:
        return in_memory_order(value.detach().double().expand(shape).numpy(), 0)

    added = neuron.added_current
    return Target(
        threshold=flat(neuron.threshold),
        worth=flat(neuron.threshold if worth is None else neuron.threshold * worth),
        reference=flat(neuron.reference_membrane),
        added=np.zeros(int(np.prod(shape))) if added is None else flat(added),
        most=neuron.most_spikes,
    )


def in_memory_order(values: np.ndarray, leading: int) -> np.ndarray:
    """(..., channels, height, width) or (..., neurons) as (..., P), channels last.

    Args:
        values: Leading axes, then those of one image's activation.
        leading: Number of the former.
    """
    last = np.moveaxis(values, leading, -1) if values.ndim > leading + 1 else values
    return np.ascontiguousarray(last).reshape(*values.shape[:leading], -1)


def _measured(
    states: States,
    z: Tensor,
    activation: Tensor,
    module: nn.Module,
    target: Target,
    steps: tuple[int, ...],
    shape: tuple[int, ...],
) -> BudgetStatistics:
    mean_input = states.charge / np.reshape(steps, (-1, 1, 1))
    if target.added.any():
        mean_input -= target.added
    with torch.inference_mode():
        last = torch.from_numpy(mean_input).reshape(-1, *shape[1:], shape[0]).movedim(-1, 1)
        wanted = in_memory_order(module(last).numpy(), 1).reshape(mean_input.shape)
    ideal = [ideal_counts(states.spikes[s], states.residual[s], target, t) for s, t in enumerate(steps)]
    own, reached = (in_memory_order(values.numpy(), 1) for values in (z, activation))
    return collect(states, ideal, mean_input, wanted, own, reached, target, steps=steps, channels=shape[0])


def _check(name: str, statistics: BudgetStatistics, steps: tuple[int, ...]) -> None:
    for worst, step in zip(statistics.worst, steps, strict=True):
        if worst[1] > 1:
            raise SimulationError(
                f"{name}: at t = {step} the terms of the error budget miss the error counted from spikes by "
                f"{worst[0]:.3g} thresholds, more than rounding allows; report this network."
            )
        if worst[3] > 1:
            raise SimulationError(
                f"{name}: at t = {step} an ideal spike count leaves {worst[2]:.3g} thresholds more or less than its "
                "range, more than rounding allows; report this network."
            )
