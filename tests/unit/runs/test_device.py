"""The device of a run: told to the worker, noted beside its numbers, never mixed with another one's."""

import pytest
import torch
from typer.testing import CliRunner

from snnlab.analysis import accuracy
from snnlab.cli.main import app
from snnlab.core.errors import SimulationError
from snnlab.runs import Store, analyse, default_recipe, execute
from snnlab.runs.kinds.analysis import run_analysis
from snnlab.simulation import engine


def recipe():
    return default_recipe("digits-vgg-qcfs-L8", num_steps=2, limit=20)


def test_a_run_on_another_device_has_a_key_of_its_own(monkeypatch):
    here = analyse(recipe())
    for module in (engine, accuracy, execute):
        monkeypatch.setattr(module, "find_device", lambda name: torch.device("cpu"))
    there = analyse(recipe(), device="cuda")

    assert (here.environment["device"], there.environment["device"]) == ("cpu", "cuda")
    assert here.recipe == there.recipe
    assert here.key != there.key
    store = Store()
    store.save(there)
    assert store.find(here.recipe) is None
    assert store.find(here.recipe, device="cuda").id == there.id
    assert (here.accuracy.snn_predictions == there.accuracy.snn_predictions).all()


def test_a_device_that_is_not_there_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(execute, "convert_prepared", lambda *a, **k: pytest.fail("converted first"))
    with pytest.raises(SimulationError, match="no CUDA device"):
        run_analysis(progress=lambda *values: None, recipe=recipe().to_dict(), device="cuda")
    for verb in ("evaluate", "residuals"):
        told = CliRunner().invoke(app, [verb, "digits-vgg-qcfs-L8", "--num-steps", "2", "--device", "cuda"])
        assert told.exit_code == 1
        assert (
            told.stderr.strip() == "error: This machine has no CUDA device that torch can use; choose the device cpu."
        )
