import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from snnlab.activations import QCFS, ActivationSpec
from snnlab.core.errors import CheckpointError
from snnlab.io import Checkpoint, CheckpointCard, MismatchError, candidates, example, examples, load_checkpoint
from snnlab.io import checkpoint as checkpoint_module
from snnlab.io.key_maps import qcfs_family
from snnlab.models import build, check_architecture
from snnlab.models.architecture import named_architecture

torch.set_num_threads(1)

SMALL = check_architecture(
    {"family": "vgg", "plan": [4, "A", 6, "A"], "classifier": [5], "num_classes": 3, "input_size": 8, "in_channels": 1}
)
FACTS = {
    "name": "small",
    "dataset": "digits",
    "normalization": "unit",
    "licence": "MIT",
    "seen": {"train": "yes", "dev": "no", "test": "no"},
    "accuracies": {"dev": 0.5},
}


@pytest.fixture
def native():
    spec = ActivationSpec("qcfs", levels=4, threshold=3.0)
    return Checkpoint.from_network(build(SMALL, spec, seed=1), SMALL, spec, **FACTS)


@pytest.fixture
def qcfs_file(tmp_path):
    def write(name="net.pth", change=lambda state: state):
        spec = ActivationSpec("qcfs", levels=8, threshold=2.0)
        state = qcfs_family.table(SMALL, "thresh").to_foreign(build(SMALL, spec, seed=2).state_dict())
        torch.save(change(state), tmp_path / name)
        return tmp_path / name

    return write


def test_saving_and_loading_changes_nothing(native, tmp_path):
    saved = native.save(tmp_path / "small.safetensors")
    loaded = load_checkpoint(tmp_path / "small.safetensors")
    assert loaded.card == saved.card
    assert loaded.card.seen == FACTS["seen"]
    assert (loaded.card.foreign, loaded.card.origin_sha256, loaded.card.source) == (False, None, "snnlab")
    assert all(torch.equal(loaded.state_dict[key], value) for key, value in native.state_dict.items())
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(loaded.build()(x), native.build()(x))
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors"]


def test_equal_checkpoints_are_equal_files(native, tmp_path):
    first = native.save(tmp_path / "a.safetensors")
    second = load_checkpoint(tmp_path / "a.safetensors").save(tmp_path / "b.safetensors")
    assert first.card.sha256 == second.card.sha256
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_failed_save_leaves_the_old_file(native, tmp_path, monkeypatch):
    target = tmp_path / "small.safetensors"
    target.write_bytes(b"old")

    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        native.save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors"]
    assert target.read_bytes() == b"old"


def test_the_card_survives_json(native):
    text = json.dumps(native.card.to_dict(), allow_nan=False)
    assert CheckpointCard.from_dict(json.loads(text)) == native.card
    with pytest.raises(CheckpointError, match="'more'"):
        CheckpointCard.from_dict({**native.card.to_dict(), "more": 1})
    with pytest.raises(CheckpointError, match="incomplete"):
        CheckpointCard.from_dict({"name": "x"})


def test_a_built_network_is_a_copy_in_evaluation_mode(native):
    network = native.build()
    assert not network.training
    assert {module.levels for module in network.modules() if isinstance(module, QCFS)} == {4}
    before = {key: value.clone() for key, value in native.state_dict.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            assert parameter.requires_grad
            parameter.add_(1.0)
    assert all(torch.equal(native.state_dict[key], value) for key, value in before.items())


def test_the_source_network_is_copied_too():
    network = build(SMALL, ActivationSpec(), seed=1)
    checkpoint = Checkpoint.from_network(network, SMALL, ActivationSpec())
    network.stage1.conv1.weight.data.zero_()
    assert checkpoint.state_dict["stage1.conv1.weight"].abs().sum() > 0


def test_levels_are_declared_proposed_and_never_assumed(qcfs_file):
    path = qcfs_file("QCFS_CIFAR100_vgg_L4.pth")
    checkpoint = load_checkpoint(path)
    assert checkpoint.card.levels is None
    assert "levels" in checkpoint.card.unknown
    assert checkpoint.card.proposed_levels == 4
    assert checkpoint.card.proposals["levels"] == (4, 8)
    with pytest.raises(CheckpointError, match="--levels 4"):
        checkpoint.build()
    declared = load_checkpoint(path, levels=8)
    assert (declared.card.levels, "levels" in declared.card.unknown) == (8, False)
    assert {module.levels for module in declared.build().modules() if isinstance(module, QCFS)} == {8}


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("vgg16_L[4].pth", 4),
        ("vgg16_L8.pth", 8),
        ("L4.pth", 4),
        ("a-L=16-b.pth", 16),
        ("net_L_2.pt", 2),
        ("cifar100.pth", None),
        ("XL4.pth", None),
        ("L0.pth", None),
        ("L4000.pth", None),
    ],
)
def test_levels_in_a_files_name_are_a_proposal(qcfs_file, name, levels):
    card = load_checkpoint(qcfs_file(name)).card
    assert card.proposed_levels == (levels or 8)
    assert any("suggests" in note for note in card.notes) == (levels is not None)


