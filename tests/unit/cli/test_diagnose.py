"""``snnlab diagnose``: the findings as JSON and as text, each with the line that measures what it proposes."""

import json

import pytest
from typer.testing import CliRunner

import snnlab as sl
from snnlab.cli.main import app

SMALL = ("digits-vgg-qcfs-L8", "--num-steps", "8", "--limit", "24")


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))


def run(*words):
    told = CliRunner().invoke(app, ["diagnose", *words])
    assert told.exit_code == 0, told.output
    return told.stdout


def test_a_threshold_edited_by_hand_is_named_and_its_line_mends_it():
    printed = json.loads(run(*SMALL, "--site", "stage2.act1.threshold=0.3", "--json"))
    first = printed["findings"][0]
    assert (first["rank"], first["rule"], first["site"]) == (1, "threshold", "stage2.act1")
    assert first["low"] <= first["regained"] <= first["high"]
    threshold = first["changes"]["converter"]["sites"]["stage2.act1"]["threshold"]
    assert f"--site stage2.act1.threshold={threshold}" in first["command"]
    assert first["command"].startswith("snnlab evaluate digits-vgg-qcfs-L8")
    assert printed["num_steps"] == 8
    assert (printed["images"], printed["split"]) == (24, "dev")
    assert printed["snn_accuracy"] <= printed["ann_accuracy"]
    assert "normalization" in printed["considered"]


def test_a_wrong_normalisation_is_named():
    told = run(*SMALL, "--normalize", "half")
    assert "1. The images are probably normalised wrongly" in told
    assert "Normalise the images as unit." in told
    assert "--normalize unit" in told


def test_a_drawn_profile_is_compared_with_the_measured_gap(tmp_path):
    profile = tmp_path / "profile.yaml"
    made = CliRunner().invoke(
        app, ["fit-noise", "digits-vgg-qcfs-L8", "--num-steps", "2", "--limit", "64", "--eval-limit", "16",
              "--noise-seeds", "1", "--out", str(profile)],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    sl.calibration.NoiseProfile.from_yaml(profile.read_text()).multiplied({"stage3.act1": 3.0}).save(profile)
    printed = json.loads(run(*SMALL[:1], "--num-steps", "2", "--limit", "24", "--noise", str(profile), "--json"))
    first = printed["findings"][0]
    assert (first["rule"], first["site"]) == ("noise", "stage3.act1")
    assert first["command"].startswith("snnlab fit-noise")


def test_test_images_choose_nothing():
    told = CliRunner().invoke(app, ["diagnose", *SMALL[:3], "--split", "test"])
    assert told.exit_code != 0
    assert "Test images choose nothing" in told.stderr
