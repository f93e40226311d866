import pytest
import torch
from torch import nn

from snnlab.activations import QCFS, ActivationSpec
from snnlab.core.errors import CheckpointError
from snnlab.models import PadShortcut, build, check_architecture, expected_shapes, named_architecture, site_shapes

torch.set_num_threads(1)

DIGITS = {
    "family": "vgg",
    "plan": [16, 16, "A", 32, 32, 32, "A", 32, 32, 32],
    "classifier": [64],
    "num_classes": 10,
    "in_channels": 1,
    "input_size": 8,
}


def parameters(architecture):
    counted = ("weight", "bias", "threshold")
    shapes = expected_shapes(architecture, "qcfs")
    return sum(torch.Size(shape).numel() for key, shape in shapes.items() if key.endswith(counted))


@pytest.mark.parametrize(
    ("name", "sites", "count"),
    [
        ("vgg16", 15, 33_646_666 + 15),  # METHODS section 6
        ("resnet18", 17, 11_173_962 + 17),  # the usual CIFAR ResNet-18
        ("resnet34", 33, 21_282_122 + 33),
        ("resnet20-A", 19, 269_722 + 19),  # the published 0.27 M
        ("resnet110-A", 109, 1_727_962 + 109),
        ("resnet20-B", 19, 272_474 + 19),
    ],
)
def test_networks_have_the_published_sizes(name, sites, count):
    architecture = named_architecture(name, 10)
    thresholds = [key for key in expected_shapes(architecture, "qcfs") if key.endswith(".threshold")]
    assert len(thresholds) == sites
    assert parameters(architecture) == count


@pytest.mark.parametrize(
    "architecture", [DIGITS, {**DIGITS, "batch_norm": False, "conv_bias": True, "plan": [3, "M", 4]}]
)
def test_vgg_names_and_shapes(architecture):
    network = build(architecture, ActivationSpec("qcfs", levels=4, threshold=4.0)).eval()
    shapes = site_shapes(network, (1, 8, 8))
    assert next(iter(shapes)) == "stage1.act1"
    assert list(shapes)[-1] == "classifier.act1"
    assert shapes["stage1.act1"] == (architecture["plan"][0], 8, 8)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert all(module.levels == 4 for module in network.modules() if isinstance(module, QCFS))


def test_the_digits_network_has_nine_sites_in_order():
    network = build(DIGITS, ActivationSpec()).eval()
    assert list(site_shapes(network, (1, 8, 8))) == [
        "stage1.act1",
        "stage1.act2",
        "stage2.act1",
        "stage2.act2",
        "stage2.act3",
        "stage3.act1",
        "stage3.act2",
        "stage3.act3",
        "classifier.act1",
    ]


@pytest.mark.parametrize("option", ["A", "B"])
def test_resnet_follows_its_equations(option):
    architecture = check_architecture(
        {"family": "resnet", "widths": [4, 8], "blocks": [2, 1], "shortcut": option, "num_classes": 3, "input_size": 6}
    )
    network = build(architecture, ActivationSpec(), seed=3).eval()
    x = torch.randn(2, 3, 6, 6)
    relu = torch.relu
    y = relu(network.stem.bn(network.stem.conv(x)))
    for block in (network.layer1[0], network.layer1[1], network.layer2[0]):
        z = block.bn2(block.conv2(relu(block.bn1(block.conv1(y)))))
        if block is not network.layer2[0]:
            shortcut = y
        elif option == "B":
            shortcut = block.shortcut.bn(block.shortcut.conv(y))
        else:
            shortcut = torch.zeros(2, 8, 3, 3)
            shortcut[:, 2:6] = y[:, :, ::2, ::2]
        y = relu(z + shortcut)
    torch.testing.assert_close(network(x), network.fc(y.mean(dim=(2, 3))))
    assert len(site_shapes(network, (3, 6, 6))) == 1 + 2 * 3


def test_pad_shortcut_is_linear_and_keeps_odd_sizes():
    shortcut = PadShortcut(2, 5, stride=2)
    x, y = torch.randn(1, 2, 7, 7), torch.randn(1, 2, 7, 7)
    assert shortcut(x).shape == (1, 5, 4, 4)
    torch.testing.assert_close(shortcut(x + 2 * y), shortcut(x) + 2 * shortcut(y))


