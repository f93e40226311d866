"""Accuracy page: any number of runs, the noisy ANN, runs on other images, and a chart that is made once."""

import dataclasses
import json

import pytest

import snnlab as sl
from pages._ui import curves, label
from tests.app.conftest import html_of

VGG = "digits-vgg-qcfs-L8"


@pytest.fixture
def analysed(store):
    """Name -> bundled run of a conversion."""
    return {run.card["name"]: run for run in store.shipped() if run.verb == "analyse"}


def packed(at):
    """The chart of the page; that of early exit stands below it."""
    component, *_ = [c for c in at.get("bidi_component") if "snnlab_figure" in c.proto.component_name]
    return component.proto.json


def said(at):
    return "\n".join([*(m.value for m in at.markdown), *(c.value for c in at.caption)])


def noise_run(run, report):
    """A stored noise run of a conversion."""
    recipe = run.recipe.changed(noise={"targets": list(report.targets)})
    return dataclasses.replace(run, id="9" * 32, recipe=recipe, reports={**run.reports, "noise": report}, verb="noise")


@pytest.fixture
def noisy(store):
    """A bundled noise run and its report."""
    found = [run for run in store.shipped() if run.verb == "noise"]
    if not found:
        pytest.skip("no noise run is bundled")
    return found[0], found[0].reports["noise"]


@pytest.mark.parametrize("page", ["accuracy", "conversion"])
def test_accuracy_read_where_the_method_chose_says_so(at_page, store, analysed, page):
    run = analysed[VGG]
    found = {"negative_fraction": {"note": "ecl chose.", "split": "validation"}}
    chosen = dataclasses.replace(run.conversion, method="ecl", findings=found)
    reports = {**run.reports, "conversion": chosen}
    note = "ecl made its choice on validation, and accuracies on the same images flatter it: read them on dev."
    for split, run_id in (("validation", "a" * 32), ("dev", "b" * 32)):
        stored = dataclasses.replace(run, id=run_id, recipe=run.recipe.changed(data={"split": split}), reports=reports)
        store.save(stored)
        at = at_page(page, run=run_id)
        told = said(at) + "\n".join(element.value for element in at.warning)
        assert (note in told.replace("\\", "")) == (split == "validation")


def test_the_chart_is_neither_rebuilt_nor_changed_by_t(at_page, monkeypatch):
    made = []
    original = sl.figures.Figure.plotly
    monkeypatch.setattr(sl.figures.Figure, "plotly", lambda *a, **k: made.append(1) or original(*a, **k))
    at = at_page("accuracy", T="2")
    before, count = packed(at), len(made)
    target = next(box for box in at.selectbox if box.label == "Target T")
    target.set_value(8).run()

    assert packed(at) == before
    assert len(made) == count
    at.toggle(key="accuracy-log").set_value(True).run()
    assert packed(at) != before


def test_twelve_runs_differ_in_colour_dash_or_marker_and_all_are_told(at_page, store, analysed):
    run = analysed[VGG]
    for place in range(11):
        recipe = run.recipe.changed(converter={"parameters": {"initial_fraction": place / 16}})
        store.save(dataclasses.replace(run, id=f"{place + 10:032x}", recipe=recipe))
    at = at_page("accuracy")
    at.multiselect[0].set_value([f"{place + 10:032x}" for place in range(11)]).run()
    assert not at.exception
    drawn = [t for t in json.loads(json.loads(packed(at))["light"])["data"] if t.get("showlegend") and "+" in t["mode"]]
    looks = {(t["line"]["color"], t["line"]["dash"], t["marker"]["symbol"]) for t in drawn if "noisy" not in t["name"]}
    shown = html_of(at)

    assert len(looks) == 12
    for place in range(11):
        assert f"v(0) = {label.fraction(place / 16)}" in shown


def test_runs_on_other_images_are_offered_and_marked(at_page, store, analysed):
    run = analysed[VGG]
    other = dataclasses.replace(run, id="a" * 32, recipe=run.recipe.changed(data={"split": "validation"}))
    far = dataclasses.replace(run, id="b" * 32, recipe=run.recipe.changed(data={"dataset": "mnist"}))
    for one in (other, far):
        store.save(one)
    at = at_page("accuracy", run=run.id[:12])
    options = at.multiselect[0].options
    assert any("validation images" in option for option in options)
    assert any("mnist images" in option for option in options)
    assert "On other images" not in said(at)
    at.multiselect[0].set_value([other.id]).run()

    assert "On other images than the run in view" in said(at)
    assert "validation" in said(at)


def test_the_noisy_ann_stands_beside_its_conversion(at_page, noisy, analysed):
    run, report = noisy
    target = report.targets[1]
    at = at_page("accuracy", run=analysed[run.card["name"]].id[:12], T=str(target))
    found = report.noisy(target)
    shown = html_of(at)

    assert f"std measured at t = {target}" in shown
    assert f"{report.noise_seeds} seeds" in shown
    assert f"{100 * found.value:.2f}" in shown
    assert "a prediction of the SNN by the ANN with noise" in said(at)
    at.toggle(key="accuracy-noisy").set_value(False).run()
    assert "std measured at t" not in html_of(at)
    assert "a prediction of the SNN" not in said(at)


def test_without_a_noise_run_the_page_says_where_to_get_one(at_page, store, analysed, monkeypatch):
    monkeypatch.setattr(curves, "noise_of", lambda run: "")
    at = at_page("accuracy")

    assert "Noisy ANN: measure the noise" in [link.proto.label for link in at.get("page_link")]
    assert not [toggle for toggle in at.toggle if toggle.key == "accuracy-noisy"]


def test_only_noise_of_this_conversion_counts(store, analysed, noisy, at_page):
    run, report = noisy
    at_page("accuracy")  # a script run, for the caches
    conversion = next(one for one in analysed.values() if one.card["sha256"] == run.card["sha256"])
    edited = dataclasses.replace(
        conversion, recipe=conversion.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}})
    )

    assert curves.noise_of(conversion) == run.id
    assert curves.noise_of(edited) == ""
    by_hand = noise_run(edited, report)
    store.save(dataclasses.replace(by_hand, recipe=by_hand.recipe.changed(noise={"scale": 2.0})))
    assert curves.noise_of(edited) == ""
    store.save(dataclasses.replace(by_hand, id="8" * 32))
    assert curves.noise_of(edited) == "8" * 32


def test_early_exit_is_there_at_first_sight_and_asked_for_elsewhere(at_page, pool, store, analysed):
    (exits,) = [run for run in store.shipped() if run.verb == "early-exit" and run.card["name"] == VGG]
    at = at_page("accuracy")
    report = exits.reports["early_exit"]
    assert f"**{report.found.steps:.2f} steps on average**" in said(at)
    assert "chosen on 135 images of validation" in said(at)
    assert any("snnlab early-exit" in block.value for block in at.code)

    at.selectbox(key=f"accuracy-exit-last-{exits.id}").set_value(4).run()
    assert f"**{report.up_to(4).found.steps:.2f} steps on average**" in said(at)

    run = analysed[VGG]
    card = {**run.card, "sha256": "0" * 64}
    store.save(dataclasses.replace(run, id="8" * 32, card=card, recipe=run.recipe.changed(seed=9)))
    at = at_page("accuracy", run="8" * 12)
    at.button(key="early-exit-start").click().run()
    assert pool.last("early-exit").arguments["recipe"]["data"]["split"] == "dev"
