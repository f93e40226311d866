"""Reports: their arithmetic against hand-made numbers and the literal simulation, and their transport."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

import snnlab as sl
from snnlab.analysis.reports import AccuracyCurve, NormalizationReport, Report, wilson_interval
from snnlab.converters.apply import convert
from snnlab.core.errors import DataError, SimulationError, SnnlabError
from snnlab.simulation import simulate
from tests.reference.literal import classify, simulate_literally


def curve(ann, snn, labels):
    return AccuracyCurve("SNN", np.array(labels), np.array(ann), np.array(snn), "dev", 3)


@pytest.mark.parametrize(("correct", "images"), [(0, 7), (7, 7), (50, 100), (9173, 10000)])
def test_wilson_interval_equals_scipy(correct, images):
    expected = binomtest(correct, images).proportion_ci(method="wilson")
    low, high = wilson_interval(correct, images)

    assert low == pytest.approx(expected.low, abs=1e-12)
    assert high == pytest.approx(expected.high, abs=1e-12)


def test_accuracy_curve_counts():
    report = curve([0, 1, 2, 2], [[0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 2, 0]], [0, 1, 2, 0])

    assert report.ann_accuracy == 0.75
    assert report.snn_accuracy.tolist() == [0.5, 0.75, 1.0]
    assert report.first_step_within(1.0) == 2
    assert report.first_step_within(25.0) == 1
    frame = report.to_frame()
    assert frame["step"].tolist() == [0, 1, 2, 3]
    assert frame["role"].tolist() == ["ann", "snn", "snn", "snn"]
    assert ((frame["low"] <= frame["accuracy"]) & (frame["accuracy"] <= frame["high"])).all()


def test_within_means_from_there_on():
    dips = curve([0] * 4, [[0] * 4, [1] * 4, [0] * 4], [0] * 4)
    never = curve([0] * 4, [[1] * 4], [0] * 4)

    assert dips.first_step_within() == 3
    assert never.first_step_within() is None


def test_chance_is_the_largest_class():
    labels = [0] * 60 + [1] * 40
    always_zero = curve(labels, [[0] * 100, labels], labels)

    assert always_zero.first_step_above_chance() == 2


def test_residual_report_equals_the_literal_simulation(grid_network, grid_images):
    _, neurons = simulate_literally(grid_network, grid_images, 6)
    recording = simulate(convert(grid_network, "qcfs"), grid_images, num_steps=6, snapshots=[2, 6])
    frame = sl.analysis.residuals(recording).to_frame().set_index(["site", "step"])
    for name, neuron in neurons.items():
        for step in (2, 6):
            v = (neuron.membranes[step - 1] / neuron.threshold).flatten()
            counts, row = sum(neuron.spikes[:step]).flatten(), frame.loc[(name, step)]
            kinds = classify(neuron, step)
            assert row["mean"] == pytest.approx(v.mean().item())
            assert row["std"] == pytest.approx(v.std(unbiased=False).item())
            assert (row["min"], row["max"]) == (v.min().item(), v.max().item())
            assert row["below_zero"] == (v < 0).double().mean().item()
            assert row["at_or_above_threshold"] == (v >= 1).double().mean().item()
            for kind in ("silent", "exact", "excess", "missing", "saturated"):
                assert row[kind] == kinds.count(kind) / len(kinds)
            assert row["right"] == pytest.approx(1 - row["excess"] - row["missing"])
            fired = v[(counts > 0) & (v.abs() < 2)]
            assert row["fired_mean"] == pytest.approx(fired.mean().item())
            assert row["fired_std"] == pytest.approx(fired.std(unbiased=False).item())
            assert row["firing_rate"] == pytest.approx(counts.mean().item() / step)


def test_spike_errors_are_those_of_the_literal_simulation(grid_network, grid_images):
    from tests.reference.literal import ideal_counts

    _, neurons = simulate_literally(grid_network, grid_images, 8)
    report = sl.analysis.residuals(simulate(convert(grid_network, "qcfs"), grid_images, num_steps=8, snapshots=[8]))
    for index, neuron in enumerate(neurons.values()):
        k = (sum(neuron.spikes) - ideal_counts(neuron, 8)).clamp(-6, 6).flatten().long() + 6
        np.testing.assert_array_equal(report.spike_errors[index, 0], torch.bincount(k, minlength=13).numpy())


def test_worst_site_is_among_neurons_that_are_not_silent(grid_network, grid_images):
    report = sl.analysis.residuals(simulate(convert(grid_network, "qcfs"), grid_images, num_steps=8, snapshots=[8]))
    name, share = report.worst(8, "excess")
    frame = report.to_frame()
    shares = frame["excess"] / (1 - frame["silent"])

    assert share == pytest.approx(shares.max())
    assert name == frame["site"][shares.idxmax()]
    with pytest.raises(SnnlabError, match=r"No residuals were kept at t = 3; kept are t = 8"):
        report.worst(3, "excess")


def test_reports_survive_transport(grid_network, grid_images):
    recording = simulate(convert(grid_network, "qcfs"), grid_images, num_steps=4, snapshots=[1, 4], candidates="random")
    for report in (sl.analysis.residuals(recording), sl.analysis.traces(recording)):
        again = Report.from_payload(*report.payload())
        for (name, one), two in zip(vars(report).items(), vars(again).values(), strict=True):
            assert np.array_equal(one, two) if isinstance(one, np.ndarray) else one == two, name
    with pytest.raises(SnnlabError, match="no report of kind 'tarot'"):
        Report.from_payload({"kind": "tarot"}, {})


def test_traces_illustrate_their_class(grid_network, grid_images):
    recording = simulate(convert(grid_network, "qcfs"), grid_images, num_steps=6, snapshots=[2, 6], candidates="random")
    found = sl.analysis.traces(recording, per_class=2)
    steps, names = recording.snapshots, ("silent", "exact", "excess", "missing", "saturated")
    assert len(found.members) > 10
    for site, snapshot, kind, row in found.members:
        assert found.site[row] == site
        v, count, charge = float(found.initial[row]), 0, float(found.initial[row])
        for current in found.currents[row][: steps[snapshot]]:
            v, charge = v + float(current), charge + float(current)
            if v >= 1:
                v, count = v - 1, count + 1
        ideal = min(max(int(np.floor(charge)), 0), steps[snapshot])
        if count == ideal:
            expected = "silent" if count == 0 else "saturated" if count == steps[snapshot] else "exact"
        else:
            expected = "excess" if count > ideal else "missing"
        assert names[kind] == expected


def test_one_neuron_by_name_is_its_input(grid_network, grid_images):
    _, neurons = simulate_literally(grid_network, grid_images, 5)
    snn = convert(grid_network, "qcfs")
    trace = sl.analysis.trace_neuron(snn, grid_images, site="act2", image=3, position=17, num_steps=5)
    inputs = torch.stack(neurons["act2"].inputs).flatten(2)[:, 3, 17] / neurons["act2"].threshold

    assert trace.currents[0].tolist() == inputs.tolist()
    for wrong, reason in (
        ({"site": "act9"}, "no site 'act9'"),
        ({"image": 12}, "images go from 0 to 11"),
        ({"position": -1}, "neurons go from 0 to 63"),
    ):
        with pytest.raises(SimulationError, match=reason):
            sl.analysis.trace_neuron(
                snn, grid_images, **({"site": "act2", "image": 0, "position": 0} | wrong), num_steps=2
            )


def test_accuracy_vs_steps_of_several_conversions(grid_network, grid_images):
    labels = sl.analysis.predict(grid_network, grid_images)
    one, two = convert(grid_network, "qcfs"), convert(grid_network, "max_norm", data=grid_images)
    curves = sl.analysis.accuracy_vs_steps(
        {"ANN": grid_network, "QCFS": one, "Max": two}, (grid_images, labels), num_steps=8
    )

    assert [report.name for report in curves] == ["QCFS", "Max"]
    assert curves[0].ann_accuracy == 1
    with pytest.raises(DataError, match="found 0 ANNs"):
        sl.analysis.accuracy_vs_steps({"QCFS": one}, (grid_images, labels), num_steps=8)
    with pytest.raises(DataError, match="labels up to 7, but the network tells only 3"):
        sl.analysis.accuracy_vs_steps({"ANN": grid_network, "QCFS": one}, (grid_images, labels * 0 + 7), num_steps=2)


def test_normalization_warns_only_when_clearly_worse():
    report = NormalizationReport(("half", "unit"), np.array([460, 290]), 500, "cifar10", chosen="unit")
    close = NormalizationReport(("half", "unit"), np.array([460, 455]), 500, "cifar10", chosen="unit")

    assert report.chosen_is_clearly_worse()
    assert not close.chosen_is_clearly_worse()
    assert report.to_frame()["accuracy"].tolist() == [0.92, 0.58]


def test_predicting_leaves_every_mode_and_statistic_as_it_was(resnet, images):
    network = copy.deepcopy(resnet).train()
    network.stem.bn.eval()  # frozen, as fine-tuning does
    before = copy.deepcopy(network.state_dict())
    labels = sl.analysis.predict(network, images)
    sl.analysis.accuracy_vs_steps({"ANN": network, "SNN": convert(network, "qcfs")}, (images, labels), num_steps=2)

    assert network.training
    assert not network.stem.bn.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
