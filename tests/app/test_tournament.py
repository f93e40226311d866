"""The Tournament page: what is bundled, the form and what it hands over, the live view, and what a run tells."""

import dataclasses

import pytest

import snnlab as sl
from pages._ui.tournament_result import verdict
from tests.app.conftest import HOSTILE, html_of, warnings
from tests.unit.figures.synthetic_tournament import TITLES, tournament_report

VGG, RELU = "digits-vgg-qcfs-L8", "digits-vgg-relu"


@pytest.fixture(autouse=True)
def paced(pool):
    pool.answers["tournament_pace"] = {"step": 0.001, "images": 270}


def button(at, label):
    return next(found for found in at.button if found.label == label)


def markdown(at):
    return "\n".join(element.value for element in (*at.markdown, *at.caption)).replace("\\", "")


def stored(shipped, report=None, name=RELU):
    """A stored tournament of a bundled network with invented answers."""
    run, report = shipped[name], report or tournament_report()
    contest = {"methods": [row["method"] for row in report.entrants], "steps": list(report.steps), "seeds": 3}
    recipe = run.recipe.changed(snapshots=[], traces=0, num_steps=max(report.steps), tournament=contest)
    reports = {"accuracy": run.accuracy, "conversion": run.conversion, "tournament": report}
    return dataclasses.replace(run, id="ef" * 16, verb="tournament", recipe=recipe, reports=reports, notes=())


def test_the_bundled_tournament_is_shown_first(at_page):
    at = at_page("tournament")
    assert at.title[0].value == "Which conversion method is best for this network?"
    text = markdown(at)
    assert "Most accurate at each T" in text
    assert "dev, 270 images" in text
    assert "★" in html_of(at)
    assert "snnlab tournament digits-vgg-qcfs-L8" in "\n".join(code.value for code in at.code)


def test_the_form_hands_over_who_fits(at_page, shipped, pool):
    at = at_page("tournament", run=shipped[RELU].id[:12])
    pills = next(element for element in at.get("button_group") if "Methods" in element.label)
    assert "qcfs" not in pills.value
    assert "learned thresholds" in markdown(at)
    assert "to simulate on this machine" in markdown(at)
    pills.set_value(["max_norm", "calibration_light"]).run()
    next(element for element in at.number_input if element.label == "Calibration seeds").set_value(2).run()
    button(at, "Run the tournament").click().run()
    recipe = sl.Recipe.parse(pool.last("tournament").arguments["recipe"])
    assert [choice.method for choice in recipe.tournament.methods] == ["max_norm", "calibration_light"]
    assert recipe.tournament.steps == (4, 8, 16, 32)
    assert (recipe.tournament.seeds, recipe.data.split, recipe.converter.method) == (2, "dev", "max_norm")
    assert "0 of 10 cells are done" in markdown(at)
    assert "at T = 4, seed 0" in markdown(at), "few time-steps first"


def test_a_choice_that_is_none_is_refused(at_page, shipped):
    at = at_page("tournament", run=shipped[RELU].id[:12])
    next(element for element in at.get("button_group") if "Methods" in element.label).set_value([]).run()
    assert "at least one method" in at.error[0].value


def test_cancelled_it_says_what_is_kept_and_goes_on(at_page, shipped, pool, store):
    at = at_page("tournament", run=shipped[RELU].id[:12])
    next(element for element in at.get("button_group") if "Methods" in element.label).set_value(["max_norm"]).run()
    button(at, "Run the tournament").click().run()
    job = pool.last("tournament")
    recipe = sl.Recipe.parse(job.arguments["recipe"])
    cell = sl.sweeps.live_tournament(recipe, shipped[RELU].card, store).cells[0]
    store.save(dataclasses.replace(shipped[RELU], id="ce" * 16, verb="cell", recipe=cell.recipe))
    pool.move(job.id, state="cancelled")
    at.run()
    assert "1 of 3 cells are kept" in markdown(at)
    assert "Go on" in [found.label for found in at.button]
    button(at, "Go on with it").click().run()
    assert pool.last("tournament").id != job.id
    assert pool.last("tournament").arguments == job.arguments


def test_a_finished_job_comes_onto_the_page_with_its_link(at_page, shipped, pool, store):
    at = at_page("tournament", run=shipped[RELU].id[:12])
    button(at, "Run the tournament").click().run()
    run = stored(shipped)
    store.save(run)
    pool.move(pool.last("tournament").id, state="done", result={"tournament": run.id, "notes": []})
    at.run()
    assert at.query_params["tournament"] == run.id[:12] or at.query_params["tournament"] == [run.id[:12]]
    table = html_of(at)
    assert "Signed neurons" in table
    assert "OPI †" in table
    assert "takes over learned thresholds" in markdown(at)
    button(at, "New tournament").click().run()
    assert button(at, "Run the tournament")


def test_what_it_says_is_what_the_report_says():
    report = tournament_report()
    said = verdict(report)
    assert f"T = 4: **OPI †** {100 * report.standing(1, 4).accuracy:.2f}" in said.replace("\\", "")
    for step in report.steps:
        first = report.best(step)[0]
        near = [place for place in range(3) if place != first and report.paired(first, place, step).low <= 0]
        line = next(line for line in said.splitlines() if f"T = {step}:" in line)
        assert ("not told apart" in line) == bool(near)


def test_hostile_names_stay_text(at_page, shipped, store):
    run = stored(shipped, tournament_report(titles=TITLES | {"opi": HOSTILE}))
    store.save(run)
    at = at_page("tournament", run=shipped[RELU].id[:12], tournament=run.id[:12])
    assert "<img" not in html_of(at)


def test_a_link_to_something_else_is_said(at_page, shipped):
    at = at_page("tournament", tournament=shipped[RELU].id[:12])
    assert "is no tournament" in warnings(at)
    at.run()
    assert "is no tournament" in warnings(at), "also after a script that the browser's token starts"


def test_the_runs_page_leads_to_its_own_page(shipped, store):
    from pages._ui import runs_detail, runs_open

    run = stored(shipped)
    store.save(run)
    row = store.row(run.id)
    assert runs_open.page_of(row, "tournament") == "Tournament"
    assert runs_open.page_of(row, "accuracy") == "", "that of its first cell belongs to no page"
    assert runs_detail.lines(run).startswith("snnlab tournament digits-vgg-relu")


def test_the_form_tells_which_steps_a_method_needs(at_page, shipped):
    at = at_page("tournament", run=shipped["digits-resnet-qcfs-L4"].id[:12])
    assert "looks at the first" not in markdown(at)
    next(element for element in at.get("button_group") if "Methods" in element.label).set_value(["qcfs", "cos"]).run()
    assert "COS looks at the first 4 time-steps, so it is simulated to T = 4 or more." in markdown(at)