def test_sequential_builds_what_is_listed():
    layers = [
        {"conv": [4, 3], "stride": 2, "padding": 1},
        "batchnorm",
        "relu",
        "dropout",
        {"maxpool": 2},
        "global_avgpool",
        "flatten",
        {"linear": 5, "bias": False},
        "batchnorm",
        "relu",
        {"linear": 3},
    ]
    architecture = {"family": "sequential", "layers": layers, "in_channels": 2, "input_size": 9}
    network = build(architecture, ActivationSpec("clipped_relu"))
    assert [name for name, _ in network.named_children()] == (
        ["conv1", "bn1", "act1", "dropout1", "pool1", "pool2", "flatten1", "fc1", "bn2", "act2", "fc2"]
    )
    assert isinstance(network.bn2, nn.BatchNorm1d)
    assert network.fc1.bias is None
    assert site_shapes(network.eval(), (2, 9, 9)) == {"act1": (4, 5, 5), "act2": (5,)}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"conv": [4, 9]}, "flatten", {"linear": 2}], r"layer 0 \(conv\).*kernel 9"),
        ([{"linear": 2}], "'flatten' before"),
        (["flatten", {"conv": [4, 3]}, {"linear": 2}], r"layer 1 \(conv\) needs an image"),
        ([{"avgpool": 2, "padding": 2}, "flatten", {"linear": 2}], "half of its kernel"),
    ],
)
def test_layers_that_do_not_fit_are_named_by_position(layers, message):
    architecture = {"family": "sequential", "layers": layers, "in_channels": 1, "input_size": 8}
    with pytest.raises(CheckpointError, match=message):
        build(architecture, ActivationSpec())


def test_a_seed_gives_the_same_weights_and_leaves_the_random_state_alone():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first, second = (build(DIGITS, ActivationSpec(), seed=5).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = build(DIGITS, ActivationSpec(), seed=6).state_dict()
    assert not torch.equal(first["stage1.conv1.weight"], other["stage1.conv1.weight"])


def test_he_initialisation_keeps_the_scale():
    network = build({**DIGITS, "plan": [64, 256]}, ActivationSpec())
    weight = network.stage1.conv2.weight  # fan-out 256 * 9
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)


def test_shapes_hook_leaves_nothing_behind():
    network = build(DIGITS, ActivationSpec()).eval()
    with pytest.raises(RuntimeError):
        site_shapes(network, (2, 8, 8))
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("option", ["A", "B"])
@pytest.mark.parametrize("block", ["pre_act", "dual_neuron"])
def test_restructured_blocks_follow_their_equations(block, option):
    architecture = check_architecture(
        {"family": "resnet", "widths": [4, 8], "blocks": [2, 1], "shortcut": option, "num_classes": 3, "input_size": 6}
        | {"block": block}
    )
    network = build(architecture, ActivationSpec(), seed=3)
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.2)
            module.weight.data.add_(torch.rand(module.weight.shape, generator=generator))
    network.eval()
    x = torch.randn(2, 3, 6, 6)
    relu = torch.relu

    def skipped(one, y):
        if one is not network.layer2[0]:
            return y
        if option == "A":
            padded = torch.zeros(2, 8, 3, 3)
            padded[:, 2:6] = y[:, :, ::2, ::2]
            return padded
        projected = one.shortcut.conv(y)
        return one.shortcut.bn(projected) if block == "dual_neuron" else projected

    y = network.stem.conv(x)
    if block == "dual_neuron":
        y = relu(network.stem.bn(y))
    for one in (network.layer1[0], network.layer1[1], network.layer2[0]):
        if block == "pre_act":
            y = relu(one.bn1(y))
            y = one.conv2(relu(one.bn2(one.conv1(y)))) + skipped(one, y)
        else:
            y = relu(one.bn2(one.conv2(relu(one.bn1(one.conv1(y)))))) + relu(skipped(one, y))
    if block == "pre_act":
        y = relu(network.head.bn(y))
    torch.testing.assert_close(network(x), network.fc(y.mean(dim=(2, 3))))
    sites = list(site_shapes(network, (3, 6, 6)))
    assert len(sites) == {"pre_act": 2 * 3 + 1, "dual_neuron": 1 + 3 * 3}[block]
    assert sites == [name for name, module in network.named_modules() if isinstance(module, nn.ReLU)]
