"""Another device than the CPU: what is placed there, that its equations are the kernel's, and what is refused.

Without a GPU the path is run in the CPU's memory, and its placement on torch's meta device, which refuses to mix.
"""

import numpy as np
import pytest
import torch

from snnlab.analysis import accuracy
from snnlab.converters.apply import convert
from snnlab.core.errors import SimulationError
from snnlab.simulation import devices, engine, simulate
from snnlab.simulation.sites import SiteRunner

STEPS = (1, 3, 6)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def same(one, other):
    np.testing.assert_array_equal(one.predictions, other.predictions)
    np.testing.assert_array_equal(one.logits, other.logits)
    for name, site in one.sites.items():
        twin = other.sites[name]
        assert site.total_spikes == twin.total_spikes
        for part in ("histogram", "spike_errors", "moments", "fired", "spikes", "identity"):
            np.testing.assert_array_equal(getattr(site.statistics, part), getattr(twin.statistics, part))
        if site.candidates is not None:
            np.testing.assert_array_equal(site.candidates.currents, twin.candidates.currents)


@pytest.fixture
def pretended(monkeypatch):
    """A device "cuda" whose memory is the CPU's."""
    for module in (engine, accuracy):
        monkeypatch.setattr(module, "find_device", lambda name: torch.device("cpu"))


@pytest.mark.usefixtures("pretended")
def test_the_path_of_other_devices_gives_the_kernels_numbers(grid_network, grid_images):
    snn = convert(grid_network, "qcfs")
    values = {"num_steps": 6, "snapshots": STEPS, "candidates": "random", "micro_batch": 5}
    same(simulate(snn, grid_images, device="cuda", **values), simulate(snn, grid_images, **values))


@pytest.mark.usefixtures("pretended")
def test_the_kernel_that_writes_does_not_run_there(grid_network, grid_images, monkeypatch):
    monkeypatch.setattr(SiteRunner, "_fused", lambda *values: pytest.fail("the compiled kernel wrote spikes"))
    simulate(convert(grid_network, "qcfs"), grid_images, num_steps=2, device="cuda")


@pytest.mark.usefixtures("pretended")
def test_a_device_that_counts_other_spikes_is_refused(grid_network, grid_images, monkeypatch):
    honest = SiteRunner.step_through

    def wrong(runner, flat):
        spikes = honest(runner, flat)
        spikes.view(-1)[spikes.view(-1).nonzero()[0]] = 0
        return spikes

    monkeypatch.setattr(SiteRunner, "step_through", wrong)
    with pytest.raises(SimulationError, match=r"act1: .* spikes on cpu, .* on the CPU for the same input"):
        simulate(convert(grid_network, "qcfs"), grid_images, num_steps=3, device="cuda")


def test_everything_is_placed_on_the_device(grid_network, grid_images, monkeypatch):
    """On meta: a tensor left on the CPU could not meet one there."""
    seen = []

    def step(runner, current, varies, images, start, *, in_place):
        steps = runner.num_steps if varies else 1
        flat = current.reshape(steps, images, -1)
        emitted = SiteRunner.step_through(runner, flat)
        seen.append((flat.device.type, emitted.device.type, tuple(emitted.shape)))
        return emitted.reshape(-1, *runner.site.shape)

    monkeypatch.setattr(engine, "find_device", lambda name: torch.device("meta"))
    monkeypatch.setattr(SiteRunner, "run", step)
    monkeypatch.setattr("snnlab.simulation.sites._constants", lambda flat: None)  # numbers for the kernel
    monkeypatch.setattr(engine._ReadOut, "add", lambda *values: None)
    logits = []
    run = engine._run

    def watched(*values):
        result = run(*values)
        logits.append(result.device.type)
        return torch.zeros(result.shape)

    monkeypatch.setattr(engine, "_run", watched)
    monkeypatch.setattr(SiteRunner, "recording", lambda runner: None)
    monkeypatch.setattr(engine, "_check_identities", lambda recordings: None)
    simulate(convert(grid_network, "qcfs"), grid_images, num_steps=4, device="cuda")

    assert set(logits) == {"meta"}
    assert len(seen) == 3
    assert all(pair[:2] == ("meta", "meta") for pair in seen)
    assert all(shape[:2] == (4, len(grid_images)) for *_, shape in seen)


def test_the_callers_network_stays_where_it_is(grid_network, grid_images, monkeypatch):
    moved = []
    monkeypatch.setattr(accuracy, "find_device", lambda name: torch.device("meta"))
    monkeypatch.setattr(
        accuracy, "_logits", lambda ann, x: moved.append((next(ann.parameters()).device.type, x.device.type)) or
        torch.zeros(len(x), 3)
    )  # fmt: skip
    accuracy.predict(grid_network, grid_images, device="cuda")
    assert moved == [("meta", "meta")]
    assert all(parameter.device.type == "cpu" for parameter in grid_network.parameters())


def test_what_is_not_there_is_refused(grid_network, grid_images, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    snn = convert(grid_network, "qcfs")
    with pytest.raises(SimulationError, match="no CUDA device that torch can use; choose the device cpu"):
        simulate(snn, grid_images, num_steps=1, device="cuda")
    with pytest.raises(SimulationError, match="There is no device 'tpu'; choose one of cpu, cuda"):
        accuracy.predict(grid_network, grid_images, device="tpu")
    assert devices.available_devices() == ("cpu",)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.available_devices() == ("cpu", "cuda")
    assert devices.find_device("cuda").type == "cuda"


def test_arithmetic_is_exact_within_and_as_before_after():
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        with devices.exact_arithmetic():
            assert not torch.backends.cuda.matmul.allow_tf32
            assert not torch.backends.cudnn.allow_tf32
            assert torch.backends.cudnn.deterministic
        assert torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cudnn.allow_tf32 == cudnn
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


@needs_cuda
def test_cuda_gives_the_numbers_of_the_cpu_on_a_grid(grid_network, grid_images):
    snn = convert(grid_network, "qcfs")
    values = {"num_steps": 6, "snapshots": STEPS, "candidates": "random"}
    same(simulate(snn, grid_images, device="cuda", **values), simulate(snn, grid_images, **values))
    np.testing.assert_array_equal(
        accuracy.predict(grid_network, grid_images, device="cuda"), accuracy.predict(grid_network, grid_images)
    )
