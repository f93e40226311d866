"""``snnlab train-new``: a checkpoint from random weights, gone on with where it was stopped, and what is refused."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import snnlab as sl
from snnlab.analysis.accuracy import predict
from snnlab.cli import train_new as verb
from snnlab.cli.main import app
from snnlab.runs import storage
from snnlab.runs.paths import training_folder

runner = CliRunner()
FIELDS = {"family": "resnet", "widths": [8, 16], "blocks": [1, 1], "shortcut": "B", "num_classes": 10}
FIELDS |= {"in_channels": 1, "input_size": 8}
SMALL = ["--architecture", json.dumps(FIELDS), "--epochs", "2", "--images", "64", "--batch-size", "32"]


def invoke(*words):
    return runner.invoke(app, ["train-new", *map(str, words)])


def test_the_file_is_that_of_the_library_and_the_json_tells_it(tmp_path):
    out = tmp_path / "new.safetensors"
    words = [*SMALL, "--block-form", "pre_act", "--activation", "qcfs", "--levels", 4, "--seed", 3, "--out", out]
    done = invoke(*words, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    made = sl.training.train_new(
        {**FIELDS, "block": "pre_act"}, activation="qcfs", levels=4, seed=3, epochs=2, images=64, batch_size=32
    )
    written = sl.load_checkpoint(out)
    assert all(torch.equal(written.state_dict[key], value) for key, value in made.state_dict.items())
    assert (told["name"], told["sha256"]) == (made.card.name, written.card.sha256)
    assert (told["architecture"]["block"], told["activation"], told["levels"]) == ("pre_act", "qcfs", 4)
    dev = written.data("dev")
    assert told["ann_accuracy"] == np.mean(predict(written.build(), dev) == dev.labels)
    assert (told["split"], told["images"]) == ("dev", len(dev))
    again = invoke(*words)
    assert again.exit_code == 0
    assert f"{told['ann_accuracy']:.2%}" in again.stdout


def test_the_same_line_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    words = [*SMALL, "--out", tmp_path / "stopped.safetensors"]
    batches = []

    class Stopping:
        def __enter__(self):
            return self.heard

        def __exit__(self, *error):
            return False

        def heard(self, done, total, what):
            batches.append(done)
            if len(batches) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(verb, "progress_bar", Stopping)
    stopped = invoke(*words)
    assert stopped.exit_code == 130
    assert "finished epochs are kept: the same line goes on from there" in stopped.stderr
    assert not (tmp_path / "stopped.safetensors").exists()
    (kept,) = (path for path in training_folder().iterdir() if (path / "training.safetensors").exists())
    assert [item.id for item in storage.usage().trainings] == [f"trainings/{kept.name}"]
    assert invoke(*words).exit_code == 0
    assert batches == [1, 2, 3, 3, 4], "the third batch was of an epoch that was not finished"
    straight = invoke(*SMALL, "--state", tmp_path / "state", "--out", tmp_path / "straight.safetensors")
    assert straight.exit_code == 0
    one, other = (sl.load_checkpoint(tmp_path / f"{name}.safetensors") for name in ("stopped", "straight"))
    assert one.card.sha256 == other.card.sha256


def test_a_name_is_built_for_the_images_of_the_dataset(tmp_path):
    out = tmp_path / "named.safetensors"
    done = invoke("--architecture", "resnet8-A", "--epochs", 1, "--images", 16, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    fields = json.loads(done.stdout)["architecture"]
    assert (fields["in_channels"], fields["input_size"], fields["block"]) == (1, 8, "post_act")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Name the network to train with --architecture"),
        (["--architecture", "resnet8-A"], "Name the checkpoint to write with --out"),
        (["--architecture", "resnet8-A", "--block-form", "mid_act"], "'mid_act' is none of post_act, pre_act, dual_"),
        (["--architecture", "vgg16", "--block-form", "pre_act"], "There is no architecture 'vgg16-pre_act'"),
        (["--architecture", "vgg16"], "input_size 8 is too small"),
        (["--architecture", "{"], "begins like JSON and is none"),
        (["--architecture", '{"family": "vggg"}'], "There is no architecture family 'vggg'"),
        (["--architecture", "missing.yaml"], "The architecture file missing.yaml cannot be read"),
        (["--architecture", "resnet8-A", "--activation", "qcfs", "--levels", "0"], "levels: Input should be greater"),
        (["--architecture", "resnet8-A", "--activation", "qcfs"], "give L with qcfs"),
        (["--architecture", "resnet8-A", "--activation", "gelu"], "a new network is trained with relu, clipped_relu"),
        (["--architecture", "resnet8-A", "--first-threshold", "0"], "first_threshold is 0"),
        (["--architecture", "resnet8-A", "--epochs", "0"], "epochs: Input should be greater"),
        (["--architecture", "resnet8-A", "--augment", "spin"], "augment"),
        (["--architecture", "resnet8-A", "--dataset", "cifar11"], "cifar11"),
        (["--architecture", "resnet8-A", "--device", "tpu"], "There is no device 'tpu'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(words, said, tmp_path):
    out = [] if len(words) < 3 and said.startswith("Name") else ["--out", tmp_path / "new.safetensors"]
    refused = invoke(*words, *out)
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert said in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("out", "said"),
    [("", "is a folder"), ("new.pt", "has not the suffix"), ("no/new.safetensors", "does not exist")],
)
def test_an_unusable_file_is_refused_before_the_training(out, said, tmp_path):
    refused = invoke(*SMALL, "--out", tmp_path / out)
    assert refused.exit_code == 1
    assert said in refused.stderr


def test_empty_data_is_refused(tmp_path):
    np.savez(tmp_path / "empty.npz", x=np.zeros((0, 8, 8), np.uint8), y=np.zeros(0, np.int64))
    words = ["--architecture", "resnet8-A", "--out", tmp_path / "new.safetensors"]
    for dataset, folder, said in (
        ("npz", tmp_path / "empty.npz", "with 1 to 4 channels and at least one image"),
        ("mnist", tmp_path, "MNIST"),
    ):
        refused = invoke(*words, "--dataset", dataset, "--data-dir", folder)
        assert refused.exit_code == 1
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert said in refused.stderr
        assert "unexpected" not in refused.stderr


def test_training_without_a_checkpoint_points_to_this_verb():
    refused = runner.invoke(app, ["train", "--architecture", "resnet8-A"])
    assert refused.exit_code == 1
    assert "train-new trains from random weights" in refused.stderr
