"""What all trainings of an experiment share, and how a network is read."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from snnlab.activations import switch_noise
from snnlab.analysis.accuracy import predict
from snnlab.analysis.reports import wilson_interval
from snnlab.analysis.reports.gain import CURVES
from snnlab.analysis.residual_membrane import residuals
from snnlab.calibration import NoiseProfile
from snnlab.converters.apply import convert
from snnlab.core.errors import RecipeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.core.recipe import NoiseChoice, Recipe, TrainingChoice
from snnlab.core.registry import is_quantized
from snnlab.data import ImageSplit
from snnlab.io import Checkpoint
from snnlab.runs.execute import Prepared, resolve
from snnlab.simulation import Recording, SpikingModel, simulate
from snnlab.sweeps.arms import levels_of
from snnlab.sweeps.cells import Cell
from snnlab.sweeps.places import ADAPTED, CLIPPED, CONVERTED, adaptor_of, clipping_of, experiment_of
from snnlab.sweeps.watched import LiveEpoch
from snnlab.training import Epoch, start_network
from snnlab.training.noise import LEARNED, measured_profile
from snnlab.training.start import made_noisy
from snnlab.training.tuning import adapted_network, quiet_checkpoint

VALIDATED = 1000
"""Images of ``validation`` whose accuracy is watched."""

WATCHED = 200
"""Images of ``validation`` that noisy ANN and SNN are watched on: at T = 2 about 3 % of the work of an epoch of 10,000
images; on digits 0.1 to 0.3 s beside epochs of about 1 s."""


@dataclass(frozen=True)
class Bench:
    """What all cells of an experiment share.

    Args:
        prepared: The recipe with its files opened.
        training: How every arm is trained.
        noise: The user's profile, and the images of the gap.
        train: Training images.
        fit: Images the gap is measured on.
        validation: Images whose accuracy is watched while training; None where the dataset has none.
        evaluation: Images of the result.
    """

    prepared: Prepared
    training: TrainingChoice
    noise: NoiseChoice
    train: ImageSplit
    fit: ImageSplit
    validation: ImageSplit | None
    evaluation: ImageSplit

    @property
    def recipe(self) -> Recipe:
        """The complete recipe."""
        return self.prepared.recipe

    @property
    def steps(self) -> tuple[int, ...]:
        """T at which the SNN is read; the first one is the question."""
        return experiment_of(self.recipe).steps

    @property
    def target(self) -> int:
        """T of the question."""
        return self.steps[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Sites, input first."""
        return tuple(site["name"] for site in self.prepared.checkpoint.card.sites)

    def start(self, arm: str) -> nn.Module:
        """The network that an arm starts from: with its own quantizers, or activations that take noise."""
        checkpoint = self.prepared.checkpoint
        if arm in ADAPTED:
            return adapted_network(checkpoint, adaptor_of(self.recipe, arm), self.fit)
        if arm in CLIPPED:
            clipping = clipping_of(self.recipe)
            network = start_network(checkpoint, clipping.activation, levels=clipping.levels, calibration=self.fit)
            return made_noisy(network)
        levels = levels_of(arm, self.training, self.target)
        return made_noisy(start_network(checkpoint, self.training.activation, levels=levels, calibration=self.fit))

    def convert(self, ann: nn.Module, arm: str, num_steps: int) -> SpikingModel:
        """The spiking network of an arm for T steps, by its own method where it has one."""
        method = arm if arm in CONVERTED else LEARNED
        return convert(ann, method, data=self.fit, validation=self.validation, num_steps=num_steps)

    def profile(self, network: nn.Module) -> NoiseProfile:
        """The gap of a network at the target."""
        return measured_profile(network, self.fit, self.target, paper_compat=self.noise.paper_compat)

    def base_profile(self) -> NoiseProfile:
        """The gap of the checkpoint before fine-tuning."""
        return self.profile(self.start("base"))


def open_bench(recipe: Recipe, *, progress: ProgressCallback = silent) -> Bench:
    """Open what an experiment's recipe names.

    Raises:
        RecipeError: It has no experiment, or an activation that is not loaded or does not fit the arms.
        DataError: A split of the dataset is missing or empty.
    """
    if recipe.experiment is None:
        raise RecipeError("The recipe names no experiment; give its arms, seeds and steps.")
    training = recipe.training or TrainingChoice()
    training.check_code()
    if "control_L" in recipe.experiment.arms and not is_quantized(training.activation):
        raise RecipeError(
            f"The arm control_L trains with L = T, and {training.activation} has no levels; leave it out."
        )
    prepared = resolve(recipe, progress=progress)
    noise = recipe.noise or NoiseChoice()
    validation = prepared.split("validation", VALIDATED)
    if "ecl" in recipe.experiment.arms and not len(validation):
        raise RecipeError(
            f"The arm ecl chooses its negative threshold on validation images, and {prepared.dataset.name} has none; "
            "leave it out."
        )
    return Bench(
        prepared=prepared,
        training=training,
        noise=noise,
        train=prepared.split("train"),
        fit=prepared.split(noise.split, noise.limit),
        validation=validation if len(validation) else None,
        evaluation=prepared.images(),
    )