@pytest.mark.parametrize("levels", [0, -1, 257, True])
def test_impossible_levels_are_refused(qcfs_file, levels):
    with pytest.raises(CheckpointError, match="whole number from 1 to 256"):
        load_checkpoint(qcfs_file(), levels=levels)


def test_declared_levels_may_not_contradict_the_file(native, tmp_path):
    native.save(tmp_path / "a.safetensors")
    assert load_checkpoint(tmp_path / "a.safetensors", levels=4).card.levels == 4
    with pytest.raises(CheckpointError, match=r"L = 4.*levels = 8"):
        load_checkpoint(tmp_path / "a.safetensors", levels=8)


def test_a_relu_network_needs_no_levels(tmp_path):
    Checkpoint.from_network(build(SMALL, ActivationSpec()), SMALL, ActivationSpec()).save(tmp_path / "r.safetensors")
    card = load_checkpoint(tmp_path / "r.safetensors", levels=8).card
    assert card.levels is None
    assert "not used" in card.notes[-1]


def test_a_foreign_file_saved_as_native_remembers_its_origin(qcfs_file, tmp_path):
    foreign = load_checkpoint(qcfs_file())
    foreign.save(tmp_path / "copy.safetensors")
    copy = load_checkpoint(tmp_path / "copy.safetensors")
    assert copy.card.origin_sha256 == foreign.card.sha256 != copy.card.sha256
    assert (copy.card.foreign, copy.card.source, copy.card.levels) == (True, "qcfs_family", None)
    assert copy.card.proposals == foreign.card.proposals
    assert copy.save(tmp_path / "again.safetensors").card.origin_sha256 == foreign.card.sha256


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named_by_key(qcfs_file, bad):
    def spoil(state):
        state["layer2.0.weight"][0, 0, 0, 0] = bad
        return state

    with pytest.raises(CheckpointError, match=r"layer2\.0\.weight holds (NaN|infinite)"):
        load_checkpoint(qcfs_file(change=spoil))


@pytest.mark.parametrize("threshold", [0.0, -1.5])
def test_thresholds_must_be_positive(qcfs_file, threshold):
    def spoil(state):
        state["classifier.2.thresh"].fill_(threshold)
        return state

    with pytest.raises(CheckpointError, match=r"threshold of classifier\.act1"):
        load_checkpoint(qcfs_file(change=spoil))


def test_a_negative_variance_and_whole_number_weights_are_refused(qcfs_file):
    def negative(state):
        state["layer1.1.running_var"][0] = -1
        return state

    with pytest.raises(CheckpointError, match=r"layer1\.1\.running_var holds a negative"):
        load_checkpoint(qcfs_file(change=negative))
    with pytest.raises(CheckpointError, match=r"torch\.int8"):
        load_checkpoint(
            qcfs_file(change=lambda state: {**state, "layer1.0.weight": state["layer1.0.weight"].to(torch.int8)})
        )


def test_half_precision_is_computed_in_float32_and_said(qcfs_file):
    checkpoint = load_checkpoint(qcfs_file(change=lambda state: {key: value.half() for key, value in state.items()}))
    assert checkpoint.state_dict["stage1.conv1.weight"].dtype == torch.float32
    assert any("half precision" in note for note in checkpoint.card.notes)


