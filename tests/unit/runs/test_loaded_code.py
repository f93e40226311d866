"""A method from a user's file in the worker processes."""

from contextlib import closing

import pytest

from snnlab.core import loaded
from snnlab.core.recipe import Recipe
from snnlab.runs import Pool, Store, as_cli, as_python
from tests.own_code import EXAMPLE, own_code  # noqa: F401

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
