from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from snnlab.activations import ActivationSpec
from snnlab.core.errors import CheckpointError
from snnlab.io import MismatchError, candidates, load_checkpoint
from snnlab.models import build

torch.set_num_threads(1)

LENET = [
    {"conv": [4, 5], "bias": False},
    "relu",
    {"avgpool": 2},
    {"conv": [6, 5], "bias": False},
    "relu",
    {"avgpool": 2},
    "flatten",
    {"linear": 20, "bias": False},
    "relu",
    {"linear": 10, "bias": False},
]


def lenet(pool=nn.AvgPool2d):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, bias=False),
        nn.ReLU(),
        pool(2),
        nn.Conv2d(4, 6, 5, bias=False),
        nn.ReLU(),
        pool(2),
        nn.Flatten(),
        nn.Linear(96, 20, bias=False),
        nn.ReLU(),
        nn.Linear(20, 10, bias=False),
    )


def saved(tmp_path, network, name="net.pt"):
    torch.save(network.state_dict(), tmp_path / name)
    return tmp_path / name


def check(checkpoint, network, *shape):
    x = torch.randn(3, *shape)
    with torch.inference_mode():
        torch.testing.assert_close(checkpoint.build()(x), network.eval()(x))


def test_a_bare_cnn_asks_for_its_architecture(tmp_path):
    with pytest.raises(CheckpointError, match=r"pools, paddings and image size.*--architecture"):
        load_checkpoint(saved(tmp_path, lenet()))


def test_a_declared_list_is_matched_and_sized(tmp_path):
    network = lenet()
    checkpoint = load_checkpoint(saved(tmp_path, network), architecture=LENET)
    check(checkpoint, network, 1, 28, 28)
    assert checkpoint.card.source == "sequential"
    assert checkpoint.card.input_shape == (1, 28, 28)
    assert [site["name"] for site in checkpoint.sites] == ["act1", "act2", "act3"]
    assert checkpoint.sites[0]["shape"] == (4, 24, 24)


@pytest.mark.parametrize("pool", [nn.AvgPool2d, nn.MaxPool2d])
def test_one_of_the_candidates_is_the_network(tmp_path, pool):
    network = lenet(pool)
    path = saved(tmp_path, network)
    found = candidates(path)
    assert 2 <= len(found) <= 24
    kind = "avgpool" if pool is nn.AvgPool2d else "maxpool"
    assert kind in str(found[kind == "maxpool"])  # likeliest first: both pools at the image size of one channel
    check(load_checkpoint(path, architecture=found[kind == "maxpool"]), network, 1, 28, 28)


def test_every_candidate_can_be_loaded(tmp_path):
    path = saved(tmp_path, lenet())
    for architecture in candidates(path):
        size = architecture["input_size"]
        assert load_checkpoint(path, architecture=architecture).build()(torch.zeros(1, 1, size, size)).shape == (1, 10)


def test_numbers_without_room_for_a_pool_leave_none(tmp_path):
    network = nn.Sequential(
        nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Conv2d(4, 2, 5), nn.ReLU(), nn.Flatten(), nn.Linear(800, 10)
    )
    path = saved(tmp_path, network)
    assert "pool" not in str(candidates(path))
    check(load_checkpoint(path), network, 1, 28, 28)


@pytest.mark.parametrize("flatten", [True, False])
def test_an_mlp_needs_no_declaration(tmp_path, flatten):
    layers = [nn.Linear(784, 30), nn.ReLU(), nn.Dropout(0.2), nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 10)]
    network = nn.Sequential(nn.Flatten(), *layers) if flatten else nn.Sequential(*layers)
    checkpoint = load_checkpoint(saved(tmp_path, network))
    check(checkpoint, nn.Sequential(nn.Flatten(), network), 1, 28, 28)
    assert "activation" in checkpoint.card.unknown
    assert len(checkpoint.sites) == 2


def test_a_colour_mlp_with_batch_norm_and_named_layers(tmp_path):
    network = nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc1=nn.Linear(3072, 16),
            norm=nn.BatchNorm1d(16),
            relu=nn.ReLU(),
            fc2=nn.Linear(16, 10),
        )
    )
    network.norm.running_mean += 0.3
    check(load_checkpoint(saved(tmp_path, network)), network, 3, 32, 32)


