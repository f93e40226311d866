"""Fine-tuning in one call: a checkpoint and a noise profile in, a new checkpoint out."""

import copy
import functools
from pathlib import Path
from typing import Any

import pydantic
from torch import nn

from snnlab.activations import ActivationSpec, is_quantized
from snnlab.calibration import NoiseProfile
from snnlab.core.errors import ConversionError, RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import TrainingChoice
from snnlab.io import Checkpoint
from snnlab.training.batches import Batches
from snnlab.training.noise import Frozen, noise_hooks, noisy_sites
from snnlab.training.start import made_noisy, start_network
from snnlab.training.trainer import fit


def fine_tune(
    checkpoint: Checkpoint,
    profile: NoiseProfile | None = None,
    *,
    epochs: int = 12,
    seed: int = 0,
    folder: str | Path | None = None,
    dataset: str | None = None,
    normalize: str | None = None,
    state: Path | None = None,
    progress: ProgressCallback = silent,
    **training: Any,
) -> Checkpoint:
    """Fine-tune a checkpoint with the noise of a profile, whose std stay as they are. The checkpoint stays.

    For a comparison with its controls, and for std that are measured anew after every epoch (NQ), run an experiment:
    ``snnlab.sweeps.noise_experiment``.

    Args:
        checkpoint: Where it starts.
        profile: Std by site; None, or ``profile.scaled(0)``, for the same fine-tuning without noise.
        epochs: Epochs.
        seed: Seed of batches and noise: equal seeds see equal batches, whatever the noise.
        folder: Where the dataset lies; None for the bundled one.
        dataset: Its name; None for the checkpoint's own.
        normalize: Preset or ``"m1,m2,m3/s1,s2,s3"``; None for the checkpoint's own.
        state: Folder that keeps every epoch, from which a stopped training goes on; None keeps nothing.
        progress: Called after every batch.
        training: Other fields of ``TrainingChoice``: ``activation``, ``levels``, ``learning_rate``, ``batch_size``,
            ``images``, ...

    Returns:
        A new checkpoint with QCFS activations, or those that were chosen: noise is no part of what is converted.

    Raises:
        ConversionError: The profile names sites that the network has not.
        RecipeError: A training field that is not valid, or ``state`` holds another training.
        SimulationError: The loss is no longer a number.
    """
    name = dataset or checkpoint.card.dataset
    if name in ("digits", "mnist"):
        training.setdefault("augment", ("crop",))  # digits are not mirrored
    try:
        choice = TrainingChoice(epochs=epochs, **training)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    where = functools.partial(checkpoint.data, folder=folder, dataset=dataset, normalize=normalize)
    images, calibration = where("train"), where("calibration")
    choice.check_code()
    network = made_noisy(start_network(checkpoint, choice.activation, levels=choice.levels, calibration=calibration))
    std = {} if profile is None else profile.std_by_site()
    missing = sorted(set(std) - set(noisy_sites(network)))
    if missing:
        raise ConversionError(f"The noise names the site {missing[0]!r}, which {checkpoint.card.name} has not.")
    fitted = fit(
        network,
        Batches(images, choice.batch_size, choice.augment, seed, choice.images),
        choice,
        folder=state,
        settings={"checkpoint": checkpoint.card.sha256, "seed": seed, "std": std, **choice.settings()},
        hooks=noise_hooks(Frozen(std) if std else None, seed=seed),
        progress=progress,
    )
    return quiet_checkpoint(
        checkpoint,
        fitted.network,
        activation=choice.activation,
        levels=choice.levels,
        name=f"{checkpoint.card.name}-tuned-seed{seed}",
        dataset=images.dataset,
        normalization=normalize or checkpoint.card.normalization,
        note=f"Fine-tuned by snnlab from {checkpoint.card.name}, {epochs} epochs, seed {seed}.",
    )


def quiet_checkpoint(
    base: Checkpoint,
    network: nn.Module,
    *,
    activation: str,
    levels: int | None,
    name: str,
    dataset: str,
    normalization: str | None,
    note: str,
) -> Checkpoint:
    """A fine-tuned network as a checkpoint without noise, QCFS where it was ``nq``, with the lineage of its base.

    Args:
        base: Where the fine-tuning started.
        network: The trained network.
        activation: Activation that it was trained with.
        levels: Levels that it was trained with; None for the base's.
        name: Name of the checkpoint.
        dataset: Dataset that it was trained on.
        normalization: Its normalisation.
        note: What was done, one sentence.
    """
    card = base.card
    sites = noisy_sites(network)
    kind = "qcfs" if activation == "nq" else activation
    levels = (levels or card.levels) if is_quantized(kind) else None
    seen = {**card.seen, "train": "yes", "calibration": "yes"}
    if not card.foreign:
        seen |= {split: "no" for split in ("validation", "dev", "test") if split not in seen}
    spec, plain = ActivationSpec(kind, levels, 1.0), copy.deepcopy(network)
    for site in sites:
        plain.set_submodule(site, spec.make())
    plain.load_state_dict({key: value for key, value in network.state_dict().items() if not key.endswith(".std")})
    return Checkpoint.from_network(
        plain,
        card.architecture,
        spec,
        name=name,
        dataset=dataset,
        normalization=normalization,
        licence=card.licence,
        seen=seen,
        foreign=card.foreign,
        origin_sha256=card.origin_sha256 or card.sha256,
        notes=(note,),
    )
