"""The layouts against networks written here from METHODS section 6 and the sources' own structure."""

import pytest
import torch
from torch import nn

from snnlab.activations import QCFS
from snnlab.io import load_checkpoint
from snnlab.io.key_maps import akamaster, option_b, qcfs_family
from snnlab.io.key_maps.table import KeyTable, MismatchError, differences
from snnlab.io.matching import recognise
from snnlab.models import check_architecture, expected_shapes
from snnlab.models.architecture import named_architecture

torch.set_num_threads(1)

SPELLINGS = ["up", "thresh", "v_threshold"]


class Threshold(nn.Module):
    """QCFS with L = 4 whose parameter has a foreign name and shape."""

    def __init__(self, spelling):
        super().__init__()
        self.spelling = spelling
        start = torch.rand(()) + 0.5
        self.register_parameter(spelling, nn.Parameter(start if spelling == "v_threshold" else start.reshape(1)))

    def forward(self, x):
        threshold = getattr(self, self.spelling)
        return torch.floor((x / threshold).clamp(0, 1) * 4 + 0.5) / 4 * threshold


class ForeignVGG(nn.Module):
    def __init__(self, stages, hidden, classes, act, features):
        super().__init__()
        channels = 3
        for number, widths in enumerate(stages, start=1):
            layers = []
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), act(), nn.Dropout(0.0)]
                channels = width
            self.add_module(f"layer{number}", nn.Sequential(*layers, nn.AvgPool2d(2)))
        self.stages = len(stages)
        head = [nn.Flatten()]
        for width in hidden:
            head += [nn.Linear(features, width), act(), nn.Dropout(0.0)]
            features = width
        self.classifier = nn.Sequential(*head, nn.Linear(features, classes))

    def forward(self, x):
        for number in range(1, self.stages + 1):
            x = getattr(self, f"layer{number}")(x)
        return self.classifier(x)


class QcfsBlock(nn.Module):
    def __init__(self, inside, outside, stride, act, post_add):
        super().__init__()
        self.residual_function = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            act(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or inside != outside:
            projection = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outside))
        self.post_add = post_add
        self.add_module(post_add, act())

    def forward(self, x):
        return getattr(self, self.post_add)(self.residual_function(x) + self.shortcut(x))


class QcfsResNet(nn.Module):
    def __init__(self, widths, blocks, classes, act, post_add):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0]), act())
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            made = []
            for block in range(count):
                made.append(QcfsBlock(channels, width, 2 if stage and not block else 1, act, post_add))
                channels = width
            self.add_module(f"conv{stage + 2}_x", nn.Sequential(*made))
        self.fc = nn.Linear(channels, classes)
        self.stages = len(widths)

    def forward(self, x):
        x = self.conv1(x)
        for stage in range(self.stages):
            x = getattr(self, f"conv{stage + 2}_x")(x)
        return self.fc(x.mean(dim=(2, 3)))


class PlainBlock(nn.Module):
    def __init__(self, inside, outside, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.option, self.changes, self.padding = option, stride != 1, outside // 4
        if self.changes and option != "A":
            projection = nn.Conv2d(inside, outside, 1, stride, bias=False)
            self.add_module(option, nn.Sequential(projection, nn.BatchNorm2d(outside)))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.changes and self.option == "A":
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))
        elif self.changes:
            x = getattr(self, self.option)(x)
        return torch.relu(y + x)


class PlainResNet(nn.Module):
    """akamaster's form with ``option`` A; distiller's and others' where it names the projection."""

    def __init__(self, widths, blocks, classes, option, head):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), nn.BatchNorm2d(widths[0])
        channels = widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            made = []
            for block in range(count):
                made.append(PlainBlock(channels, width, 2 if stage and not block else 1, option))
                channels = width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*made))
        self.head, self.stages = head, len(widths)
        self.add_module(head, nn.Linear(channels, classes))

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return getattr(self, self.head)(x.mean(dim=(2, 3)))


