"""The Runs page without a browser: the table, one run, several, the baseline, and what cannot be shown."""

import dataclasses
import io
import json
import time
import zipfile

import numpy as np
import pytest

import snnlab as sl
from pages._ui import cached, runs_chosen, runs_compare, runs_detail, runs_group, runs_list, runs_open
from tests.app.conftest import HOSTILE, WORKSPACE, html_of, strip_of, warnings
from tests.unit.figures.synthetic_gain import noise_gain_report

VGG, RESNET, RELU = "digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4", "digits-vgg-relu"


@pytest.fixture
def shipped(store):
    """Name -> bundled conversion."""
    return {run.card["name"]: run for run in store.shipped() if run.verb == "analyse"}


@pytest.fixture
def second(store, shipped):
    """Another conversion of the VGG, which answers every fifth image otherwise."""
    run = shipped[VGG]
    recipe = run.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}})
    return saved(store, run, "c" * 32, recipe=recipe, reports={**run.reports, "accuracy": worse(run.accuracy)})


@pytest.fixture
def trained_again(store, shipped):
    """The VGG as another training seed gave it."""
    run = shipped[VGG]
    recipe = run.recipe.changed(checkpoint={"sha256": "e" * 64})
    card = {**run.card, "name": "digits-vgg-qcfs-L8-seed2", "sha256": "e" * 64}
    return saved(
        store, run, "d" * 32, recipe=recipe, card=card, reports={**run.reports, "accuracy": worse(run.accuracy)}
    )


def saved(store, run, run_id, workspace=WORKSPACE, **values):
    changed = dataclasses.replace(run, id=run_id, **values)
    store.save(changed, workspace=workspace)
    return changed


def worse(curve):
    predictions = curve.snn_predictions.copy()
    predictions[:, ::5] = (predictions[:, ::5] + 1) % 10
    return dataclasses.replace(curve, snn_predictions=predictions)


def table(at):
    return at.dataframe[0].value


def said(at):
    return " ".join(e.value for kind in ("markdown", "caption", "info") for e in getattr(at, kind)).replace("\\", "")


def ids(*runs):
    return ",".join(run.id[:12] for run in runs)


def press(at, label):
    return next(button for button in at.button if button.label == label).click().run()


def address(at, name):
    value = at.query_params[name]
    return value if isinstance(value, str) else value[0]


def test_every_run_is_listed_and_the_one_in_view_is_open(at_page, store, second):
    at = at_page("runs")
    rows = table(at)
    assert len(rows) == len(store.list())
    assert rows["run"][0] == second.id[:12]
    assert rows["by"].tolist()[:2] == ["this browser", "snnlab"]
    assert rows["parameters"][0] == "v(0) = 1/4"
    assert rows["shown"].tolist().count("in view") == 1
    assert "digits-vgg-qcfs-L8 converted by QCFS (v(0) = 1/2)" in said(at).replace("*", "")
    assert {d.proto.label for d in at.get("download_button")} == {"Folder (zip)", "Offline report (HTML)"}


def test_the_offline_report_says_what_its_user_says(at_page, store, second, monkeypatch):
    made = {}
    monkeypatch.setattr(runs_detail, "_file", lambda title, make, *names: made.update({title: make}))
    store.mark(second.id, tags=["half"], note="for the talk", workspace=WORKSPACE)
    at_page("runs", runs=ids(second))
    page = made["Offline report (HTML)"]().decode()
    assert '<span class="tag">half</span>' in page
    assert "for the talk" in page


def test_another_browser_s_runs_are_not_listed_and_open_by_link_to_be_read(at_page, store, shipped):
    theirs = saved(store, shipped[VGG], "f" * 32, workspace="ef" * 16)
    store.mark(theirs.id, tags=["mine"], note="one\n*two*", workspace="ef" * 16)
    at = at_page("runs", runs=ids(theirs))
    assert theirs.id[:12] not in table(at)["run"].tolist()
    assert "it can be read here, not changed" in said(at)
    assert "Tags: **mine**" in said(at)
    assert "one  \n*two*" in said(at)
    assert not [*at.text_area, *at.main.multiselect]
    assert not [button for button in at.button if button.label == "Delete"]


