"""The Conversion page without a browser: edits, undo, what the worker is asked, two conversions side by side."""

import dataclasses
import shlex

import numpy as np
import pytest

import snnlab as sl
from snnlab.cli import options
from snnlab.runs.kinds.probe import probe_edit
from tests.app.conftest import WORKSPACE, html_of, warnings

VGG, RESNET, RELU = "digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4", "digits-vgg-relu"
FIRST = "stage1.act1"


def simulated(arguments):
    """What a worker answers."""
    return probe_edit(progress=lambda *_: None, **arguments)


def history(at, run):
    return at.session_state["edits"][run.id]


def now(at, run):
    return history(at, run).now["sites"]


def type_into(at, run, cells):
    """Edit cells of the site table, as the browser tells them: row -> column -> value, added to those before."""
    key = history(at, run).drawn[0]
    before = at.session_state[key]["edited_rows"] if key in at.session_state else {}
    rows = {row: {**before.get(row, {}), **values} for row, values in cells.items()}
    at.session_state[key] = {"edited_rows": {**before, **rows}, "added_rows": [], "deleted_rows": []}
    at.run()
    assert not at.exception


def press(at, key):
    at.button(key=key).click().run()
    assert not at.exception


def apply(at, scope, what, value):
    at.selectbox(key="edit-scope").set_value(scope).run()
    at.selectbox(key="edit-what").set_value(what).run()
    at.number_input(key=f"edit-value-{what}").set_value(value).run()
    press(at, "edit-apply")


def said(at):
    return " ".join(element.value for element in (*at.markdown, *at.caption, *at.error, *at.info))


@pytest.fixture
def opened(at_page, pool, shipped):
    """``opened(VGG)``: the page on a bundled run, and a worker that answers."""
    pool.answers["probe"] = simulated

    def open_run(name=VGG, **address):
        run = shipped[name]
        return at_page("conversion", run=run.id[:12], **address), run

    return open_run


def test_the_first_picture_needs_no_worker(opened, pool, shipped):
    at, run = opened()
    assert at.title[0].value == "What do each site's threshold and v(0) do to the SNN?"
    frame = at.dataframe[0].value
    report = run.reports["conversion"]
    assert list(frame.index) == [site["name"] for site in report.sites]
    np.testing.assert_array_equal(frame["threshold"], [site["threshold_low"] for site in report.sites])
    assert set(frame["factor"]) == {1.0}
    assert pool.kept == {}  # a link starts nothing
    assert at.button(key="edit-run").disabled
    rates = run.reports["residuals"].to_frame()
    np.testing.assert_allclose(frame["before"], rates[rates["step"] == 2]["firing_rate"])


def test_a_cell_is_an_edit_with_its_effect_and_the_address_lets_the_run_go(opened, pool):
    at, run = opened()
    type_into(at, run, {0: {"threshold": 1.5}})
    assert now(at, run) == {FIRST: {"threshold": 1.5}}
    asked = pool.last("probe")
    assert (asked.workspace, asked.arguments["num_steps"], asked.arguments["images"]) == (WORKSPACE, 2, 128)
    assert asked.arguments["converter"]["sites"] == {FIRST: {"threshold": 1.5}}
    difference = sl.analysis.paired_difference(
        *(np.array(asked.result[side]["correct"]) for side in ("before", "after"))
    )
    assert f"{100 * difference.value:+.2f} points".replace("-", "−") in said(at)
    assert "Newcombe's 95 % interval" in said(at)
    frame = at.dataframe[0].value
    assert frame["threshold"].iloc[0] == 1.5
    assert frame["factor"].iloc[0] == pytest.approx(1.5 / run.reports["conversion"].sites[0]["threshold_low"])
    np.testing.assert_allclose(frame["now"], asked.result["after"]["firing_rate"])
    assert list(frame["edited"]) == ["●"] + [""] * 8
    assert "run" not in at.query_params
    assert "B, edited" in html_of(at)


def test_every_second_edit_arrives_too(opened):
    at, run = opened()
    type_into(at, run, {0: {"threshold": 1.5}})
    drawn = history(at, run).drawn
    type_into(at, run, {1: {"v0": 0.25}})
    type_into(at, run, {0: {"threshold": 1.75}})
    assert history(at, run).drawn == drawn  # the same table: selection and scroll position stay
    assert now(at, run) == {FIRST: {"threshold": 1.75}, "stage1.act2": {"v0": 0.25}}
    at.run()
    assert history(at, run).at == 3


