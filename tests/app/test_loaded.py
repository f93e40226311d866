"""A user's own method in the app: in the menus, in Help, and what could not be loaded in the sidebar."""

import dataclasses

import pytest

from snnlab.core import loaded, registry
from tests.app.conftest import html_of, warnings
from tests.own_code import EXAMPLE, own_code  # noqa: F401

pytestmark = pytest.mark.usefixtures("own_code")


def test_it_is_in_the_menus_and_in_help(at_page):
    loaded.name_files([EXAMPLE])
    menu = next(box for box in at_page("conversion").selectbox if box.label == "Method")
    assert "Margin" in menu.options
    menu.set_value("margin").run()
    shown = html_of(at_page("help"))

    assert "own_method.py" in shown
    assert "Margin" in shown


def test_what_raises_is_one_sentence_and_the_app_stands(at_page, tmp_path):
    bad = tmp_path / "bad_<b>.py"
    bad.write_text("x = {}['<i>']\n")
    loaded.name_files([bad])
    at = at_page("checkpoint")

    assert "KeyError" in warnings(at)
    assert "<i>" not in warnings(at)


def test_a_run_of_a_file_that_is_not_loaded_is_shown_but_not_edited(at_page, store, shipped):
    loaded.load_file(EXAMPLE)
    run = shipped["digits-vgg-qcfs-L8"]
    converter = {"method": "margin", "parameters": {"margin": 1.5}}
    made = dataclasses.replace(run, id="d1" * 16, recipe=run.recipe.changed(converter=converter))
    store.save(made)
    registry.unregister("margin")

    for page in ("checkpoint", "residuals", "accuracy", "help"):
        at_page(page, run=made.id[:12])
    at = at_page("conversion", run=made.id[:12])
    assert "own" in at.error[0].value
    assert "is not loaded" in at.error[0].value
