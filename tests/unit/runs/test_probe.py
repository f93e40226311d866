"""What an edit does, on a few images: the same numbers as a simulation, and what is kept between two questions."""

import json

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.analysis.reports import Report
from snnlab.core.errors import ConversionError, DataError, RecipeError
from snnlab.core.histogram import EXCESS, MISSING
from snnlab.core.recipe import Recipe
from snnlab.runs import default_recipe
from snnlab.runs.kinds import find, warm
from snnlab.runs.kinds import probe as kind
from snnlab.simulation import with_edits

RESNET, RELU = "digits-resnet-qcfs-L4", "digits-vgg-relu"
EDITED = "layer2.0.act1"


def quiet(*_):
    pass


def ask(source=RESNET, *, num_steps=2, images=64, progress=quiet, recipe=None, **converter):
    recipe = recipe or default_recipe(source, activation="relu" if source == RELU else "qcfs")
    choice = {**recipe.to_dict()["converter"], **converter}
    answer = find("probe")(
        progress=progress, recipe=recipe.to_dict(), converter=choice, num_steps=num_steps, images=images
    )
    return json.loads(json.dumps(answer, allow_nan=False))


def restored(values):
    plain = {name: values[name] for name in ("kind", "names", "num_steps", "split")}
    return Report.from_payload(plain, {name: np.array(v) for name, v in values.items() if name not in plain})


@pytest.mark.parametrize(
    ("source", "method", "sites"),
    [
        (RESNET, "qcfs", {EDITED: {"threshold": 1.25}, "layer3.1.act2": {"v0": 0.125}}),
        (RELU, "percentile_norm", {"stage1.act1": {"threshold": 0.75, "v0": 0.5}}),
    ],
)
def test_both_sides_equal_a_simulation_of_the_same_images(source, method, sites):
    answer = ask(source, num_steps=5, sites=sites)
    checkpoint = sl.example(source)
    images = checkpoint.data("dev", limit=64)
    for side, edits in (("before", None), ("after", sites)):
        snn = sl.convert(checkpoint.build(), method, data=checkpoint.data("calibration"), sites=edits)
        recording = sl.simulate(snn, images, num_steps=5, snapshots=[5])
        found = restored(answer[side])
        np.testing.assert_array_equal(found.correct, recording.predictions[4] == recording.labels)
        for i, (name, site) in enumerate(recording.sites.items()):
            neurons = np.prod(site.site.shape) * 64
            counts = site.statistics.histogram[0].sum(axis=-1)
            assert found.names[i] == name
            assert found.threshold[i] == pytest.approx(float(np.mean(site.threshold)))
            assert found.v0[i] == float(np.mean(site.initial_fraction))
            assert found.firing_rate[i] == site.total_spikes / (neurons * 5)
            assert (found.excess[i], found.missing[i]) == (counts[EXCESS] / neurons, counts[MISSING] / neurons)
    predicted = sl.analysis.predict(checkpoint.build(), images)
    assert answer["ann_correct"] == (predicted == images.labels).tolist()


def test_an_edit_changes_its_site_and_later_ones_only():
    answer = ask(sites={EDITED: {"threshold": 1.0}})
    before, after = restored(answer["before"]), restored(answer["after"])
    at = before.names.index(EDITED)
    assert 0 < at < len(before.names) - 1
    np.testing.assert_array_equal(after.firing_rate[:at], before.firing_rate[:at])
    assert (after.firing_rate[at:] != before.firing_rate[at:]).sum() > (len(before.names) - at) / 2
    np.testing.assert_array_equal(np.delete(after.threshold, at), np.delete(before.threshold, at))
    assert after.threshold[at] == 1.0


def test_the_method_s_own_values_stand_beside_the_edits():
    answer = ask(sites={EDITED: {"threshold": 9.0, "v0": 0.0}})
    learned = [site.threshold for site in sl.convert(sl.example(RESNET).build(), "qcfs").site_facts]
    assert answer["method"]["threshold"] == pytest.approx(learned)
    assert set(answer["method"]["v0"]) == {0.5}


def test_what_is_known_is_not_computed_again(monkeypatch):
    ask(RELU, images=32)
    simulated, converted = [], []
    real, convert = kind.probe_conversion, kind.warm.convert_prepared
    monkeypatch.setattr(kind, "probe_conversion", lambda *a, **k: simulated.append(1) or real(*a, **k))
    monkeypatch.setattr(kind.warm, "convert_prepared", lambda *a, **k: converted.append(1) or convert(*a, **k))
    ask(RELU, images=32, sites={"stage1.act1": {"threshold": 0.5}})
    assert (len(simulated), len(converted)) == (1, 0)  # B only, and no calibration anew
    ask(RELU, images=32, sites={"stage1.act1": {"threshold": 0.5}})
    assert len(simulated) == 1  # undone and done again
    ask(RELU, images=32, parameters={"percentile": 99.0})
    assert (len(simulated), len(converted)) == (2, 1)


