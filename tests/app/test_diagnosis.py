"""The findings on the Error budget page: asked for, told, tried."""

import dataclasses

import pytest

import snnlab as sl
from tests.app.conftest import WORKSPACE

SITE = "stage2.act1"


def report(shipped, **changes):
    run = shipped["digits-vgg-qcfs-L8"]
    curve = run.reports["accuracy"]
    findings = (
        sl.analysis.Finding("threshold", SITE, f"{SITE}: its threshold is too low.", 0.2, "budget",
                            "Set its threshold to 0.9.", {"converter": {"sites": {SITE: {"threshold": 0.9}}}},
                            0.08, 0.04, 0.12),
        sl.analysis.Finding("weights", SITE, "conv.bias is not the ANN's.", 0.1, "conversion"),
        sl.analysis.Finding("resolution", "", "T = 2 steps are few.", 0.1, "budget", "Simulate T = 4 steps.",
                            {"num_steps": 4}),
    )  # fmt: skip
    made = sl.analysis.Diagnosis.of(
        findings,
        considered=("threshold", "weights"),
        num_steps=2,
        images=curve.images,
        split="dev",
        method="qcfs",
        ann_correct=curve.ann_predictions == curve.labels,
        snn_correct=curve.snn_predictions[1] == curve.labels,
    )
    return dataclasses.replace(made, **changes)


def stored(store, shipped, **changes):
    run = shipped["digits-vgg-qcfs-L8"]
    recipe = sl.runs.diagnosis_recipe(run.recipe, 2)
    reports = {"diagnosis": report(shipped, **changes), **{n: run.reports[n] for n in ("accuracy", "conversion")}}
    made = dataclasses.replace(run, id="d1" * 16, verb="diagnosis", recipe=recipe, reports=reports)
    store.save(made, workspace=WORKSPACE)
    return run


def said(at):
    return "\n".join(element.value for element in (*at.markdown, *at.caption, *at.info))


def button(at, label):
    return next(found for found in at.button if found.label == label)


def test_it_is_asked_for_at_the_target(at_page, pool, shipped):
    run = shipped["digits-vgg-qcfs-L8"]
    at = at_page("budget", run=run.id[:12], T="3")
    button(at, "Diagnose").click().run()
    assert not at.exception
    asked = sl.Recipe.parse(pool.last("diagnosis").arguments["recipe"])
    assert asked.num_steps == 3
    assert asked == sl.runs.diagnosis_recipe(run.recipe, 3)


def test_findings_are_told_with_what_restoring_regains(at_page, store, shipped):
    run = stored(store, shipped)
    at = at_page("budget", run=run.id[:12], T="2")
    assert "its threshold is too low" in said(at)
    assert "regains +8.00 points [+4.00, +12.00]" in said(at)
    assert "Nothing in a recipe would mend this" in said(at)
    assert any("snnlab diagnose" in element.value for element in at.code)
    curve = run.reports["accuracy"]
    four = 100 * (curve.snn_predictions[3] == curve.labels).mean()
    assert f"{four:.2f}" in said(at), "another T is read from the run in view"
    button(at, "Set T = 4").click().run()
    assert not at.exception
    assert at.query_params["T"] in ("4", ["4"])


def test_a_proposal_is_run_beside_the_view_and_its_gain_told(at_page, pool, store, shipped):
    run = stored(store, shipped)
    at = at_page("budget", run=run.id[:12], T="2")
    button(at, "Try it").click().run()
    job = pool.last("analyse")
    asked = sl.Recipe.parse(job.arguments["recipe"])
    assert asked.converter.sites[SITE].threshold == 0.9
    assert asked.num_steps == run.recipe.num_steps
    curve = run.reports["accuracy"]
    better = dataclasses.replace(curve, snn_predictions=curve.snn_predictions.copy())
    wrong = (better.snn_predictions[1] != curve.labels).nonzero()[0][:9]
    better.snn_predictions[1, wrong] = curve.labels[wrong]
    tried = dataclasses.replace(run, id="e1" * 16, recipe=asked, reports={**run.reports, "accuracy": better})
    store.save(tried, workspace=WORKSPACE)
    pool.move(job.id, state="done", result={"run": tried.id, "notes": [], "looks": None})
    at.run()
    assert not at.exception
    assert f"**+{100 * 9 / curve.images:.2f} points**" in said(at)
    assert at.query_params["run"] in (run.id[:12], [run.id[:12]]), "the run in view stays"


@pytest.mark.parametrize("findings", [()])
def test_nothing_that_stands_out_is_said(at_page, store, shipped, findings):
    run = stored(store, shipped, findings=findings)
    at = at_page("budget", run=run.id[:12], T="2")
    assert "Nothing stands out. Looked for: threshold, weights." in said(at)


def test_a_method_that_looks_at_more_steps_is_diagnosed_at_those(at_page, pool, store, shipped):
    run = shipped["digits-vgg-qcfs-L8"]
    run = dataclasses.replace(run, id="c5" * 16, recipe=run.recipe.changed(converter={"method": "cos"}))
    store.save(run, workspace=WORKSPACE)
    at = at_page("budget", run=run.id[:12], T="2")
    assert "Not looked for yet at T = 4" in said(at)
    button(at, "Diagnose").click().run()
    assert not at.exception
    assert sl.Recipe.parse(pool.last("diagnosis").arguments["recipe"]).num_steps == 4
