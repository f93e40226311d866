"""Final evaluation: which images are fresh, what makes one experiment, and when a look is counted."""

import dataclasses

import numpy as np
import pytest

from snnlab.analysis.reports import FinalEvaluation, paired_difference, wilson_interval
from snnlab.core.errors import Cancelled, RecipeError, StoreError
from snnlab.core.recipe import Recipe
from snnlab.data import load_dataset
from snnlab.runs import (
    Arm,
    Run,
    Store,
    analyse,
    default_recipe,
    evaluate_final,
    experiment_sha,
    is_current,
    protocol_of,
)
from snnlab.runs.final import explored_images
from snnlab.runs.protocol import SIZES, check_arms, explored_of_test, final_recipe

SHA = {"a": "a" * 64, "b": "b" * 64}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs.sqlite", overlay=tmp_path / "none")


@pytest.fixture(scope="module")
def recipe():
    return default_recipe("digits-vgg-qcfs-L8", num_steps=4, limit=20).changed(traces=0)


@pytest.fixture(scope="module")
def dev_run(recipe):
    return analyse(recipe)


@pytest.fixture(scope="module")
def evaluated(recipe):
    """Two arms of one checkpoint, the second simulated to fewer steps."""
    other = recipe.changed(converter={"parameters": {"initial_fraction": 0.0}}, num_steps=2, snapshots=())
    return evaluate_final([Arm("half", recipe, "1" * 32), Arm("zero", other, "2" * 32)], target=2)


