"""For tests that load a user's file: the example, and a registry that forgets it afterwards."""

from pathlib import Path

import pytest

from snnlab.core import loaded, registry

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "own_method.py"


@pytest.fixture
def own_code(monkeypatch):
    """Nothing is loaded, and what the test loads is forgotten."""
    registry.methods()  # snnlab's own
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(loaded, "_loaded", {})
    monkeypatch.setenv(loaded.VARIABLE, "")  # set, so that what the test puts there is taken back
    monkeypatch.setenv(loaded.FOUND_VARIABLE, "[]")