def test_an_edit_of_a_run_that_is_edited_itself_starts_from_the_method():
    own = default_recipe(RESNET).changed(converter={"sites": {EDITED: {"threshold": 1.5}}})
    answer = ask(recipe=own, sites={})
    assert restored(answer["before"]).threshold[restored(answer["before"]).names.index(EDITED)] == 1.5
    plain = ask(sites={})
    assert answer["after"] == plain["before"]


def test_only_dev_is_simulated_whatever_the_run_was_on():
    answer = ask(recipe=default_recipe(RESNET, split="test"), images=512, sites={EDITED: {"v0": 0.0}})
    assert answer["after"]["split"] == "dev"
    assert len(answer["after"]["correct"]) == 270  # all there are


def test_progress_counts_images_and_stops_when_told():
    from snnlab.core.errors import Cancelled

    told = []
    ask(images=48, progress=lambda done, total, what: told.append((done, total, what)))
    assert (48, 48, "images simulated") in told

    def stop(done, total, what):
        raise Cancelled

    with pytest.raises(Cancelled):
        ask(images=47, progress=stop)


@pytest.mark.parametrize(
    ("sites", "error", "sentence"),
    [
        ({EDITED: {"threshold": 0.0}}, RecipeError, "threshold is 0.0; it must be above 0"),
        ({EDITED: {"threshold": float("nan")}}, RecipeError, "threshold is nan; it must be"),
        ({EDITED: {"v0": 1e300}}, ConversionError, "v.0. must be finite"),
        ({"layer2.0.act9": {"v0": 0.1}}, ConversionError, "no site 'layer2.0.act9' to edit; did you mean"),
    ],
)
def test_bad_edits_are_answered_with_one_sentence(sites, error, sentence):
    with pytest.raises(error, match=sentence):
        ask(sites=sites)


def test_edits_leave_the_network_alone_and_keep_channels():
    checkpoint = sl.example(RELU)
    snn = sl.convert(checkpoint.build(), "max_norm", data=checkpoint.data("calibration", limit=64), per_channel=True)
    first, second = list(snn.sites)[:2]
    before = {name: neuron.threshold.clone() for name, neuron in snn.sites.items()}
    edited = with_edits(snn, {first: {"v0": 0.25}, second: {"threshold": 2.0}})
    assert all(torch.equal(before[name], neuron.threshold) for name, neuron in snn.sites.items())
    assert torch.equal(edited.sites[first].threshold, before[first])
    assert edited.sites[first].threshold.numel() > 1
    assert edited.sites[first].initial_fraction == 0.25
    assert edited.sites[second].threshold == 2.0
    assert edited.edited == (first, second)
    assert snn.edited == ()


def test_newcombe_s_interval_is_symmetric_and_never_empty():
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.random((2, 30)) < rng.random((2, 1))
        one, two = sl.analysis.paired_difference(a, b), sl.analysis.paired_difference(b, a)
        assert -1 <= one.low <= one.value <= one.high <= 1
        assert (one.value, one.low, one.high) == pytest.approx((-two.value, -two.high, -two.low))
        assert (one.gained, one.lost) == (int(np.sum(b & ~a)), int(np.sum(a & ~b)))
    same = sl.analysis.paired_difference(np.ones(128, bool), np.ones(128, bool))
    assert same.low < 0 == same.value < same.high  # no difference seen is not no difference
    with pytest.raises(DataError, match="found 2 and 3"):
        sl.analysis.paired_difference(np.ones(2, bool), np.ones(3, bool))


def test_newcombe_s_interval_is_that_of_the_paper():
    # Table II of the paper, method 10: 36 both right, 12 and 2 only one of the two, none wrong twice.
    after = np.array([True] * 48 + [False] * 2)
    before = np.array([True] * 36 + [False] * 12 + [True] * 2)
    found = sl.analysis.paired_difference(before, after)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


def test_a_warm_network_is_converted_anew_where_it_depends_on_the_steps():
    values = {"checkpoint": {"source": "digits-vgg-qcfs-L8"}, "data": {"dataset": "digits"}, "num_steps": 8}
    shifted = Recipe.parse({**values, "converter": {"method": "opt_shift"}})
    plain = Recipe.parse({**values, "converter": {"method": "qcfs"}})

    assert warm.network(shifted).converted_for == 8
    assert warm.network(shifted.changed(num_steps=2)).converted_for == 2
    assert warm.network(shifted) is warm.network(shifted.changed(num_steps=8))
    assert warm.network(plain) is warm.network(plain.changed(num_steps=2))
