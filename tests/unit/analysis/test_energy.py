"""Energy: by hand, its crossover, and published costs."""

import dataclasses

import numpy as np
import pytest

import snnlab as sl
from snnlab.analysis.reports import ActivityReport, Conventions, EnergyReport, Report
from snnlab.core.energy import ARITHMETIC_COSTS, ENERGY_COSTS, energy_costs
from snnlab.core.errors import SnnlabError
from snnlab.core.references import REFERENCES

FLOAT = "float32-45nm"


def counted(steps=4, images=2):
    """Two layers: 100 MACs on the image; then 10 accumulates a step and image, of 50 MACs in the ANN."""
    syn_ops = np.zeros((2, steps), np.int64)
    syn_ops[1] = 10 * images
    totals = np.zeros((steps, 5))
    totals[:, 0] = 10 * images * np.arange(1, steps + 1)
    products = np.zeros((steps, 5, 5))
    products[:, 0, 0] = images * (10 * np.arange(1, steps + 1)) ** 2
    return ActivityReport(
        names=("conv", "fc"),
        kinds=("conv", "linear"),
        inputs=("image", "spikes"),
        sources=("", "act"),
        ann_macs=np.array([100, 50]),
        nominal_macs=np.array([120, 50]),
        ann_adds=np.zeros(2, np.int64),
        outputs=np.array([20, 5]),
        has_bias=np.array([True, True]),
        syn_ops=syn_ops,
        pool_adds=np.zeros_like(syn_ops),
        pooled_levels=np.zeros_like(syn_ops),
        sites=("act",),
        neurons=np.array([20]),
        spikes=np.full((1, steps), 2 * images),
        image_sums=totals,
        image_products=products,
        images=images,
        split="dev",
    )


def test_energies_by_hand():
    report = EnergyReport.of(counted(), costs=[FLOAT])
    assert report.ann(FLOAT) == pytest.approx(150 * 4.6)
    assert report.snn(FLOAT) == pytest.approx([t * (100 * 4.6 + 10 * 0.9) for t in (1, 2, 3, 4)])
    low, high = report.interval(FLOAT)
    assert np.allclose(low, high)  # both images cost the same


def test_a_chip_prices_synaptic_operations_of_the_snn_alone():
    adds = dataclasses.replace(counted(), ann_adds=np.array([0, 7]))
    report = EnergyReport.of(adds, costs=[FLOAT, "loihi"])
    assert report.ann("loihi") == report.ann(FLOAT) == pytest.approx(150 * 4.6 + 7 * 0.9)
    assert report.snn("loihi") == pytest.approx([t * (100 * 4.6 + 10 * 23.6) for t in (1, 2, 3, 4)])
    low, high = report.interval("loihi")
    assert np.allclose(low, high)
    frame = report.to_frame().groupby("costs")["sop_pj"].first()
    assert (frame["loihi"], frame[FLOAT]) == (23.6, 0.9)
    assert "two technologies" in sl.figures.energy_vs_steps(report).foot
    plain = EnergyReport.of(adds)
    assert plain.costs == ARITHMETIC_COSTS
    assert "on both sides" in sl.figures.energy_vs_steps(plain).foot
    spread = dataclasses.replace(plain, costs=("loihi",), spread=np.full((4, 2, 2), 0.0) + np.diag([0.0, 2.0]))
    assert spread.interval("loihi")[1] - spread.snn("loihi") == pytest.approx(1.959964 * 23.6)  # 2 images, variance 2


def test_where_the_snn_costs_as_much_as_the_ann():
    found = EnergyReport.of(counted(), costs=[FLOAT]).crossover(FLOAT)
    assert found.value == pytest.approx(690 / 469)
    assert found.cheaper_up_to == 1
    once = EnergyReport.of(counted(), Conventions(first_layer="once"), costs=[FLOAT])
    # 100 MACs once, and 10 + 20 accumulates a step.
    assert once.snn(FLOAT) == pytest.approx([460 + 27 * t for t in (1, 2, 3, 4)])
    assert once.crossover(FLOAT).cheaper_up_to == 4
    assert np.isnan(once.crossover(FLOAT).value)
    assert "up to t = 4, the last that was counted" in once.crossover(FLOAT).why
    dear = dataclasses.replace(counted(), ann_macs=np.array([100, 0]))
    assert "from t = 1 on" in EnergyReport.of(dear, costs=[FLOAT]).crossover(FLOAT).why
    assert EnergyReport.of(dear, costs=[FLOAT]).crossover(FLOAT).told()["value"] is None


def test_biases_count_on_both_sides():
    plain, with_biases = (EnergyReport.of(counted(), Conventions(biases=on), costs=[FLOAT]) for on in (False, True))
    assert with_biases.ann_acs - plain.ann_acs == 25
    assert (with_biases.acs - plain.acs).tolist() == [25, 50, 75, 100]


