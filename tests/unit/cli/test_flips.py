"""The verb flips: one JSON value that agrees with the library, its line, and refusals."""

import json

import pytest
from typer.testing import CliRunner

import snnlab as sl
from snnlab.cli.main import app
from snnlab.runs import Store, as_cli, as_python, default_recipe, flips_recipe

VGG = "digits-vgg-qcfs-L8"


@pytest.fixture(autouse=True)
def _own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))


def run(*words, code=0):
    result = CliRunner().invoke(app, ["flips", *words])
    assert result.exit_code == code, result.output
    return result


def test_json_tells_every_flip_and_stores_the_run():
    told = json.loads(run(VGG, "--num-steps", "2", "--until", "8", "--limit", "64", "--json").stdout)
    ckpt = sl.example(VGG)
    ann, images = ckpt.build(), ckpt.data("dev", limit=64)
    report = sl.analysis.find_flips(sl.convert(ann, "qcfs"), ann, images, num_steps=8, steps=[2])

    assert [row["index"] for row in told["images"]] == [flip.image for flip in report.flips(2)]
    for row, flip in zip(told["images"], report.flips(2), strict=True):
        assert (row["label"], row["ann"], row["snn"]) == (flip.label, flip.ann, flip.snn)
        assert row["margins"] == {"ann": flip.ann_margin, "snn": flip.snn_margin}
        assert (row["agrees_from"], row["first_site"]) == (flip.agrees_from, flip.first_site)
    assert told["counts"]["flips"] == len(told["images"]) > 0
    assert told["counts"]["bad"] + told["counts"]["good"] + told["counts"]["other"] == told["counts"]["flips"]
    assert told["until"] == 8
    (row,) = [row for row in Store().list() if not row.shipped]
    assert row.verb == "flips"
    assert Store().get(row.id).to_bytes() == Store().get(row.id).from_bytes(Store().get(row.id).to_bytes()).to_bytes()


def test_the_table_says_when_nothing_flips():
    told = run("digits-vgg-relu", "--num-steps", "32", "--until", "32", "--limit", "3").stdout
    assert "agree on every image; at T = " in told
    told = run(VGG, "--num-steps", "1", "--until", "1", "--limit", "30").stdout
    assert "Too few images do not flip" in told


def test_the_line_and_the_python_of_a_page_give_its_flips():
    recipe = flips_recipe(default_recipe(VGG, num_steps=8, limit=48))
    line = as_cli(recipe, verb="flips", num_steps=2)
    assert "--num-steps 2 --until 8" in line
    told = json.loads(run(*line.split()[2:], "--json").stdout)
    names = {}
    exec(as_python(recipe, verb="flips", num_steps=2), names)
    assert [flip.image for flip in names["flips"]] == [row["index"] for row in told["images"]]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--num-steps", "4", "--until", "2"), "lies before T = 4"),
        (("--num-steps", "2", "--until", "4", "--method", "opt_shift"), "leave --until out"),
        (("--num-steps", "2", "--out", "x.txt"), "must end in .pdf"),
    ],
)
def test_refusals_are_one_sentence(words, sentence):
    told = " ".join(run(VGG, *words, code=1).output.split())
    assert sentence in told
    assert "Traceback" not in told
