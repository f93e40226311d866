"""The Residuals page without a browser, and what it sends to one."""

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import snnlab as sl
from pages._ui import residual_view
from pages._ui.residual_view.pack import CORE_BINS, MANY_SITES, MERGE, inflated, pack
from pages._ui.residual_view.shared import shared, told
from snnlab.core import histogram
from tests.app.conftest import WORKSPACE

ROOT = Path(__file__).resolve().parents[2]
KEY = "residuals-view"
VGG, RESNET = "digits-vgg-qcfs-L8", "digits-resnet-qcfs-L4"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    store = sl.runs.Store(tmp_path_factory.mktemp("store") / "runs.sqlite")
    runs = [store.get(row.id) for row in store.list() if row.shipped]
    return {run.card["name"]: run for run in runs}


def at_page(**address: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    at.switch_page("pages/residuals.py")
    for name, value in address.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at


def sent(at: AppTest) -> dict:
    (component,) = [c for c in at.get("bidi_component") if "residuals" in c.proto.component_name]
    return json.loads(component.proto.json)


def texts(elements) -> str:
    return " ".join(element.value for element in elements)


def packed(run: sl.runs.Run, **others) -> dict:
    reports = run.reports
    text = pack(reports["residuals"], run_id=run.id, name="a run", accuracy=reports["accuracy"], **others)
    return json.loads(text)


def arrays(facts: dict) -> dict[str, np.ndarray]:
    sites, snapshots = len(facts["names"]), len(facts["steps"])
    shapes = {
        "core": (sites, snapshots, 5, facts["bins"]),
        "tails": (sites, snapshots, 5, 2),
        "spike_errors": (sites, snapshots, -1),
        "summary": (sites, snapshots, 5),
        "fired": (sites, snapshots, 3),
        "class_moments": (sites, snapshots, 5, 2),
        "members": (-1, 4),
    }
    return {name: inflated(entry).reshape(shapes.get(name, -1)) for name, entry in facts["arrays"].items()}


def test_the_view_knows_the_library_s_bins_and_classes():
    assert CORE_BINS == histogram.CORE_BINS
    assert histogram.CORE.start == (histogram.NUM_BINS - CORE_BINS) // 2
    javascript = residual_view.script()
    assert json.loads(re.search(r"const CLASSES = (\[.*?\]);", javascript)[1]) == list(histogram.CLASSES)
    assert re.search(r"const \[(.*?)\] = \[0, 1, 2, 3, 4\]", javascript)[1] == ", ".join(histogram.CLASSES).upper()
    assert f"CORE_LOW = {histogram.CORE_LOW:g}, CORE_HIGH = {histogram.CORE_HIGH:g}" in javascript


@pytest.mark.parametrize("name", [VGG, RESNET, "digits-vgg-relu"])
def test_shares_and_moments_in_the_browser_are_those_of_the_report(shipped, name):
    run = shipped[name]
    facts = packed(run)
    kept = arrays(facts)
    counts = kept["core"].sum(axis=-1, dtype=np.int64) + kept["tails"].sum(axis=-1, dtype=np.int64)
    shares = counts / run.reports["residuals"].elements[:, None, None]
    frame = run.reports["residuals"].to_frame()
    for index, kind in enumerate(histogram.CLASSES):
        np.testing.assert_array_equal(shares[..., index].ravel(), frame[kind])
    for index, column in enumerate(("mean", "std", "min", "max", "firing_rate")):
        np.testing.assert_allclose(kept["summary"][..., index].ravel(), frame[column], rtol=2e-6, atol=1e-7)
    for index, column in enumerate(("fired_mean", "fired_std"), start=1):
        np.testing.assert_allclose(kept["fired"][..., index].ravel(), frame[column], rtol=2e-6, atol=1e-7)
    np.testing.assert_array_equal(kept["spike_errors"], run.reports["residuals"].spike_errors)
    own = kept["class_moments"][..., 0]
    assert np.isnan(own[counts == 0]).all()
    np.testing.assert_allclose(
        np.nansum(own * counts, axis=-1).ravel(),
        (frame["mean"] * run.reports["residuals"].elements.repeat(len(facts["steps"]))),
        rtol=1e-4,
        atol=0.5,
    )


def test_core_bins_and_tails_hold_what_the_fixed_bins_hold(shipped):
    report = shipped[VGG].reports["residuals"]
    kept = arrays(packed(shipped[VGG]))
    merged = report.histogram[..., histogram.CORE].reshape(*report.histogram.shape[:3], -1, MERGE).sum(axis=-1)
    np.testing.assert_array_equal(kept["core"], merged)
    np.testing.assert_array_equal(kept["tails"][..., 0], report.histogram[..., : histogram.CORE.start].sum(axis=-1))
    np.testing.assert_array_equal(kept["tails"][..., 1], report.histogram[..., histogram.CORE.stop :].sum(axis=-1))


def test_equal_runs_give_equal_bytes_and_small_ones(shipped):
    run = shipped[RESNET]
    again = sl.runs.Run.from_bytes(run.to_bytes())
    first, second = (json.dumps(packed(each, traces=each.reports["traces"])) for each in (run, again))
    assert first == second
    assert len(first) < 400_000


def test_traces_keep_their_input_and_what_they_illustrate(shipped):
    run = shipped[VGG]
    traces = run.reports["traces"]
    kept = arrays(packed(run, traces=traces))
    currents = kept["currents"].reshape(len(kept["row"]), -1)
    np.testing.assert_array_equal(currents, traces.currents[kept["row"]])
    np.testing.assert_array_equal(kept["members"][:, :3], traces.members[:, :3])
    np.testing.assert_array_equal(kept["row"][kept["members"][:, 3]], traces.members[:, 3])


def test_a_run_of_110_sites_stays_comfortable(shipped):
    run = shipped[VGG]
    report = run.reports["residuals"]
    chosen = np.arange(110) % len(report.names)
    fields = {
        field.name: getattr(report, field.name)[chosen]
        for field in dataclasses.fields(report)
        if isinstance(getattr(report, field.name), np.ndarray)
    }
    wide = dataclasses.replace(
        report, names=tuple(f"s{i}" for i in range(110)), shapes=tuple(report.shapes[i] for i in chosen), **fields
    )
    traces = run.reports["traces"]
    assert len(wide.names) > MANY_SITES
    facts = json.loads(pack(wide, run_id="wide", name="wide", traces=traces))
    assert len(json.dumps(facts)) < 1_500_000
    keys, counts = np.unique(arrays(facts)["members"][:, :3], axis=0, return_counts=True)
    assert len(keys) == len(np.unique(traces.members[:, :3], axis=0))
    assert counts.max() == 2


def test_the_first_run_of_the_script_draws_view_and_table():
    at = at_page(T="4")
    facts = json.loads(sent(at)["run"])
    assert sent(at)["first"]["t"] == 4
    assert facts["names"][0] == "stage1.act1"
    assert at.expander[0].label == "All sites at t = 4 as a table, shares of all neurons"
    assert at.query_params["t"] == "4"
    assert at.query_params["site"] == sent(at)["first"]["site"]


def test_a_link_restores_t_and_site_and_a_wrong_one_says_so(shipped):
    run = shipped[RESNET]
    at = at_page(run=run.id[:12], t="16", site="layer2.0.act1")
    assert sent(at)["first"] == {"t": 16, "site": "layer2.0.act1"}
    assert not at.warning
    at = at_page(run=run.id[:12], t="77", site="<b>nowhere")
    assert "No residuals were kept at t \\= 77" in texts(at.warning)
    assert "This run has no site \\<b\\>nowhere" in texts(at.warning)
    assert sent(at)["first"]["t"] == 2


def test_what_the_view_tells_goes_into_the_address_and_sends_the_same_data_back(shipped):
    run = shipped[RESNET]
    at = at_page(run=run.id[:12])
    before = sent(at)
    told = {"run": run.id, "t": 8, "site": "layer3.0.act2", "all": True, "neuron": 3}
    at.session_state[KEY] = {"view": told}
    at.run()
    assert (at.query_params["t"], at.query_params["site"]) == ("8", "layer3.0.act2")
    assert sent(at) == before
    assert at.expander[0].label.startswith("All sites at t = 8")
    titles = at.selectbox(key="residuals-export-figure").options
    assert any("layer3.0.act2" in title for title in titles)
    assert "One neuron" in titles


def other_run(run: sl.runs.Run, **reports) -> sl.runs.Run:
    recipe = run.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}})
    changed = dataclasses.replace(run, id="f" * 32, recipe=recipe, reports={**run.reports, **reports})
    sl.runs.Store().save(changed)
    return changed


