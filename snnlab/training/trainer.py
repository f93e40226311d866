"""The training loop: SGD with a cosine, one epoch after the other, kept after each."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from snnlab.core.errors import RecipeError, SimulationError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import TrainingChoice
from snnlab.data import ImageSplit
from snnlab.training.batches import Batches
from snnlab.training.devices import Share, in_step, opened
from snnlab.training.epochs import Epoch, State, momentum_of, restore_momentum
from snnlab.training.layout import training_layout

_EVALUATED = 256  # images a batch of the validation


@dataclass
class Hooks:
    """What acts between epochs.

    Args:
        before: Called with network and epoch (from 0) before each; returns the noise std by site that will act.
        during: Called with epoch and batch (from 0) before each batch, so that noise can be keyed by them.
        after: Called with what is known of each finished epoch.
    """

    before: Callable[[nn.Module, int], dict[str, float]] = field(default=lambda network, epoch: {})
    during: Callable[[int, int], None] = field(default=lambda epoch, batch: None)
    after: Callable[[Epoch], None] = field(default=lambda epoch: None)


@dataclass(frozen=True)
class Fitted:
    """A finished training.

    Args:
        network: The trained network, in evaluation mode, on the CPU.
        history: Every epoch.
        stopped_early: Whether validation accuracy had stopped to rise before the last planned epoch.
    """

    network: nn.Module
    history: tuple[Epoch, ...]
    stopped_early: bool = False


def fit(
    network: nn.Module,
    batches: Batches,
    choice: TrainingChoice,
    *,
    validation: ImageSplit | None = None,
    folder: Path | None = None,
    settings: dict[str, Any] | None = None,
    hooks: Hooks | None = None,
    device: str = "cpu",
    devices: int = 1,
    progress: ProgressCallback = silent,
) -> Fitted:
    r"""Train ``network`` in place.

    .. math:: \eta_s = \tfrac12 \eta_0 (1 + \cos(\pi s / S))

    with s the optimizer step of S. Weight decay acts on all parameters, thresholds and batch-norm included [Bu2022].

    Args:
        network: Network to train.
        batches: Training images in their order.
        choice: Epochs, rates and whatever else was chosen.
        validation: Images whose accuracy is watched, and on which ``patience`` decides; none or empty for neither.
        folder: Where the state is kept after every epoch and found again; None keeps nothing.
        settings: What a state in ``folder`` must have been made with; None for ``choice`` alone.
        hooks: Noise and observers.
        device: ``"cpu"``, or ``"cuda"`` with bfloat16 where it does no harm.
        devices: Processes or GPUs that share each batch; the result is that of one up to the order of float sums. The
            others run the same script up to here, and only the first one writes, calls ``hooks.after`` and goes on.
        progress: Called after every batch; cancels by raising ``Cancelled``, and the last whole epoch is kept.

    Raises:
        SimulationError: The loss is no longer a number; says in which epoch. Or this machine has not the device.
        CheckpointError: The state cannot be written or read.
        RecipeError: The state in ``folder`` belongs to other settings, ``patience`` has no images to decide on, or
            there are fewer devices.
    """
    watched = validation if validation is not None and len(validation) else None
    if choice.patience is not None and watched is None:
        raise RecipeError(
            f"patience = {choice.patience} stops by the accuracy on validation, and there are no validation images; "
            "leave patience out, or use a dataset that is large enough for that split."
        )
    fabric = opened(device, devices)
    acts = hooks or Hooks()
    wanted = settings if settings is not None else choice.settings()
    layout = training_layout(network)
    network = network.to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        network.parameters(), choice.learning_rate, momentum=choice.momentum, weight_decay=choice.weight_decay
    )
    state = State.load(folder, wanted) if folder is not None else None
    history: list[Epoch] = []
    average: dict[str, Tensor] = {}
    if state is not None:
        network.load_state_dict(state.network)
        history = list(state.history)
    wrapped, stepping = fabric.setup(network, optimizer)
    if state is not None:
        restore_momentum(optimizer, network, state.momentum)  # where the parameters are now
        average = {name: value.to(fabric.device) for name, value in state.average.items()}
    stopped = _has_stopped(history, choice)
    for epoch in range(len(history), 0 if stopped else choice.epochs):
        started = time.perf_counter()
        std = acts.before(network, epoch)
        with in_step(network, fabric) as share:
            loss, accuracy, rate = _epoch(
                fabric, share, layout, wrapped, stepping, batches, choice, epoch, acts, average, progress
            )
        correct = None
        if watched is not None:
            # One process counts, so that all of them stop together.
            counted = _accuracy(fabric, _averaged(network, average), watched) if fabric.is_global_zero else None
            correct = fabric.broadcast(counted)
        seconds = time.perf_counter() - started
        history.append(Epoch(epoch + 1, loss, accuracy, correct, rate, std, seconds))
        if fabric.is_global_zero:
            if folder is not None:
                momentum = momentum_of(optimizer, network)
                State(network.state_dict(), momentum, average, tuple(history), wanted).save(folder)
            acts.after(history[-1])
        stopped = _has_stopped(history, choice)
        if stopped:
            break
    return Fitted(_averaged(network, average).cpu().eval(), tuple(history), stopped and len(history) < choice.epochs)


def _epoch(
    fabric: Any,
    share: Share,
    layout: torch.memory_format,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: Batches,
    choice: TrainingChoice,
    epoch: int,
    hooks: Hooks,
    average: dict[str, Tensor],
    progress: ProgressCallback,
) -> tuple[float, float, float]:
    """Mean loss, share of right images, last learning rate."""
    network.train()
    rows, total = batches.rows(epoch), choice.epochs * len(batches)
    sums = torch.zeros(2)
    rate = choice.learning_rate
    for index in range(len(batches)):
        hooks.during(epoch, index)
        x, y = batches.batch(rows, epoch, index)
        share.images = len(y)
        x, y = share.of(x), share.of(y)
        x, y = fabric.to_device((x.to(memory_format=layout), y))
        step = epoch * len(batches) + index
        rate = 0.5 * choice.learning_rate * (1 + math.cos(math.pi * step / total))
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = network(x).float()
        loss = (
            nn.functional.cross_entropy(logits, y, label_smoothing=choice.label_smoothing) if len(y) else logits.sum()
        )
        optimizer.zero_grad(set_to_none=True)
        # Gradients are averaged over processes: each counts as its part of the batch, which is 1 for one process.
        fabric.backward(loss * (len(y) * share.world / share.images))
        optimizer.step()
        _average(average, network, choice.average)
        right = (logits.detach().argmax(1) == y).sum()
        told = fabric.all_reduce(torch.stack([loss.detach() * len(y), right.float()]), reduce_op="sum").cpu()
        value = float(told[0]) / share.images
        if not math.isfinite(value):
            raise SimulationError(
                f"The training loss is {value} in epoch {epoch + 1}, batch {index + 1}; lower the learning rate or the "
                "noise."
            )
        sums += told
        progress(step + 1, total, f"batches, epoch {epoch + 1} of {choice.epochs}")
    return float(sums[0]) / batches.images_per_epoch, float(sums[1]) / batches.images_per_epoch, rate


def _accuracy(fabric: Any, network: nn.Module, images: ImageSplit) -> float:
    """Share of images that the network gets right in evaluation mode."""
    network.eval()
    right = 0
    with torch.inference_mode():
        for start in range(0, len(images), _EVALUATED):
            stop = min(start + _EVALUATED, len(images))
            predicted = network(fabric.to_device(images.batch(start, stop))).argmax(1).cpu()
            right += int((predicted == torch.from_numpy(images.labels[start:stop])).sum())
    return right / len(images)


def _average(average: dict[str, Tensor], network: nn.Module, decay: float | None) -> None:
    """Exponential moving average of the weights, kept beside them."""
    if decay is None:
        return
    for name, value in network.state_dict().items():
        new = value.detach()
        if name not in average or not new.is_floating_point():
            average[name] = new.clone()
        else:
            average[name].mul_(decay).add_(new, alpha=1 - decay)


def _averaged(network: nn.Module, average: dict[str, Tensor]) -> nn.Module:
    """The network itself, or a copy with the averaged weights."""
    if not average:
        return network
    import copy

    copied = copy.deepcopy(network)
    copied.load_state_dict(average)
    return copied


def _has_stopped(history: list[Epoch], choice: TrainingChoice) -> bool:
    """Whether validation accuracy has not risen for ``patience`` epochs."""
    seen = [epoch.validation_accuracy for epoch in history if epoch.validation_accuracy is not None]
    if choice.patience is None or len(seen) <= choice.patience:
        return False
    return max(seen[-choice.patience :]) <= max(seen[: -choice.patience])