def test_search_kind_and_tag_filter_the_table(at_page, store, second):
    store.mark(second.id, tags=["half"], note="for the talk", workspace=WORKSPACE)
    at = at_page("runs")
    assert list(table(at)["tags"][0]) == ["half"]
    at.text_input(key="runs-search").set_value("talk").run()
    assert table(at)["run"].tolist() == [second.id[:12]]
    assert f"1 of {len(store.list())} runs" in said(at)
    at.text_input(key="runs-search").set_value(second.id[:8]).run()
    assert table(at)["run"].tolist() == [second.id[:12]]
    at.text_input(key="runs-search").set_value("").run()
    chosen(at, "Kind").set_value("noise").run()
    assert set(table(at)["kind"]) == {"noise"}
    chosen(at, "Kind").set_value("").run()
    chosen(at, "Tag").set_value("half").run()
    assert table(at)["run"].tolist() == [second.id[:12]]
    at.text_input(key="runs-search").set_value("no such run").run()
    assert not at.dataframe
    assert "No run is found" in said(at)
    assert "digits-vgg-qcfs-L8" in said(at)  # the run that was open stays open


def chosen(at, label):
    return next(widget for widget in at.main.selectbox if widget.label == label)


def test_the_first_tick_opens_a_run_and_compares_nothing(at_page, shipped, second):
    at = at_page("runs", run=shipped[VGG].id[:12])
    mark(at, second)
    assert address(at, "runs") == ids(second)
    assert "v(0) = 1/4" in said(at)


def test_marking_rows_chooses_runs_in_that_order_and_the_address_keeps_them(at_page, shipped, second):
    at = at_page("runs", run=shipped[VGG].id[:12])
    mark(at, shipped[VGG], second)
    assert address(at, "runs") == ids(shipped[VGG], second)
    assert "A is more accurate than B" in said(at)
    mark(at, second)
    assert address(at, "runs") == ids(second)
    mark(at)
    assert "runs" not in at.query_params
    assert "Choose a run by its box" in said(at)


def mark(at, *runs):
    """Mark these rows of the table, as clicks on their boxes do."""
    listed = table(at)["run"].tolist()
    key = "runs-table-" + at.dataframe[0].proto.id.partition("runs-table-")[2]
    at.session_state[key] = {"selection": {"rows": [listed.index(run.id[:12]) for run in runs], "columns": []}}
    at.run()
    assert not at.exception


def test_what_is_chosen_stays_when_the_search_hides_it(at_page, shipped, second):
    at = at_page("runs", runs=ids(second, shipped[RELU]))
    at.text_input(key="runs-search").set_value("resnet").run()
    assert address(at, "runs") == ids(second, shipped[RELU])
    assert "Also chosen: digits-vgg-qcfs-L8 · qcfs, digits-vgg-relu · percentile_norm" in said(at)


def test_a_link_to_a_run_that_is_gone_is_one_sentence(at_page, shipped):
    at = at_page("runs", runs=f"000000000000,{ids(shipped[RELU])},<b>")
    assert warnings(at).count("There is no run") == 2
    assert "digits-vgg-relu: conversion" in at.header[0].value.replace("\\", "")


def test_tags_and_note_are_edited_in_place(at_page, store, second):
    at = at_page("runs", runs=ids(second))
    at.main.multiselect[0].set_value(["sweep", "v0"]).run()
    at.text_area[0].set_value("two\nlines").run()
    row = store.row(second.id)
    assert (row.tags, row.note) == (("sweep", "v0"), "two\nlines")
    assert list(table(at)["tags"][0]) == ["sweep", "v0"]
    assert table(at)["note"][0] == "two"


def test_a_wrong_tag_is_one_sentence_and_nothing_is_stored(at_page, store, second, monkeypatch):
    refused = sl.runs.Store.mark

    def mark_badly(self, run_id, *, tags=None, note=None, workspace="local"):
        refused(self, run_id, tags=["two words"], workspace=workspace)

    monkeypatch.setattr(sl.runs.Store, "mark", mark_badly)
    at = at_page("runs", runs=ids(second))
    at.text_area[0].set_value("x").run()
    assert "'two words' is no tag" in at.error[0].value.replace("\\", "")
    assert at.text_area[0].value == ""
    assert store.row(second.id).tags == ()


def test_deleting_takes_two_clicks_and_leaves_no_trace_in_the_address(at_page, store, second, shipped):
    at = at_page("runs", run=shipped[VGG].id[:12], compare=second.id[:12], baseline=second.id[:12], runs=ids(second))
    press(at, "Delete")
    assert "will be deleted for good" in warnings(at)
    press(at, "Keep it")
    assert not at.warning
    press(at, "Delete")
    press(at, "Delete it")
    assert second.id not in {row.id for row in store.list()}
    assert "Choose a run by its box" in said(at)
    assert not {"compare", "baseline", "runs"} & set(at.query_params)


