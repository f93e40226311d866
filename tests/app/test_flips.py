"""The Flips page without a browser: real flips at first sight, a gallery, a selection, and nothing to see."""

import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from pages._ui import flip_gallery, pictures
from tests.app.conftest import HOSTILE, html_of, warnings

VGG, RELU = "digits-vgg-qcfs-L8", "digits-vgg-relu"


@pytest.fixture
def bundled(store):
    """Name -> bundled run of flips."""
    return {run.card["name"]: run for run in store.shipped() if run.verb == "flips"}


def said(at):
    return "\n".join(element.value for kind in (at.markdown, at.caption, at.info) for element in kind)


def cards(at):
    return [button for button in at.button if button.label.startswith("Image ")]


def packed(at):
    return [c.proto.json for c in at.get("bidi_component") if "snnlab_figure" in c.proto.component_name]


def test_real_flips_at_first_sight(at_page, bundled):
    report = bundled[VGG].reports["flips"]
    at = at_page("flips")
    flips = report.flips(2)
    assert f"**{len(flips)} of 270 images** of dev **flip**" in said(at)
    assert [card.label for card in cards(at)] == [f"Image {flip.image}" for flip in flips[: flip_gallery.A_PAGE]]
    assert html_of(at).count("data:image/png;base64") == flip_gallery.A_PAGE
    assert len(packed(at)) == 3
    assert any("--num-steps 2 --until 32" in block.value for block in at.code)


def test_who_is_right_stays_chosen_when_t_changes(at_page, bundled):
    report = bundled[VGG].reports["flips"]
    at = at_page("flips", T="2")
    at.segmented_control(key="flips-kind").set_value("good").run()
    at.query_params["T"] = "4"
    at.run()
    assert not at.exception
    assert at.segmented_control(key="flips-kind").value == "good"
    wanted = [flip for flip in report.flips(4) if flip.kind == "good"]
    assert [card.label for card in cards(at)] == [f"Image {flip.image}" for flip in wanted[: flip_gallery.A_PAGE]]
    assert f"{len(wanted)} of the {len(report.flips(4))} flips at T = 4" in said(at)


def test_a_card_selects_its_image_for_every_page(at_page, bundled):
    report = bundled[VGG].reports["flips"]
    at = at_page("flips")
    before = packed(at)
    image = report.flips(2)[1].image
    at.button(key=f"flips-choose-{image}").click().run()
    assert at.query_params["chosen"] in (f"digits-dev-image-{image}", [f"digits-dev-image-{image}"])
    assert packed(at) != before, "the image is drawn over the sites"
    at.switch_page("pages/residuals.py").run()
    assert f"**Image {image} of dev**" in said(at)


def test_a_class_is_selected_and_filters(at_page, bundled):
    report = bundled[VGG].reports["flips"]
    at = at_page("flips")
    at.selectbox(key="flips-class--1").set_value(4).run()
    assert not at.exception
    assert at.query_params["chosen"] in ("digits-dev-class-4", ["digits-dev-class-4"])
    assert {card.label for card in cards(at)} == {f"Image {f.image}" for f in report.flips(2) if f.label == 4}
    at.selectbox(key="flips-class-4").set_value(-1).run()
    assert "chosen" not in at.query_params


def test_kind_order_and_pages(at_page, bundled):
    report = bundled[VGG].reports["flips"]
    at = at_page("flips")
    at.button(key="flips-next").click().run()
    second = [f"Image {flip.image}" for flip in report.flips(2)[flip_gallery.A_PAGE : 2 * flip_gallery.A_PAGE]]
    assert [card.label for card in cards(at)] == second
    at.segmented_control(key="flips-kind").set_value("good").run()
    assert [card.label for card in cards(at)] == [f"Image {f.image}" for f in report.flips(2) if f.kind == "good"]
    at.selectbox(key="flips-class--1").set_value(0).run()
    assert "No flip is left" in said(at)


@pytest.mark.parametrize("by", list(flip_gallery.SORTS))
def test_every_order_keeps_every_flip(bundled, by):
    report = bundled[VGG].reports["flips"]
    flips = flip_gallery.ordered(report, report.flips(2), by)
    assert set(flips) == set(report.flips(2))
    values = {
        "ann": [-flip.ann_margin for flip in flips],
        "snn": [-flip.snn_margin for flip in flips],
        "later": [-(flip.agrees_from or 99) for flip in flips],
        "site": [report.names.index(flip.first_site) if flip.first_site else 99 for flip in flips],
    }[by]
    assert values == sorted(values)


def test_where_nothing_flips_a_smaller_t_is_a_click_away(at_page, bundled, shipped):
    report = bundled[RELU].reports["flips"]
    assert not report.flips(32)
    at = at_page("flips", run=shipped[RELU].id[:12], T="32")
    assert "At T = 32 ANN and SNN give every image the same class" in said(at)
    at.button(key="flips-smaller").click().run()
    assert not at.exception
    assert cards(at)


def test_too_few_usual_images_are_told(at_page, store, bundled, shipped):
    found = bundled[VGG]
    report = found.reports["flips"]
    apart = np.repeat(((report.ann_predictions + 1) % 10)[None], 32, axis=0).astype(np.int16)
    store.save(
        dataclasses.replace(
            found,
            id="d" * 32,
            recipe=found.recipe.changed(seed=3),
            reports={**found.reports, "flips": dataclasses.replace(report, snn_predictions=apart)},
        )
    )
    run = shipped[VGG]
    store.save(dataclasses.replace(run, id="e" * 32, recipe=run.recipe.changed(seed=3)))
    at = at_page("flips", run="e" * 12)
    assert "only 0 images do not flip" in said(at)
    assert "Most of them stay apart up to t = 32" in said(at)


def test_without_flips_the_page_teaches_and_offers(at_page, pool, store, shipped):
    run = shipped[VGG]
    own = dataclasses.replace(
        run, id="c" * 32, card={**run.card, "sha256": "0" * 64}, recipe=run.recipe.changed(seed=5)
    )
    store.save(own)
    at = at_page("flips", run="c" * 12)
    assert "No flips were looked for yet" in said(at)
    at.button(key="flips-start").click().run()
    job = pool.last("flips")
    assert job.arguments["recipe"]["traces"] == 0
    assert job.arguments["recipe"]["snapshots"] == list(run.recipe.snapshots)


def test_names_from_files_are_data(at_page, store, bundled, hostile):
    found = bundled[VGG]
    report = dataclasses.replace(
        found.reports["flips"],
        names=tuple(f"{HOSTILE}.{i}" for i in range(len(found.reports["flips"].names))),
        classes=tuple(f"{HOSTILE}{i}" for i in range(10)),
    )
    recipe = found.recipe.changed(data={"limit": 9})
    store.save(
        dataclasses.replace(
            found, id="f" * 32, recipe=recipe, card=hostile.card, reports={**found.reports, "flips": report}
        )
    )
    at = at_page("flips", run=hostile.id[:12], T="2")
    assert cards(at)
    assert "<img src=x" not in html_of(at)
    assert "<img src=x" not in said(at) + warnings(at)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_in_the_page_is_its_pixels(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    opened = Image.open(io.BytesIO(base64.b64decode(pictures.data_uri(pixels).partition(",")[2])))
    assert (np.asarray(opened).reshape(5, 7, channels) == pixels).all()