def made(looks=None, explored=0, images=40, arms=2, steps=3, seed=0):
    """An evaluation with random answers."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, images).astype(np.int16)
    mask = np.zeros(images, dtype=bool)
    mask[rng.choice(images, explored, replace=False)] = True
    rows = tuple({"name": f"arm {i}", "lineage": SHA["ab"[i % 2]], "interpretation": False} for i in range(arms))
    guesses = rng.integers(0, 4, (arms, steps + 1, images)).astype(np.int16)
    right = rng.random((arms, steps + 1, images)) < 0.6
    guesses = np.where(right, labels, guesses).astype(np.int16)
    found = looks or {row["lineage"]: 0 for row in rows}
    return FinalEvaluation("digits", 2, rows, found, labels, mask, guesses[:, 0], guesses[:, 1:], 4)


@pytest.mark.parametrize("name", ["digits"])
def test_the_explored_images_are_those_of_dev_from_test(name):
    dataset = load_dataset(name)
    mask = explored_images(dataset, foreign=True)
    _, test = dataset.positions("test")

    assert set(test[mask]) == set(dataset.positions("dev_from_test")[1])
    assert set(test[mask]) == set(dataset.positions("dev", foreign=True)[1])
    assert mask.sum() == explored_of_test(len(test)) == 225
    assert not explored_images(dataset, foreign=False).any()
    assert len(explored_images(dataset, foreign=False)) == len(test) == SIZES["digits"]["test"]


def test_the_sizes_in_the_protocol_are_those_of_the_data():
    assert load_dataset("digits").sizes() == SIZES["digits"]


def test_the_sizes_of_the_real_files(real_data):
    for name, folder in (("cifar10", real_data), ("cifar100", real_data), ("mnist", real_data)):
        assert load_dataset(name, str(folder)).sizes() == SIZES[name]


def test_a_foreign_resnet_has_eight_thousand_fresh_images(real_data):
    dataset = load_dataset("cifar10", str(real_data))
    mask = explored_images(dataset, foreign=True)

    assert (~mask).sum() == 8000
    assert len(mask) == 10_000
    assert set(np.flatnonzero(mask)) == set(dataset.positions("dev_from_test")[1])


def test_every_arm_runs_on_the_whole_test_set_in_file_order(evaluated, recipe):
    report = evaluated.reports["final"]
    split = load_dataset("digits").split("test")

    assert evaluated.verb == "final"
    np.testing.assert_array_equal(report.labels, split.labels)
    assert not report.explored.any()
    assert [report.num_steps(arm) for arm in range(2)] == [4, 2]
    assert report.sets == ("all",)
    assert set(evaluated.reports) == {"final", "accuracy", "conversion"}


def test_an_arm_gives_the_numbers_of_evaluate_on_the_test_split(evaluated, recipe):
    report = evaluated.reports["final"]
    alone = analyse(final_recipe(recipe)).accuracy

    np.testing.assert_array_equal(report.ann_predictions[0], alone.ann_predictions)
    np.testing.assert_array_equal(report.snn_predictions[0], alone.snn_predictions)
    np.testing.assert_array_equal(evaluated.accuracy.snn_predictions, alone.snn_predictions)
    assert Recipe.parse(report.arms[0]["recipe"]).data.split == "test"
    assert Recipe.parse(report.arms[0]["recipe"]).data.limit is None


def test_an_evaluation_survives_storage(evaluated, store):
    store.save(evaluated)
    again = store.get(evaluated.id)

    assert again.to_bytes() == evaluated.to_bytes()
    assert again.reports["final"].to_frame().equals(evaluated.reports["final"].to_frame())


def test_fresh_and_explored_images_are_counted_apart():
    report = made(explored=15)
    right = report.snn_correct(1, 2)
    fresh = report.snn(1, 2, "fresh")
    low, high = wilson_interval(int(right[~report.explored].sum()), 25)

    assert report.sets == ("fresh", "all")
    assert fresh.value == pytest.approx(right[~report.explored].mean())
    assert (fresh.low, fresh.high) == pytest.approx((float(low), float(high)))
    assert report.snn(1, 2, "all").value == pytest.approx(right.mean())
    assert report.curve(1, "fresh").images == 25
    assert report.curve(1, "all").snn_accuracy[1] == pytest.approx(right.mean())


def test_differences_are_paired_over_images():
    report = made(explored=10)
    mask = ~report.explored
    expected = paired_difference(report.snn_correct(0, 2)[mask], report.snn_correct(1, 2)[mask])

    assert report.difference(1, 0, 2, "fresh") == expected
    assert report.difference(0, 1, 2, "fresh").value == -expected.value
    gap = report.gap(0, 2, "all")
    assert gap.value == pytest.approx(report.snn(0, 2, "all").value - report.ann(0, "all").value)
    assert gap.low < gap.value < gap.high


def test_the_table_holds_both_image_sets_and_marks_the_primary_t():
    frame = made(explored=10).to_frame()

    assert set(frame["images"]) == {"fresh", "all"}
    assert set(frame[frame["images"] == "fresh"]["count"]) == {30}
    primary = frame[frame["primary"]]
    assert set(primary["step"]) == {2}
    assert set(primary["images"]) == {"fresh"}
    assert len(made().to_frame().query("primary")) == 2


def test_arms_that_end_early_have_no_later_steps(evaluated):
    frame = evaluated.reports["final"].to_frame()

    assert frame[frame["arm"] == "zero"]["step"].max() == 2
    assert frame[frame["arm"] == "half"]["step"].max() == 4
    assert list(evaluated.reports["final"].differences([1, 2, 3])["step"]) == [1, 2]


def test_what_makes_no_experiment_is_one_sentence(recipe):
    with pytest.raises(RecipeError, match="1 to 12 arms"):
        check_arms([])
    with pytest.raises(RecipeError, match="several"):
        check_arms([Arm("a", recipe), Arm("b", recipe.changed(data={"dataset": "mnist"}))])
    with pytest.raises(RecipeError, match="a and b are the same conversion"):
        check_arms([Arm("a", recipe), Arm("b", recipe.changed(data={"limit": 3}, snapshots=()))])
    with pytest.raises(RecipeError, match="nothing at the primary T = 8"):
        evaluate_final([Arm("a", recipe)], target=8)


def test_the_same_experiment_is_known_whatever_dev_was(recipe):
    other = recipe.changed(converter={"parameters": {"initial_fraction": 0.0}})
    again = recipe.changed(data={"limit": 7, "split": "validation"}, snapshots=(1,))

    assert experiment_sha([recipe, other]) == experiment_sha([other, again])
    assert experiment_sha([recipe]) != experiment_sha([other])
    assert experiment_sha([recipe]) != experiment_sha([recipe], version=999)


def test_one_look_for_a_whole_experiment(store, evaluated, dev_run):
    store.save(dev_run)
    lineage = evaluated.card["sha256"]
    before = protocol_of(store, [dev_run])
    assert (before.looks, before.next_look, before.same) == ({lineage: 0}, 1, "")

    assert store.record(evaluated) == 1

    after = protocol_of(store, [dev_run])
    assert after.looks == {lineage: 1}
    assert store.get(evaluated.id).reports["final"].looks == {lineage: 1}
    assert [row.id for row in after.earlier] == [evaluated.id]
    assert after.same == ""  # one of its two arms is another experiment


def test_identical_arms_are_found_again(store, evaluated, dev_run):
    store.record(evaluated)
    other = dev_run.recipe.changed(
        converter={"parameters": {"initial_fraction": 0.0}}, num_steps=2, snapshots=(), data={"limit": 5}
    )
    second = dataclasses.replace(dev_run, recipe=other, id="3" * 32)
    found = protocol_of(store, [second, dev_run])

    assert found.same == evaluated.id
    assert is_current(store.get(evaluated.id))


def test_a_later_look_knows_its_number(store, evaluated):
    store.look(dataset="digits", lineage=evaluated.card["sha256"], recipe_sha="ann alone")
    again = dataclasses.replace(evaluated, id="4" * 32)

    assert store.record(evaluated) == 2
    assert store.record(again) == 3
    assert [store.get(one.id).reports["final"].look for one in (evaluated, again)] == [2, 3]


def test_two_checkpoints_are_one_look_each(store, evaluated):
    reports = {**evaluated.reports, "final": made(looks={SHA["a"]: 0, SHA["b"]: 0})}
    store.look(dataset="digits", lineage=SHA["b"], recipe_sha="before")
    run = dataclasses.replace(evaluated, reports=reports, id="5" * 32)

    assert store.record(run) == 2
    assert store.get(run.id).reports["final"].looks == {SHA["a"]: 1, SHA["b"]: 2}


def test_what_is_not_stored_counts_nothing(store, evaluated, monkeypatch):
    def full(self):
        raise StoreError("There is no room.")

    monkeypatch.setattr(Run, "to_bytes", full)
    with pytest.raises(StoreError):
        store.record(evaluated)

    assert store.looks(dataset="digits", lineage=evaluated.card["sha256"]) == 0
    assert store.list() == []


def test_a_cancelled_evaluation_counts_nothing(monkeypatch, recipe, tmp_path):
    from snnlab.runs.kinds.final import run_final

    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))

    def cancel(done, total, what):
        if what.startswith("arm 2 of 2"):
            raise Cancelled

    other = recipe.changed(converter={"parameters": {"initial_fraction": 0.0}})
    arms = [Arm("a", recipe).to_dict(), Arm("b", other).to_dict()]
    with pytest.raises(Cancelled):
        run_final(progress=cancel, arms=arms, target=2)

    store = Store()
    assert store.looks(dataset="digits", lineage=analyse_sha(store)) == 0
    assert [row for row in store.list() if row.verb == "final"] == []


def analyse_sha(store):
    return next(row.sha256 for row in store.list() if row.checkpoint == "digits-vgg-qcfs-L8")


def test_the_job_stores_and_counts_and_its_answer_names_no_run(monkeypatch, recipe, tmp_path):
    from snnlab.runs.kinds.final import run_final

    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "runs.sqlite"))
    answer = run_final(progress=lambda *_: None, arms=[Arm("a", recipe).to_dict()], target=2)
    run = Store().get(answer["final"])

    assert answer == {"final": run.id, "looks": 1}
    assert run.reports["final"].looks == {run.card["sha256"]: 1}


def test_the_protocol_counts_what_was_tried_on_dev(store, dev_run):
    store.save(dev_run)
    other = dev_run.recipe.changed(converter={"parameters": {"initial_fraction": 0.0}})
    noisy = dev_run.recipe.changed(noise={"seeds": 2})
    tests = dev_run.recipe.changed(converter={"parameters": {"initial_fraction": 0.25}}, data={"split": "test"})
    for place, changed in enumerate((other, other.changed(seed=1), noisy, tests)):
        store.save(dataclasses.replace(dev_run, recipe=changed, id=f"{place:032x}"))
    (tried,) = protocol_of(store, [dev_run]).tried.values()

    assert (tried.conversions, tried.profiles) == (2, 1)


def test_a_foreign_checkpoint_keeps_2000_images_apart(dev_run, store):
    foreign = dataclasses.replace(dev_run, card={**dev_run.card, "foreign": True})
    large = dataclasses.replace(foreign, recipe=foreign.recipe.changed(data={"dataset": "cifar10"}))

    assert (protocol_of(store, [foreign]).explored, protocol_of(store, [foreign]).fresh) == (225, 225)
    assert (protocol_of(store, [large]).explored, protocol_of(store, [large]).fresh) == (2000, 8000)
    assert (protocol_of(store, [dev_run]).explored, protocol_of(store, [dev_run]).fresh) == (0, 450)
