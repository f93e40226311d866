"""The worker process: jobs, progress, cancel for certain, and death with its server."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from snnlab.runs import Store, Worker, default_recipe


@pytest.fixture(scope="module")
def worker():
    worker = Worker()
    yield worker
    worker.close()


def wait(worker, job, seconds=120):
    deadline = time.monotonic() + seconds
    while worker.job(job.id).active and time.monotonic() < deadline:
        time.sleep(0.02)
    return worker.job(job.id)


def recipe(**data):
    return default_recipe("digits-vgg-qcfs-L8", num_steps=4, **data).to_dict()


def test_an_analysis_is_stored(monkeypatch, tmp_path):
    monkeypatch.setenv("SNNLAB_STORE", str(tmp_path / "own.sqlite"))
    worker = Worker()
    try:
        job = wait(worker, worker.submit("analyse", {"recipe": recipe(limit=20)}))
    finally:
        worker.close()

    assert job.state == "done", job.error
    stored = Store(tmp_path / "own.sqlite").get(job.result["run"])
    assert stored.reports["accuracy"].images == 20
    assert (job.done, job.total, job.what) == (20, 20, "images simulated")


def test_errors_arrive_as_one_sentence(worker):
    wrong = recipe() | {"data": {"dataset": "cifar10", "folder": "/nowhere"}}
    job = wait(worker, worker.submit("analyse", {"recipe": wrong}))

    assert job.state == "failed"
    assert "/nowhere" in job.error
    assert "\n" not in job.error


def test_an_equal_active_job_is_not_started_twice(worker):
    long = {"recipe": recipe(limit=270) | {"num_steps": 1024, "snapshots": []}}
    first, second = worker.submit("analyse", long), worker.submit("analyse", long)
    assert first.id == second.id
    worker.cancel(first.id)


def test_cancel_ends_the_job_within_a_second_and_the_next_one_runs(worker):
    long = {"recipe": recipe(limit=270) | {"num_steps": 2048, "snapshots": [], "traces": 0}}
    job = worker.submit("analyse", long)
    waiting = worker.submit("open", {"path": "digits-vgg-relu"})
    deadline = time.monotonic() + 60
    while worker.job(job.id).done == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    process = worker._process
    started = time.monotonic()
    worker.cancel(job.id)
    process.wait(5)

    assert time.monotonic() - started < 1
    assert worker.job(job.id).state == "cancelled"
    assert wait(worker, waiting).state == "done"


def test_a_queued_job_is_cancelled_without_harm(worker):
    running = worker.submit("open", {"path": "digits-vgg-relu"})
    queued = worker.submit("open", {"path": "digits-vgg-qcfs-L8"})
    worker.cancel(queued.id)

    assert wait(worker, running).state == "done"
    assert worker.job(queued.id).state == "cancelled"


def test_a_worker_that_dies_is_reported_and_replaced(worker):
    wait(worker, worker.submit("open", {"path": "digits-vgg-relu"}))
    job = worker.submit("analyse", {"recipe": recipe(limit=270) | {"num_steps": 2048, "snapshots": [], "traces": 0}})
    os.kill(worker._process.pid, signal.SIGKILL)
    job = wait(worker, job)

    assert job.state == "failed"
    assert "ended unexpectedly" in job.error
    assert wait(worker, worker.submit("open", {"path": "digits-vgg-relu"})).state == "done"


def test_normalization_and_trace_and_ann_kinds(worker):
    ranked = wait(worker, worker.submit("normalization", {"recipe": recipe()}))
    assert ranked.state == "done", ranked.error
    assert ranked.result["names"][0] in ("unit", "half", "mnist")

    ann = wait(worker, worker.submit("evaluate_ann", {"recipe": recipe(limit=50)}))
    assert ann.result["images"] == 50
    assert ann.result["low"] < ann.result["accuracy"] <= ann.result["high"]

    trace = wait(
        worker,
        worker.submit("trace", {"recipe": recipe(limit=50), "site": "stage2.act1", "image": 3, "position": 5}),
    )
    assert len(trace.result["currents"][0]) == 4


def test_no_worker_outlives_its_server(tmp_path):
    code = (
        "import sys, time; from snnlab.runs import Worker, default_recipe\n"
        "worker = Worker()\n"
        "r = default_recipe('digits-vgg-qcfs-L8', num_steps=4).to_dict() | "
        "{'num_steps': 4000, 'snapshots': [], 'traces': 0}\n"
        "job = worker.submit('analyse', {'recipe': r})\n"
        "while not worker.job(job.id).done: time.sleep(0.02)\n"
        "print(worker._process.pid, flush=True); time.sleep(60)\n"
    )
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(server.stdout.readline())
    server.kill()
    server.wait()
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not _alive(pid)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split(")")[-1].split()[0] != "Z"
    except FileNotFoundError:
        return False


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
    assert messages[0] == {"ready": True}
    assert messages[-1]["result"]["card"]["name"] == "digits-vgg-relu"


def test_networks_that_a_file_may_hold_are_ranked(worker, tmp_path):
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.AvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(1352, 10)
    )
    torch.save(network.state_dict(), tmp_path / "net.pt")
    pixels = np.random.default_rng(0).integers(0, 255, (600, 1, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "own.npz", x=pixels, y=np.tile(np.arange(10), 60))
    job = wait(
        worker,
        worker.submit(
            "candidates", {"path": str(tmp_path / "net.pt"), "dataset": "npz", "folder": str(tmp_path / "own.npz")}
        ),
    )

    assert job.state == "done", job.error
    found = job.result["candidates"]
    assert {"avgpool", "maxpool"} <= {
        kind for row in found for layer in row["architecture"]["layers"] for kind in layer
    }
    assert [row["accuracy"] for row in found] == sorted((row["accuracy"] for row in found), reverse=True)
