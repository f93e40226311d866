"""A tournament cell by cell: exact numbers, nothing twice, cancel, kill, short memory, methods that do not fit."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.analysis import accuracy_vs_steps
from snnlab.core.errors import Cancelled, ConversionError, RecipeError, SimulationError, StoreError
from snnlab.core.recipe import Recipe
from snnlab.runs import Store
from snnlab.runs.execute import analyse
from snnlab.sweeps import tournament as module
from snnlab.sweeps.contest import CELL, as_tournament_cli, cell_recipe, live_tournament, plan
from snnlab.sweeps.tournament import Cells, tournament_run

RELU = "digits-vgg-relu"


def tiny(methods=("max_norm", "opt_shift", "qcfs"), steps=(2, 4), seeds=2, **values):
    part = {"methods": methods, "steps": list(steps), "seeds": seeds, "calibration_images": 16}
    return Recipe.parse(
        {"checkpoint": {"source": RELU}, "data": {"dataset": "digits", "limit": 24}, "tournament": part | values}
    )


def run_of(recipe, **options):
    """The run, and the cells that were run for it."""
    ran = []
    return tournament_run(recipe, watch=lambda cell, run: ran.append(cell.told), **options), ran


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A tiny tournament with its store."""
    store = Store(tmp_path_factory.mktemp("tournament") / "runs.sqlite")
    run, ran = run_of(tiny(), cells=Cells(store))
    return run, ran, store


def test_every_network_is_converted_for_its_own_t(done):
    run, ran, _ = done
    report = run.reports["tournament"]
    assert ran == [
        f"{report.entrants[1]['title']} at T = 2, seed 0",
        "Max norm, seed 0",  # one simulation of T = 4 for both
        f"{report.entrants[1]['title']} at T = 4, seed 0",
        f"{report.entrants[1]['title']} at T = 2, seed 1",
        "Max norm, seed 1",
        f"{report.entrants[1]['title']} at T = 4, seed 1",
    ]
    checkpoint = sl.example(RELU)
    images = checkpoint.data("dev", limit=24)
    for seed in (0, 1):
        drawn = checkpoint.data("calibration").drawn(16, seed=seed)
        for place, method in enumerate(("max_norm", "opt_shift")):
            for at, step in enumerate((2, 4)):
                snn = sl.convert(checkpoint.build(), method, data=drawn, num_steps=step)
                recording = sl.simulate(snn, images, num_steps=step)
                expected = recording.predictions[-1] == images.labels
                assert (report.correct[place, seed, at] == expected).all(), (method, step, seed)
                counted = sl.analysis.synaptic_operations(snn, images, num_steps=step).per_image(step)
                assert report.syn_ops[place, seed, at] == pytest.approx(counted)
    (curve,) = accuracy_vs_steps({"ANN": checkpoint.build(), "SNN": snn}, images, num_steps=4)
    assert report.ann_accuracy == curve.ann_accuracy


def test_a_cell_is_a_recipe_that_evaluate_runs_too(done):
    run, _, store = done
    cell = next(cell for cell in plan(run.recipe, run.card) if cell.seed == 1)
    assert (cell.recipe.calibration.images, cell.recipe.calibration.seed) == (16, 1)
    stored, again = store.find(cell.recipe, verb=CELL), analyse(cell.recipe)
    assert np.array_equal(stored.accuracy.snn_predictions, again.accuracy.snn_predictions)
    assert ".drawn(16, seed=1)" in sl.runs.as_python(cell.recipe)


def test_a_method_that_does_not_fit_is_listed_with_its_reason(done):
    report = done[0].reports["tournament"]
    assert "learned thresholds" in report.entrants[2]["why"]
    assert report.standing(2, 4) is None


