"""Worker processes with their real work: kinds, storing, the gate, and death with their server."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from snnlab.cli.main import app
from snnlab.core.recipe import Recipe
from snnlab.runs import Pool, Store, analyse, default_recipe

A = "a" * 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the pool's store lies, and what its workers may open."""
    return tmp_path_factory.mktemp("worker")


@pytest.fixture(autouse=True)
def _private_places(folder, monkeypatch):
    """The same places for all tests of this file: workers that start in one test serve in the next."""
    monkeypatch.setenv("SNNLAB_STORE", str(folder / "own.sqlite"))
    monkeypatch.setenv("SNNLAB_DATA_ROOTS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))


@pytest.fixture(scope="module")
def pool(folder):
    pool = Pool(Store(folder / "runs.sqlite"), workers=1)
    yield pool
    pool.close()


def done(pool, kind, arguments, **options):
    job = pool.wait(pool.submit(kind, arguments, **options).id, 240)
    assert job.state == "done", job.error
    return job


def recipe(**data):
    return default_recipe("digits-vgg-qcfs-L8", num_steps=4, **data).to_dict()


def test_an_analysis_is_stored_for_its_workspace(pool):
    job = done(pool, "analyse", {"recipe": recipe(limit=20)}, workspace=A)
    (row,) = [row for row in pool._store.list([A]) if not row.shipped]

    assert row.id == job.result["run"]
    assert (row.images, row.split, row.checkpoint, row.workspace) == (20, "dev", "digits-vgg-qcfs-L8", A)
    assert pool._store.get(row.id).reports["accuracy"].images == 20
    assert (job.done, job.total, job.what) == (20, 20, "images simulated")


def test_page_command_line_and_python_give_identical_numbers(pool, monkeypatch, tmp_path):
    chosen = default_recipe("digits-vgg-qcfs-L8", num_steps=6, limit=40).changed(
        converter={"sites": {"stage1.act1": {"threshold": 1.25, "v0": 0.25}}}, snapshots=[], traces=0
    )
    by_job = pool._store.get(done(pool, "analyse", {"recipe": chosen.to_dict()}).result["run"])
    (tmp_path / "recipe.yaml").write_text(chosen.to_yaml())
    told = CliRunner().invoke(app, ["evaluate", "--recipe", str(tmp_path / "recipe.yaml"), "--json"])
    by_line = json.loads(told.stdout)
    by_python = analyse(chosen)

    assert by_job.recipe_sha == by_line["recipe_sha"] == by_python.recipe_sha
    curves = [run.reports["accuracy"] for run in (by_job, by_python)]
    assert by_line["snn_accuracy"] == curves[0].snn_accuracy.tolist() == curves[1].snn_accuracy.tolist()
    assert by_line["ann_accuracy"] == curves[0].ann_accuracy == curves[1].ann_accuracy
    np.testing.assert_array_equal(curves[0].snn_predictions, curves[1].snn_predictions)
    conversions = [run.reports["conversion"].payload() for run in (by_job, by_python)]
    assert conversions[0][0] == conversions[1][0]
    for name, array in conversions[0][1].items():
        np.testing.assert_array_equal(array, conversions[1][1][name], err_msg=name)


def test_normalization_trace_and_ann_kinds(pool):
    ranked = done(pool, "normalization", {"recipe": recipe()})
    assert ranked.result["names"][0] in ("unit", "half", "mnist")

    ann = done(pool, "evaluate_ann", {"recipe": recipe(limit=50)})
    assert ann.result["images"] == 50
    assert ann.result["low"] < ann.result["accuracy"] <= ann.result["high"]

    arguments = {"recipe": recipe(limit=50), "site": "stage2.act1", "image": 3, "position": 5}
    asked = pool.wait(pool.ask("trace", arguments, workspace=A).id, 240)
    assert len(asked.result["currents"][0]) == 4
    assert asked.result["negative"] == [None]  # a plain neuron takes no spike back


def test_networks_that_a_file_may_hold_are_ranked(pool, folder):
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.AvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(1352, 10)
    )
    torch.save(network.state_dict(), folder / "net.pt")
    pixels = np.random.default_rng(0).integers(0, 255, (600, 1, 28, 28)).astype(np.uint8)
    np.savez(folder / "own.npz", x=pixels, y=np.tile(np.arange(10), 60))
    places = {"path": str(folder / "net.pt"), "folder": str(folder / "own.npz")}
    found = done(pool, "candidates", {"dataset": "npz", **places}).result["candidates"]

    assert {"avgpool", "maxpool"} <= {
        kind for row in found for layer in row["architecture"]["layers"] for kind in layer
    }
    assert [row["accuracy"] for row in found] == sorted((row["accuracy"] for row in found), reverse=True)


