"""Source networks from random weights, and the recorded script of TTRBR and ECL in small."""

import pytest
import torch

import snnlab as sl
from scripts import record_papers
from snnlab.core.errors import CheckpointError, DataError, RecipeError

SMALL = {**record_papers.RESNET, "widths": [8, 16], "blocks": [1, 1]}
TINY = {"epochs": 1, "images": 64, "batch_size": 32}


def test_a_restructured_network_is_trained_saved_and_tuned(tmp_path):
    made = sl.training.train_new({**SMALL, "block": "dual_neuron"}, levels=4, activation="qcfs", **TINY)
    assert made.card.name == "digits-resnet6-B-dual_neuron-qcfs-L4-seed0"
    assert made.card.seen == {"train": "yes", "calibration": "yes", "validation": "no", "dev": "no", "test": "no"}
    made.save(tmp_path / "made.safetensors")
    again = sl.load_checkpoint(tmp_path / "made.safetensors")
    assert (again.card.architecture["block"], again.card.activation) == ("dual_neuron", "qcfs")
    snn = sl.convert(again.build(), "ttrbr", data=again.data("calibration", limit=8), num_steps=2)
    assert [name for name in snn.sites if name.endswith("act_skip")] == ["layer1.0.act_skip", "layer2.0.act_skip"]


def test_equal_seeds_give_equal_weights_and_a_stopped_training_goes_on(tmp_path):
    def weights(seed=0, state=None):
        return sl.training.train_new(SMALL, seed=seed, state=state, **TINY).state_dict

    first = weights(state=tmp_path)
    for same in (weights(), weights(state=tmp_path)):
        assert all(torch.equal(same[key], value) for key, value in first.items())
    assert not torch.equal(weights(seed=1)["fc.weight"], first["fc.weight"])
    with pytest.raises(RecipeError, match="seed differ"):
        weights(seed=1, state=tmp_path)


@pytest.mark.parametrize(
    ("architecture", "changed", "error", "said"),
    [
        ({**SMALL, "block": "mid_act"}, {}, CheckpointError, "block is one of post_act, pre_act, dual_neuron"),
        ({**SMALL, "in_channels": 3}, {}, DataError, r"takes images of shape \(3, 8, 8\), digits has \(1, 8, 8\)"),
        ("vgg16", {}, CheckpointError, "input_size 8 is too small"),
        ({**SMALL, "num_classes": 3}, {}, DataError, "tells 3 classes apart, digits has 10"),
        (SMALL, {"activation": "gelu"}, RecipeError, "a new network is trained with relu, clipped_relu, qcfs"),
        (SMALL, {"activation": "qcfs"}, RecipeError, "give L with qcfs"),
        (SMALL, {"levels": 4}, RecipeError, "give L with qcfs"),
        (SMALL, {"epochs": 0}, RecipeError, "^epochs: "),
        (SMALL, {"activation": "qcfs", "levels": 0}, RecipeError, "^levels: "),
        (SMALL, {"first_threshold": 0.0}, RecipeError, "first_threshold is 0; thresholds start at a number above 0"),
    ],
)
def test_bad_choices_are_named(architecture, changed, error, said):
    with pytest.raises(error, match=said):
        sl.training.train_new(architecture, **TINY | changed)


def test_the_recorded_script_in_small(tmp_path, monkeypatch):
    monkeypatch.setattr(record_papers, "STEPS", (4, 1))
    monkeypatch.setattr(record_papers, "ARMS", ("control", "clipped", "ttrbr"))
    small = {"blocks": ("pre_act",), "activations": ("qcfs",), "limit": 20, "architecture": SMALL}
    found = record_papers.from_scratch(1, tmp_path, **small, **TINY)
    (row,) = found["trainings"]
    assert (row["block"], row["activation"], row["levels"], row["images"]) == ("pre_act", "qcfs", 4, 20)
    assert set(row["plain"]) == set(row["ttrbr"]) == set(row["ecl"]) == {"1", "4"}
    assert set(row["negative_fraction"].values()) <= {-1e-3, -0.25, -0.5, -1.0}
    assert row["deviation"]["layer1.0.act1"]["input_std"] == 0
    assert list(row["deviation"])[-1] == "head.act"
    gains = {gain["method"]: gain for gain in found["gain_over_plain"]}
    assert gains["ecl"]["4"]["mean"] == pytest.approx(row["ecl"]["4"] - row["plain"]["4"])
    assert gains["ttrbr"]["4"]["low"] is None, "one seed has no interval"
    tuned = record_papers.fine_tuning(1, tmp_path, limit=20, **TINY)
    assert [arm["name"] for arm in tuned["arms"]] == ["control", "clipped", "ttrbr"]
    assert tuned["arms"][2]["own_control"] == "clipped"