def test_factor_and_threshold_of_one_row_do_not_contradict_each_other(opened):
    at, run = opened()
    learned = run.reports["conversion"].sites[0]["threshold_low"]
    type_into(at, run, {0: {"threshold": 1.5}})
    type_into(at, run, {0: {"factor": 2.0}})
    assert now(at, run) == {FIRST: {"threshold": 2 * learned}}
    assert at.dataframe[0].value["threshold"].iloc[0] == 2 * learned
    type_into(at, run, {0: {"threshold": None}})
    assert now(at, run) == {}


def test_undo_redo_and_reset(opened):
    at, run = opened()
    assert at.button(key="edit-undo").disabled
    type_into(at, run, {0: {"threshold": 1.5}})
    type_into(at, run, {2: {"v0": 0.0}})
    press(at, "edit-undo")
    assert now(at, run) == {FIRST: {"threshold": 1.5}}
    assert at.dataframe[0].value["v0"].iloc[2] == 0.5
    press(at, "edit-redo")
    assert now(at, run) == {FIRST: {"threshold": 1.5}, "stage2.act1": {"v0": 0.0}}
    apply(at, "all:", "v(0) / θ =", 0.25)
    assert now(at, run)[FIRST] == {"threshold": 1.5, "v0": 0.25}
    press(at, "edit-undo")
    press(at, "edit-reset")
    assert now(at, run) == {}
    assert at.query_params["run"] in (run.id[:12], [run.id[:12]])  # nothing is edited: the page shows the run again
    press(at, "edit-undo")
    assert len(now(at, run)) == 2


@pytest.mark.parametrize(("scope", "count"), [("all:", 19), ("stage:layer2", 6), ("site:layer2.0.act1", 1)])
def test_one_edit_for_a_site_a_stage_or_all(opened, scope, count):
    at, run = opened(RESNET)
    apply(at, scope, "threshold ×", 0.8)
    learned = {site["name"]: site["threshold_low"] for site in run.reports["conversion"].sites}
    assert len(now(at, run)) == count
    assert all(values == {"threshold": 0.8 * learned[name]} for name, values in now(at, run).items())
    apply(at, scope, "v(0) / θ =", 0.25)
    assert all(values["v0"] == 0.25 for values in now(at, run).values())
    at.selectbox(key=f"edit-show-{run.id}").set_value("Edited").run()
    assert len(at.dataframe[0].value) == count
    apply(at, scope, "threshold =", 2.0)
    assert {values["threshold"] for values in now(at, run).values()} == {2.0}
    at.selectbox(key="edit-what").set_value("the method's own").run()
    press(at, "edit-apply")
    assert now(at, run) == {}


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("threshold", 0, "the threshold must be above 0, not 0; it stays as it was"),
        ("threshold", -2.5, "the threshold must be above 0, not \\-2\\.5"),
        ("factor", 0, "the factor must be above 0"),
        ("threshold", float("nan"), "the threshold must be a finite number"),
        ("v0", float("inf"), "v\\(0\\) must be a finite number"),
        ("threshold", "much", "'much' is no number"),
    ],
)
def test_a_bad_cell_is_refused_in_one_sentence_and_nothing_is_lost(opened, column, value, sentence):
    at, run = opened()
    type_into(at, run, {1: {"v0": 0.25}})
    type_into(at, run, {0: {column: value}})
    assert len(at.error) == 1
    assert sentence.replace("\\", "") in at.error[0].value.replace("\\", "")
    assert now(at, run) == {"stage1.act2": {"v0": 0.25}}
    assert at.dataframe[0].value["v0"].iloc[1] == 0.25
    at.run()
    assert not at.error


def test_a_bad_value_for_many_is_refused(opened):
    at, run = opened()
    apply(at, "all:", "threshold ×", 0.0)
    assert "9 sites: the factor must be above 0" in at.error[0].value.replace("\\", "")
    assert now(at, run) == {}


def test_an_absurd_potential_is_taken_and_explained(opened):
    at, run = opened()
    type_into(at, run, {0: {"v0": 400.0}})
    assert "pay for a spike at every one of 2 time\\-steps" in said(at)
    type_into(at, run, {0: {"v0": -400.0}})
    assert "must be filled before the first spike" in said(at)


