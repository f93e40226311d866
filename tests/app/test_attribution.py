"""The page of one explained image: what is shipped, the form, the job, an own picture, links and refusals."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

import snnlab as sl
from tests.app.conftest import html_of, warnings

NAME = "digits-vgg-qcfs-L8"


@pytest.fixture
def explained(store):
    return next(run for run in store.shipped() if run.verb == "attribution" and run.card["name"] == NAME)


def options(at, key):
    return next(box for box in at.selectbox if box.key.startswith(key))


def test_the_shipped_image_is_shown_with_its_checks(at_page, explained):
    at = at_page("attribution")
    report = explained.reports["attribution"]
    shown = html_of(at)
    number = sl.figures.tables.number
    for value in (*report.completeness_error, *report.rank_correlation, *report.outputs[:, 0]):
        assert number(float(value), 2) in shown.replace("+", "")
    assert "rank correlation of" in " ".join(each.value for each in at.markdown)
    assert [header.value for header in at.header] == [
        "What in the image speaks for class 5?",
        "Does each network need what its map names?",
        "In which layer does the SNN's evidence part from the ANN's?",
        "Does the SNN see what the ANN sees?",
        "Which site would bring the ANN's answer back?",
    ]  # fmt: skip


def test_the_button_hands_the_choice_to_a_job(at_page, pool):
    at = at_page("attribution")
    options(at, "explain-image").set_value(17)
    options(at, "explain-method").set_value("gradcam")
    options(at, "explain-target").set_value(3)
    at.button(key="explain-start").click().run()
    assert not at.exception
    recipe = sl.Recipe.parse(pool.last("attribution").arguments["recipe"])
    choice = recipe.attribution
    assert (choice.image, choice.method, choice.target, choice.steps) == (17, "gradcam", 3, (1, 2, 4, 8))
    assert recipe.data.limit is None
    assert at.button(key="explain-start").disabled


def test_t_starts_at_the_least_that_the_method_takes(at_page, store, shipped, pool):
    """COS looks at rho steps before it fires: a smaller T fails, so none is offered."""
    recipe = shipped[NAME].recipe.changed(converter={"method": "cos", "parameters": {"rho": 4}})
    own = dataclasses.replace(shipped[NAME], id="ba" * 16, recipe=recipe)
    store.save(own)
    at = at_page("attribution", run=own.id[:12])
    box = next(box for box in at.multiselect if box.key.startswith("explain-steps"))
    assert box.value == [4, 8]
    assert min(map(int, box.options)) == 4
    at.button(key="explain-start").click().run()
    assert pool.last("attribution").arguments["recipe"]["attribution"]["steps"] == [4, 8]


def test_restored_sites_and_a_tiny_map_are_shown(at_page, store, explained):
    report = explained.reports["attribution"]
    count = 1 + len(report.sites)
    logits = report.outputs[0, 0] - np.linspace(4, 0, count) * np.ones((len(report.steps), 1))
    told = dataclasses.replace(
        report,
        restored=logits,
        restored_predicted=np.where(np.arange(count) < 3, 7, report.predicted[0]) * np.ones_like(logits, int),
    )
    store.save(dataclasses.replace(explained, id="cd" * 16, reports={"attribution": told}))
    at = at_page("attribution")
    assert "Which site would bring the ANN's answer back?" in [header.value for header in at.header]
    page = html_of(at)
    assert f"{report.sites[2]}, the first of {len(report.sites) - 2}" in page.replace("</em>", "").replace("<em>", "")
    assert f"{100 * report.strength[1]:.1f} %" in page
    assert any("of the ANN's evidence" in caption.value.replace("\\", "") for caption in at.caption)


def test_the_selection_of_every_page_is_followed(at_page):
    at = at_page("attribution", chosen="digits-dev-image-12")
    assert options(at, "explain-image").value == 12
    at = at_page("attribution", chosen="digits-dev-class-4")
    assert options(at, "explain-class").value == 4
    assert all(": class 4," in label for label in options(at, "explain-image").options)


def test_deeplift_is_offered_where_it_is_valid(at_page, shipped):
    assert len(options(at_page("attribution"), "explain-method").options) == 5
    relu = at_page("attribution", run=shipped["digits-vgg-relu"].id[:12])
    assert len(options(relu, "explain-method").options) == 6


def test_a_newer_image_comes_first_and_the_older_one_can_be_chosen(at_page, store, explained):
    recipe = explained.recipe.changed(attribution={"image": 5})
    store.save(dataclasses.replace(explained, id="cd" * 16, recipe=recipe))
    at = at_page("attribution")
    box = options(at, "explain-shown")
    assert box.options[0].startswith("image 5 ·")
    box.select_index(1).run()
    assert not at.exception


def test_a_run_of_one_image_is_no_run_to_look_at(at_page, explained):
    at = at_page("accuracy", run=explained.id[:12], failing=True)
    assert not at.exception
    assert "of single images" in warnings(at)


def test_an_own_picture_is_said_what_was_done_to_it(at_page, pool):
    buffer = io.BytesIO()
    Image.new("RGBA", (30, 20), (255, 0, 0, 0)).save(buffer, "PNG")
    at = at_page("attribution")
    at.segmented_control[0].set_value("own picture").run()
    at.file_uploader(key="explain-upload").set_value(("own.png", buffer.getvalue(), "image/png")).run()
    said = " ".join(each.value for each in at.caption)
    assert "transparent parts were laid on white" in said
    assert "30 × 20 pixels" in said
    at.button(key="explain-start").click().run()
    choice = pool.last("attribution").arguments["recipe"]["attribution"]
    assert choice["picture"].endswith("own.png")
    at.file_uploader(key="explain-upload").set_value(("own.png", b"broken", "image/png")).run()
    assert "cannot be read" in at.error[0].value
