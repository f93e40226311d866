"""Every registered method: what `methods` tells of it, and that `evaluate` runs it or says what it needs."""

import pytest

from snnlab.core import registry
from tests.unit.cli.test_main import as_json, error, invoke

QUANTIZED, PLAIN = "digits-vgg-qcfs-L8", "digits-vgg-relu"
QUICK = {"calibration_weights": ["iterations=1", "images=16"]}
"""Parameters of methods that would take long with their defaults."""
METHODS = [card.name for card in registry.methods()]


def words(method, checkpoint):
    given = [word for pair in QUICK.get(method, ()) for word in ("--set", pair)]
    return ["evaluate", checkpoint, "--method", method, "--num-steps", "2", "--limit", "10", *given]


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


@pytest.mark.parametrize("method", METHODS)
def test_each_method_is_evaluated_or_says_which_network_it_needs(method):
    """On a quantized network and a plain one: a curve, or one sentence that names a site and another way."""
    ran = []
    for checkpoint in (QUANTIZED, PLAIN):
        result = invoke(*words(method, checkpoint), "--json")
        if result.exit_code == 0:
            told = as_json(*words(method, checkpoint)) if checkpoint == QUANTIZED and not ran else None
            ran.append(checkpoint)
            if told is not None:
                assert told["images"] == 10
                assert len(told["snn_accuracy"]) >= 2
            continue
        sentence = error(*words(method, checkpoint))
        needs = registry.card(method).needs
        assert set(needs) - {"calibration_data", "validation_data"}, sentence
        assert method in sentence
        assert "stage1.act1" in sentence
        assert sentence.endswith(".")
    if set(registry.card(method).needs) <= {"calibration_data", "validation_data"}:
        assert ran == [QUANTIZED, PLAIN]
