"""Train the CIFAR-10 network that comes with snnlab: ResNet-20 with QCFS activations, L = 4, from random weights.

    python scripts/train_cifar.py DATA STATE [--epochs 20] [--architecture resnet20-A]

Goes on where it was stopped; STATE keeps the weights of the last whole epoch. One thread takes about five minutes an
epoch. Final weights, no selection; accuracy on ``validation`` is only watched. ``resnet20-A-pre_act`` is the base of
what is recorded of pre-activation blocks.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import torch

from snnlab.activations import ActivationSpec
from snnlab.core.recipe import TrainingChoice
from snnlab.data import load_dataset
from snnlab.io import Checkpoint
from snnlab.models import named_architecture
from snnlab.training.batches import Batches
from snnlab.training.epochs import Epoch
from snnlab.training.start import FIRST_THRESHOLD, new_network
from snnlab.training.trainer import Hooks, fit

LEVELS, SEED = 4, 0


def main() -> None:
    """Train, then write the checkpoint beside the state."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("state", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--architecture", default="resnet20-A")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cifar = load_dataset("cifar10", options.data)
    choice = TrainingChoice(
        activation="qcfs",
        levels=LEVELS,
        architecture=options.architecture,
        epochs=options.epochs,
        batch_size=100,
        learning_rate=0.1,
        augment=("crop", "flip"),
    )
    architecture, activation = (
        named_architecture(options.architecture, 10),
        ActivationSpec("qcfs", LEVELS, FIRST_THRESHOLD),
    )
    network = new_network(architecture, activation, seed=SEED)
    batches = Batches(cifar.split("train"), choice.batch_size, choice.augment, SEED)
    validation = cifar.split("validation", limit=1000)

    def tell(epoch: Epoch) -> None:
        print(asdict(epoch), flush=True)

    fitted = fit(
        network,
        batches,
        choice,
        validation=validation,
        folder=options.state,
        hooks=Hooks(after=tell),
        device=options.device,
    )
    name = f"cifar10-{options.architecture.replace('resnet20-A', 'resnet20')}-qcfs-L{LEVELS}"
    Checkpoint.from_network(
        fitted.network,
        architecture,
        activation,
        name=name,
        dataset="cifar10",
        normalization="cifar10",
        licence="MIT",
        seen={"train": "yes", "calibration": "yes", "validation": "no", "dev": "no", "test": "no"},
    ).save(options.state / f"{name}.safetensors")


if __name__ == "__main__":
    main()
