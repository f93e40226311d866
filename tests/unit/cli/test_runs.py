"""``snnlab runs``: listing, showing, comparing, exporting, marking and pruning."""

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from snnlab.cli.main import app
from snnlab.runs import Store, compare, keep_upload, storage
from tests.stored_runs import shipped

runner = CliRunner()


@pytest.fixture
def stored():
    store = Store()
    run = shipped("digits-vgg-qcfs-L8")
    for number in range(3):
        store.save(dataclasses.replace(run, id=f"{number:032x}", created=f"2026-01-0{number + 1}T00:00:00+00:00"))
    return store


def as_json(*words):
    told = runner.invoke(app, ["runs", *words, "--json"])
    assert told.exit_code == 0, told.stderr
    return json.loads(told.stdout)


def test_list(stored):
    rows = as_json("list")

    assert [set(row) for row in rows] == [{"run", "recipe_sha", "verb", "created", "state"}] * len(stored.list())
    assert [int(row["run"], 16) for row in rows[:3]] == [2, 1, 0]
    assert "shipped" in runner.invoke(app, ["runs", "list"]).stdout


def test_list_finds_by_words_tag_and_kind(stored):
    assert as_json("tag", f"{1:032x}", "paper", "Übung", "--note", "for figure 2") == {
        "run": f"{1:032x}",
        "tags": ["paper", "Übung"],
        "note": "for figure 2",
    }
    for words in (("--tag", "PAPER"), ("--text", "übung figure"), ("--text", f"{1:032x}")):
        assert [int(row["run"], 16) for row in as_json("list", *words)] == [1]
    assert {row["verb"] for row in as_json("list", "--verb", "noise")} == {"noise"}
    assert as_json("list", "--text", "no such words") == []
    assert "#paper" in runner.invoke(app, ["runs", "list"]).stdout


def test_tags_are_replaced_and_cleared(stored):
    name = shipped().id
    as_json("tag", name, "one", "two", "--note", "text")
    assert as_json("tag", name[:6], "three")["tags"] == ["three"]
    assert as_json("tag", name)["tags"] == ["three"], "without words it only tells"
    assert as_json("tag", name, "--clear") == {"run": name, "tags": [], "note": "text"}
    assert as_json("tag", name, "--note", "")["note"] == ""


def test_show(stored):
    run = shipped()
    Store().mark(run.id, tags=["paper"], note="a note")
    told = as_json("show", run.id[:8])

    assert told["recipe"] == run.recipe.to_dict()
    assert (told["environment"], told["notes"]) == (run.environment, list(run.notes))
    assert (told["tags"], told["note"], told["shipped"]) == (["paper"], "a note", True)
    assert told["accuracy"]["snn"][1]["accuracy"] == run.accuracy.snn_accuracy[1]
    assert told["accuracy"]["ann"]["accuracy"] == run.accuracy.ann_accuracy
    text = runner.invoke(app, ["runs", "show", run.id[:8]]).stdout
    for part in (run.id, "tags: paper\na note", "96.67", run.notes[0], run.recipe.to_yaml()):
        assert part in text


def test_compare_gives_the_librarys_numbers():
    one, two = shipped(), shipped("digits-vgg-relu")
    assert as_json("compare", one.id, two.id[:6]) == compare([one, two]).plain()
    text = runner.invoke(app, ["runs", "compare", one.id, two.id]).stdout

    assert "52.22\u00a0%  −30.00 [−36.49, −23.10]" in text
    assert "t = 2: threshold" in text
    assert "7.332" in text
    assert "t = 32: threshold" in runner.invoke(app, ["runs", "compare", one.id, two.id, "--at", "32"]).stdout


def test_compare_says_what_it_cannot():
    text = runner.invoke(app, ["runs", "compare", shipped().id, shipped("digits-resnet-qcfs-L4").id]).stdout

    assert "no site of the same name and shape" in text


def test_export(tmp_path, monkeypatch):
    monkeypatch.setattr("snnlab.runs.export.figures_of", lambda run: ())
    run = shipped()
    Store().mark(run.id, tags=["paper"], note="mine & yours")
    told = as_json("export", run.id[:6], "--out", str(tmp_path / "out"), "--html", str(tmp_path / "run.html"))

    assert told == {"run": run.id, "html": str(tmp_path / "run.html"), "folder": str(tmp_path / "out")}
    assert (tmp_path / "out" / "recipe.yaml").read_text() == run.recipe.to_yaml()
    assert "mine &amp; yours" in (tmp_path / "run.html").read_text()


def test_export_of_several_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("snnlab.runs.export.figures_of", lambda run: ())
    runs = [shipped(verb="energy"), shipped(verb="flips")]
    out, html = tmp_path / "out", tmp_path / "runs.html"
    told = as_json("export", *(run.id for run in runs), "--out", str(out), "--html", str(html))

    assert told == {"runs": [run.id for run in runs], "html": str(html), "folder": str(out)}
    for run in runs:
        assert (out / run.id[:8] / "recipe.yaml").read_text() == run.recipe.to_yaml()
        assert run.recipe_sha in html.read_text()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "abc"], "There is no run 'abc'"),
        (["compare", "RUN"], "two runs or more; 1 given"),
        (["compare", "RUN", "RUN"], "named twice"),
        (["compare", "RUN", "RELU", "--at", "9"], "no common snapshot at t = 9"),
        (["export", "RUN"], "Say where to: --out FOLDER"),
        (["export", "RUN", "--html", "/nowhere/x.html"], "/nowhere/x.html cannot be written"),
        (["tag", "RUN", "two words"], "'two words' is no tag"),
        (["tag", "RUN", "x", "--clear"], "not both"),
        (["tag", "ffffffff", "x"], "There is no run 'ffffffff'"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, sentence):
    ids = {"RUN": shipped().id, "RELU": shipped("digits-vgg-relu").id}
    told = runner.invoke(app, ["runs", *(ids.get(word, word) for word in words)])

    assert told.exit_code == 1
    assert sentence in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1


def test_prune(stored):
    told = as_json("prune", "--keep", "1", "--dry-run")
    assert len(told["runs"]) == 2
    assert told["dry_run"]
    assert len(as_json("list")) == len(Store().shipped()) + 3
    assert as_json("prune", "--keep", "1")["runs"] == told["runs"]
    assert len(as_json("list")) == len(Store().shipped()) + 1
    assert as_json("prune", "--max-size", "0")["run_bytes"] > 0
    assert len(as_json("list")) == len(Store().shipped())


def test_prune_uploads(stored):
    keep_upload("net.pt", b"x" * 100)
    assert as_json("prune", "--uploads", "--older-than", "1")["uploads"] == []
    told = as_json("prune", "--uploads")

    assert (told["uploads"], told["upload_bytes"], told["runs"]) == (["net.pt"], 100, [])
    assert storage.usage().items == ()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Say what to remove"),
        (["--keep", "-1"], "--keep -1: give 0 or more"),
        (["--older-than", "nan"], "--older-than nan"),
    ],
)
def test_errors_are_one_line(words, sentence):
    told = runner.invoke(app, ["runs", "prune", *words])

    assert told.exit_code == 1
    assert sentence in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
