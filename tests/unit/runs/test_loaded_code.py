"""A method from a user's file in the worker processes."""

from contextlib import closing

import pytest

from snnlab.core import loaded
from snnlab.core.recipe import Recipe
from snnlab.runs import Pool, Store, as_cli, as_python
from tests.own_code import ACTIVATION, CALIBRATION, EXAMPLE, own_code  # noqa: F401

pytestmark = pytest.mark.usefixtures("own_code")


def recipe(converter=None):
    return Recipe.parse(
        {
            "checkpoint": {"source": "digits-vgg-qcfs-L8"},
            "data": {"dataset": "digits", "limit": 20},
            "converter": converter or {"method": "margin", "parameters": {"margin": 1.25}},
            "num_steps": 2,
        }
    )


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(EXAMPLE.read_text())
    return path


def test_a_worker_runs_it_and_refuses_another_version(mine, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    loaded.name_files([mine, broken])
    loaded.adopt_named()  # as the server does
    made = recipe()
    mine.write_text(mine.read_text() + "# another version\n")
    store = Store(tmp_path / "runs.sqlite")

    with closing(Pool(store, workers=1)) as pool:
        late = pool.wait(pool.submit("analyse", {"recipe": made.to_dict()}).id, 240)
    assert late.state == "failed"
    assert "made with mine.py of SHA-256" in late.error

    mine.write_text(EXAMPLE.read_text())
    with closing(Pool(store, workers=1)) as pool:
        job = pool.wait(pool.submit("analyse", {"recipe": made.to_dict()}).id, 240)
    assert job.state == "done", job.error
    run = store.get(job.result["run"])
    assert run.recipe.converter == made.converter
    assert run.reports["conversion"].method == "margin"


def test_a_stored_run_opens_where_the_file_is_not_loaded(mine, tmp_path, monkeypatch):
    from snnlab.core import registry
    from snnlab.runs import analyse

    loaded.load_file(mine)
    store = Store(tmp_path / "runs.sqlite")
    run_id = store.save(analyse(recipe()))
    registry.unregister("margin")
    (row,) = [row for row in Store(tmp_path / "runs.sqlite").list() if not row.shipped]

    assert row.id == run_id
    assert row.recipe.converter.code.file == "mine.py"
    assert store.get(run_id).title.startswith("digits-vgg-qcfs-L8")
    assert "--method margin --load mine.py" in as_cli(row.recipe)
    assert "sl.load_file('mine.py')" in as_python(row.recipe)


def test_lines_of_a_file_that_is_not_loaded_hold_every_parameter():
    # What this process remembers of the first recipe is no default of the second one, nor of the file.
    for digit, parameters in (("a", {"margin": 1.25}), ("b", {"other": 3, "margin": 1.5})):
        code = {"method": "lost", "file": "lost.py", "sha256": 64 * digit}
        read = recipe({"method": "lost", "parameters": parameters, "code": code})
        for name, value in parameters.items():
            assert f"--set {name}={value}" in as_cli(read)
            assert f", {name}={value}" in as_python(read)


def test_a_worker_trains_with_an_activation_and_opens_what_came_of_it(tmp_path, monkeypatch):
    from snnlab.sweeps import tuned_file

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    loaded.name_files([ACTIVATION, CALIBRATION])
    loaded.adopt_named()  # as the server does
    small = {"epochs": 1, "images": 32, "batch_size": 16, "augment": ["crop"], "noise": "re_estimate"}
    asked = Recipe.parse(
        {
            "checkpoint": {"source": "digits-vgg-qcfs-L8"},
            "data": {"dataset": "digits", "limit": 20},
            "converter": {"method": "mean_plus"},
            "num_steps": 2,
            "training": {"activation": "soft_stairs", **small},
            "noise": {"limit": 20},
            "experiment": {"arms": ["control", "nq"], "seeds": 1, "steps": [2]},
        }
    )
    store = Store(tmp_path / "runs.sqlite")
    with closing(Pool(store, workers=1)) as pool:
        job = pool.wait(pool.submit("experiment", {"recipe": asked.to_dict()}).id, 240)
        assert job.state == "done", job.error
        run = store.get(job.result["experiment"])
        tuned = tuned_file(run.recipe, "nq", 0)
        again = run.recipe.to_dict() | {"checkpoint": {"source": str(tuned)}}
        again = {name: value for name, value in again.items() if name not in ("training", "noise", "experiment")}
        job = pool.wait(pool.submit("analyse", {"recipe": again}).id, 240)
    assert job.state == "done", job.error
    found = store.get(job.result["run"])
    assert (found.card["activation"], found.card["code"]["file"]) == ("soft_stairs", "own_activation.py")
    assert found.recipe.checkpoint.code == run.recipe.training.code
    assert found.recipe.own_files == ("own_activation.py", "own_calibration.py")
    assert found.reports["conversion"].method == "mean_plus"
