"""Layouts in which a training writes outside of memory are not used."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from snnlab.activations import ActivationSpec
from snnlab.models import build
from snnlab.training.layout import training_layout

NARROW = """
import snnlab as sl
resnet = {"family": "resnet", "widths": [4, 8, 16], "blocks": [1, 1, 1], "num_classes": 10, "in_channels": 1,
          "input_size": 8, "shortcut": "B"}
for seed, activation in enumerate(("relu", "clipped_relu", "qcfs")):
    levels = 4 if activation == "qcfs" else None
    made = sl.training.train_new(resnet, activation=activation, levels=levels, epochs=2, seed=seed)
    sl.training.fine_tune(made, activation="qcfs", levels=4, epochs=1, seed=seed)
print("alive")
"""


def test_narrow_networks_with_projected_shortcuts_train_without_harm_to_the_heap():
    # A process of its own: a corrupted heap kills it, seconds after the write, with SIGABRT or SIGSEGV.
    done = subprocess.run([sys.executable, "-c", NARROW], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr[-2000:]


@pytest.mark.parametrize(
    ("width", "shortcut", "layout"),
    [
        (4, "B", torch.contiguous_format),
        (8, "B", torch.contiguous_format),
        (16, "B", torch.channels_last),
        (4, "A", torch.channels_last),
    ],
)
def test_only_narrow_projected_shortcuts_are_contiguous(width, shortcut, layout):
    fields = {"family": "resnet", "widths": [width, 2 * width], "blocks": [1, 1], "shortcut": shortcut}
    shape = {"num_classes": 10, "in_channels": 1, "input_size": 8}
    assert training_layout(build({**fields, **shape}, ActivationSpec("relu"), seed=0)) is layout


def test_what_counts_are_the_channels_of_one_group():
    assert training_layout(nn.Conv2d(32, 32, 1, stride=2, groups=4)) is torch.contiguous_format
    assert training_layout(nn.Conv2d(32, 32, 1, stride=2)) is torch.channels_last
    assert training_layout(nn.Conv2d(4, 4, 1)) is torch.channels_last
