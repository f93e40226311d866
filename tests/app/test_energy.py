"""The Energy page without a browser: from stored counts at once, its switches, and what it asks for."""

import dataclasses
import time

import snnlab as sl
from tests.app.conftest import HOSTILE, html_of, warnings

VGG = "digits-vgg-qcfs-L8"


def said(at):
    return " ".join(element.value for element in at.markdown)


def lines(at):
    return " ".join(element.value for element in at.code)


def counts(store):
    return next(run for run in store.shipped() if (run.verb, run.card["name"]) == ("energy", VGG))


def test_the_first_visit_shows_energies_and_layers(at_page, store):
    at = at_page("energy")
    report = sl.analysis.EnergyReport.of(counts(store).reports["activity"])
    low, high = (float(end[1]) for end in report.ratio_range)
    assert f"**{low:.2f} to {high:.2f}** times the ANN's energy" in said(at)
    page = html_of(at)
    assert "32-bit float, 45 nm" in page
    assert ".conv2" in page
    assert "above 32" in page
    assert "snnlab energy" in lines(at)


def test_conventions_are_applied_to_the_stored_counts(at_page, store, pool):
    at = at_page("energy", T="8")
    before = said(at)
    at.segmented_control(key="energy-first").set_value("once")
    started = time.perf_counter()
    at.run()
    assert time.perf_counter() - started < 5  # no job, no simulation
    assert said(at) != before
    rule = sl.analysis.Conventions(first_layer="once")
    report = sl.analysis.EnergyReport.of(counts(store).reports["activity"], rule)
    low, high = (float(end[7]) for end in report.ratio_range)
    assert f"**{low:.2f} to {high:.2f}**" in said(at)
    assert "--first-layer once" in lines(at)
    assert not pool.kept


def test_one_set_of_costs(at_page):
    at = at_page("energy")
    at.pills(key="energy-costs").set_value(["int8-45nm"]).run()
    assert not at.exception
    assert "sets of costs" not in said(at)
    assert "--costs int8-45nm" in lines(at)


def test_a_chip_is_said_to_be_another_technology(at_page, store):
    at = at_page("energy")
    captions = " ".join(caption.value for caption in at.caption)
    assert "arithmetic alone" in captions
    assert "--costs" not in lines(at)
    at.pills(key="energy-costs").set_value(["float32-45nm", "loihi"]).run()
    assert not at.exception
    captions = " ".join(caption.value for caption in at.caption)
    assert "Chips compare two technologies" in captions
    assert "arithmetic alone" not in captions
    assert "Loihi, 14 nm" in html_of(at)
    assert "--costs float32-45nm --costs loihi" in lines(at)
    report = sl.analysis.EnergyReport.of(counts(store).reports["activity"], costs=["float32-45nm", "loihi"])
    low, high = (float(end[1]) for end in report.ratio_range)
    assert f"**{low:.2f} to {high:.2f}**" in said(at)


def test_what_was_not_counted_is_asked_for(at_page, store, shipped, pool):
    parameters = {"initial_fraction": 0.25}
    own = dataclasses.replace(
        shipped[VGG], id="ba" * 16, recipe=shipped[VGG].recipe.changed(converter={"parameters": parameters})
    )
    store.save(own)
    at = at_page("energy", run=own.id[:12])
    assert "Counted for another conversion" in warnings(at)
    at.button(key="energy-start").click().run()
    assert not at.exception
    asked = pool.last("energy").arguments["recipe"]
    assert asked["converter"]["parameters"] == {"initial_fraction": 0.25}
    assert asked["snapshots"] == []


def test_hostile_names_are_escaped(at_page, store):
    run = counts(store)
    activity = run.reports["activity"]
    names = tuple(f"{HOSTILE}.{i}" for i in range(len(activity.names)))
    bad = dataclasses.replace(activity, names=names)
    recipe = run.recipe.changed(data={"limit": 9})
    attack = dataclasses.replace(run, id="cd" * 16, recipe=recipe, reports={**run.reports, "activity": bad})
    store.save(attack)
    at = at_page("energy", run=attack.id[:12])
    assert "<img src=x" not in html_of(at)
    assert "&lt;img src=x" in html_of(at)