def read_network(bench: Bench, network: nn.Module, arm: str = "base", epochs: Sequence[LiveEpoch] = ()) -> Cell:
    """A network on the images of the result: ANN, SNN at every step, its gap and its residual classes at the first."""
    images = bench.evaluation
    ann = copy.deepcopy(network).eval()
    predictions, first = _predicted(bench, ann, arm)
    inside = residuals(first)
    std = np.full((bench.training.epochs, len(bench.names)), np.nan)
    curves = np.full((bench.training.epochs, len(CURVES)), np.nan)
    for epoch in epochs:
        std[epoch.epoch - 1] = epoch.std
        watched = (epoch.loss, epoch.ann, epoch.noisy_ann, epoch.snn)
        curves[epoch.epoch - 1] = [np.nan if value is None else value for value in watched]
    return Cell(
        ann_correct=predict(ann, images) == images.labels,
        snn_correct=predictions == images.labels,
        std=std,
        gap=bench.profile(ann).relative,
        classes=inside.class_counts[:, 0],
        errors=inside.spike_errors[:, 0],
        curves=curves,
    )


def _predicted(bench: Bench, ann: nn.Module, arm: str) -> tuple[np.ndarray, Recording]:
    """Classes that the SNN gives at every step, (steps, images), and the recording that holds the first step."""
    steps, seed = bench.steps, bench.recipe.seed
    if arm in CONVERTED:  # converted for one T: each step has a network of its own
        recordings = [
            simulate(bench.convert(ann, arm, t), bench.evaluation, num_steps=t, snapshots=[t], seed=seed) for t in steps
        ]
        return np.stack([recording.predictions[-1] for recording in recordings]), recordings[0]
    snn, longest = bench.convert(ann, arm, bench.target), max(steps)
    recording = simulate(snn, bench.evaluation, num_steps=longest, snapshots=[bench.target], seed=seed)
    return recording.predictions[[t - 1 for t in steps]], recording


def watch_network(
    bench: Bench, network: nn.Module, arm: str, seed: int, epoch: Epoch, std: Sequence[float]
) -> LiveEpoch:
    """An epoch as it is shown: the noisy ANN and the SNN on a few images of ``validation``. The network stays as it is.

    The SNN is the plain conversion of all arms: ``validation`` is where some choose theirs.

    Args:
        bench: The experiment.
        network: As it stands after the epoch.
        arm: Trained arm.
        seed: Training seed.
        epoch: What training saw.
        std: Std / threshold that acted, one a site.
    """
    noisy = snn = None
    at_chance = False
    if bench.validation is not None:
        images = first_images(bench.validation, WATCHED)
        ann = copy.deepcopy(network).cpu().eval()
        recording = simulate(convert(ann, LEARNED), images, num_steps=bench.target)
        snn = float(np.mean(recording.predictions[-1] == images.labels))
        if any(std):
            right = int(np.sum(predict(switch_noise(ann, True), images) == images.labels))
            noisy = right / len(images)
            at_chance = float(wilson_interval(right, len(images))[0]) <= 1 / bench.prepared.checkpoint.card.num_classes
    return LiveEpoch(
        arm=arm,
        seed=seed,
        epoch=epoch.epoch,
        loss=epoch.loss,
        ann=epoch.validation_accuracy,
        noisy_ann=noisy,
        snn=snn,
        at_chance=at_chance,
        std=tuple(std),
        seconds=epoch.seconds,
        images=min(bench.training.images or len(bench.train), len(bench.train)),
    )


def first_images(images: ImageSplit, count: int) -> ImageSplit:
    """At most so many images of a split."""
    if len(images) <= count:
        return images
    parts = {name: getattr(images, name)[:count] for name in ("pixels", "labels", "indices")}
    return replace(images, **parts)


def tuned_checkpoint(bench: Bench, network: nn.Module, arm: str, seed: int) -> Checkpoint:
    """The fine-tuned network of one training as a checkpoint."""
    base, training = bench.prepared.checkpoint, bench.training
    clipping = clipping_of(bench.recipe) if arm in CLIPPED else None
    return quiet_checkpoint(
        base,
        network,
        activation=training.activation if clipping is None else clipping.activation,
        levels=levels_of(arm, training, bench.target) if clipping is None else clipping.levels,
        name=f"{base.card.name}-{arm}-T{bench.target}-seed{seed}",
        dataset=bench.recipe.data.dataset,
        normalization=bench.recipe.data.normalize,
        note=(
            f"Fine-tuned by snnlab from {base.card.name}: arm {arm}, T = {bench.target}, seed {seed}, "
            f"{training.epochs} epochs at learning rate {training.learning_rate:g}."
        ),
    )