def test_the_place_of_a_batch_norm_follows_from_the_numbers(tmp_path):
    network = nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 10))
    network[2].running_mean += 0.3
    checkpoint = load_checkpoint(saved(tmp_path, network))
    check(checkpoint, nn.Sequential(nn.Flatten(), network), 1, 8, 8)


@pytest.mark.parametrize("spelling", ["up", "thresh", "v_threshold"])
def test_thresholds_in_a_sequence_are_qcfs_sites(tmp_path, spelling):
    architecture = {"family": "sequential", "layers": ["flatten", {"linear": 8}, "qcfs", {"linear": 3}]}
    network = build({**architecture, "in_channels": 1, "input_size": 8}, ActivationSpec("qcfs", 4, 2.5)).eval()
    state = {
        "0.weight": network.fc1.weight,
        "0.bias": network.fc1.bias,
        f"1.{spelling}": network.act1.threshold.reshape(1),
        "2.weight": network.fc2.weight,
        "2.bias": network.fc2.bias,
    }
    torch.save(state, tmp_path / "net.pt")
    for declared in (None, architecture):
        checkpoint = load_checkpoint(tmp_path / "net.pt", levels=4, architecture=declared)
        check(checkpoint, network, 1, 8, 8)
        assert checkpoint.sites == ({"name": "act1", "threshold": 2.5, "shape": (8,)},)


def test_names_of_ones_own_are_matched_layer_by_layer(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(64, 10)

        def forward(self, x):
            return self.head(nn.functional.avg_pool2d(torch.relu(self.features(x)), 2).flatten(1))

    network = Net()
    layers = [{"conv": [4, 3], "padding": 1}, "relu", {"avgpool": 2}, "flatten", {"linear": 10}]
    checkpoint = load_checkpoint(saved(tmp_path, network), architecture=layers)
    check(checkpoint, network, 1, 8, 8)
    assert "layer by layer" in " ".join(checkpoint.card.notes)


def test_layers_in_another_order_are_refused_not_guessed(tmp_path):
    state = {"b.weight": torch.ones(10, 16), "a.weight": torch.ones(16, 64)}
    torch.save(state, tmp_path / "net.pt")
    layers = ["flatten", {"linear": 16, "bias": False}, "relu", {"linear": 10, "bias": False}]
    architecture = {"family": "sequential", "layers": layers, "in_channels": 1, "input_size": 8}
    with pytest.raises(MismatchError):
        load_checkpoint(tmp_path / "net.pt", architecture=architecture)


def test_equal_layers_of_an_unordered_file_are_not_matched_by_order(tmp_path):
    names = ("in", "first", "second", "out")
    shapes = ((16, 64), (16, 16), (16, 16), (10, 16))
    state = {f"{name}.weight": torch.randn(shape) for name, shape in zip(names, shapes, strict=True)}
    save_file(state, tmp_path / "net.safetensors")
    torch.save(state, tmp_path / "net.pt")
    layers = ["flatten"]
    for rows, _ in shapes:
        layers += [{"linear": rows, "bias": False}, "relu"]
    with pytest.raises(MismatchError):
        load_checkpoint(tmp_path / "net.safetensors", architecture=layers[:-1])
    assert load_checkpoint(tmp_path / "net.pt", architecture=layers[:-1])


def test_our_own_names_are_accepted_with_a_declaration(tmp_path):
    layers = ["flatten", {"linear": 16}, "relu", {"linear": 10}]
    architecture = {"family": "sequential", "layers": layers, "in_channels": 1, "input_size": 8}
    network = build(architecture, ActivationSpec())
    check(load_checkpoint(saved(tmp_path, network), architecture=architecture), network, 1, 8, 8)


def test_a_wrong_declaration_shows_what_differs(tmp_path):
    wrong = [{"conv": [4, 5], "bias": True}, *LENET[1:]]
    with pytest.raises(MismatchError, match=r"missing +0\.bias"):
        load_checkpoint(saved(tmp_path, lenet()), architecture=wrong)
    with pytest.raises(CheckpointError, match="no usual image size"):
        load_checkpoint(saved(tmp_path, lenet()), architecture=[*LENET[:2], *LENET[3:5], *LENET[6:]])
