"""Fine-tuning in one call: a checkpoint and a noise profile in, a new checkpoint out."""

import copy
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
from torch import nn

from snnlab.activations import ActivationSpec, LSQNoise, describe, is_quantized
from snnlab.calibration import NoiseProfile
from snnlab.core.errors import ConversionError, RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import AdaptorChoice, TrainingChoice
from snnlab.core.registry import usual_activation
from snnlab.data import ImageSplit
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
    adaptor: Mapping[str, Any] | None = None,
    progress: ProgressCallback = silent,
    **training: Any,
) -> Checkpoint:
    """Fine-tune a checkpoint with the noise of a profile, whose std stay as they are, or with that of Noise Adaptor.

    The checkpoint stays.

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
        adaptor: Noise Adaptor instead of a profile, ``{}`` with its defaults: fields of ``AdaptorChoice``, such as
            ``bits``. Its quantizers take the place of all activations, with scales started from calibration images.
        progress: Called after every batch.
        training: Other fields of ``TrainingChoice``: ``activation``, ``levels``, ``learning_rate``, ``batch_size``,
            ``images``, ...

    Returns:
        A new checkpoint with QCFS activations, with the base's own where they are of a user's file, or with those that
        were chosen: noise is no part of what is converted.

    Raises:
        ConversionError: The profile names sites that the network has not.
        RecipeError: A field that is not valid, a profile beside an adaptor, or ``state`` holds another training.
        SimulationError: The loss is no longer a number.
    """
    name = dataset or checkpoint.card.dataset
    if name in ("digits", "mnist"):
        training.setdefault("augment", ("crop",))  # digits are not mirrored
    training.setdefault("activation", usual_activation(checkpoint.card.activation))
    if profile is not None and adaptor is not None:
        raise RecipeError("A profile and an adaptor are two kinds of noise; give one of them.")
    try:
        choice = TrainingChoice(epochs=epochs, **training)
        quantizer = None if adaptor is None else AdaptorChoice(**adaptor)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from None
    where = functools.partial(checkpoint.data, folder=folder, dataset=dataset, normalize=normalize)
    images, calibration = where("train"), where("calibration")
    choice.check_code()
    if quantizer is not None:
        network = adapted_network(checkpoint, quantizer, calibration)
    else:
        network = start_network(checkpoint, choice.activation, levels=choice.levels, calibration=calibration)
        network = made_noisy(network)
    std = {} if profile is None else profile.std_by_site()
    missing = sorted(set(std) - set(noisy_sites(network)))
    if missing:
        raise ConversionError(f"The noise names the site {missing[0]!r}, which {checkpoint.card.name} has not.")
    fitted = fit(
        network,
        Batches(images, choice.batch_size, choice.augment, seed, choice.images),
        choice,
        folder=state,
        settings={
            "checkpoint": checkpoint.card.sha256,
            "seed": seed,
            "std": std,
            "adaptor": None if quantizer is None else quantizer.model_dump(mode="json"),
            **choice.settings(),
        },
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


def adapted_network(checkpoint: Checkpoint, quantizer: AdaptorChoice, calibration: ImageSplit) -> nn.Module:
    """A checkpoint's network with the quantizers of Noise Adaptor, in training mode; errors as ``start_network``."""
    levels = 2**quantizer.bits - 1
    return start_network(checkpoint, "lsq_noise", levels=levels, calibration=calibration, **quantizer.quantizer)


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

    ``lsq_noise`` activations stay, as evaluation and conversion know no noise of theirs; the card tells of it.

    Args:
        base: Where the fine-tuning started.
        network: The trained network.
        activation: Activation that it was trained with; of ``lsq_noise`` the network itself tells.
        levels: Levels that it was trained with; None for the base's.
        name: Name of the checkpoint.
        dataset: Dataset that it was trained on.
        normalization: Its normalisation.
        note: What was done, one sentence.
    """
    card = base.card
    seen = {**card.seen, "train": "yes", "calibration": "yes"}
    if not card.foreign:
        seen |= {split: "no" for split in ("validation", "dev", "test") if split not in seen}
    network, spec = _without_noise(network, "qcfs" if activation == "nq" else activation, levels or card.levels)
    return Checkpoint.from_network(
        network,
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


def _without_noise(network: nn.Module, kind: str, levels: int | None) -> tuple[nn.Module, ActivationSpec]:
    """What is kept of a trained network, and its activation."""
    sites = noisy_sites(network)
    first = next(iter(sites.values()))
    if isinstance(first, LSQNoise):
        found = describe(first)
        assert found is not None, "an activation of ours"
        return network, found
    spec, plain = ActivationSpec(kind, levels if is_quantized(kind) else None, 1.0), copy.deepcopy(network)
    for site in sites:
        plain.set_submodule(site, spec.make())
    plain.load_state_dict({key: value for key, value in network.state_dict().items() if not key.endswith(".std")})
    return plain, spec
