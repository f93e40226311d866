import subprocess
import sys

import pytest

from snnlab.core.errors import CheckpointError
from snnlab.models import architecture_name, architecture_names, check_architecture, input_shape, num_classes
from snnlab.models.architecture import named_architecture

SMALL_VGG = {
    "family": "vgg",
    "plan": [4, "A", 8],
    "classifier": [6],
    "num_classes": 3,
    "in_channels": 1,
    "input_size": 8,
}
SMALL_RESNET = {"family": "resnet", "widths": [4, 8], "blocks": [1, 1], "shortcut": "A", "num_classes": 3}
LAYERS = [{"conv": [4, 3]}, "relu", {"avgpool": 2}, "flatten", {"linear": 3}]
SMALL_SEQUENTIAL = {"family": "sequential", "layers": LAYERS, "in_channels": 1, "input_size": 8}


def test_architectures_are_read_without_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from snnlab.models import check_architecture, named_architecture\n"
        "print(check_architecture(named_architecture('vgg16', 100))['num_classes'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "100"


@pytest.mark.parametrize("name", architecture_names())
def test_named_architectures_are_complete_and_know_their_name(name):
    architecture = named_architecture(name, 7)
    assert check_architecture(architecture) == architecture
    assert num_classes(architecture) == 7
    assert input_shape(architecture) == (3, 32, 32)
    assert architecture_name(architecture) == ("resnet20-B" if name == "resnet20" else name)


def test_any_depth_6n_plus_2_has_a_name():
    assert named_architecture("resnet26-A", 10)["blocks"] == [4, 4, 4]
    with pytest.raises(CheckpointError, match="resnet"):
        named_architecture("resnet21-A", 10)


@pytest.mark.parametrize("name", ["resnet20-B-pre_act", "resnet110-A-dual_neuron", "resnet18-pre_act"])
def test_the_form_of_the_blocks_is_part_of_the_name(name):
    architecture = named_architecture(name, 10)
    assert architecture["block"] == name.rpartition("-")[2]
    assert architecture_name(architecture) == name
    assert architecture == {**named_architecture(name.rpartition("-")[0], 10), "block": architecture["block"]}
    older = {key: value for key, value in named_architecture("resnet56-B", 10).items() if key != "block"}
    assert architecture_name(older) == "resnet56-B"
    with pytest.raises(CheckpointError, match="not 'mid_act'"):
        named_architecture("resnet20-B-mid_act", 10)


def test_an_unknown_name_proposes_the_nearest():
    with pytest.raises(CheckpointError, match="'vgg16'"):
        named_architecture("vvg16", 10)


def test_a_wider_head_is_not_called_vgg16():
    architecture = {**named_architecture("vgg16", 10), "classifier": [512]}
    assert architecture_name(architecture) == "vgg (13 conv, 2 linear)"


def test_checking_does_not_change_its_input():
    values = {**SMALL_VGG}
    complete = check_architecture(values)
    assert "batch_norm" not in values
    assert complete["batch_norm"] is True
    complete["plan"].append(1)
    assert values["plan"] == [4, "A", 8]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "mapping"),
        ({"family": "alexnet"}, "'alexnet'"),
        ({"family": ["vgg"]}, "family"),
        ({**SMALL_VGG, "depth": 3}, "'depth'"),
        ({key: value for key, value in SMALL_VGG.items() if key != "plan"}, "'plan' is missing"),
        ({**SMALL_VGG, "plan": []}, "plan"),
        ({**SMALL_VGG, "plan": ["A", 4]}, "position 0"),
        ({**SMALL_VGG, "plan": [4, "A", "A"]}, "position 2"),
        ({**SMALL_VGG, "plan": [4, "X"]}, "'X'"),
        ({**SMALL_VGG, "plan": [10**12]}, "1000000000000"),
        ({**SMALL_VGG, "plan": [4, "A"] * 4}, "too small"),
        ({**SMALL_VGG, "classifier": [0]}, "classifier"),
        ({**SMALL_VGG, "num_classes": True}, "num_classes"),
        ({**SMALL_VGG, "input_size": 10**6}, "input_size"),
        ({**SMALL_VGG, "batch_norm": "yes"}, "batch_norm"),
        ({**SMALL_RESNET, "shortcut": "C"}, "'C'"),
        ({**SMALL_RESNET, "block": "mid_act"}, "block is one of post_act, pre_act, dual_neuron, not 'mid_act'"),
        ({**SMALL_RESNET, "block": 1}, "block is one of"),
        ({**SMALL_RESNET, "blocks": [1]}, "one entry a stage"),
        ({**SMALL_RESNET, "blocks": [4000, 4000]}, "blocks"),
        ({**SMALL_RESNET, "widths": [8, 4]}, "shrink"),
        ({**SMALL_SEQUENTIAL, "layers": "relu"}, "list"),
        ({**SMALL_SEQUENTIAL, "layers": [*LAYERS, "relu"]}, "last layer"),
        ({**SMALL_SEQUENTIAL, "layers": ["gelu", *LAYERS]}, "layer 0 is 'gelu'"),
        ({**SMALL_SEQUENTIAL, "layers": ["qcfs", *LAYERS]}, "one kind of activation"),
        ({**SMALL_SEQUENTIAL, "layers": [{"conv": 4}, *LAYERS]}, r"\[channels, kernel\]"),
        ({**SMALL_SEQUENTIAL, "layers": [{"conv": [4, 3], "groups": 2}, *LAYERS]}, "'groups'"),
        ({**SMALL_SEQUENTIAL, "layers": [{"conv": [4, 3], "padding": -1}, *LAYERS]}, "padding"),
        ({**SMALL_SEQUENTIAL, "layers": [{"avgpool": 0}, *LAYERS]}, "avgpool"),
        ({**SMALL_SEQUENTIAL, "layers": [{"linear": 4, "bias": 1}, *LAYERS]}, "bias"),
    ],
)
def test_a_bad_architecture_is_named_in_one_line(values, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        check_architecture(values)
    assert "\n" not in str(caught.value)