def rewritten(path, target, **changes):
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["snnlab"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, target, {"snnlab": json.dumps({**header, **changes})})
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"activation": "gelu"}, "activation"),
        ({"levels": "8"}, "levels"),
        ({"levels": 0}, "levels"),
        ({"licence": 3}, "licence"),
        ({"notes": "text"}, "notes"),
        ({"seen": {"test": "perhaps"}}, "seen"),
        ({"accuracies": {"dev": 97.1}}, "accuracies"),
        ({"foreign": "no"}, "foreign"),
        ({"proposals": {"levels": 4}}, "proposals"),
        ({"architecture": None}, "architecture"),
        ({"architecture": {**SMALL, "plan": [4, "A", 7, "A"]}}, "does not fit its own header"),
        ({"activation": "relu"}, "unexpected"),
    ],
)
def test_a_tampered_header_is_refused(native, tmp_path, changes, message):
    native.save(tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(rewritten(tmp_path / "a.safetensors", tmp_path / "b.safetensors", **changes))


def test_a_header_that_is_no_json(tmp_path):
    save_file({"a.weight": torch.ones(1)}, tmp_path / "a.safetensors", {"snnlab": "{" * 100_000})
    with pytest.raises(CheckpointError, match=r"header of a\.safetensors is damaged"):
        load_checkpoint(tmp_path / "a.safetensors")


def test_unknown_names_ask_for_a_declaration(tmp_path):
    torch.save({"encoder.q": torch.ones(2, 2), "encoder.k": torch.ones(2, 2)}, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=r"no known source.*encoder\.q.*--architecture"):
        load_checkpoint(tmp_path / "net.pt")


def test_an_unknown_file_or_example_is_named():
    with pytest.raises(CheckpointError, match=r"There is no file 'nowhere\.pt'"):
        load_checkpoint("nowhere.pt")
    with pytest.raises(CheckpointError, match="no bundled checkpoint 'nothing-like-it'"):
        example("nothing-like-it")


def test_bundled_checkpoints_open_by_name(native, tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    native.save(tmp_path / "checkpoints" / "tiny-vgg-L4.safetensors")
    monkeypatch.setattr(checkpoint_module, "asset_folder", lambda: tmp_path)
    assert examples() == ("tiny-vgg-L4",)
    assert example("tiny-vgg-L4").card == load_checkpoint("tiny-vgg-L4").card
    with pytest.raises(CheckpointError, match="did you mean 'tiny-vgg-L4'"):
        example("tiny-vgg-L8")


@pytest.mark.parametrize("declared", ["vgg11", "resnet20-A"])
def test_a_declared_name_takes_its_classes_from_the_file(tmp_path, declared):
    architecture = named_architecture("resnet20-A", 7)
    torch.save(build(architecture, ActivationSpec()).state_dict(), tmp_path / "net.pt")
    if declared == "resnet20-A":
        assert load_checkpoint(tmp_path / "net.pt", architecture=declared).card.num_classes == 7
    else:
        with pytest.raises(MismatchError, match="the declared vgg11"):
            load_checkpoint(tmp_path / "net.pt", architecture=declared)


def test_a_native_file_may_not_be_declared_otherwise(native, tmp_path):
    native.save(tmp_path / "a.safetensors")
    assert load_checkpoint(tmp_path / "a.safetensors", architecture=SMALL)
    assert candidates(tmp_path / "a.safetensors") == [SMALL]
    with pytest.raises(CheckpointError, match="differs from the declared"):
        load_checkpoint(tmp_path / "a.safetensors", architecture={**SMALL, "num_classes": 4})


def test_data_of_an_unknown_dataset_asks_for_its_name(qcfs_file):
    with pytest.raises(CheckpointError, match="dataset="):
        load_checkpoint(qcfs_file()).data("dev")


def test_data_of_a_native_checkpoint_is_its_own(native):
    images = native.data("dev", limit=5)
    assert (len(images), images.dataset) == (5, "digits")
