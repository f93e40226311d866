import pytest

from snnlab.core.errors import CheckpointError
from snnlab.io.declared import read_declaration
from snnlab.models.architecture import named_architecture

MLP = {"0.weight": (20, 784), "0.bias": (20,), "2.weight": (10, 20), "2.bias": (10,)}
TEXT = "- flatten\n- linear: 20\n- relu\n- linear: 10\n"


def written(tmp_path, text):
    path = tmp_path / "net.yaml"
    path.write_text(text)
    return path


def test_a_yaml_list_is_completed_from_the_file(tmp_path):
    architecture = read_declaration(written(tmp_path, TEXT), MLP)
    assert (architecture["in_channels"], architecture["input_size"]) == (1, 28)
    assert architecture == read_declaration(str(tmp_path / "net.yaml"), MLP)
    assert architecture["layers"][1] == {"linear": 20, "bias": True}


def test_a_yaml_mapping_may_give_every_field(tmp_path):
    text = "family: resnet\nwidths: [8, 16]\nblocks: [1, 1]\nshortcut: A\nnum_classes: 4\n"
    assert read_declaration(written(tmp_path, text), {})["stem_stride"] == 1
    sized = "layers: [flatten, linear: 3]\ninput_size: 5\n"
    assert read_declaration(written(tmp_path, sized), MLP)["input_size"] == 5


def test_colour_is_seen_in_the_first_layer():
    assert read_declaration(["flatten", {"linear": 9}], {"0.weight": (9, 3072)})["in_channels"] == 3
    conv = [{"conv": [4, 3]}, "relu", "flatten", {"linear": 9}]
    architecture = read_declaration(conv, {"0.weight": (4, 3, 3, 3), "3.weight": (9, 4 * 30 * 30)})
    assert (architecture["in_channels"], architecture["input_size"]) == (3, 32)


def test_biases_follow_the_file_where_nothing_is_said():
    shapes = {"0.weight": (20, 784), "2.weight": (10, 20), "2.bias": (10,)}
    layers = read_declaration(["flatten", {"linear": 20}, "relu", {"linear": 10}], shapes)["layers"]
    assert [layers[1]["bias"], layers[3]["bias"]] == [False, True]
    said = read_declaration(["flatten", {"linear": 20, "bias": True}, "relu", {"linear": 10}], shapes)["layers"]
    assert said[1]["bias"] is True


def test_layers_may_be_written_as_text(tmp_path):
    text = "conv 4x3x3 stride 2 padding 1 no bias, relu, avgpool 2, flatten, linear 10"
    shapes = {"0.weight": (4, 3, 3, 3), "4.weight": (10, 4 * 64), "4.bias": (10,)}
    architecture = read_declaration(text, shapes)
    assert architecture["input_size"] == 32
    assert architecture["layers"][0] == {"conv": [4, 3], "bias": False, "stride": 2, "padding": 1}
    assert architecture == read_declaration(written(tmp_path, "- " + text.replace(", ", "\n- ")), shapes)


def test_a_name_is_known():
    assert read_declaration("resnet32-A", {"linear.weight": (100, 64)}) == named_architecture("resnet32-A", 100)
    assert read_declaration("resnet26-B", {"fc.weight": (10, 64)})["blocks"] == [4, 4, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("layers: [relu\n", "not valid YAML"),
        ("!!python/object/apply:os.mkdir ['ran']\n", "not valid YAML"),
        ("just words\n", "only the text"),
        ("3\n", "a name, a YAML file"),
        ("[" * 60_000, "nest too deeply"),
        ("- " * 30_000, "not valid YAML"),
        ("#" * 70_000, "larger than"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, text, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        read_declaration(written(tmp_path, text), MLP)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_wrong_name(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_declaration(tmp_path / "none.yaml", MLP)
    with pytest.raises(CheckpointError, match="did you mean 'vgg16'"):
        read_declaration("vgg-16", MLP)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="not text"):
        read_declaration(tmp_path / "binary.yaml", MLP)
