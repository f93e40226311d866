"""``--load``: a method of the user's own on the command line."""

import os

import pytest

from snnlab.cli import launcher
from snnlab.core import loaded
from tests.own_code import EXAMPLE, own_code  # noqa: F401
from tests.unit.cli.test_launcher import Replaced, app, free_port  # noqa: F401
from tests.unit.cli.test_main import VGG, as_json, error

pytestmark = pytest.mark.usefixtures("own_code")


def test_evaluate_with_a_method_of_ones_own():
    words = ("evaluate", VGG, "--num-steps", 2, "--limit", 30, "--load", EXAMPLE)
    plain = as_json("evaluate", VGG, "--num-steps", 2, "--limit", 30)
    same = as_json(*words, "--method", "margin", "--set", "margin=1.0")
    wider = as_json(*words, "--method", "margin", "--set", "margin=2")

    assert same["snn_accuracy"] == plain["snn_accuracy"]
    assert wider["snn_accuracy"] != plain["snn_accuracy"]
    assert wider["recipe"]["converter"]["code"]["file"] == "own_method.py"
    assert wider["recipe_sha"] != same["recipe_sha"]


def test_it_is_listed_and_named_by_the_environment(monkeypatch):
    monkeypatch.setenv(loaded.VARIABLE, str(EXAMPLE))
    assert "margin" in [card["name"] for card in as_json("methods")]


def test_a_file_that_raises_stops_the_verb(tmp_path, monkeypatch):
    path = tmp_path / "bad.py"
    path.write_text("import math\nmath.sqrt(-1)\n")
    told = error("evaluate", VGG, "--num-steps", 2, "--load", path)
    assert "bad.py, line 2: `math.sqrt(-1)` raised ValueError" in told
    monkeypatch.setenv(loaded.VARIABLE, "")
    assert "cannot be loaded" in error("methods", "--load", tmp_path / "none.py")


def test_without_it_the_method_is_unknown():
    assert "no method 'margin'" in error("evaluate", VGG, "--num-steps", 2, "--method", "margin")


def test_the_app_starts_without_what_raises_and_says_so(app, free_port, tmp_path, monkeypatch, capfd):  # noqa: F811
    def become(program, arguments):
        raise Replaced

    bad = tmp_path / "bad.py"
    bad.write_text("1 / 0")
    monkeypatch.setattr(launcher.os, "execv", become)
    with pytest.raises(Replaced):
        launcher.start_app(free_port, load=[EXAMPLE, bad])
    told = capfd.readouterr().err

    assert "note: own_method.py brings margin" in told
    assert "note: bad.py, line 1: `1 / 0` raised ZeroDivisionError: division by zero" in told
    assert os.environ[loaded.VARIABLE] == os.pathsep.join([str(EXAMPLE), str(bad)])
