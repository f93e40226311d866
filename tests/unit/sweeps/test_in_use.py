"""A running experiment keeps its trainings from being removed."""

from snnlab.runs import storage
from snnlab.runs.paths import training_folder
from snnlab.sweeps import noise_experiment
from tests.unit.sweeps.test_kept import tiny


def test_trainings_are_in_use_while_the_experiment_runs_and_not_after(monkeypatch):
    monkeypatch.setenv("SNNLAB_TRAININGS_GB", "0.000001")  # nothing fits
    seen = []

    def watch(epoch):
        storage.enforce_training_quota()
        seen.append([item.in_use for item in storage.usage().trainings])

    made = tiny()
    gain = noise_experiment(made, watch=watch)
    assert seen == [[True], [True, True]]
    assert gain.arms == ("control", "nq")
    assert [item.in_use for item in storage.usage().trainings] == [False, False]
    assert not list(training_folder().glob("*/.held-*"))
