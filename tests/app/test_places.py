"""A run whose images are elsewhere: it is shown, and says where new results would need them."""

import dataclasses

import pytest

import snnlab as sl
from pages._ui import cached
from tests.app.conftest import cifar_folder


@pytest.fixture
def foreign(shipped, monkeypatch, tmp_path):
    """A stored run of CIFAR-10 images on a machine that has none."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(tmp_path))
    made = shipped["digits-resnet-qcfs-L4"]
    values = made.recipe.to_dict()
    values["data"] |= {"dataset": "cifar10", "normalize": "cifar10"}
    values["data"].pop("folder", None)
    run = dataclasses.replace(made, id="cd" * 16, recipe=sl.Recipe.parse(values))
    cached.store().save(run)
    return run


def asked(at):
    return [field for field in at.sidebar.text_input if field.label == "Folder of CIFAR-10"]


def started_with(at, pool):
    at.button(key="flips-start").click().run()
    return pool.last("flips").arguments["recipe"]["data"].get("folder")


def test_stored_results_are_shown_and_the_folder_is_asked_for(foreign, at_page, pool, tmp_path):
    at = at_page("flips", run=foreign.id[:12])
    (field,) = asked(at)
    assert any("was not found on this machine" in text.value for text in at.sidebar.markdown)
    empty = tmp_path / "empty"
    empty.mkdir()
    field.set_value(str(empty)).run()
    assert "was not found in" in at.sidebar.error[0].value
    asked(at)[0].set_value("/outside").run()
    assert "not a readable path" in at.sidebar.error[0].value
    folder = cifar_folder(tmp_path / "data")
    asked(at)[0].set_value(str(folder)).run()
    assert not asked(at)
    assert started_with(at, pool) == str(folder)


def test_a_folder_that_a_run_of_ones_own_knows_is_taken(foreign, at_page, pool, tmp_path):
    folder = cifar_folder(tmp_path / "data")
    known = foreign.recipe.changed(data={"folder": str(folder)}, num_steps=4, snapshots=[4])
    cached.store().save(dataclasses.replace(foreign, id="ef" * 16, recipe=known))
    at = at_page("flips", run=foreign.id[:12])
    assert not asked(at)
    assert started_with(at, pool) == str(folder)


def test_runs_are_looked_through_once_a_script_run(foreign, at_page, monkeypatch):
    looked, newest = [], cached._newest
    monkeypatch.setattr(cached, "_newest", lambda: looked.append(True) or newest())
    at = at_page("flips", run=foreign.id[:12])
    assert len(looked) == 1
    at.run()
    assert len(looked) == 2


def test_a_folder_named_for_a_new_conversion_serves_the_run_in_view_and_is_proposed_again(foreign, at_page, tmp_path):
    folder = cifar_folder(tmp_path / "data")
    at = at_page("checkpoint", run=foreign.id[:12])
    assert asked(at)
    field = next(field for field in at.main.text_input if field.label == "Folder")
    field.set_value(str(folder)).run()
    at.run()
    assert not asked(at)
    at.switch_page("pages/flips.py").run()
    assert not asked(at)
    at.switch_page("pages/checkpoint.py").run()
    assert next(field for field in at.main.text_input if field.label == "Folder").value == str(folder)


def test_images_that_come_with_the_package_are_never_asked_for(at_page):
    assert not [field for field in at_page("accuracy").sidebar.text_input if field.label.startswith("Folder")]
