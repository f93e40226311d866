"""A run as one folder: complete, all or nothing, and drawn again by its own script."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from snnlab.analysis.reports import FinalEvaluation
from snnlab.core.errors import StoreError
from snnlab.core.recipe import Recipe
from snnlab.figures import noise_gain
from snnlab.runs import Run, export, export_run, line_of
from snnlab.runs.contents import figures_of, tables_of
from tests.stored_runs import shipped, with_report
from tests.unit.figures.synthetic_gain import noise_gain_report

HOSTILE = "=1+1 <b>x</b> _%$ ../../up"


@pytest.fixture(scope="module")
def run():
    return shipped()


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return export_run(run, tmp_path_factory.mktemp("out") / "new" / "folder")


@pytest.fixture
def quick(monkeypatch):
    """Exports without figures, which take seconds."""
    monkeypatch.setattr(export, "figures_of", lambda run: ())


def test_everything_is_there(run, folder):
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    figures = {"accuracy", "sites", "residuals-t2", "residuals-t32", "residual-site-t2", "spike-errors-t2"}

    assert files == {
        *("README.txt", "recipe.yaml", "environment.json", "redraw.py", "numbers.run"),
        *(f"reports/{name}.{kind}" for name in run.reports for kind in ("csv", "json")),
        *(f"tables/{name}.tex" for name in ("accuracy", "sites", "residuals-t2")),
        *(f"figures/{name}.{kind}" for name in figures for kind in ("pdf", "svg", "png", "csv", "txt")),
    }
    assert list(folder.parent.iterdir()) == [folder], "no part is left beside it"
    assert folder.stat().st_mode & 0o055 == 0o055 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_numbers_are_the_runs(run, folder):
    assert Run.from_bytes((folder / "numbers.run").read_bytes()).to_bytes() == run.to_bytes()
    assert Recipe.from_file(folder / "recipe.yaml") == run.recipe
    accuracy = pd.read_csv(folder / "reports/accuracy.csv")
    pd.testing.assert_frame_equal(accuracy, run.accuracy.to_frame())
    told = json.loads((folder / "reports/residuals.json").read_text())
    assert told["run"] == run.id
    assert told["steps"] == list(run.residuals.steps)
    assert [row["excess"] for row in told["rows"]] == pytest.approx(run.residuals.to_frame()["excess"].tolist())
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["environment"] == run.environment
    assert environment["checkpoint"]["sha256"] == run.card["sha256"]


def test_tables_are_booktabs(folder, run):
    text = (folder / "tables/accuracy.tex").read_text()

    assert text.count("rule") == 3
    assert "SNN & 2 & 82.22 {[}77.22, 86.32{]} & $-$14.44" in text
    assert [table.name for table in tables_of(run)] == ["accuracy", "sites", "residuals-t2"]


def _drawing(path):
    """An SVG without the names of its clip paths: they come from unrounded sizes, which differ between processes."""
    return re.sub(r"\bp[0-9a-f]{10}\b", "clip", path.read_text())


def test_the_script_draws_the_figures_again_from_the_folder_alone(folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    before = {path.name: _drawing(path) for path in (moved / "figures").glob("*.svg")}
    shutil.rmtree(moved / "figures")
    for name in ("reports", "tables"):
        shutil.rmtree(moved / name)
    environment = {**os.environ, "SNNLAB_STORE": str(tmp_path / "none.sqlite")}
    told = subprocess.run([sys.executable, str(moved / "redraw.py")], cwd=tmp_path, env=environment, check=True)

    assert told.returncode == 0
    assert len(list((moved / "figures").iterdir())) == 3 * len(before)
    assert {path.name: _drawing(path) for path in (moved / "figures").glob("*.svg")} == before
    assert not (tmp_path / "none.sqlite").exists()


def test_every_kind_of_run_can_be_exported(quick, tmp_path):
    for number, name in enumerate(("digits-vgg-relu", "digits-resnet-qcfs-L4")):
        folder = export_run(shipped(name, "noise"), tmp_path / str(number))
        assert (folder / "reports/noise.json").stat().st_size > 1000
        assert list((folder / "tables").glob("noise-t*.tex"))


def test_an_experiment_can_be_exported(run, quick, tmp_path):
    trained = dataclasses.replace(run, verb="train", reports={**run.reports, "gain": noise_gain_report()})
    assert figures_of(trained)[0].title == noise_gain(noise_gain_report()).title, "it begins with what was asked"
    names = [figure.name for figure in figures_of(trained, residuals=False)]
    folder = export_run(trained, tmp_path / "out")

    assert names[0] == "noise-gain"
    assert {"accuracy", "sites"} < set(names)
    assert len(names) == len(set(names)) >= 6
    assert "nq" in (folder / "reports/gain.csv").read_text()
    assert r"\toprule" in (folder / "tables/gain.tex").read_text()
    assert "snnlab train --recipe recipe.yaml" in (folder / "README.txt").read_text()


def test_a_final_evaluation_can_be_exported(run, quick, tmp_path):
    curve = run.accuracy
    arms = tuple(
        {"name": name, "title": name, "run": run.id, "recipe": run.recipe.to_dict(), "recipe_sha": run.recipe_sha}
        | {"checkpoint": name, "sha256": name, "lineage": name, "foreign": False, "interpretation": False}
        for name in ("first", "second")
    )
    report = FinalEvaluation(
        dataset="digits",
        target=2,
        arms=arms,
        looks={"first": 1, "second": 1},
        labels=curve.labels,
        explored=np.zeros(curve.images, bool),
        ann_predictions=np.stack([curve.ann_predictions] * 2),
        snn_predictions=np.stack([curve.snn_predictions] * 2),
        num_classes=10,
    )
    final = dataclasses.replace(run, verb="final", reports={"accuracy": curve, "conversion": run.conversion})
    final = dataclasses.replace(final, reports={**final.reports, "final": report})
    folder = export_run(final, tmp_path / "out")

    assert [figure.name for figure in figures_of(final)][1:] == ["sites"]
    assert "first & ANN" in (folder / "tables/final.tex").read_text()
    assert line_of(final) == f"snnlab runs show {final.id[:12]}"
    assert "evaluate" not in (folder / "README.txt").read_text()


def test_nothing_is_overwritten(quick, run, tmp_path):
    (tmp_path / "empty").mkdir()
    assert export_run(run, tmp_path / "empty") == tmp_path / "empty"
    with pytest.raises(StoreError, match=r"empty is not empty; name a new folder, nothing is overwritten"):
        export_run(run, tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="is not empty"):
        export_run(run, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_failure_leaves_nothing(quick, run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export.Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"out cannot be written: No space left on device\."):
        export_run(run, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        export_run(run, tmp_path / "file" / "below")


def test_hostile_names_stay_names(quick, run, tmp_path):
    rows = tuple({**row, "name": HOSTILE} for row in run.conversion.sites)
    hostile = with_report(run, "conversion", sites=rows)
    hostile = with_report(hostile, "residuals", names=(HOSTILE,) * len(rows))
    folder = export_run(dataclasses.replace(hostile, card={**run.card, "name": HOSTILE}), tmp_path / "out")

    assert r"\_\%\$" in (folder / "tables/sites.tex").read_text()
    assert "'=1+1" in (folder / "reports/conversion.csv").read_text()
    assert {path.parent for path in tmp_path.rglob("*") if path.is_file()} <= {
        folder,
        folder / "reports",
        folder / "tables",
    }
