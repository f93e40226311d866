import io
import zipfile

import pandas as pd
import pytest

from snnlab.core.errors import SnnlabError
from snnlab.figures import bundle


def test_bundle_holds_everything_and_is_deterministic(all_figures):
    figure = all_figures["spike_errors"]
    data = bundle(figure, "seed: 0\n", recipe_sha="ab12", run_id="cd34", name="a b/../c")
    assert data == bundle(figure, "seed: 0\n", recipe_sha="ab12", run_id="cd34", name="a b/../c")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = ["a-b-..-c." + kind for kind in ("pdf", "svg", "png", "csv", "txt")]
        assert archive.namelist() == [*names, "recipe.yaml"]
        assert archive.read("recipe.yaml") == b"seed: 0\n"
        table = pd.read_csv(io.BytesIO(archive.read(names[3])))
        assert table["share"].tolist() == pytest.approx(figure.data["share"].tolist())
        assert b"ab12" in archive.read(names[1])
        assert figure.title in archive.read(names[4]).decode()


def test_unknown_preset(all_figures):
    with pytest.raises(SnnlabError, match="preset"):
        bundle(all_figures["accuracy"], "", preset="huge")