def test_the_method_is_an_edit_as_well(opened, pool):
    at, run = opened(RELU)
    key = f"edit-{run.id}-0-method"
    at.selectbox(key=key).set_value("max_norm").run()
    assert not at.exception
    assert history(at, run).now["method"] == "max_norm"
    measured = pool.last("probe").result["method"]["threshold"]
    np.testing.assert_allclose(at.dataframe[0].value["method"], measured)
    press(at, "edit-undo")
    assert history(at, run).now == run.recipe.to_dict()["converter"]


def test_an_old_answer_is_pale_until_the_new_one_is_there(opened, pool):
    at, run = opened()
    type_into(at, run, {0: {"threshold": 1.5}})
    del pool.answers["probe"]
    type_into(at, run, {1: {"threshold": 1.5}})
    assert "the new ones are on their way" in said(at)
    assert "B, edited" in html_of(at)
    job = pool.last("probe")
    pool.move(job.id, state="done", result=simulated(job.arguments))
    at.run()
    assert "on their way" not in said(at)


def test_a_failure_is_said_and_asked_again(opened, pool):
    at, run = opened()
    del pool.answers["probe"]
    type_into(at, run, {0: {"threshold": 1.5}})
    pool.move(pool.last("probe").id, state="failed", error="The data are gone.")
    at.run()
    assert "The data are gone" in said(at)
    pool.answers["probe"] = simulated
    press(at, "edit-again")
    assert "B − A" in said(at)


def test_edits_stay_with_their_run(opened, shipped):
    at, run = opened()
    type_into(at, run, {0: {"threshold": 1.5}})
    at.query_params["run"] = shipped[RESNET].id[:12]
    at.run()
    assert now(at, shipped[RESNET]) == {}
    at.query_params["run"] = run.id[:12]
    at.run()
    assert now(at, run) == {FIRST: {"threshold": 1.5}}
    assert at.dataframe[0].value["threshold"].iloc[0] == 1.5


def test_the_full_curve_is_a_job_and_the_old_run_is_compared(opened, pool, store):
    at, run = opened()
    type_into(at, run, {0: {"threshold": 1.5}})
    press(at, "edit-run")
    job = pool.last("analyse")
    edited = sl.Recipe.parse(job.arguments["recipe"])
    assert edited.converter.sites[FIRST].threshold == 1.5
    assert edited.changed(converter={"sites": {}}) == run.recipe
    done = dataclasses.replace(run, id="c" * 32, recipe=edited)
    store.save(done)
    pool.move(job.id, state="done", result={"run": done.id, "notes": [], "looks": None})
    at.run()
    assert not at.exception
    assert at.query_params["run"] in ("c" * 12, ["c" * 12])
    assert at.query_params["compare"] in (run.id[:12], [run.id[:12]])
    assert "Two conversions side by side, T = 2" in [header.value for header in at.header]


def test_a_cancelled_full_curve_leaves_nothing_to_compare(opened, pool):
    at, run = opened()
    type_into(at, run, {0: {"threshold": 1.5}})
    press(at, "edit-run")
    pool.move(pool.last("analyse").id, state="cancelled")
    at.run()
    assert not at.exception
    assert "compare" not in at.query_params


def test_the_shown_line_gives_the_shown_recipe_and_numbers(opened, pool):
    at, run = opened()
    type_into(at, run, {0: {"threshold": 1.5}, 3: {"v0": 0.125}})
    line = next(code.value for code in at.code if code.value.startswith("snnlab evaluate"))
    assert "--site stage1.act1.threshold=1.5 --site stage2.act2.v0=0.125" in line
    recipe = recipe_of(line)
    edited = sl.Recipe.parse({**run.recipe.to_dict(), "converter": pool.last("probe").arguments["converter"]})
    resolved = sl.runs.resolve(recipe).recipe
    assert resolved.key() == edited.changed(snapshots=(), traces=0).key()
    answer = pool.last("probe").result["after"]["correct"]
    curve = sl.runs.analyse(recipe).reports["accuracy"]
    assert (curve.snn_predictions[1] == curve.labels)[:128].tolist() == answer


def recipe_of(line):
    """The recipe that the command line makes of its words."""
    from typer.testing import CliRunner

    from snnlab.cli import main

    made = []
    real = options.make_recipe

    def caught(*arguments, **values):
        made.append(real(*arguments, **values))
        raise SystemExit

    options.make_recipe = caught
    try:
        CliRunner().invoke(main.app, shlex.split(line)[1:])
    finally:
        options.make_recipe = real
    return made[0]