def scrambled(network):
    """With batch-norm statistics that differ in every channel, so that a swapped key changes the logits."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return network.eval()


def same_logits(network, tmp_path, *, size=32, levels=None, name="net.pth", wrap=None):
    path = tmp_path / name
    state = network.state_dict()
    torch.save({"state_dict": wrap(state) if wrap else state}, path)
    checkpoint = load_checkpoint(path, levels=levels)
    x = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(checkpoint.build()(x), network(x))
    return checkpoint.card


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_qcfs_vgg_gives_the_same_logits(tmp_path, spelling):
    network = scrambled(ForeignVGG([[8, 4], [4], [6, 6]], [7, 5], 10, lambda: Threshold(spelling), 6 * 16))
    card = same_logits(network, tmp_path, levels=4, name="cifar10_vgg_L4.pth")
    assert (card.source, card.activation, card.levels) == ("qcfs_family", "qcfs", 4)
    assert len(card.sites) == 7
    assert card.sites[-1]["threshold"] == pytest.approx(float(network.classifier[5].get_parameter(spelling).detach()))


@pytest.mark.parametrize("post_add", ["relu", "act"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_qcfs_resnets_give_the_same_logits(tmp_path, spelling, post_add):
    network = scrambled(QcfsResNet([4, 6, 8], [2, 1, 2], 100, lambda: Threshold(spelling), post_add))
    card = same_logits(network, tmp_path, levels=4)
    assert card.architecture["blocks"] == [2, 1, 2]
    assert card.proposals["normalization"] == ("cifar100",)
    assert len(card.sites) == 11


def test_the_familys_relu_networks_are_known_too(tmp_path):
    network = scrambled(QcfsResNet([4, 8], [1, 1], 10, nn.ReLU, "relu"))
    card = same_logits(network, tmp_path)
    assert (card.source, card.activation, card.levels) == ("qcfs_family", "relu", None)


@pytest.mark.parametrize("head", ["linear", "fc"])
@pytest.mark.parametrize("blocks", [[1, 1, 1], [3, 3, 3], [5, 5, 5]])
def test_akamaster_resnets_give_the_same_logits(tmp_path, blocks, head):
    network = scrambled(PlainResNet([4, 8, 16], blocks, 10, "A", head))
    ddp = {"wrap": lambda state: {f"module.{key}": value for key, value in state.items()}}
    card = same_logits(network, tmp_path, **ddp)
    assert (card.source, card.architecture["shortcut"], card.architecture["blocks"]) == ("akamaster", "A", blocks)


@pytest.mark.parametrize("head", ["linear", "fc"])
@pytest.mark.parametrize("projection", ["downsample", "shortcut"])
def test_option_b_resnets_give_the_same_logits(tmp_path, projection, head):
    network = scrambled(PlainResNet([4, 8, 12, 16], [2, 2, 1, 2], 10, projection, head))
    card = same_logits(network, tmp_path)
    assert (card.source, card.architecture["shortcut"]) == ("option_b", "B")


def test_old_files_lack_the_batch_counter(tmp_path):
    network = scrambled(PlainResNet([4, 8], [1, 1], 10, "A", "linear"))

    def without(state):
        return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}

    same_logits(network, tmp_path, wrap=without)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["vgg11", "vgg16", "vgg19", "resnet18", "resnet20", "resnet34"])
def test_qcfs_files_of_real_width_are_recognised(name, spelling):
    architecture = named_architecture(name, 100)
    native = expected_shapes(architecture, "qcfs")
    table = qcfs_family.table(architecture, spelling)
    foreign = table.to_foreign(native)
    guess = recognise(foreign, "file")
    assert (guess.source, guess.architecture, guess.activation) == ("qcfs_family", architecture, "qcfs")
    assert guess.table.to_native(foreign) == native
    assert guess.table.to_foreign(native) == foreign


def test_vgg16_has_the_published_keys():
    architecture = named_architecture("vgg16", 10)
    keys = qcfs_family.table(architecture, "thresh").to_foreign(expected_shapes(architecture, "qcfs"))
    assert keys["layer3.8.weight"] == (256, 256, 3, 3)
    assert keys["layer5.10.thresh"] == (1,)
    assert keys["layer1.5.running_var"] == (64,)
    assert keys["classifier.1.weight"] == (4096, 512)
    assert keys["classifier.5.thresh"] == (1,)
    assert keys["classifier.7.bias"] == (10,)


def test_imagenet_vgg_tells_its_image_size():
    architecture = {**named_architecture("vgg16", 1000), "input_size": 224}
    foreign = qcfs_family.table(architecture, "up").to_foreign(expected_shapes(architecture, "qcfs"))
    assert foreign["classifier.1.weight"] == (4096, 25088)
    assert recognise(foreign, "file").architecture == architecture


def test_resnet18_has_the_published_keys_in_both_spellings():
    architecture = named_architecture("resnet18", 10)
    native = expected_shapes(architecture, "qcfs")
    old, new = (qcfs_family.table(architecture, name).to_foreign(native) for name in ("up", "thresh"))
    renamed = {key.replace("relu.up", "act.thresh").replace(".up", ".thresh"): shape for key, shape in old.items()}
    assert renamed == new
    assert new["conv5_x.0.shortcut.0.weight"] == (512, 256, 1, 1)
    assert new["conv3_x.0.residual_function.3.weight"] == (128, 128, 3, 3)
    assert "conv1.2.thresh" in new
    assert "conv2_x.1.act.thresh" in new


@pytest.mark.parametrize("depth", [8, 20, 32, 44, 56, 110])
def test_akamaster_files_of_any_depth_are_recognised(depth):
    architecture = named_architecture(f"resnet{depth}-A", 10)
    native = expected_shapes(architecture, "relu")
    foreign = KeyTable(dict(akamaster.module_pairs(architecture))).to_foreign(native)
    guess = recognise(foreign, "file")
    assert (guess.source, guess.architecture) == ("akamaster", architecture)
    assert guess.table.to_foreign(guess.table.to_native(foreign)) == foreign


@pytest.mark.parametrize("name", ["resnet20-B", "resnet110-B", "resnet18", "resnet34"])
def test_option_b_files_are_recognised(name):
    architecture = named_architecture(name, 10)
    native = expected_shapes(architecture, "relu")
    foreign = KeyTable(dict(option_b.module_pairs(architecture))).to_foreign(native)
    guess = recognise(foreign, "file")
    assert (guess.source, guess.architecture) == ("option_b", architecture)


def test_thresholds_round_trip_bit_for_bit():
    architecture = check_architecture(
        {"family": "resnet", "widths": [2, 3], "blocks": [1, 1], "shortcut": "B", "num_classes": 2}
    )
    native = {key: torch.randn(shape) for key, shape in expected_shapes(architecture, "qcfs").items()}
    for spelling in SPELLINGS:
        table = qcfs_family.table(architecture, spelling)
        back = table.to_native(table.to_foreign(native))
        assert back.keys() == native.keys()
        assert all(torch.equal(back[key], native[key]) and back[key].shape == native[key].shape for key in native)


def test_a_table_refuses_what_it_does_not_hold():
    with pytest.raises(KeyError):
        KeyTable({"a": "b"}).to_native({"c.weight": torch.ones(1)})
    with pytest.raises(AssertionError):
        KeyTable({"a": "same", "b": "same"})


def test_every_difference_is_in_the_table():
    expected = {"fc.weight": (2, 3), "fc.bias": (2,), "act.threshold": ()}
    found = {"out.weight": (3, 2), "act.up": (1,), "extra.scale": (1,)}
    rows = differences(expected, found, KeyTable({"out": "fc", "act": "act"}, "up", (1,)))
    assert [(problem, key) for problem, key, _ in rows] == [
        ("missing", "out.bias"),
        ("unexpected", "extra.scale"),
        ("shape", "out.weight"),
    ]


def test_a_file_that_nearly_fits_shows_the_rows_capped():
    architecture = named_architecture("resnet56-A", 10)
    table = KeyTable(dict(akamaster.module_pairs(architecture)))
    foreign = table.to_foreign(expected_shapes(architecture, "relu"))
    del foreign["layer2.1.bn1.bias"]
    foreign["conv1.weight"] = (16, 3, 7, 7)
    with pytest.raises(MismatchError) as caught:
        recognise(foreign, "net.th")
    first, *table_lines = str(caught.value).split("\n")
    assert "net.th does not fit resnet56-A (akamaster): 1 missing, 1 of another shape" in first
    assert any("layer2.1.bn1.bias" in line for line in table_lines)
    assert any("(16, 3, 7, 7) in the file, (16, 3, 3, 3) in the network" in line for line in table_lines)
    for key in [key for key in foreign if key.startswith("layer1.1.")]:
        del foreign[key]
    with pytest.raises(MismatchError, match=r"resnet56.*11 missing"):
        recognise(foreign, "net.th")
    for key in [key for key in foreign if key.startswith("layer1.2.")]:
        del foreign[key]
    with pytest.raises(MismatchError, match="and 10 more"):
        recognise(foreign, "net.th")


def test_per_channel_thresholds_are_a_difference_of_shape():
    architecture = named_architecture("resnet20", 10)
    foreign = qcfs_family.table(architecture, "up").to_foreign(expected_shapes(architecture, "qcfs"))
    foreign["conv1.2.up"] = (1, 16, 1, 1)
    with pytest.raises(MismatchError, match=r"conv1.2.up .*\(1, 16, 1, 1\)"):
        recognise(foreign, "file")


def test_our_activation_is_the_reference_one():
    reference = Threshold("thresh")
    ours = QCFS(threshold=float(reference.thresh.detach()), levels=4)
    x = torch.linspace(-1, 3, 400)
    torch.testing.assert_close(ours(x), reference(x))
