"""The verb energy."""

import json

import pytest
from typer.testing import CliRunner

from snnlab.cli.main import app

RUN = ["energy", "digits-vgg-qcfs-L8", "--limit", "6", "--num-steps", "3"]


def told(*more, of=tuple(RUN)):
    result = CliRunner().invoke(app, [*of, *more])
    assert result.exit_code == 0, result.output
    return result


def test_one_json_value_with_layers_totals_and_energies():
    found = json.loads(told("--json").stdout)
    assert [layer["name"] for layer in found["layers"]][:2] == ["stage1.conv1", "stage1.conv2"]
    assert found["layers"][0]["firing_rate"] is None
    assert found["totals"]["syn_ops"] == pytest.approx(sum(layer["syn_ops"] for layer in found["layers"]))
    assert found["totals"]["ann_macs"] == sum(layer["ann_macs"] for layer in found["layers"])
    for row in found["energy"]:
        expected = row["mac_pj"] * found["totals"]["snn_macs"] + row["sop_pj"] * found["totals"]["snn_acs"]
        assert not row["across_technologies"]
        assert row["snn_pj"] == pytest.approx(expected)
        assert row["low"] < row["snn_pj"] < row["high"]
    assert set(found["crossover"]) == {row["costs"] for row in found["energy"]}
    assert found["images"] == 6


def test_conventions_and_costs_are_chosen(tmp_path):
    out = tmp_path / "energy.svg"
    options = ["--first-layer", "once", "--pooled", "separate", "--biases", "--no-residual-adds"]
    found = json.loads(told(*options, "--costs", "int8-45nm", "--out", str(out), "--json").stdout)
    assert found["conventions"] == {
        "first_layer": "once", "biases": True, "residual_adds": False, "pooled": "separate", "memory": False,
    }  # fmt: skip
    assert [row["costs"] for row in found["energy"]] == ["int8-45nm"]
    assert found["layers"][0]["snn_macs"] == found["layers"][0]["ann_macs"]
    assert out.read_text().startswith("<?xml")


def test_a_chip_is_asked_for_by_name():
    found = json.loads(told("--costs", "loihi", "--json").stdout)
    (row,) = found["energy"]
    assert (row["sop_pj"], row["mac_pj"], row["across_technologies"]) == (23.6, 4.6, True)
    assert "chips across technologies" in told("--costs", "loihi").stdout


def test_a_table_for_reading_and_one_image():
    text = told(of=("energy", "digits-vgg-qcfs-L8", "--limit", "1", "--num-steps", "1")).stdout
    assert "stage1.conv1" in text
    assert "32-bit float, 45 nm" in text
    found = json.loads(told("--json", of=("energy", "digits-vgg-qcfs-L8", "--limit", "1", "--num-steps", "1")).stdout)
    assert found["totals"]["low"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--costs", "free"], "There are no energy costs 'free'"),
        (["--first-layer", "never"], "first_layer is 'never'"),
        (["--out", "energy.txt"], "must end in .pdf, .svg or .png"),
    ],
)
def test_bad_words_are_refused_in_one_line(words, said):
    result = CliRunner().invoke(app, [*RUN, *words])
    assert result.exit_code != 0
    assert said in result.stderr
    assert "Traceback" not in result.output