def test_paths_outside_the_roots_are_refused_by_the_worker(pool, tmp_path):
    (tmp_path / "secret.pt").write_bytes(b"x")
    wrong = [
        ("open", {"path": str(tmp_path / "secret.pt")}),
        ("open", {"path": str(tmp_path / "nothing.pt")}),
        ("analyse", {"recipe": recipe() | {"checkpoint": {"source": str(tmp_path / "secret.pt")}}}),
        ("analyse", {"recipe": recipe() | {"data": {"dataset": "cifar10", "folder": str(tmp_path)}}}),
        ("evaluate_ann", {"recipe": recipe() | {"data": {"dataset": "cifar10", "folder": "/nowhere"}}}),
    ]
    errors = [pool.wait(pool.submit(kind, arguments).id, 240).error for kind, arguments in wrong]

    assert all("is not a readable path under" in error and "\n" not in error for error in errors)
    assert len({error.partition(" is not")[2] for error in errors}) == 1


def test_a_foreign_checkpoint_is_kept_and_its_recipe_runs_from_there(pool, folder):
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10)
    )  # fmt: skip
    torch.save(network.state_dict(), folder / "mlp.pt")
    opened = done(pool, "open", {"path": str(folder / "mlp.pt")}).result
    values = default_recipe(opened["path"], activation="relu", num_steps=4, limit=20).to_dict()
    run = pool._store.get(done(pool, "analyse", {"recipe": values}).result["run"])

    assert str(folder / "cache") in opened["path"]
    assert opened["card"]["name"] == "mlp.pt"
    assert run.recipe.checkpoint.sha256 == opened["card"]["sha256"]
    # The original, named by path: the same kept file stands for it.
    direct = Recipe.parse(values).changed(checkpoint={"source": str(folder / "mlp.pt")}).to_dict()
    again = pool._store.get(done(pool, "analyse", {"recipe": direct}).result["run"])
    assert again.recipe == run.recipe


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


SERVER = """
import sys, time
from snnlab.runs import Pool, Store, default_recipe
pool = Pool(Store(sys.argv[1]), workers=1)
recipe = default_recipe("digits-vgg-qcfs-L8", num_steps=4).to_dict()
long = recipe | {"num_steps": 4000, "snapshots": [], "traces": 0}
job = pool.submit("analyse", {"recipe": long}, workspace="a" * 32, title="long")
queued = pool.submit("analyse", {"recipe": recipe | {"seed": 1}}, workspace="a" * 32)
while not pool.job(job.id).done:
    time.sleep(0.02)
print(job.id, queued.id, *(process.pid for process in pool._inside.crew), flush=True)
time.sleep(600)
"""


def test_a_killed_server_leaves_no_worker_and_no_half_run_and_its_jobs_start_again(tmp_path):
    path = tmp_path / "runs.sqlite"
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(path)], stdout=subprocess.PIPE, text=True)
    job_id, queued_id, *pids = server.stdout.readline().split()
    beside = Pool(Store(path))
    assert beside.job(job_id).state == "running", "another server's job is left alone while that server lives"
    beside.close()
    server.kill()
    server.wait()
    deadline = time.monotonic() + 5
    while any(_alive(int(pid)) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not any(_alive(int(pid)) for pid in pids)
    after = Pool(Store(path), workers=1)
    try:
        assert {job.id: job.state for job in after.jobs(A)} == {job_id: "interrupted", queued_id: "interrupted"}
        assert [row for row in Store(path).list() if not row.shipped] == []
        again = after.restart(queued_id, workspace=A)
        assert after.wait(again.id, 240).state == "done"
        assert after.restart(job_id, workspace=A).title == "long"
        assert {job.state for job in after.jobs(A)} <= {"done", "queued", "running"}
        assert [row.workspace for row in Store(path).list() if not row.shipped] == [A]
    finally:
        after.close()


def test_a_worker_line_is_json_and_nothing_else():
    process = subprocess.Popen(
        [sys.executable, "-m", "snnlab.runs.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.stdin.write(json.dumps({"id": "1", "kind": "open", "arguments": {"path": "digits-vgg-relu"}}) + "\n")
    process.stdin.flush()
    messages = []
    while not messages or not {"result", "error"} & set(messages[-1]):
        messages.append(json.loads(process.stdout.readline()))
    process.stdin.close()

    assert process.wait(10) == 0
    assert messages[0]["ready"][0] == "cpu"
    assert messages[-1]["result"]["card"]["name"] == "digits-vgg-relu"


def test_a_checkpoint_that_is_being_read_is_left_when_the_worker_ends(tmp_path):
    os.mkfifo(tmp_path / "endless.pt")  # its reader waits for ever
    code = (
        "import sys; from pathlib import Path; import snnlab.runs.intake as intake\n"
        "intake.file_sha256 = lambda path: '0' * 64\n"
        "print('reading', flush=True); intake.open_limited(Path(sys.argv[1]))"
    )
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "endless.pt")], stdout=subprocess.PIPE, text=True, env=environment
    )
    worker.stdout.readline()

    def children():
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(worker.pid)], capture_output=True, text=True)
        return found.stdout.split()

    deadline = time.monotonic() + 60
    while not (reading := children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.kill()
    worker.wait()
    deadline = time.monotonic() + 60
    while any(_alive(int(pid)) for pid in reading) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert reading
    assert not any(_alive(int(pid)) for pid in reading)
