"""Training: keyed batches, resuming without a trace, and what happens when something goes wrong."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from snnlab.activations import QCFS, ActivationSpec
from snnlab.core import files
from snnlab.core.errors import CheckpointError, RecipeError, SimulationError
from snnlab.core.progress import silent
from snnlab.core.recipe import TrainingChoice
from snnlab.data import load_dataset
from snnlab.training import Batches, fit
from snnlab.training.epochs import STATE_FILE
from snnlab.training.trainer import Hooks

CHOICE = TrainingChoice(
    activation="qcfs", levels=4, epochs=3, images=48, batch_size=16, learning_rate=0.05, augment=("crop", "flip")
)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


def network():
    torch.manual_seed(0)
    spec = ActivationSpec("qcfs", 4, 4.0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), spec.make(), nn.Flatten(), nn.Linear(256, 10)
    )


def batches(digits, choice=CHOICE, seed=0):
    return Batches(digits.split("train", limit=200), choice.batch_size, choice.augment, seed, choice.images)


def same(a, b):
    return all(torch.equal(a.state_dict()[key], b.state_dict()[key]) for key in a.state_dict())


def test_batches_depend_on_seed_epoch_and_index_alone(digits):
    one, other = batches(digits), batches(digits)
    rows = one.rows(2)
    first, _ = one.batch(rows, 2, 1)
    torch.rand(5)
    other.batch(other.rows(0), 0, 0)
    again, labels = other.batch(other.rows(2), 2, 1)
    assert torch.equal(first, again)
    assert first.shape == (16, 1, 8, 8)
    assert labels.shape == (16,)
    assert not np.array_equal(one.rows(2), one.rows(3))
    assert not torch.equal(first, batches(digits, seed=1).batch(rows, 2, 1)[0])


def test_an_epoch_sees_every_image_once(digits):
    whole = Batches(digits.split("train", limit=50), 16)
    assert len(whole) == 4
    assert sorted(whole.rows(0)) == list(range(50))
    assert len(whole.batch(whole.rows(0), 0, 3)[0]) == 2


def test_without_augmentation_images_are_those_of_the_split(digits):
    images = digits.split("train", limit=20)
    plain = Batches(images, 20)
    rows = plain.rows(0)
    x, y = plain.batch(rows, 0, 0)
    torch.testing.assert_close(x, images.batch(0, 20)[torch.from_numpy(rows)])
    assert y.tolist() == images.labels[rows].tolist()


@pytest.mark.parametrize("name", ["crop", "flip", "autoaugment", "cutout"])
def test_every_augmentation_keeps_shape_and_global_random_state(name):
    colour = load_dataset("digits").split("train", limit=8)
    if name == "autoaugment":
        colour = type(colour)(
            **{**colour.__dict__, "pixels": np.repeat(colour.pixels, 3, axis=1).repeat(4, 2).repeat(4, 3)}
        )
    made = Batches(colour, 8, (name,))
    before = torch.random.get_rng_state()
    x, _ = made.batch(made.rows(0), 0, 0)
    assert x.shape[1:] == colour.image_shape
    assert torch.isfinite(x).all()
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_augmentation_and_empty_batch_are_refused(digits):
    with pytest.raises(RecipeError, match="no augmentation 'blur'"):
        Batches(digits.split("train"), 4, ("blur",))
    with pytest.raises(RecipeError, match="batch_size is 0"):
        Batches(digits.split("train"), 0)


def test_training_lowers_the_loss_and_moves_the_threshold(digits):
    start = network()
    before = float(next(m for m in start.modules() if isinstance(m, QCFS)).threshold.detach())
    fitted = fit(
        start, batches(digits), CHOICE.model_copy(update={"epochs": 30}), validation=digits.split("validation")
    )
    assert fitted.history[-1].loss < 0.7 * fitted.history[0].loss
    assert fitted.history[-1].validation_accuracy > 0.5
    after = float(next(m for m in fitted.network.modules() if isinstance(m, QCFS)).threshold.detach())
    assert after != before
    assert not fitted.network.training


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(digits, tmp_path):
    whole = fit(network(), batches(digits), CHOICE)

    class Stop(Exception):
        pass

    def stop(done, total, what):
        if done == 2 * 3 + 1:  # in the middle of the third epoch
            raise Stop

    with pytest.raises(Stop):
        fit(network(), batches(digits), CHOICE, folder=tmp_path, progress=stop)
    seen = []
    resumed = fit(network(), batches(digits), CHOICE, folder=tmp_path, progress=lambda d, t, w: seen.append(d))

    assert min(seen) == 7, "two epochs were kept"
    assert same(whole.network, resumed.network)
    assert [e.loss for e in whole.history] == [e.loss for e in resumed.history]


def test_another_recipe_is_not_continued(digits, tmp_path):
    fit(network(), batches(digits), CHOICE, folder=tmp_path)
    with pytest.raises(RecipeError, match="learning_rate, levels differ"):
        fit(
            network(),
            batches(digits),
            CHOICE.model_copy(update={"learning_rate": 0.5, "levels": 8}),
            folder=tmp_path,
        )


def test_a_full_disk_leaves_the_epoch_before(digits, tmp_path, monkeypatch):
    def full(path, data):
        if len(list(tmp_path.iterdir())):
            raise OSError(28, "No space left on device")
        files.write_atomically(path, data)

    monkeypatch.setattr("snnlab.training.epochs.write_atomically", full)
    with pytest.raises(CheckpointError, match=r"No space left on device; free some space.*after epoch 1"):
        fit(network(), batches(digits), CHOICE, folder=tmp_path)
    monkeypatch.undo()
    resumed = fit(network(), batches(digits), CHOICE, folder=tmp_path)
    assert same(resumed.network, fit(network(), batches(digits), CHOICE).network)


def test_a_damaged_state_is_named(digits, tmp_path):
    (tmp_path / STATE_FILE).write_bytes(b"not safetensors")
    with pytest.raises(CheckpointError, match="is damaged"):
        fit(network(), batches(digits), CHOICE, folder=tmp_path)


def test_a_loss_that_is_no_number_stops(digits):
    broken = network()
    with torch.no_grad():
        broken[0].weight.fill_(float("nan"))
    with pytest.raises(SimulationError, match="loss is nan in epoch 1, batch 1"):
        fit(broken, batches(digits), CHOICE)


def test_early_stop_and_averaged_weights(digits):
    still = CHOICE.model_copy(update={"epochs": 8, "learning_rate": 1e-9, "patience": 2, "average": 0.9})
    fitted = fit(network(), batches(digits), still, validation=digits.split("validation"))
    assert fitted.stopped_early
    assert len(fitted.history) == 3


def test_hooks_see_epochs_and_batches(digits):
    seen = []
    hooks = Hooks(
        before=lambda network, epoch: {"site": float(epoch)},
        during=lambda epoch, batch: seen.append((epoch, batch)),
        after=lambda epoch: seen.append(epoch.std),
    )
    fit(network(), batches(digits), CHOICE.model_copy(update={"epochs": 1}), hooks=hooks, progress=silent)
    assert seen == [(0, 0), (0, 1), (0, 2), {"site": 0.0}]


def test_the_starting_network_stays_the_caller_s(digits):
    start = network()
    kept = copy.deepcopy(start.state_dict())
    fitted = fit(copy.deepcopy(start), batches(digits), CHOICE)
    assert all(torch.equal(kept[key], start.state_dict()[key]) for key in kept)
    assert not same(start, fitted.network)
