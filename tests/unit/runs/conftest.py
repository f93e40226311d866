"""Work that tests can steer: kinds that a worker started under ``steered`` knows besides, or in place of, its own."""

import os
import time

import pytest

from snnlab.runs import Pool, Store

KINDS = '''
import os, sys, time, types
import snnlab.runs.kinds as kinds

def steps(*, progress, count=1, seconds=0.05, note="", recipe=None):
    """Work that listens: progress every so often."""
    for number in range(count):
        progress(number, count, "steps done")
        time.sleep(seconds)
    progress(count, count, "steps done")
    from snnlab.runs.kinds import context
    return {"pid": os.getpid(), "workspace": context.current().workspace, "nice": os.nice(0), "note": note}

def deaf(*, progress, how, note=""):
    """Work that never listens."""
    progress(1, 2, "about to be deaf")
    if how == "sleep":
        time.sleep(100)
    elif how == "numba":
        import numba
        @numba.njit(nogil=False)
        def spin(n):
            total = 0.0
            for i in range(n):
                total += (i % 7) * 0.5
            return total
        spin(10)
        progress(2, 2, "spinning")
        spin(10**12)
    else:
        del sys.modules["torch"]
        import torch
        a = torch.rand(6000, 6000, dtype=torch.float64)
        progress(2, 2, "spinning")
        torch.linalg.svd(a)
    return {}

def store_run(*, progress, before=0.0, after=0.0, split="dev"):
    """Store a run, early or late."""
    import dataclasses, secrets
    from snnlab.runs import Store
    from snnlab.runs.kinds import context
    progress(1, 3, "waiting")
    time.sleep(before)
    run = next(run for run in Store().shipped() if run.recipe.data.dataset == "digits")
    run = dataclasses.replace(run, id=secrets.token_hex(16), recipe=run.recipe.changed(data={"split": split}))
    looks = context.record(run)
    progress(2, 3, "stored") if after else None
    time.sleep(after)
    return {"run": run.id, "looks": looks}

def die(*, progress, what="x"):
    progress(1, 2, "dying")
    os._exit(3)

def fail(*, progress, how):
    if how == "memory":
        raise MemoryError
    if how == "allocator":
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
    raise RuntimeError("two\\nlines")

testing = types.ModuleType("snnlab.runs.kinds.testing")
for function in (steps, deaf, store_run, die, fail):
    setattr(testing, function.__name__, function)
    kinds.KINDS[function.__name__] = f"testing:{function.__name__}"
kinds.KINDS.update(noisy="testing:steps", probe="testing:deaf", open="testing:steps")
sys.modules["snnlab.runs.kinds.testing"] = testing
# What takes seconds to load and is not needed here.
sys.modules["torch"] = types.SimpleNamespace(set_num_threads=lambda number: None)
sys.modules["snnlab.runs.execute"] = types.ModuleType("snnlab.runs.execute")
sys.modules["snnlab.simulation.devices"] = types.SimpleNamespace(available_devices=lambda: ("cpu",))
sys.modules["snnlab.runs.kinds.gate"] = types.SimpleNamespace(gate_arguments=lambda arguments: arguments)
'''


@pytest.fixture(scope="session")
def steered_path(tmp_path_factory):
    """A folder whose place on the module path gives every Python the kinds above."""
    folder = tmp_path_factory.mktemp("steered")
    (folder / "sitecustomize.py").write_text(KINDS)
    return folder


@pytest.fixture(scope="module")
def pool(steered_path, tmp_path_factory):
    """A pool of one batch worker with steered kinds, one for all tests of a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(steered_path), os.environ.get("PYTHONPATH")])))
        pool = Pool(Store(tmp_path_factory.mktemp("pool") / "runs.sqlite"), workers=1, interactive=1)
        pool.wait(pool.submit("steps", {}).id, 120)  # the first worker starts in this environment
        settle(pool)
        yield pool
        pool.close()


def settle(pool, seconds=60):
    """Wait until the pool has nothing to do and its spare process is ready."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        processes = list(pool._inside.crew)
        if processes and all(process.idle for process in processes):
            return
        time.sleep(0.02)
    raise AssertionError([(process.role, process.ready, process.job) for process in pool._inside.crew])