def test_a_shipped_run_stays(at_page, shipped):
    at = at_page("runs", runs=ids(shipped[VGG]))
    assert "comes with snnlab and stays" in said(at)
    assert not [button for button in at.button if button.label == "Delete"]


def test_two_runs_are_compared_with_the_library_s_numbers(at_page, shipped, second):
    at = at_page("runs", runs=ids(shipped[VGG], second), T="4")
    frame = sl.runs.compare([shipped[VGG], second]).to_frame()
    row = frame[(frame["run"] == second.id) & (frame["step"] == 4)].iloc[0]
    number = sl.figures.tables.points
    bounds = f"[{number(row['difference_low'])}, {number(row['difference_high'])}]"
    assert f"at T = 4: B minus A is {number(row['difference'])} points {bounds}, on the same 270 images." in said(at)
    shown = html_of(at)
    assert f"{number(row['difference_low'])} to {number(row['difference_high'])}" in shown
    assert "A  QCFS, v(0) = 1/2" in shown
    assert "B  QCFS, v(0) = 1/4" in shown
    titles = {e.proto.label for e in at.get("download_button")}
    assert {"PDF", "SVG", "PNG", "CSV", "LaTeX", "YAML"} <= titles
    assert "snnlab runs compare" in at.code[0].value


def test_sites_are_compared_at_the_chosen_t(at_page, shipped, second):
    at = at_page("runs", runs=ids(shipped[VGG], second), T="4")
    (expander,) = [e for e in at.expander if e.label.startswith("All sites")]
    assert expander.label == "All sites at t = 4 as a table"
    t = next(widget for widget in at.button_group if widget.label == "t")
    t.set_value(8).run()
    assert any(e.label == "All sites at t = 8 as a table" for e in at.expander)
    frame = sl.runs.compare([shipped[VGG], second]).site_frame(8)
    assert f"{frame['firing_rate'].iloc[0]:.3f}</td>" in html_of(at)


def test_runs_without_common_sites_or_images_say_so(at_page, store, shipped):
    at = at_page("runs", runs=ids(shipped[VGG], shipped[RESNET]))
    assert "have no site of the same name and shape" in said(at)
    fewer = shipped[RELU].accuracy
    fewer = dataclasses.replace(
        fewer,
        labels=fewer.labels[:50],
        ann_predictions=fewer.ann_predictions[:50],
        snn_predictions=fewer.snn_predictions[:, :50],
    )
    few = saved(store, shipped[RELU], "9" * 32, reports={**shipped[RELU].reports, "accuracy": fewer})
    at = at_page("runs", runs=ids(shipped[VGG], few))
    assert "there is no paired difference" in said(at)
    assert "other images: 50 against 270" in said(at)


def test_a_and_b_change_places_and_go_to_every_page_with_their_colours(at_page, shipped, second):
    at = at_page("runs", runs=ids(shipped[VGG], second))
    press(at, "Exchange A and B")
    assert address(at, "runs") == ids(second, shipped[VGG])
    assert "B is more accurate than A" in said(at)
    press(at, "Open on Residuals")
    assert address(at, "run") == second.id[:12]
    assert address(at, "compare") == shipped[VGG].id[:12]
    (component,) = [c for c in at.get("bidi_component") if "residuals" in c.proto.component_name]
    assert json.loads(json.loads(component.proto.json)["compare"])["id"] == shipped[VGG].id
    assert runs_chosen.role(0) == "snn"
    assert runs_chosen.role(1) == "compared"


def test_a_pinned_baseline_is_in_the_sidebar_the_link_and_on_accuracy(at_page, shipped, second):
    at = at_page("runs", runs=ids(second))
    press(at, "Pin as baseline")
    assert address(at, "baseline") == second.id[:12]
    assert "Baseline: **QCFS, v(0) = 1/4**" in said(at)
    assert table(at)["shown"][0] == "baseline"
    assert cached.store().row(second.id).tags == ("baseline",), "so that prune spares it"
    at.switch_page("pages/accuracy.py").run()
    assert address(at, "baseline") == second.id[:12]
    assert at.main.multiselect[0].value == [second.id]
    compare = next(widget for widget in at.sidebar.selectbox if widget.label == "Compare with")
    assert compare.options[:2] == ["nothing", "QCFS, v(0) = 1/4 · baseline"]
    press(at, "Unpin")
    assert "baseline" not in at.query_params
    assert at.main.multiselect[0].value == []


