"""Residuals of single images: those of a simulation of these images alone, whole through a pipe of JSON."""

import base64
import io
import json

import numpy as np
import pytest

import snnlab as sl
from snnlab.analysis.reports import Report
from snnlab.core.errors import DataError, RecipeError
from snnlab.runs import default_recipe
from snnlab.runs.kinds import find
from snnlab.runs.pool import INTERACTIVE

VGG = "digits-vgg-qcfs-L8"
RECIPE = default_recipe(VGG, num_steps=4, limit=20).to_dict()


def ask(images, step=2, recipe=RECIPE):
    answer = find("selected")(progress=lambda *_: None, recipe=recipe, images=images, step=step)
    packed = json.loads(json.dumps(answer, allow_nan=False))["report"]
    archive = np.load(io.BytesIO(base64.b64decode(packed["arrays"])))
    return Report.from_payload(packed["values"], dict(archive))


def test_it_is_a_question_that_waits_behind_no_batch_work():
    assert "selected" in INTERACTIVE


def test_they_are_a_simulation_of_these_images_alone():
    ckpt = sl.example(VGG)
    x = ckpt.data("dev", limit=20).batch(0, 20)[[3, 17]]
    alone = sl.analysis.residuals(sl.simulate(sl.convert(ckpt.build(), "qcfs"), x, num_steps=2, snapshots=[2]))
    found = ask([3, 17])
    assert (found.histogram == alone.histogram).all()
    assert (found.moments == alone.moments).all(), "infinities of empty classes, too"
    assert np.isinf(found.moments).any()
    assert found.images == 2
    assert found.split == "dev"


@pytest.mark.parametrize("images", [[], [20], [-1]])
def test_images_that_are_not_there_are_refused(images):
    with pytest.raises(DataError, match="images 0 to 19"):
        ask(images)
    with pytest.raises(RecipeError, match=r"outside 1\.\.4"):
        ask([0], step=5)


def test_a_step_before_the_end_of_a_correction_is_read_in_the_course_of_it():
    ckpt, recipe = sl.example(VGG), {**RECIPE, "converter": {"method": "cos"}}
    x = ckpt.data("dev", limit=20).batch(5, 6)
    whole = sl.analysis.residuals(sl.simulate(sl.convert(ckpt.build(), "cos"), x, num_steps=4, snapshots=[2]))
    assert (ask([5], recipe=recipe).histogram == whole.histogram).all()


def test_an_earlier_question_about_more_steps_leaves_nothing_behind():
    long = {**RECIPE, "num_steps": 8, "attribution": {"steps": [8]}, "noise": {"targets": [8]}}
    find("selected")(progress=lambda *_: None, recipe=long, images=[0], step=1)
    assert ask([0], recipe={**RECIPE, "converter": {"method": "calibration_light"}}).images == 1
