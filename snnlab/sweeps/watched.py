"""What an experiment has seen so far, epoch by epoch, while it runs and after it was stopped. Imports without torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snnlab.core.files import write_atomically
from snnlab.core.recipe import Recipe, TrainingChoice
from snnlab.sweeps.places import CONVERTED, cell_folder, trainings_of

EPOCHS_FILE = "epochs.json"
NETWORK_FILE = "network.safetensors"


@dataclass(frozen=True)
class LiveEpoch:
    """One finished epoch of one training.

    Accuracies are fractions of watched ``validation`` images: they show, and never choose.

    Args:
        arm: Trained arm.
        seed: Training seed.
        epoch: Number, from 1.
        loss: Mean training loss.
        ann: ANN without noise; None without validation images.
        noisy_ann: ANN with the noise of this epoch; None for the arms without noise.
        snn: SNN at T of the question.
        at_chance: The noisy ANN cannot be told from guessing: such noise destroys the network.
        std: Std / threshold that acted, one a site, input first.
        seconds: Wall time of the epoch, without what is watched.
        images: Training images of the epoch.
    """

    arm: str
    seed: int
    epoch: int
    loss: float
    ann: float | None
    noisy_ann: float | None
    snn: float | None
    at_chance: bool
    std: tuple[float, ...]
    seconds: float
    images: int

    @property
    def rms(self) -> float:
        """Root mean square over the sites of std / threshold."""
        return float(np.sqrt(np.mean(np.square(self.std)))) if self.std else 0.0


@dataclass(frozen=True)
class LiveExperiment:
    """How far an experiment is.

    Args:
        epochs: Every finished epoch, arms in their order, seed by seed; one of weights that arms share comes once.
        finished: (trained arm, seed) of every training that is done and read with all its conversions.
        unread: (arm, seed) of every arm whose numbers are still to be read, those to be trained included.
        trainings: Number of trainings.
        epochs_each: Epochs of each.
    """

    epochs: tuple[LiveEpoch, ...]
    finished: tuple[tuple[str, int], ...]
    unread: tuple[tuple[str, int], ...]
    trainings: int
    epochs_each: int

    @property
    def done(self) -> int:
        """Finished epochs of all trainings."""
        return len(self.epochs)

    @property
    def total(self) -> int:
        """Epochs of all trainings."""
        return self.trainings * self.epochs_each

    @property
    def last(self) -> LiveEpoch | None:
        """The newest epoch of the training that runs or was stopped, else the last one of all."""
        open_ones = [epoch for epoch in self.epochs if (epoch.arm, epoch.seed) not in self.finished]
        shown = open_ones or self.epochs
        return shown[-1] if shown else None

    def of(self, arm: str, seed: int) -> tuple[LiveEpoch, ...]:
        """Epochs of one training, by its trained arm."""
        return tuple(epoch for epoch in self.epochs if (epoch.arm, epoch.seed) == (arm, seed))


def live(recipe: Recipe, folder: Path | None = None) -> LiveExperiment:
    """What is known of an experiment now; reads a few small files.

    Args:
        recipe: Complete, as runs hold it, with ``experiment``.
        folder: The folder the experiment was given; None for its own.
    """
    trainings, epochs, finished, unread = trainings_of(recipe), [], [], []
    for (trained, seed), arms in trainings.items():
        place = cell_folder(recipe, trained, seed, folder)
        epochs += read_epochs(place)
        missing = [(arm, seed) for arm in arms if not cell_file(place, arm).exists()]
        unread += missing
        if not missing:
            finished.append((trained, seed))
    each = (recipe.training or TrainingChoice()).epochs
    return LiveExperiment(tuple(epochs), tuple(finished), tuple(unread), len(trainings), each)


def cell_file(place: Path, arm: str) -> Path:
    """What an arm leaves behind in its training's folder; a conversion of its own has a file of its own."""
    return place / (f"cell-{arm}.npz" if arm in CONVERTED else "cell.npz")


def read_epochs(place: Path) -> list[LiveEpoch]:
    """Epochs kept in a training's folder; none where there is no file, or none that can be read."""
    try:
        rows = json.loads((place / EPOCHS_FILE).read_text())
        return [LiveEpoch(**{**row, "std": tuple(row["std"])}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def add_epoch(place: Path, epoch: LiveEpoch) -> None:
    """Keep an epoch; one of the same number, and later ones, are of a training that began anew, and go.

    Raises:
        OSError: The folder cannot be written.
    """
    rows: list[dict[str, Any]] = [asdict(row) for row in read_epochs(place) if row.epoch < epoch.epoch]
    place.mkdir(parents=True, exist_ok=True)
    write_atomically(place / EPOCHS_FILE, json.dumps([*rows, asdict(epoch)]).encode())


def tuned_file(recipe: Recipe, arm: str, seed: int, folder: Path | None = None) -> Path | None:
    """The fine-tuned checkpoint that an arm is read off; None where it is not, or no longer, kept."""
    path = cell_folder(recipe, arm, seed, folder) / NETWORK_FILE
    return path if path.is_file() else None