def test_a_second_conversion_is_overlaid_with_its_classes(shipped):
    run = shipped[VGG]
    other = other_run(run)
    at = at_page(run=run.id[:12], compare=other.id[:12])
    compared = json.loads(sent(at)["compare"])
    assert compared["id"] == other.id
    assert "currents" not in compared["arrays"]
    assert arrays(compared)["core"].shape == arrays(packed(run))["core"].shape
    assert sent(at)["note"] == ""


def test_what_cannot_be_compared_is_said_in_one_sentence(shipped):
    run, deep = shipped[VGG], shipped[RESNET]
    at = at_page(run=run.id[:12], compare=deep.id[:12])
    assert sent(at)["compare"] is None
    assert "has other sites (19, here 9): nothing is compared here." in sent(at)["note"]
    report = run.reports["residuals"]
    early = dataclasses.replace(
        report,
        steps=report.steps[:4],
        images=7,
        **{
            name: getattr(report, name)[:, :4]
            for name in ("histogram", "spike_errors", "moments", "fired_moments", "spikes", "nan")
        },
    )
    other = other_run(run, residuals=early)
    at = at_page(run=run.id[:12], compare=other.id[:12], t="8")
    assert "saw other images: digits, dev, 7." in sent(at)["note"]
    assert "kept no residuals at t = 5, 6, 7, 8, 16, 32." in sent(at)["note"]
    assert sent(at)["compare"] is not None