def test_a_finished_cell_is_never_run_twice_and_a_changed_recipe_runs_what_is_new(done):
    run, _, store = done
    again, ran = run_of(tiny(), cells=Cells(store))
    assert ran == []
    assert again.reports["tournament"].to_frame().equals(run.reports["tournament"].to_frame())
    changed, ran = run_of(tiny(methods=("max_norm", "opt_shift", "snm"), seeds=1), cells=Cells(store))
    assert ran == [changed.reports["tournament"].entrants[2]["title"]]
    assert changed.environment["cells"] == {"run": 1, "kept": 3}
    now = live_tournament(tiny(seeds=3).changed(**_complete(run)), run.card, store)
    assert (now.done, len(now.cells)) == (6, 9)
    assert now.next.seed == 2


def _complete(run):
    values = run.recipe.to_dict()
    return {"checkpoint": values["checkpoint"], "data": values["data"]}


def test_cells_are_no_entries_of_the_list_of_runs(done):
    store = done[2]
    assert not [row for row in store.list() if row.verb == CELL]
    assert len(store.list(verb=CELL)) >= 6


def test_cancelled_between_cells_it_goes_on_from_there(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    ran = []

    def stop(done, total, what):
        if len(ran) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        tournament_run(tiny(), cells=Cells(store), watch=lambda cell, run: ran.append(cell.told), progress=stop)
    assert len(store.list(verb=CELL)) == 2
    partial, none = run_of(tiny(), cells=Cells(store), only_kept=True)
    assert none == []
    assert partial.reports["tournament"].standings == (), "of two seeds one is missing"
    counts = []
    run, rest = run_of(tiny(), cells=Cells(store), progress=lambda *told: counts.append(told[:2]))
    assert len(rest) == 4
    assert counts[-1] == (14, 14), "T = 4, and 2 + 4 of the second seed, and 4 of max norm"
    assert [done for done, _ in counts] == sorted(done for done, _ in counts)
    assert len(run.reports["tournament"].standings) == 4


def test_a_warm_up_counts_as_time(tmp_path):
    recipe = tiny(methods=["srp", "qcfs"], steps=[2], seeds=1).changed(checkpoint={"source": "digits-vgg-qcfs-L8"})
    run, _ = run_of(recipe, cells=Cells(Store(tmp_path / "runs.sqlite")))
    report = run.reports["tournament"]
    warm_up = recipe.tournament.methods[0].parameters["tau"]
    assert [one.total_latency for one in report.standings] == [2 + warm_up, 2]
    assert report.paired(0, 1, 2).p is not None, "two single networks"


KILLED = """
import os, sys
from snnlab.sweeps.tournament import tournament_run
from tests.unit.sweeps.test_tournament import tiny
tournament_run(tiny(methods=["max_norm", "opi"], seeds=1), watch=lambda *_: os.kill(os.getpid(), 9))
"""


def test_killed_after_a_cell_that_cell_is_kept():
    done = subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -9
    run, ran = run_of(tiny(methods=["max_norm", "opi"], seeds=1))
    assert ran == ["OPI †"]
    assert len(run.reports["tournament"].standings) == 4


def out_of_memory(below):
    """``simulate`` on a machine that holds fewer than ``below`` images at once."""
    real = module.simulate

    def simulate(snn, images, *, micro_batch, **options):
        if micro_batch is None or micro_batch >= below:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes")
        return real(snn, images, micro_batch=micro_batch, **options)

    return simulate


def test_short_memory_is_met_with_fewer_images_at_once_and_said(done, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "simulate", out_of_memory(below=16))
    run, _ = run_of(tiny(methods=["max_norm"]), cells=Cells(Store(tmp_path / "runs.sqlite")))
    assert "Max norm, seed 1 ran 4 images at a time, as memory was short." in run.notes
    assert np.array_equal(run.reports["tournament"].correct[0], done[0].reports["tournament"].correct[0])


def test_no_memory_at_all_is_told_and_the_others_go_on(monkeypatch, tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    monkeypatch.setattr(module, "simulate", out_of_memory(below=1))
    with pytest.raises(SimulationError, match="memory does not suffice for one image at a time over T = 4"):
        run_of(tiny(methods=["max_norm"]), cells=Cells(store))
    assert store.list(verb=CELL) == []


def test_a_refused_conversion_is_told_and_the_others_go_on(monkeypatch, tmp_path):
    real = module.convert_prepared

    def refusing(prepared, **options):
        if prepared.recipe.num_steps == 2:
            raise ConversionError("the warm-up has 4 time-steps, and T is 2")
        return real(prepared, **options)

    monkeypatch.setattr(module, "convert_prepared", refusing)
    run, _ = run_of(tiny(methods=["opt_shift"]), cells=Cells(Store(tmp_path / "runs.sqlite")))
    report = run.reports["tournament"]
    assert report.refused == ({"entrant": 0, "steps": [2], "why": "the warm-up has 4 time-steps, and T is 2"},)
    assert [one.step for one in report.standings] == [4]


def test_memory_that_fails_in_a_calibration_is_a_sentence(monkeypatch, tmp_path):
    def failing(prepared, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "convert_prepared", failing)
    with pytest.raises(SimulationError, match="give it fewer images"):
        run_of(tiny(methods=["max_norm"], seeds=1), cells=Cells(Store(tmp_path / "runs.sqlite")))


def test_a_store_that_cannot_be_written_takes_no_numbers_away(monkeypatch, tmp_path):
    cells = Cells(Store(tmp_path / "runs.sqlite"))

    def full(*_, **__):
        raise StoreError("the disk is full.")

    monkeypatch.setattr(cells.store, "save", full)
    run, ran = run_of(tiny(methods=["max_norm"]), cells=cells)
    assert len(ran) == 2
    assert run.notes[-1] == "Finished cells are not kept: the disk is full."
    leased = Cells(cells.store, lease="gone")
    with pytest.raises(StoreError):
        run_of(tiny(methods=["max_norm"]), cells=leased)


def test_one_method_with_two_sets_of_parameters():
    twice = [{"method": "percentile_norm", "parameters": {"percentile": value}} for value in (99.0, 99.9)]
    recipe = tiny(methods=[*twice, "max_norm"])
    rows = sl.sweeps.entrants(recipe, sl.example(RELU).card.to_dict())
    assert [row["name"] for row in rows] == [
        "percentile_norm (percentile = 99.0)",
        "percentile_norm (percentile = 99.9)",
        "max_norm",
    ]
    assert as_tournament_cli(recipe).startswith("snnlab tournament --recipe recipe.yaml")
    assert "--methods max_norm,opi --num-steps 2,4 --seeds 2 --calibration-images 16" in as_tournament_cli(
        tiny(methods=["max_norm", "opi"])
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"methods": []}, "at least one method"),
        ({"methods": ["max_norm", "max_norm"]}, "takes part twice"),
        ({"methods": ["max_nrm"]}, "did you mean 'max_norm'"),
        ({"methods": "max_norm"}, "must be a list of methods"),
        ({"steps": []}, "tournament: steps must name at least one T"),
        ({"steps": [0, 4]}, "each 1 or more"),
        ({"calibration_images": 1}, "one image calibrates nothing"),
        ({"calibration_images": 0}, "nothing to draw"),
        ({"seeds": 0}, "must be at least 1"),
    ],
)
def test_bad_recipes_are_refused_in_a_sentence(values, said):
    with pytest.raises(RecipeError, match=said):
        tiny(**values)


def test_a_tournament_of_another_recipe_part_is_left_alone():
    plain = cell_recipe(tiny(), tiny().tournament.methods[0], 4, 0, drawn=True)
    assert plain.tournament is None
    assert "tournament" not in plain.to_dict()
    assert plain.converter.method == "max_norm"
    assert tiny().num_steps == 4


def test_what_a_stored_tournament_leaves_with(done):
    run, _, store = done
    stored = Store(store.location).get(Store(store.location).save(run))
    names = [figure.name for figure in sl.runs.figures_of(stored)]
    assert {"tournament-total-latency", "tournament-syn-ops", "tournament-paired-t2"} <= set(names)
    assert sl.runs.line_of(stored) == "snnlab tournament --recipe recipe.yaml"


def test_the_recorded_contests_are_valid_recipes(tmp_path):
    from scripts.record_tournament import CONTESTS, recipe_of

    for name in CONTESTS:
        assert recipe_of(name, tmp_path).tournament.steps
