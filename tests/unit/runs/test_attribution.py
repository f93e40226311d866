"""The run of one explained image: recipe, own picture, lines that give it again, export."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import snnlab as sl
from snnlab.cli.main import app
from snnlab.core.errors import DataError, RecipeError
from snnlab.runs.kinds.gate import gate
from snnlab.runs.offline import offline_report
from snnlab.runs.plain import line_of

NAME = "digits-vgg-qcfs-L8"


def recipe(**choice):
    return sl.runs.default_recipe(NAME).changed(attribution={"steps": [1, 2], "integration_steps": 5, **choice})


@pytest.fixture(scope="module")
def run():
    return sl.runs.attribution_run(recipe(image=3))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "own.png"
    Image.new("RGB", (20, 10), (200, 10, 10)).save(path)
    return path


def test_the_run_of_an_image(run):
    report = run.reports["attribution"]
    dev = sl.example(NAME).data("dev")
    assert (run.verb, run.recipe.data.limit, run.recipe.snapshots) == ("attribution", None, ())
    assert (report.label, report.index, report.split) == (int(dev.labels[3]), 3, "dev")
    assert np.allclose(report.picture, dev.pixels[3] / dev.scale)
    assert report.target == report.predicted[0]
    assert report.steps == (1, 2)


def test_the_run_is_stored_listed_and_exported(run, tmp_path):
    store = sl.runs.Store()
    store.save(run)
    row = store.row(run.id)
    assert (row.verb, row.images) == ("attribution", 1)
    again = store.get(run.id)
    assert again.reports["attribution"].to_frame().equals(run.reports["attribution"].to_frame())
    assert [figure.name for figure in sl.runs.figures_of(again)] == [
        "attribution-maps", "attribution-curves", "attribution-convergence", "attribution-sites",
        "attribution-restoration",
    ]  # fmt: skip
    page = offline_report(again)
    assert "What in the image speaks for class" in page
    assert "Which site would bring the ANN&#x27;s answer back?" in page or "Which site would bring the ANN's" in page
    assert line_of(again).startswith("snnlab attribute digits-vgg-qcfs-L8")
    shown = CliRunner().invoke(app, ["runs", "show", run.id, "--json"])
    assert shown.exit_code == 0, shown.output
    assert '"verb": "attribution"' in shown.output


def test_the_python_gives_the_same_numbers(run):
    space = {}
    *lines, last = sl.runs.as_python(run.recipe).split("\n")
    exec("\n".join(lines), space)
    assert last == "report.to_frame()"
    assert space["report"].to_frame().equals(run.reports["attribution"].to_frame())


def test_an_own_picture(picture, monkeypatch):
    made = sl.runs.attribution_run(recipe(picture=str(picture), method="saliency", target=2))
    report = made.reports["attribution"]
    assert (report.index, report.label, report.image_name) == (None, None, "own picture")
    assert any("20 × 10 pixels" in note for note in made.notes)
    assert any("grey" in note for note in made.notes)
    assert made.recipe.attribution.sha256 is not None
    moved = made.recipe.changed(attribution={"picture": "elsewhere.png"})
    assert moved.sha == made.recipe.sha  # where it lies is not what it is

    with pytest.raises(RecipeError, match="no true class"):
        sl.runs.attribution_run(recipe(picture=str(picture), target="true"))
    Image.new("RGB", (9, 9)).save(picture)
    with pytest.raises(RecipeError, match="The picture has changed"):
        sl.runs.attribution_run(made.recipe)


def test_the_gate_lets_no_picture_in_from_elsewhere(picture, monkeypatch, tmp_path):
    inside = recipe(picture=str(picture))
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    assert gate(inside).attribution.picture == str(picture.resolve())
    kept = sl.runs.keep_picture("own.png", picture.read_bytes())
    assert gate(recipe(picture=str(kept))).attribution.picture == str(kept.resolve())
    with pytest.raises(DataError, match="not a readable path"):
        gate(recipe(picture="/etc/passwd"))


def test_a_picture_is_kept_by_its_suffix():
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG")
    assert sl.runs.keep_picture("../a b.PNG", buffer.getvalue()).name == "ab.png"
    with pytest.raises(ValueError, match="is no picture; give one of"):
        sl.runs.keep_picture("a.safetensors", b"")


def test_what_is_not_there_is_refused():
    with pytest.raises(DataError, match="no image 270 in dev: it has 270, 0 to 269"):
        sl.runs.attribution_run(recipe(image=270))
    with pytest.raises(RecipeError, match="attribution steps"):
        recipe(steps=[99])
    with pytest.raises(RecipeError, match="attribution"):
        recipe(steps=[1, 2, 3, 4, 5, 6])


def test_the_command_line(tmp_path):
    out = tmp_path / "maps.svg"
    words = ["attribute", NAME, "--num-steps", "1,2", "--attribution", "saliency", "--image", "1", "--target", "true"]
    asked = CliRunner().invoke(app, [*words, "--json", "--out", str(out)])
    assert asked.exit_code == 0, asked.output
    assert '"target_from": "true"' in asked.stdout
    told = json.loads(asked.stdout)["restoration"]
    assert [row["step"] for row in told["steps"]] == [1, 2]
    assert {row["site"] for row in told["sites"]} >= {"", "stage1.act1"}
    assert out.read_bytes().startswith(b"<?xml")
    printed = CliRunner().invoke(app, words)
    assert "Saliency of dev image 1" in printed.stdout
    assert "halved_by" in printed.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--target", "10"], "no class 10"),
        (["--num-steps", "0"], "at least 1"),
        (["--attribution", "lime"], "attribution.method"),
        (["--image", "1", "--picture", "x.png"], "name two images"),
        (["--picture", "/nowhere.png"], "name a file that exists"),
        (["--attribution", "deeplift"], "none for QCFS"),
    ],
)
def test_the_command_line_refuses(words, sentence):
    given = ["--num-steps", "1", *words] if "--num-steps" not in words else words
    asked = CliRunner().invoke(app, ["attribute", NAME, *given])
    assert asked.exit_code == 1
    assert sentence in asked.output
