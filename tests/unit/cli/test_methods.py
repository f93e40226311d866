"""Every registered method: what `methods` tells of it, and that `evaluate` runs it or says what it needs."""

import json

import pytest

from snnlab.core import registry
from tests.unit.cli.test_main import as_json, invoke

QUANTIZED, PLAIN = "digits-vgg-qcfs-L8", "digits-vgg-relu"
QUICK = {"calibration_weights": ("iterations=1", "images=16"), "ltb": ("iterations=1",)}
"""Parameters of methods that would take long with their defaults."""
IMAGES = {"calibration_data", "validation_data"}
METHODS = [card.name for card in registry.methods()]


def test_methods_are_listed_with_what_a_form_needs():
    told = {row["name"]: row for row in as_json("methods")}
    assert set(METHODS) <= set(told)
    for name in METHODS:
        row, card = told[name], registry.card(name)
        assert {"name", "kind", "citation", "year", "evidence", "needs", "parameters"} <= set(row)
        assert row["citation"]
        assert row["evidence"] in ("official_code", "paper_text", "related_code", "interpretation")
        assert (row["needs"], row["year"]) == (list(card.needs), card.year)
        assert [parameter["name"] for parameter in row["parameters"]] == [known.name for known in card.parameters]
        assert all(parameter["help"] for parameter in row["parameters"])
    assert told["calibration_weights"]["changes_weights"]
    assert not told["qcfs"]["changes_weights"]


@pytest.mark.parametrize("checkpoint", [QUANTIZED, PLAIN])
@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_evaluated_or_says_which_network_it_needs(method, checkpoint):
    """A curve; or, only where the method asks for a kind of network, one sentence that names a site and another way."""
    given = [word for pair in QUICK.get(method, ()) for word in ("--set", pair)]
    words = ["evaluate", checkpoint, "--method", method, "--num-steps", "4", "--limit", "10", "--json", *given]
    result = invoke(*words)
    if result.exit_code == 0:
        told = json.loads(result.stdout)
        assert (told["images"], len(told["snn_accuracy"])) == (10, 4)
        return
    assert result.stdout == ""
    *progress, sentence = result.stderr.strip().splitlines()
    assert progress == []
    assert set(registry.card(method).needs) - IMAGES, sentence
    assert sentence.startswith("error: stage1.act1 is a ")
    assert f"{method} needs" in sentence
    assert " use " in sentence