def test_a_link_restores_the_baseline_beside_a_comparison(at_page, shipped, second, trained_again):
    at = at_page("accuracy", run=shipped[VGG].id[:12], compare=trained_again.id[:12], baseline=second.id[:12])
    assert at.main.multiselect[0].value == [trained_again.id, second.id]
    at = at_page("accuracy", run=second.id[:12], baseline=second.id[:12])
    assert at.main.multiselect[0].value == []
    assert "Baseline: **the run in view**" in said(at)
    at = at_page("accuracy", baseline="000000000000")
    assert "no baseline is pinned" in warnings(at)


def test_a_compared_run_that_menus_no_longer_reach_is_still_shown(at_page, shipped, second, monkeypatch):
    monkeypatch.setattr(cached, "LISTED_RUNS", 0)
    at = at_page("accuracy", run=shipped[VGG].id[:12], compare=second.id[:12])
    compare = next(widget for widget in at.sidebar.selectbox if widget.label == "Compare with")
    assert compare.value == second.id
    assert at.main.multiselect[0].value == [second.id]


def test_checkpoints_of_one_recipe_are_one_group(at_page, shipped, second, trained_again):
    at = at_page("runs", runs=ids(shipped[VGG], trained_again))
    assert "As one group of training seeds" in [header.value for header in at.header]
    group = sl.runs.SeedGroup.of([shipped[VGG], trained_again])
    assert f"{100 * group.mean[2]:.2f}" in html_of(at)
    at = at_page("runs", runs=ids(shipped[VGG], second))
    assert "As one group of training seeds" not in [header.value for header in at.header]


def test_alike_looks_at_the_recipe_and_not_at_where_its_file_lies(store, shipped, second, trained_again):
    rows = {row.id: row for row in store.list()}
    one, other = rows[shipped[VGG].id], rows[trained_again.id]
    moved = trained_again.recipe.changed(checkpoint={"source": "/elsewhere/file.pt"})
    assert runs_group.alike([one, other])
    assert runs_group.alike([one, dataclasses.replace(other, recipe_json=json.dumps(moved.to_dict()))])
    assert not runs_group.alike([one, rows[second.id]])
    assert not runs_group.alike([one, one])


def test_runs_of_other_kinds_are_opened_on_their_own_page(at_page, store, shipped):
    noise = next(run for run in store.shipped() if run.verb == "noise" and run.card["name"] == RESNET)
    at = at_page("runs", runs=ids(noise))
    opens = [button.label for button in at.button if button.label.startswith("Open on")]
    assert opens == ["Open on Noise"]
    assert not [button for button in at.button if button.label == "Pin as baseline"]
    press(at, "Open on Noise")
    assert "digits\\-resnet" in strip_of(at)
    at = at_page("runs", runs=ids(noise, shipped[VGG]))
    assert "Only conversions are compared with each other" in said(at)
    assert {"Folders (zip)", "Offline report (HTML)"} <= {each.proto.label for each in at.get("download_button")}
    press(at, f"Open only the noise, {noise.id[:6]}")
    assert address(at, "runs") == noise.id[:12]
    assert [button.label for button in at.button if button.label.startswith("Open on")] == ["Open on Noise"]


def test_an_experiment_is_opened_beside_its_checkpoint(at_page, store, shipped):
    run = shipped[RESNET]
    recipe = run.recipe.changed(
        training={"epochs": 1}, experiment={"arms": ["control", "nq"], "seeds": 3, "steps": [2]}
    )
    gain = saved(
        store, run, "7" * 32, recipe=recipe, verb="train", reports={**run.reports, "gain": noise_gain_report()}
    )
    at = at_page("runs", runs=ids(gain))
    assert "Fine-tuned as control, NQ; 3 seeds" in said(at)
    assert "snnlab train" in " ".join(code.value for code in at.code)
    press(at, "Open on Train")
    assert "digits\\-resnet" in strip_of(at)
    assert address(at, "experiment") == gain.id[:12]


def test_runs_on_test_images_show_no_figure(at_page, store, shipped):
    sealed = saved(store, shipped[VGG], "8" * 32, recipe=shipped[VGG].recipe.changed(data={"split": "test"}))
    at = at_page("runs", runs=ids(sealed))
    assert "only Final evaluation shows their figures" in said(at).replace("*", "")
    assert f"{100 * sealed.accuracy.ann_accuracy:.2f}" not in html_of(at)
    assert not [button for button in at.button if button.label.startswith("Open on")]
    at = at_page("runs", runs=ids(sealed, shipped[RELU]))
    assert "Only conversions are compared with each other" in said(at)


