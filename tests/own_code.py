"""For tests that load a user's file: the examples, and a registry that forgets them afterwards."""

from pathlib import Path

import pytest

from snnlab.core import loaded, registry

_FOLDER = Path(__file__).resolve().parents[1] / "examples"
EXAMPLE = _FOLDER / "own_method.py"
ACTIVATION = _FOLDER / "own_activation.py"
CALIBRATION = _FOLDER / "own_calibration.py"


@pytest.fixture
def own_code(monkeypatch):
    """Nothing is loaded, and what the test loads is forgotten."""
    registry.methods()  # snnlab's own
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(loaded, "_loaded", {})
    monkeypatch.setenv(loaded.VARIABLE, "")  # set, so that what the test puts there is taken back
    monkeypatch.setenv(loaded.FOUND_VARIABLE, "[]")
