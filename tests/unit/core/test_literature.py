import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import snnlab as sl
from snnlab.core.errors import RecipeError
from snnlab.core.literature import literature
from snnlab.core.references import REFERENCES

ROOT = Path(__file__).resolve().parents[3]


def accuracies(**wanted):
    return {row.num_steps: row.snn_accuracy for row in literature(**wanted)}


def test_numbers_are_those_of_the_sources():
    nq = accuracies(dataset="cifar10", architecture="resnet20", method="nq")
    assert nq == {1: 0.6599, 2: 0.7730, 4: 0.8454, 8: 0.8743, 16: 0.8826}
    ltb = [row for row in literature(method="ltb") if row.architecture == "resnet18"]
    assert [row.snn_accuracy for row in ltb] == [0.6555, 0.6853, 0.6903, 0.6921]
    assert all("delayed read-out" in row.remark for row in ltb)
    (ecl,) = literature(method="ecl")
    assert (ecl.num_steps, ecl.snn_accuracy, ecl.where, ecl.ann_accuracy) == (2, 0.9475, "abstract", None)


def test_levels_keep_two_qcfs_networks_apart():
    at_two = {row.levels: row.snn_accuracy for row in literature(dataset="cifar100", method="qcfs") if row.series in (
        "Bu2022-qcfs-cifar100-vgg16-L4", "Bu2022-qcfs-cifar100-vgg16-L8") and row.num_steps == 2}  # fmt: skip
    assert at_two == {4: 0.6379, 8: 0.5246}


def test_every_row_is_whole():
    rows = literature()
    for row in rows:
        assert row.source in REFERENCES
        assert row.where
        assert row.num_steps >= 1
        assert 0 < row.snn_accuracy < 1
        assert row.ann_accuracy is None or 0.5 < row.ann_accuracy < 1
        assert row.dataset in ("cifar10", "cifar100", "imagenet")
        assert "published elsewhere" in row.remark
    assert len({(row.series, row.num_steps) for row in rows}) == len(rows), "one number a series and T"
    assert len({row.series for row in rows}) == len({row.name for row in rows})
    assert all(row.test_selected for row in rows if row.source in ("Huang2024", "Deng2021"))


def test_an_snn_beats_its_ann_by_little_and_grows_with_t():
    """Catches a number in the wrong row."""
    series = {}
    for row in literature():
        series.setdefault(row.series, []).append(row)
    for name, rows in series.items():
        steps = [row.num_steps for row in rows]
        assert steps == sorted(steps), name
        for before, after in itertools.pairwise(rows):
            assert after.snn_accuracy > before.snn_accuracy - 0.006, name
        for row in rows:
            assert row.ann_accuracy is None or row.snn_accuracy < row.ann_accuracy + 0.04, name


def test_filters_know_shortcut_kinds_and_methods():
    assert literature(architecture="resnet20-B") == literature(architecture="resnet20") != ()
    assert literature(dataset="digits") == ()
    with pytest.raises(RecipeError, match=r"'qcsf'.*known are those of .*qcfs"):
        literature(method="qcsf")


def test_it_needs_no_torch():
    code = "import sys, snnlab as sl; sl.literature(method='nq'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
    assert sl.literature is literature
