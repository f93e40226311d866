"""Fine-tuning in one call."""

import pytest
import torch

import snnlab as sl
from snnlab.core.errors import ConversionError, RecipeError

VGG = "digits-vgg-qcfs-L8"
TINY = {"epochs": 1, "images": 64, "batch_size": 32}


@pytest.fixture(scope="module")
def base():
    return sl.example(VGG)


@pytest.fixture(scope="module")
def profile(base):
    images = base.data("calibration", limit=30)
    ann = base.build()
    return sl.calibration.fit_noise(sl.convert(ann, "qcfs"), ann, images, num_steps=2)


def weights(checkpoint):
    return checkpoint.state_dict


def same(a, b):
    return weights(a).keys() == weights(b).keys() and all(
        torch.equal(weights(a)[key], weights(b)[key]) for key in weights(a)
    )


def test_no_noise_and_noise_of_std_0_give_the_same_bitwise(base, profile):
    control = sl.training.fine_tune(base, **TINY)
    assert same(control, sl.training.fine_tune(base, profile.scaled(0), **TINY))
    assert not same(control, sl.training.fine_tune(base, profile, **TINY))
    assert not same(control, sl.training.fine_tune(base, seed=1, **TINY))
    assert not same(control, base)


def test_the_new_checkpoint_knows_where_it_comes_from(base, profile, tmp_path):
    tuned = sl.training.fine_tune(base, profile, **TINY).save(tmp_path / "tuned.safetensors")
    again = sl.load_checkpoint(tmp_path / "tuned.safetensors")
    assert (again.card.activation, again.card.levels, again.card.dataset) == ("qcfs", 8, "digits")
    assert again.card.origin_sha256 == base.card.sha256
    assert again.card.seen["dev"] == "no"
    assert same(tuned, again)
    assert not any(key.endswith(".std") for key in weights(again))


def test_it_goes_on_from_its_folder_and_refuses_another_training(base, profile, tmp_path):
    whole = sl.training.fine_tune(base, profile, **TINY)
    assert same(whole, sl.training.fine_tune(base, profile, state=tmp_path, **TINY))
    assert same(whole, sl.training.fine_tune(base, profile, state=tmp_path, **TINY))
    with pytest.raises(RecipeError, match="seed differ"):
        sl.training.fine_tune(base, profile, seed=1, state=tmp_path, **TINY)


def test_a_relu_network_becomes_a_quantized_one():
    tuned = sl.training.fine_tune(sl.example("digits-vgg-relu"), levels=4, **TINY)
    assert (tuned.card.activation, tuned.card.levels) == ("qcfs", 4)


def test_a_profile_of_another_network_is_refused(profile):
    with pytest.raises(ConversionError, match=r"stage1\.act1.*digits-resnet-qcfs-L4 has not|which digits-resnet"):
        sl.training.fine_tune(sl.example("digits-resnet-qcfs-L4"), profile, **TINY)


def test_a_field_that_is_not_valid_is_named(base):
    with pytest.raises(RecipeError, match="learning_rate: "):
        sl.training.fine_tune(base, epochs=1, learning_rate=-1.0)