def test_two_conversions_stand_side_by_side(opened, store):
    at, run = opened()
    other = sl.runs.analyse(run.recipe.changed(converter={"sites": {FIRST: {"threshold": 1.5, "v0": 0.0}}}))
    store.save(other)
    at.query_params["compare"] = other.id[:12]
    at.run()
    assert not at.exception
    table = html_of(at)
    learned = run.reports["conversion"].sites[0]["threshold_low"]
    assert f">{learned / 1.5:.3f}<" in table
    mine, theirs = run.reports["accuracy"], other.reports["accuracy"]
    before, after = (curve.snn_predictions[1] == curve.labels for curve in (theirs, mine))
    value = sl.analysis.paired_difference(before, after).value
    assert f"in view − compared: **{100 * value:+.2f} points**".replace("-", "−") in said(at)
    for each in (run, other):  # rates at the page's T, as in the table above; not those of the whole run
        residuals = each.reports["residuals"].to_frame()
        rate = residuals[(residuals["step"] == 2) & (residuals["site"] == FIRST)]["firing_rate"].item()
        assert rate != pytest.approx(each.reports["conversion"].sites[0]["firing_rate"], abs=1e-3)
        assert f">{rate:.3f}<" in table


def test_conversions_of_other_networks_are_refused_in_one_sentence(opened, shipped):
    at, _ = opened(compare=shipped[RESNET].id[:12])
    assert "has other sites (19, here 9)" in said(at).replace("\\", "")
    assert not any("side by side" in header.value for header in at.header)


def test_hostile_names_are_text(at_page, pool, hostile):
    at = at_page("conversion", run=hostile.id[:12])
    assert "<img" not in html_of(at)
    assert not warnings(at)
    assert len(at.dataframe[0].value) == 9


def test_a_run_of_110_sites_has_its_stages_to_choose(at_page, pool, store, shipped):
    run = shipped[RESNET]
    report = run.reports["conversion"]
    sites = tuple({**report.sites[i % 19], "name": f"layer{1 + i // 37}.{i % 37}.act1"} for i in range(110))
    store.save(
        dataclasses.replace(
            run,
            id="d" * 32,
            recipe=run.recipe.changed(data={"limit": 11}),
            reports={"accuracy": run.reports["accuracy"], "conversion": dataclasses.replace(report, sites=sites)},
        )
    )
    at = at_page("conversion", run="d" * 12)
    assert len(at.dataframe[0].value) == 110
    show = at.selectbox(key=f"edit-show-{'d' * 32}")
    assert show.options == ["All", "Edited", "layer1", "layer2", "layer3"]
    show.set_value("layer2").run()
    assert len(at.dataframe[0].value) == 37
    show = at.selectbox(key=f"edit-show-{'d' * 32}")
    show.set_value("Edited").run()
    assert "Nothing is edited by hand" in said(at)


def test_what_a_method_searched_is_told_and_drawn(at_page, pool, store, shipped):
    recipe = shipped[VGG].recipe.changed(
        converter={"method": "ttrbr", "parameters": {"images": 8}},
        data={"limit": 20},
        num_steps=2,
        snapshots=[2],
        traces=0,
    )
    run = sl.runs.analyse(recipe)
    store.save(run)
    assert run.notes[-1].startswith("ttrbr tried up to ")
    at = at_page("conversion", run=run.id[:12])
    assert "Where does TTRBR's deviation error sit, T = 2?" in [header.value for header in at.header]
    assert "ttrbr tried up to" in said(at)
    (table,) = (shown.value for shown in at.dataframe if "tried" in shown.value)
    report = run.reports["conversion"]
    assert list(table["name"]) == [site["name"] for site in report.sites]
    np.testing.assert_allclose(table["threshold"], [site["threshold_low"] for site in report.sites], rtol=1e-6)
    assert table["deviation"].iloc[0] == 0


def test_methods_that_search_nothing_have_no_such_figure(opened):
    at, _ = opened()
    assert not [header.value for header in at.header if "deviation" in header.value]


def test_a_method_that_looks_at_more_steps_than_the_target_is_compared_at_those(opened, pool):
    at, run = opened(T="2")
    at.selectbox(key=f"edit-{run.id}-0-method").set_value("cos").run()
    assert not at.exception
    assert pool.last("probe").arguments["num_steps"] == 4
    assert not at.error
    assert "COS looks at the first 4 time-steps, so it is simulated to T = 4 or more." in said(at)
    at.selectbox(key=f"edit-{run.id}-0-method").set_value("srp").run()
    assert pool.last("probe").arguments["num_steps"] == 2, "its warm-up is not counted in T"
    assert "looks at the first" not in said(at)
