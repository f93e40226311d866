"""The user's own code: what registers, what is refused and how, and that no two versions of a file are mixed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from snnlab.core import loaded, registry
from snnlab.core.errors import RecipeError
from snnlab.core.recipe import Recipe
from tests.own_code import ACTIVATION, CALIBRATION, EXAMPLE, own_code  # noqa: F401

ROOT = Path(__file__).resolve().parents[3]


pytestmark = pytest.mark.usefixtures("own_code")


def written(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text)
    return path


def changed(folder, old, new):
    """The example with a change."""
    text = EXAMPLE.read_text()
    assert old in text
    return written(folder, text.replace(old, new))


def recipe(**converter):
    return Recipe.parse(
        {
            "checkpoint": {"source": "digits-vgg-qcfs-L8"},
            "data": {"dataset": "digits", "limit": 20},
            "converter": {"method": "margin", **converter},
            "num_steps": 2,
        }
    )


def python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_is_short_and_registers():
    assert len(EXAMPLE.read_text().splitlines()) < 45
    found = loaded.load_file(EXAMPLE)
    assert (found.file, found.methods, found.problem) == ("own_method.py", ("margin",), "")
    assert "margin" in [card.name for card in registry.methods()]
    assert registry.method_class("margin").create(margin=2).margin == 2.0
    assert loaded.load_file(EXAMPLE) == found  # a second time it is there already


def test_the_example_converts():
    import snnlab as sl

    loaded.load_file(EXAMPLE)
    ann = sl.example("digits-vgg-qcfs-L8").build()
    snn, plain = sl.convert(ann, "margin", margin=1.5), sl.convert(ann, "qcfs")
    for name, neuron in snn.sites.items():
        assert float(neuron.threshold) == pytest.approx(1.5 * float(plain.sites[name].threshold))


def test_the_recipe_carries_name_and_hash():
    found = loaded.load_file(EXAMPLE)
    made = recipe()
    assert made.converter.parameters == {"margin": 1.1}
    assert made.converter.code.model_dump() == {"method": "margin", "file": "own_method.py", "sha256": found.sha256}
    assert Recipe.parse(made.to_dict()) == made
    assert Recipe.from_yaml(made.to_yaml()).sha == made.sha
    made.converter.check_code()
    assert "code" not in recipe(method="qcfs").to_dict()["converter"]


def test_two_versions_of_a_file_never_share_a_key(tmp_path):
    loaded.load_file(EXAMPLE)
    first = recipe()
    registry.unregister("margin")
    loaded.load_file(changed(tmp_path, "initial_fraction=0.5)", "initial_fraction=0.4)"))
    second = recipe()
    assert first.key() != second.key()
    # The first one can still be read and shown, but not run by the other version.
    again = Recipe.parse(first.to_dict())
    assert again == first
    with pytest.raises(RecipeError, match=r"made with own_method\.py of SHA-256 .*the loaded one has"):
        again.converter.check_code()


def test_a_recipe_of_a_file_that_is_not_loaded_is_shown_and_not_run():
    loaded.load_file(EXAMPLE)
    made = recipe(parameters={"margin": 1.3}).to_dict()
    registry.unregister("margin")
    read = Recipe.parse(made)
    assert read.to_dict() == made
    assert registry.card("margin").display_name == "margin (not loaded)"
    assert "margin" not in [card.name for card in registry.methods()]
    with pytest.raises(RecipeError, match=r"own_method\.py .*not loaded; add --load FILE"):
        read.converter.check_code()
    with pytest.raises(RecipeError, match="not loaded"):
        registry.method_class("margin")
    with pytest.raises(RecipeError, match="not loaded"):
        recipe()  # a new one needs the file
    loaded.load_file(EXAMPLE)
    read.converter.check_code()


def code(method, file="lost.py", digit="a"):
    return {"method": method, "file": file, "sha256": 64 * digit}


def test_of_two_lost_files_none_is_called_loaded():
    for file, digit in (("lost.py", "a"), ("other.py", "b")):
        made = recipe(method="lost", code=code("lost", file, digit))
        with pytest.raises(RecipeError, match=f"is of {file} .*which is not loaded"):
            made.converter.check_code()


def test_a_method_of_a_file_never_becomes_one_of_snnlab_s_own():
    made = recipe(method="qcfs", code=code("qcfs"))
    assert not made.converter.runs_here
    with pytest.raises(RecipeError, match=r"of lost\.py, and snnlab now has its own"):
        made.converter.check_code()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"file": "/tmp/evil.py"}, "name of a Python file without its folder"),
        ({"file": "two\nlines.py"}, "name of a Python file without its folder"),
        ({"file": ""}, "name of a Python file without its folder"),
        ({"sha256": "a" * 63}, "64 hexadecimal digits"),
    ],
)
def test_a_recipe_names_a_file_and_its_hash_and_no_place(change, told):
    with pytest.raises(RecipeError, match=told):
        recipe(method="lost", code=code("lost") | change)


def test_another_method_leaves_the_code_behind():
    loaded.load_file(EXAMPLE)
    other = recipe().changed(converter={"method": "qcfs", "parameters": {}})
    assert other.converter.code is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "x = 1\ny = [1, 2][5]  # here\n",
            r"mine\.py, line 2: `y = \[1, 2\]\[5\]  # here` raised IndexError: list index",
        ),
        ("def f(:\n", r"mine\.py, line 1: `def f\(:` raised SyntaxError"),
        ("import not_there_at_all", r"line 1: `import not_there_at_all` raised ModuleNotFoundError"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("x = 1", r"registers no method; put @sl\.register"),
        ("import snnlab as sl\n@sl.register\nclass A: pass", r"line 2: .*AttributeError"),
    ],
)
def test_a_file_that_raises_is_one_sentence_with_its_line(tmp_path, text, told):
    before = registry.methods()
    with pytest.raises(RecipeError, match=told) as raised:
        loaded.load_file(written(tmp_path, text))
    assert "\n" not in str(raised.value)
    assert registry.methods() == before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name="margin"', 'name="qcfs"', "snnlab has a method 'qcfs' already"),
        ("    margin: float = 1.1", "    margins: float = 1.1", "has no field 'margin'"),
        (", low=0.5, high=4.0", "", "has no range"),
        ('Parameter("margin", 1.1', 'Parameter("margin", 9.0', "lies outside"),
        ('kind="converter"', 'kind="activation"', "is not an activation: derive it from sl.Activation"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path, old, new, told):
    with pytest.raises(RecipeError, match=told):
        loaded.load_file(changed(tmp_path, old, new))
    assert "margin" not in [card.name for card in registry.methods()]


def test_what_registered_before_the_error_goes_with_it(tmp_path):
    path = written(tmp_path, EXAMPLE.read_text() + "\n1 / 0\n")
    with pytest.raises(RecipeError, match="ZeroDivisionError"):
        loaded.load_file(path)
    assert "margin" not in [card.name for card in registry.methods()]


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(RecipeError, match="No such file"):
        loaded.load_file(tmp_path / "none.py")


def test_the_server_knows_the_cards_without_torch_and_without_running_the_file(tmp_path):
    ran = tmp_path / "ran"
    head = f"import torch, os\nopen({str(ran)!r}, 'a').write(str(os.getpid()) + ' ')\nprint('hello')\n"
    path = written(tmp_path, head + EXAMPLE.read_text())
    bad = written(tmp_path, "1 / 0", "bad.py")
    code = (
        "import json, os, sys, snnlab as sl\n"
        "files = sl.adopt_named(); again = sl.adopt_named()\n"
        "card = next(card for card in sl.methods() if card.name == 'margin')\n"
        "print(json.dumps([os.getpid(), 'torch' in sys.modules, files == again,\n"
        "    [f.problem for f in files], card.parameters[0].high, card.needs[0]]))"
    )
    told = json.loads(python(code, SNNLAB_LOAD=os.pathsep.join([str(path), str(bad)])))
    pid, has_torch, same, problems, high, needs = told
    assert not has_torch
    assert same
    assert problems[0] == ""
    assert "bad.py, line 1: `1 / 0` raised ZeroDivisionError" in problems[1]
    assert (high, needs) == (4.0, "learned_thresholds")
    pids = ran.read_text().split()
    assert len(pids) == 1
    assert pids != [str(pid)]


def test_the_server_knows_every_kind_by_its_card():
    code = (
        "import json, sys, snnlab as sl\n"
        "sl.adopt_named()\n"
        "names = [card.name for card in sl.methods()]\n"
        "print(json.dumps(['torch' in sys.modules, 'mean_plus' in names, 'soft_stairs' in names,\n"
        "    [card.kind for card in sl.methods('activation')], sl.runs.default_target('soft_stairs')]))"
    )
    files = os.pathsep.join([str(ACTIVATION), str(CALIBRATION)])
    assert json.loads(python(code, SNNLAB_LOAD=files)) == [False, True, False, ["activation"], 2]


def test_the_launcher_looks_once_for_the_server(monkeypatch):
    loaded.name_files([EXAMPLE])
    assert [file.methods for file in loaded.look_into_named()] == [("margin",)]
    monkeypatch.setattr(loaded, "_probed", lambda paths: pytest.fail("looked again"))
    assert [file.methods for file in loaded.adopt_named()] == [("margin",)]
    with pytest.raises(RecipeError, match="not loaded"):
        registry.method_class("margin")  # the card is known, the class is not


def test_a_file_that_ends_the_process_is_left_out(tmp_path):
    path = written(tmp_path, "import os\nos._exit(1)")
    loaded.name_files([path])
    (found,) = loaded.adopt_named()
    assert "ended the process that loads it" in found.problem


def test_named_files_add_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded.name_files(["a.py"])
    loaded.name_files(["a.py", tmp_path / "b.py"])
    assert loaded.named_files() == (str(tmp_path / "a.py"), str(tmp_path / "b.py"))
    with pytest.raises(RecipeError, match="separates paths"):
        loaded.name_files([f"x{os.pathsep}y.py"])


def test_without_files_nothing_is_started(monkeypatch):
    monkeypatch.setattr(loaded.subprocess, "run", lambda *a, **k: pytest.fail("started a process"))
    assert loaded.adopt_named() == loaded.look_into_named() == loaded.load_named() == ()
