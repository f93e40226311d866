"""Error budget page: real numbers at first sight, terms, one site, checks, restoration, jobs, hostile names."""

import dataclasses

import pytest

import snnlab as sl
from tests.app.conftest import HOSTILE, html_of, warnings

VGG, RELU = "digits-vgg-qcfs-L8", "digits-vgg-relu"


def said(at):
    return "\n".join([*(m.value for m in at.markdown), *(c.value for c in at.caption)])


def figures(at):
    return [c.proto.json for c in at.get("bidi_component") if "snnlab_figure" in c.proto.component_name]


def buttons(at):
    return [button.label for button in at.button]


def test_a_bundled_budget_and_its_restoration_are_there_at_first_sight(at_page, shipped, store):
    at = at_page("budget", run=shipped[VGG].id[:12], T="2")
    report = next(r for r in store.shipped() if r.verb == "budget" and r.card["name"] == VGG).reports["budget"]
    total = report.values("total", 2, thresholds=True)
    worst = int(abs(total).argmax())

    assert not at.exception
    assert report.names[worst].replace(".", "") in said(at).replace("\\", "").replace(".", "")
    assert sl.figures.tables.number(float(total[worst]), 3, sign=True) in said(at)
    assert len(figures(at)) == 4  # overview, channels, residuals, restoration
    assert "the conversion loses" in said(at)
    assert "The first site that returns half of it is" in said(at)
    assert "t = 2 · dev, 270 images" in said(at)
    page = html_of(at)
    assert "largest violation, thresholds" in page
    assert "input variance" in page
    assert "Restore every site in turn" not in buttons(at)


def test_terms_fit_the_source_and_can_be_changed(at_page, shipped):
    quantized = at_page("budget", run=shipped[VGG].id[:12], T="2")
    assert '"clipping"' not in figures(quantized)[0]
    assert "resolution" in figures(quantized)[0]
    quantized.segmented_control(key="budget-terms").set_value("all five terms").run()
    assert "clipping" in figures(quantized)[0]
    before = figures(quantized)[0]
    quantized.segmented_control(key="budget-how").set_value("waterfall").run()
    assert figures(quantized)[0] != before
    relu = at_page("budget", run=shipped[RELU].id[:12], T="32")
    assert "clipping" in figures(relu)[0]


def test_a_site_is_chosen_for_channels_and_residuals(at_page, shipped):
    at = at_page("budget", run=shipped[VGG].id[:12], T="4")
    before = figures(at)
    at.selectbox(key="budget-site").set_value("stage1.act1").run()

    assert not at.exception
    assert figures(at)[0] == before[0]
    assert figures(at)[1] != before[1]
    assert figures(at)[2] != before[2]


def test_an_unmeasured_conversion_is_offered_as_jobs(at_page, pool, shipped, store):
    run = shipped[VGG]
    fresh = dataclasses.replace(run, id="5" * 32, card={**run.card, "sha256": "f" * 64})
    store.save(fresh)
    at = at_page("budget", run=fresh.id[:12], T="2")

    assert buttons(at).count("Make the error budget") == 1
    next(button for button in at.button if button.label == "Make the error budget").click().run()
    job = pool.last("budget")
    assert job.arguments["recipe"]["snapshots"] == [1, 2, 4, 8, 16, 32]
    assert "noise" not in job.arguments["recipe"]


def test_a_budget_of_another_conversion_says_so(at_page, shipped, store):
    run = shipped[VGG]
    other = dataclasses.replace(
        run, id="6" * 32, recipe=run.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}})
    )
    store.save(other)
    at = at_page("budget", run=other.id[:12], T="2")

    assert "Made with another conversion" in warnings(at)
    assert "Make the error budget again" in buttons(at)
    assert "Restore every site in turn" in buttons(at)


def test_hostile_names_stay_text(at_page, store):
    run = next(r for r in store.shipped() if r.verb == "budget" and r.card["name"] == VGG)
    report = run.reports["budget"]
    names = tuple(f"{HOSTILE}.{i}" for i in range(len(report.names)))
    attack = dataclasses.replace(
        run, id="7" * 32, reports={**run.reports, "budget": dataclasses.replace(report, names=names)}
    )
    store.save(attack)
    at = at_page("budget", run=attack.id[:12], T="2")

    assert not at.exception
    assert "<img src=x" not in html_of(at)


@pytest.mark.parametrize("name", [VGG, RELU])
def test_every_figure_and_table_of_the_runs_can_be_exported(store, name):
    for verb in ("budget", "restore"):
        run = next(r for r in store.shipped() if r.verb == verb and r.card["name"] == name)
        for figure in sl.runs.figures_of(run):
            assert figure.render("svg").startswith(b"<?xml")
        assert "--num-steps 32" in sl.runs.as_cli(run.recipe, verb=verb)
        python = sl.runs.as_python(run.recipe, verb=verb)
        assert ("error_budget(" if verb == "budget" else "restoration(") in python
        early = sl.runs.as_python(run.recipe, verb=verb, num_steps=2)
        assert "num_steps=2, snapshots=[1, 2])" in early, "what is shown can be run"
