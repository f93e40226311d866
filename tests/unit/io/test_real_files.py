"""Files that others published; skipped where $SNNLAB_TEST_DATA is not set."""

import os
from pathlib import Path

import pytest
import torch

from snnlab.data import load_dataset
from snnlab.data.normalization import PRESETS
from snnlab.io import candidates, load_checkpoint

torch.set_num_threads(1)

FOLDER = os.environ.get("SNNLAB_TEST_DATA", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SNNLAB_TEST_DATA names no folder of real checkpoints")

SINABS = [
    *[{"conv": [20, 5], "bias": False}, "relu", {"avgpool": 2}],
    *[{"conv": [32, 5], "bias": False}, "relu", {"avgpool": 2}],
    *[{"conv": [128, 3], "bias": False}, "relu", {"avgpool": 2}],
    *["flatten", {"linear": 500, "bias": False}, "relu", {"linear": 10, "bias": False}],
]


def right(name, dataset, preset, limit, architecture=None):
    checkpoint = load_checkpoint(Path(FOLDER, "checkpoints", name), architecture=architecture)
    images = load_dataset(dataset, FOLDER).split("test", limit=limit)
    with torch.inference_mode():
        logits = checkpoint.build()(images.images(0, limit, PRESETS[preset]))
    return checkpoint.card, float((logits.argmax(1) == torch.as_tensor(images.labels)).float().mean())


def test_akamaster_resnet20():
    card, accuracy = right("akamaster_relu_cifar10/resnet20-12fca82f.th", "cifar10", "imagenet", 200)
    assert (card.architecture_name, card.source, len(card.sites)) == ("resnet20-A", "akamaster", 19)
    assert card.parameters == 269_722
    assert accuracy > 0.87


def test_akamaster_resnet56():
    card = load_checkpoint(Path(FOLDER, "checkpoints/akamaster_relu_cifar10/resnet56-4bfd9763.th")).card
    assert (card.architecture_name, len(card.sites)) == ("resnet56-A", 55)


def test_distiller_resnet20_with_its_normalisation_and_without():
    name = "distiller_relu_cifar10/distiller_resnet20_dense.pth.tar"
    card, accuracy = right(name, "cifar10", "half", 200)
    assert (card.architecture_name, card.source) == ("resnet20-B", "option_b")
    assert accuracy > 0.87
    assert right(name, "cifar10", "imagenet", 200)[1] < 0.75


def test_sinabs_mnist_declared_and_among_the_candidates():
    name = "sinabs_mnist/mnist_params.pt"
    card, accuracy = right(name, "mnist", "unit", 500, SINABS)
    assert accuracy > 0.96
    assert candidates(Path(FOLDER, "checkpoints", name))[0] == card.architecture
