"""What experiments keep: shared trainings, the live view without torch, errors that name arm and seed, the job."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.core.errors import CheckpointError, RecipeError, SimulationError
from snnlab.core.recipe import NoiseChoice, TrainingChoice
from snnlab.runs import Store
from snnlab.runs.kinds import find
from snnlab.sweeps import bench as bench_module
from snnlab.sweeps import experiment as experiment_module
from snnlab.sweeps import live, noise_experiment, pace_recipe, seconds_left, tuned_file
from snnlab.sweeps.arms import noise_of
from snnlab.sweeps.bench import open_bench
from snnlab.sweeps.places import cell_folder, training_settings
from snnlab.training.epochs import STATE_FILE
from tests.unit.sweeps.test_experiment import recipe

TINY = {"epochs": 1, "images": 32, "batch_size": 16, "augment": [], "noise": "re_estimate"}


def tiny(**changed):
    values = {"data": {"dataset": "digits", "split": "dev", "limit": 30}, "noise": {"limit": 20}, "training": TINY}
    values |= {"experiment": {"arms": ["control", "nq"], "seeds": 1, "steps": [2]}}
    made = recipe(**{**values, **changed})
    return open_bench(made).recipe


def silent(done, total, what):
    pass


def test_trainings_are_shared_between_experiments_that_have_them_in_common():
    one = tiny()
    noise_experiment(one)
    seen = []
    more = one.changed(experiment={"arms": ["control", "nq", "half_nq"], "steps": [2, 1]}, data={"limit": 20})
    gain = noise_experiment(more, watch=seen.append)
    assert {epoch.arm for epoch in seen} == {"half_nq"}
    assert gain.snn_correct.shape == (3, 1, 2, 20)
    assert cell_folder(one, "nq", 0) != cell_folder(one.changed(training={"learning_rate": 0.5}), "nq", 0)
    assert cell_folder(one, "nq", 0) != cell_folder(one, "nq", 1)
    assert cell_folder(one, "nq", 0) == cell_folder(one.changed(noise={"scale": 2.0}), "nq", 0), "not its business"
    other_target = one.changed(experiment={"steps": [4]}, num_steps=4)
    assert cell_folder(one, "control", 0) == cell_folder(other_target, "control", 0)
    assert cell_folder(one, "control_L", 0) != cell_folder(other_target, "control_L", 0)


def test_what_is_live_is_what_was_watched_and_its_checkpoint_is_kept():
    made, seen = tiny(), []
    gain = noise_experiment(made, watch=seen.append)
    now = live(made)
    assert now.epochs == tuple(seen)
    assert (now.done, now.total, len(now.finished)) == (2, 2, 2)
    control, nq = now.of("control", 0)[0], now.of("nq", 0)[0]
    assert control.noisy_ann is None
    assert control.rms == 0
    assert 0 <= nq.noisy_ann <= 1
    np.testing.assert_allclose(gain.curves[1, 0, 0], [nq.loss, nq.ann, nq.noisy_ann, nq.snn])
    np.testing.assert_allclose(gain.std[1, 0, 0], nq.std)
    assert sl.load_checkpoint(tuned_file(made, "nq", 0)).card.activation == "qcfs"


def test_the_server_s_side_needs_no_torch():
    code = (
        "import sys, snnlab as sl; from snnlab.core.recipe import Recipe;"
        "r = Recipe.parse({'checkpoint': {'source': 'digits-vgg-qcfs-L8'}, 'data': {'dataset': 'digits'},"
        "'converter': {'method': 'qcfs'}, 'num_steps': 2, 'experiment': {'steps': [2]}});"
        "sl.sweeps.live(r); sl.sweeps.as_train_cli(r); sl.sweeps.pace_recipe(r); sl.analysis.NoiseGain;"
        "sl.figures.noise_gain; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_loss_that_is_no_number_names_arm_and_seed(tmp_path, monkeypatch):
    fit = experiment_module.fit

    def broken(network, *given, **named):
        with torch.no_grad():
            next(network.parameters()).fill_(float("nan"))
        return fit(network, *given, **named)

    monkeypatch.setattr(experiment_module, "fit", broken)
    with pytest.raises(SimulationError, match=r"Arm control, seed 0: The training loss is nan in epoch 1, batch 1"):
        noise_experiment(tiny(), folder=tmp_path)


def test_noise_that_destroys_the_network_is_told_in_the_epoch(tmp_path):
    made = tiny(
        training={**TINY, "noise": "freeze"},
        noise={"limit": 20, "std": {f"stage1.act{i}": 500.0 for i in (1, 2)}},
        experiment={"arms": ["control", "profile"], "seeds": 1, "steps": [2]},
    )
    seen = []
    noise_experiment(made, folder=tmp_path, watch=seen.append)
    assert [epoch.at_chance for epoch in seen] == [False, True]


def test_a_dataset_without_validation_trains_and_watches_nothing(tmp_path, monkeypatch):
    original = bench_module.open_bench

    def without(recipe, *, progress=silent):
        return dataclasses.replace(original(recipe, progress=progress), validation=None)

    made = tiny()
    monkeypatch.setattr(experiment_module, "open_bench", without)
    seen = []
    gain = noise_experiment(made, folder=tmp_path, watch=seen.append)
    assert all(epoch.ann is None and epoch.snn is None for epoch in seen)
    assert np.isnan(gain.curves[..., 1:]).all()
    with pytest.raises(RecipeError, match=r"patience = 2 .* there are no validation images"):
        noise_experiment(made.changed(training={"patience": 2}), folder=tmp_path / "other")


def test_a_full_disk_keeps_the_epoch_before(tmp_path, monkeypatch):
    made = tiny(training={**TINY, "epochs": 2})
    writes = []

    def full(place, epoch):
        writes.append(epoch)
        if len(writes) == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(experiment_module, "add_epoch", full)
        with pytest.raises(CheckpointError, match="No space left on device"):
            noise_experiment(made, folder=tmp_path)
    assert (tmp_path / "control-0" / STATE_FILE).exists()
    seen = []
    noise_experiment(made, folder=tmp_path, watch=seen.append)
    assert {(epoch.arm, epoch.epoch) for epoch in seen} == {("nq", 1), ("nq", 2)}, "both epochs of control were kept"


def test_a_damaged_cell_is_read_again_from_its_weights(tmp_path):
    made = tiny()
    before = noise_experiment(made, folder=tmp_path)
    (tmp_path / "nq-0" / "cell.npz").write_bytes(b"not an archive")
    seen = []
    after = noise_experiment(made, folder=tmp_path, watch=seen.append)
    assert not seen
    np.testing.assert_array_equal(before.snn_correct, after.snn_correct)


def test_a_disk_that_fills_up_at_the_end_keeps_the_training(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("snnlab.sweeps.cells.write_atomically", full)
        with pytest.raises(CheckpointError, match=r"No space left on device; .* the training is kept"):
            noise_experiment(tiny(), folder=tmp_path)
    seen = []
    noise_experiment(tiny(), folder=tmp_path, watch=seen.append)
    assert {epoch.arm for epoch in seen} == {"nq"}


def test_a_cell_kept_by_an_earlier_version_is_read_again_without_training(tmp_path):
    before = noise_experiment(tiny(), folder=tmp_path)
    cell = tmp_path / "nq-0" / "cell.npz"
    with np.load(cell) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name not in ("classes", "errors")}
    np.savez(cell, **kept)
    seen = []
    after = noise_experiment(tiny(), folder=tmp_path, watch=seen.append)
    assert not seen
    np.testing.assert_array_equal(before.classes_after, after.classes_after)
    neurons = after.classes_after.sum(axis=-1)
    np.testing.assert_array_equal(neurons, after.errors_after.sum(axis=-1))
    np.testing.assert_array_equal(neurons, np.broadcast_to(after.classes_before.sum(axis=-1), neurons.shape))


def test_a_folder_of_another_experiment_names_the_fields(tmp_path):
    noise_experiment(tiny(), folder=tmp_path)
    other = tiny(training={**TINY, "learning_rate": 0.5})
    with pytest.raises(RecipeError, match=r"training\.learning_rate differ"):
        noise_experiment(other, folder=tmp_path)


def test_a_frozen_profile_without_std_is_what_was_measured_times_its_multipliers():
    opened = open_bench(tiny())
    measured = opened.base_profile()
    noise = NoiseChoice(multipliers={"stage1.act1": 2.0}, scale=0.5)
    frozen = noise_of("profile", TrainingChoice(noise="freeze"), noise, opened.fit, 2, lambda: measured)
    expected = measured.multiplied({"stage1.act1": 2.0}).scaled(0.5).std_by_site()
    assert frozen.std(opened.start("profile"), 7) == expected


def test_the_job_stores_the_run_and_refuses_the_test_set():
    made = tiny()
    heard = []
    answer = find("experiment")(progress=lambda *one: heard.append(one), recipe=made.to_dict())
    run = Store().get(answer["experiment"])
    assert run.verb == "train"
    assert run.reports["gain"].arms == ("control", "nq")
    batches = [one for one in heard if one[2] == experiment_module.PROGRESS]
    assert batches[-1][:2] == (4, 4), "two batches in each of two trainings"
    with pytest.raises(RecipeError, match="Final evaluation opens the test set"):
        find("experiment")(progress=silent, recipe=made.changed(data={"split": "test"}).to_dict())


def test_the_pace_says_how_long_is_left_and_kept_epochs_are_free():
    made = tiny()
    pace = find("pace")(progress=silent, recipe=pace_recipe(made).to_dict())
    assert min(pace.values()) > 0
    assert pace["batches"] == 2
    assert pace_recipe(made) == pace_recipe(made.changed(experiment={"arms": ["control"], "seeds": 9}))
    before = seconds_left(made, pace)
    noise_experiment(made)
    assert seconds_left(made, pace) == pytest.approx(pace["read"])
    assert before > 2 * seconds_left(made, pace)


def test_settings_hold_what_the_weights_depend_on_and_nothing_else():
    made = tiny()
    control, nq = (training_settings(made, arm, 0) for arm in ("control", "nq"))
    assert "noise" not in control
    assert "target" not in control
    assert set(nq["noise"]) == {"split", "limit", "paper_compat"}
    assert "split" not in nq["data"]
    fewer = made.changed(noise={"limit": 17})  # from which thresholds start where the base has none
    assert training_settings(fewer, "control", 0) != control