def test_the_crossover_lies_within_its_interval_and_the_dearer_end_comes_first(checkpoint, ann):
    snn = sl.convert(ann, "qcfs")
    activity = sl.analysis.synaptic_operations(snn, checkpoint.data("dev", limit=8), num_steps=24)
    found = EnergyReport.of(activity).crossover("float16-45nm")
    assert found.low < found.value < found.high
    low, high = EnergyReport.of(activity).ratio_range
    assert (low < high).all()


def test_costs_are_the_published_ones():
    assert {name: (costs.mac, costs.ac) for name, costs in ENERGY_COSTS.items() if not costs.across} == {
        "float32-45nm": (4.6, 0.9),
        "float16-45nm": (1.5, 0.4),
        "int32-45nm": (3.2, 0.1),
        "int8-45nm": (0.23, 0.03),
    }
    # Tang et al. 2023, Table 3: energy per synaptic operation, pJ.
    assert {name: costs.sop for name, costs in ENERGY_COSTS.items() if costs.across} == {
        "loihi": 23.6, "odin": 12.7, "spinnaker2": 10, "seneca": 2.8, "truenorth": 2.5, "tianjic": 1.54,
    }  # fmt: skip
    assert all(costs.citation in REFERENCES for costs in ENERGY_COSTS.values())
    assert all(costs.chip_citation in REFERENCES for costs in ENERGY_COSTS.values() if costs.across)
    assert ENERGY_COSTS["loihi"].source == (
        "Davies et al., IEEE Micro 2018, as tabulated by Tang et al., Frontiers in Neuroscience 2023; MAC: Horowitz, "
        "ISSCC 2014"
    )
    with pytest.raises(SnnlabError, match="no energy costs 'free'; choose one of float32-45nm"):
        energy_costs("free")
    with pytest.raises(SnnlabError, match="needs the costs of an operation"):
        EnergyReport.of(counted(), costs=[])


def test_silence_and_one_image():
    activity = dataclasses.replace(
        counted(images=1), syn_ops=np.zeros((2, 4), np.int64), spikes=np.zeros((1, 4), np.int64)
    )
    report = EnergyReport.of(activity)
    assert np.isnan(report.interval(FLOAT)[0]).all()
    assert np.isnan(report.crossover(FLOAT).low)
    assert report.acs.tolist() == [0, 0, 0, 0]
    frame = report.summary(2)
    assert len(frame) == len(ARITHMETIC_COSTS)
    with pytest.raises(SnnlabError, match="t = 9 lies outside"):
        report.summary(9)
    assert sl.figures.energy_vs_steps(report).render("svg")
    assert sl.figures.layer_activity(activity, 2).render("svg")


def test_the_report_goes_through_the_store():
    report = EnergyReport.of(counted())
    values, arrays = report.payload()
    again = Report.from_payload({name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}, arrays)
    assert again.to_frame().equals(report.to_frame())


def test_the_figures_draw_the_numbers():
    activity = counted()
    report = EnergyReport.of(activity)
    over_time = sl.figures.energy_vs_steps(report)
    curves = [mark for mark in over_time.panels[0].marks if getattr(mark, "label", "").endswith(" pJ")]
    assert len(curves) == len(ARITHMETIC_COSTS)
    for curve, name in zip(curves, ARITHMETIC_COSTS, strict=True):
        assert np.array_equal(curve.y, report.ratio(name))
    marked = [mark for mark in over_time.panels[0].marks if getattr(mark, "symbol", "") == "diamond"]
    assert [float(mark.x[0]) for mark in marked] == [
        report.crossover(name).value for name in ARITHMETIC_COSTS if not report.crossover(name).why
    ]
    by_layer = sl.figures.layer_activity(activity, 3)
    bars = by_layer.panels[0].marks
    assert bars[0].end.tolist() == [0.0, 30.0]
    assert bars[1].end.tolist() == [300.0, 30.0]


def test_the_shipped_runs_hold_what_a_new_run_counts(tmp_path):
    store = sl.runs.Store(tmp_path / "runs.sqlite")
    shipped = {run.card["name"]: run for run in store.shipped() if run.verb == "energy"}
    assert set(shipped) >= {"digits-resnet-qcfs-L4", "digits-vgg-relu"}
    run = shipped["digits-vgg-qcfs-L8"]
    again = sl.runs.energy_run(run.recipe.changed(num_steps=3, data={"limit": None})).reports["activity"]
    assert np.array_equal(again.syn_ops, run.reports["activity"].syn_ops[:, :3])
    assert {figure.name for figure in sl.runs.figures_of(run)} >= {"energy", "activity-t2"}