def test_a_damaged_run_is_one_sentence(at_page, store, second, monkeypatch):
    original = sl.runs.Store.get

    def get(self, run_id):
        if run_id == second.id:
            sl.runs.Run.from_bytes(b"damaged")
        return original(self, run_id)

    monkeypatch.setattr(sl.runs.Store, "get", get)
    at = at_page("runs", runs=ids(second))
    assert "A stored run cannot be read" in at.error[0].value
    assert at.dataframe


def test_hostile_names_tags_and_notes_stay_text(at_page, hostile, store, shipped):
    store.mark(hostile.id, note=HOSTILE)
    for runs in (ids(hostile), ids(hostile, shipped[VGG])):
        at = at_page("runs", runs=runs)
        assert "<img" not in html_of(at)
        for element in (*at.markdown, *at.caption, *at.header, *at.info):
            assert "<img" not in element.value.replace("\\<img", "")
            assert HOSTILE not in element.value


def test_several_runs_are_one_page_and_one_file(second, store, shipped):
    tournament = next(run for run in store.shipped() if run.verb == "tournament")
    store.mark(second.id, note="kept for the talk", workspace=WORKSPACE)
    rows = [cached.store().row(each.id) for each in (tournament, second)]
    page = runs_detail.offline(rows)
    assert "kept for the talk" in page
    assert f"run {tournament.id}, recipe {tournament.recipe_sha}; run {second.id}" in page
    names = zipfile.ZipFile(io.BytesIO(runs_detail.zipped(rows))).namelist()
    assert {name.split("/")[0] for name in names} == {f"snnlab-{row.id[:8]}" for row in rows}


def test_the_folder_is_the_library_s_export_as_one_file(second):
    packed = zipfile.ZipFile(io.BytesIO(runs_detail.zipped([cached.store().row(second.id)])))
    names = packed.namelist()
    assert {name.split("/")[0] for name in names} == {"snnlab-cccccccc"}
    assert "snnlab-cccccccc/recipe.yaml" in names
    assert sl.Recipe.from_yaml(packed.read("snnlab-cccccccc/recipe.yaml").decode()) == second.recipe


def test_every_report_says_what_it_holds(store):
    for run in store.shipped():
        for name, report in run.reports.items():
            assert runs_detail.contents(name, report) != name
    row = store.row(next(run.id for run in store.shipped() if run.verb == "noise"))
    assert {runs_open.page_of(row, name) for name in ("accuracy", "noise", "unknown")} == {"", "Noise"}


def test_a_thousand_runs_are_drawn_in_time(at_page, store, shipped, monkeypatch):
    first = store.row(shipped[VGG].id)
    many = [
        dataclasses.replace(
            first,
            id=f"{number:08x}" + 24 * "0",
            shipped=False,
            workspace=WORKSPACE,
            recipe_json=json.dumps(shipped[VGG].recipe.changed(seed=number).to_dict()),
        )
        for number in range(1000)
    ]
    monkeypatch.setattr(runs_list, "every", lambda: [*many, first])
    at = at_page("runs")
    seconds = []
    for _ in range(3):
        began = time.process_time()
        at.run()
        seconds.append(time.process_time() - began)
    assert table(at)["run"].nunique() == 1001
    assert table(at)["shown"].tolist().count("in view") == 1
    assert min(seconds) < 0.3


@pytest.mark.parametrize(
    ("gain", "says"), [(20, "B is more accurate"), (-20, "A is more accurate"), (0, "do not tell")]
)
def test_the_verdict_says_which_is_better_or_that_nothing_is_known(store, shipped, gain, says):
    run = shipped[VGG]
    curve = run.accuracy
    predictions = np.tile(curve.labels, (curve.num_steps, 1))
    wrong = [predictions.copy(), predictions.copy()]
    for answers, count in zip(wrong, (30, 30 - gain), strict=True):
        answers[:, :count] = (answers[:, :count] + 1) % 10
    runs = [
        dataclasses.replace(
            run, id=digit * 32, reports={**run.reports, "accuracy": dataclasses.replace(curve, snn_predictions=answers)}
        )
        for digit, answers in zip("ab", wrong, strict=True)
    ]
    found = sl.runs.compare(runs)
    assert says in runs_compare.verdict(found, runs_compare._cells(found, 2), 2)
