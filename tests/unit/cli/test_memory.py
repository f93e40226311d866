"""Every verb that simulates says in one sentence that memory was short."""

import pytest
from typer.testing import CliRunner

from snnlab.cli.main import app
from snnlab.runs import Store
from snnlab.simulation import engine


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
@pytest.mark.parametrize("verb", ["evaluate", "residuals", "budget", "restore", "flips", "energy", "fit-noise"])
def test_short_memory_is_one_sentence_and_nothing_is_stored(verb, error, monkeypatch, tmp_path):
    def short(*arguments, **options):
        raise error

    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))
    monkeypatch.setattr(engine, "_run", short)
    result = CliRunner().invoke(app, [verb, "digits-vgg-qcfs-L8", "--num-steps", "2", "--limit", "8"])
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        "error: There is not enough memory for this; use a smaller T or fewer images, close other programs, or take a "
        "machine with more memory."
    )
    assert [row for row in Store().list() if not row.shipped] == []
