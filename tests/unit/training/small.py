"""A small noisy network and its training, for tests that start processes of their own."""

from pathlib import Path

import torch
from torch import nn

from snnlab.activations import ActivationSpec
from snnlab.core.recipe import TrainingChoice
from snnlab.data import load_dataset
from snnlab.training import Batches, fit
from snnlab.training.noise import Frozen, noise_hooks

STD = {"2": 0.2, "5": 0.3}
CHOICE = TrainingChoice(epochs=2, images=49, batch_size=16, learning_rate=0.05, average=0.9)
"""The last batch of an epoch has one image: one of two processes then has none."""


def network():
    torch.manual_seed(0)
    spec = ActivationSpec("nq", 4, 4.0)
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), spec.make()),
        *(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), spec.make()),
        *(nn.Flatten(), nn.Linear(256, 10)),
    )


def trained(**on):
    digits = load_dataset("digits")
    images = digits.split("train", limit=200)
    on["folder"] = Path(on["folder"]) if on.get("folder") else None
    batches = Batches(images, CHOICE.batch_size, ("crop",), 0, CHOICE.images)
    hooks = noise_hooks(Frozen(STD), seed=0)
    return fit(network(), batches, CHOICE, validation=digits.split("validation"), hooks=hooks, **on)
