"""One image or one class for every page: in the address, checked against the run in view, ended by a click."""

import dataclasses

import pytest

from pages._ui import selection
from tests.app.conftest import HOSTILE

VGG = "digits-vgg-qcfs-L8"


def said(at):
    return " ".join(caption.value for caption in at.caption)


def test_an_image_in_the_address_is_told_kept_from_page_to_page_and_cleared(at_page):
    at = at_page("residuals", chosen="digits-dev-image-17")
    assert "**Image 17 of dev**" in said(at)
    at.switch_page("pages/accuracy.py").run()
    assert at.query_params["chosen"] in ("digits-dev-image-17", ["digits-dev-image-17"])
    at.switch_page("pages/residuals.py").run()
    at.button(key="selection-clear").click().run()
    assert "chosen" not in at.query_params
    assert "Image 17" not in said(at)


def test_a_class_is_all_its_images(shipped):
    run = shipped[VGG]
    labels = run.reports["accuracy"].labels
    chosen = selection.Selection("digits", "dev", "class", 3)
    assert chosen.images(run) == [i for i in range(len(labels)) if labels[i] == 3]
    assert chosen.image is None
    assert selection.Selection("digits", "dev", "image", 9).images(run) == [9]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("digits-dev-image-270", "images 0 to 269"),
        ("digits-dev-class-10", "no image of the run in view is of it"),
        ("digits-validation-image-1", "the run in view is on dev of digits"),
        ("mnist-dev-class-1", "the run in view is on dev of digits"),
        (HOSTILE, "no image and no class"),
        ("digits-dev-image--1", "no image and no class"),
    ],
)
def test_what_does_not_fit_the_run_is_said_and_not_followed(at_page, asked, told):
    at = at_page("residuals", chosen=asked)
    assert told in said(at).replace("\\", "")
    assert at.button(key="selection-clear")
    assert "**b**" not in said(at)


def test_only_what_the_run_has_can_be_chosen(shipped):
    run = shipped[VGG]
    curve = run.reports["accuracy"]
    of_one_class = dataclasses.replace(curve, labels=curve.labels * 0)
    with pytest.raises(IndexError, match="images 0 to 269"):
        selection.choose_image(run, 270)
    with pytest.raises(IndexError, match="no image of the run"):
        selection.choose_class(dataclasses.replace(run, reports={**run.reports, "accuracy": of_one_class}), 3)


def test_residuals_of_the_selected_image_stand_beside_all(at_page, pool):
    from snnlab.runs.kinds import find

    pool.answers["selected"] = lambda arguments: find("selected")(progress=lambda *_: None, **arguments)
    at = at_page("residuals", chosen="digits-dev-image-17", T="2")
    job = pool.last("selected")
    assert job.arguments["images"] == [17]
    assert job.arguments["step"] == 2
    drawn = [c for c in at.get("bidi_component") if "snnlab_figure" in c.proto.component_name]
    assert len(drawn) == 1
    assert any("What is left over for image 17 of dev alone?" in header.value for header in at.header)
    assert any("1 image, simulated alone; all 270 images in green" in text.value for text in at.markdown)


def test_a_class_asks_for_its_images_and_nothing_selected_asks_nothing(at_page, pool, shipped):
    at_page("residuals", chosen="digits-dev-class-3", T="2")
    labels = shipped[VGG].reports["accuracy"].labels
    assert pool.last("selected").arguments["images"] == [i for i in range(270) if labels[i] == 3]
    pool.kept.clear()
    at_page("residuals")
    assert not [job for job in pool.kept.values() if job.kind == "selected"]
