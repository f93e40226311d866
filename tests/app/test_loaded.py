"""A user's own method in the app: in the menus, in Help, and what could not be loaded in the sidebar."""

import dataclasses

import pytest

from snnlab.core import loaded, registry
from tests.app.conftest import html_of, warnings
from tests.own_code import ACTIVATION, CALIBRATION, EXAMPLE, own_code  # noqa: F401

RELU = "digits-vgg-relu"
pytestmark = pytest.mark.usefixtures("own_code")


def test_it_is_in_the_menus_and_in_help(at_page):
    loaded.name_files([EXAMPLE])
    menu = next(box for box in at_page("conversion").selectbox if box.label == "Method")
    assert "Margin" in menu.options
    menu.set_value("margin").run()
    shown = html_of(at_page("help"))

    assert "own_method.py" in shown
    assert "Margin" in shown


def test_a_calibration_is_a_method_beside_percentile_and_max(at_page):
    loaded.name_files([CALIBRATION])
    at = at_page("conversion", run=RELU)
    menu = next(box for box in at.selectbox if box.label == "Method")
    assert {"Mean plus", "Max norm", "Percentile norm"} <= set(menu.options)
    menu.set_value("mean_plus").run()
    assert "Factor" in [number.label for number in at.number_input]


def test_an_activation_is_in_the_menu_of_training(at_page, pool):
    pool.answers["pace"] = {"batch": 0.1, "noise": 1.0, "watch": 0.5, "read": 2.0, "batches": 15}
    assert "Activation" not in [box.label for box in at_page("train").selectbox]
    loaded.name_files([ACTIVATION])
    at = at_page("train")
    menu = next(box for box in at.selectbox if box.label == "Activation")
    assert menu.options == ["QCFS", "Soft stairs"]
    menu.set_value("soft_stairs").run()
    next(button for button in at.button if button.label == "Train").click().run()
    training = pool.last("experiment").arguments["recipe"]["training"]
    assert (training["activation"], training["code"]["file"]) == ("soft_stairs", "own_activation.py")


def test_a_checkpoint_with_it_is_named_by_its_title(at_page, store, shipped):
    loaded.load_file(ACTIVATION)
    run = shipped["digits-vgg-qcfs-L8"]
    card = {**run.card, "activation": "soft_stairs", "code": {"file": "own_activation.py", "sha256": "0" * 64}}
    made = dataclasses.replace(run, id="d2" * 16, card=card)
    store.save(made)
    assert "Soft stairs, L = 8 (own_activation.py)" in html_of(at_page("checkpoint", run=made.id[:12]))
    registry.unregister("soft_stairs", "activation")
    assert "soft_stairs, L = 8 (own_activation.py)" in html_of(at_page("checkpoint", run=made.id[:12]))


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