def with_sites(report, names, shapes=None):
    """The same report with other site names, of the first so many sites."""
    kept = {
        field.name: getattr(report, field.name)[: len(names)]
        for field in dataclasses.fields(report)
        if isinstance(getattr(report, field.name), np.ndarray)
    }
    return dataclasses.replace(report, names=names, shapes=shapes or report.shapes[: len(names)], **kept)


def test_runs_that_share_some_sites_are_overlaid_there_and_the_others_are_said(shipped):
    run = shipped[VGG]
    report = run.reports["residuals"]
    names = (report.names[0], "<b>other", *report.names[2:5])
    shapes = (*report.shapes[:4], (3, 3))
    theirs = with_sites(report, names, shapes)
    common = shared(report, theirs)
    assert common.names == (report.names[0], *report.names[2:4])
    np.testing.assert_array_equal(common.histogram, report.histogram[[0, 2, 3]])
    np.testing.assert_array_equal(common.thresholds, report.thresholds[[0, 2, 3]])
    assert shared(report, report) is report
    assert shared(report, with_sites(report, ("a", "b"))) is None
    other = other_run(run, residuals=theirs)
    at = at_page(run=run.id[:12], compare=other.id[:12])
    compared = json.loads(sent(at)["compare"])
    assert compared["names"] == list(common.names)
    assert arrays(compared)["core"].shape[0] == 3
    note = sent(at)["note"]
    assert "has no sites stage1.act2, stage3.act1, stage3.act2, stage3.act3 and 1 more." in note
    assert "has site <b>other." in note
    assert f"has another shape at site {report.names[4]}." in note
    assert "Nothing is overlaid there." in note
    assert told(report, report, "it") == []


def test_the_baseline_is_offered_first_and_not_overlaid_unasked(shipped):
    run = shipped[VGG]
    other = other_run(run)
    at = at_page(run=run.id[:12], baseline=other.id[:12])
    assert sent(at)["compare"] is None
    menu = next(widget for widget in at.sidebar.selectbox if widget.label == "Compare with")
    assert menu.options[1].endswith("· baseline")
    menu.set_value(other.id).run()
    assert json.loads(sent(at)["compare"])["id"] == other.id


def test_a_run_without_residuals_says_what_to_do(shipped):
    run = shipped[VGG]
    bare = dataclasses.replace(
        run, id="e" * 32, reports={name: run.reports[name] for name in ("accuracy", "conversion")}
    )
    sl.runs.Store().save(bare)
    at = at_page(run="e" * 12)
    assert "This run kept no residuals." in texts(at.info)
    at = at_page(run=run.id[:12], compare="e" * 12)
    assert "kept no residuals: nothing is compared here." in sent(at)["note"]


def test_a_neuron_asked_for_is_followed_and_shown(shipped, pool):
    run = shipped[VGG]
    neuron = {"site": "stage1.act2", "image": 3, "position": 17}
    arguments = {"recipe": run.recipe.to_dict(), **neuron}
    at = at_page(run=run.id[:12])
    assert sent(at)["asked"] is None
    at.session_state["residuals.asked"] = {"run": run.id, "arguments": arguments}
    job = pool.ask("trace", arguments, workspace=WORKSPACE, slot="trace")
    at.session_state["asked.trace"] = ("trace", arguments, job.id)
    for state in ("running", "failed"):
        pool.move(job.id, state=state, error="No such luck.")
        at.run()
        assert sent(at)["asked"] == {**neuron, "state": state, "error": "No such luck."}
    currents = [[0.5, 0.25, 1.5]]
    result = {
        "kind": "neuron_traces",
        "currents": currents,
        "site": [1],
        "image": [3],
        "position": [17],
        "initial": [0.5],
        "members": [],
        "negative": [-math.inf],
        "most": [1],
    }
    pool.move(job.id, state="done", result=result)
    at.run()
    assert sent(at)["asked"] == {
        **neuron,
        "state": "done",
        "currents": currents[0],
        "initial": 0.5,
        "negative": None,
        "most": 1,
    }
